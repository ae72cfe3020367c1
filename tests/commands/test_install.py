"""`git assets install` and `uninstall`: beside whatever was there, all or nothing, and back again."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.hooked import content, lockfile, run
from support.repo import LOCKFILE, Repo, lockfile_text, pinned_bytes

from gitassets import gitstate, hookscript
from gitassets.hookscript import EARLIER, EVENTS, GUARDS, SHARED

if TYPE_CHECKING:
    from conftest import Cli

CHECKOUT = Path(__file__).resolve().parents[2]


def state(directory: Path) -> dict[str, tuple[str, int, bytes]]:
    """Describe every file of a directory: kind or target, mode, bytes."""
    found = {}
    for path in sorted(directory.rglob("*")):
        facts = path.lstat()
        kind = os.readlink(path) if path.is_symlink() else "file" if path.is_file() else "directory"
        data = path.read_bytes() if kind == "file" else b""
        found[str(path.relative_to(directory))] = (kind, stat.S_IMODE(facts.st_mode), data)
    return found


@pytest.fixture
def pinned_repo(repo: Repo) -> Repo:
    """Pin one file in two versions on two branches; the cache has both."""
    repo.write(".gitignore", "*.bin\n")
    repo.write(LOCKFILE, lockfile({"a.bin": 1}))
    repo.commit("One")
    repo.git("switch", "-q", "-c", "two")
    repo.write(LOCKFILE, lockfile({"a.bin": 2}))
    repo.commit("Two")
    repo.git("switch", "-q", "main")
    return repo


def hook(repo: Repo, name: str, text: str, mode: int = 0o755) -> Path:
    path = repo.write(f".git/hooks/{name}", text)
    path.chmod(mode)
    return path


def follows(repo: Repo) -> None:
    """Fail unless a switch brings the asset."""
    for branch, version in (("two", 2), ("main", 1)):
        repo.git("switch", "-q", branch)
        assert repo.read("a.bin") == content("a.bin", version)


def test_install_twice_and_back(pinned_repo: Repo, cli: Cli) -> None:
    repo = pinned_repo
    before, config = state(repo.path / ".git/hooks"), repo.read(".git/config")
    shown = cli("install", "--dry-run", cwd=repo.path)
    assert "would put 6 hooks" in shown.stdout
    assert state(repo.path / ".git/hooks") == before
    first = cli("install", cwd=repo.path)
    assert "git assets pull" in first.stderr
    once = state(repo.path / ".git/hooks"), repo.read(".git/config")
    follows(repo)
    again = cli("install", cwd=repo.path)
    assert "nothing to do" in again.stdout
    assert (state(repo.path / ".git/hooks"), repo.read(".git/config")) == once
    cli("uninstall", cwd=repo.path)
    assert state(repo.path / ".git/hooks") == before
    assert repo.read(".git/config") == config
    assert "no hooks of ours" in cli("uninstall", cwd=repo.path).stdout


def test_the_scripts_are_the_shipped_ones(pinned_repo: Repo, cli: Cli) -> None:
    cli("install", "--guard", cwd=pinned_repo.path)
    for name in EVENTS + GUARDS:
        installed = pinned_repo.path / ".git/hooks" / name
        assert installed.read_bytes() == (CHECKOUT / "hooks" / name).read_bytes()
        assert os.access(installed, os.X_OK)
    shared = (pinned_repo.path / ".git/hooks" / SHARED).read_text()
    assert (
        f"program={shlex.quote(shutil.which('git-assets') or '')}\n" in shared
        or "program=/" in shared
    )
    for shell in filter(shutil.which, ("dash", "bash", "busybox")):
        for name in (SHARED, *EVENTS, *GUARDS):
            words = [shell, "sh"] if shell == "busybox" else [shell]
            path = pinned_repo.path / ".git/hooks" / name
            assert subprocess.run([*words, "-n", path], check=False).returncode == 0


@pytest.mark.parametrize("mode", ["fetch", "verify", "off"])
def test_the_mode_is_configuration(pinned_repo: Repo, cli: Cli, mode: str) -> None:
    cli("install", "--hook", mode, cwd=pinned_repo.path)
    assert pinned_repo.git("config", "--local", "assets.hook") == mode
    cli("install", cwd=pinned_repo.path)
    assert pinned_repo.git("config", "--local", "assets.hook") == mode


FOREIGN = {
    "sh": '#!/bin/sh\necho "$0|$*|$(cat)" >>../seen\nexit 7\n',
    "sh that execs": '#!/bin/sh\nexec sh -c \'echo "$0|$*|$(cat)" >>../seen; exit 7\' "$0" "$@"\n',
    "python": (
        f"#!{sys.executable}\nimport sys\n"
        "open('../seen', 'a').write('|'.join(['py', ' '.join(sys.argv[1:]), sys.stdin.read()]) + '\\n')\n"
        "sys.exit(7)\n"
    ),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_hook_runs_first(pinned_repo: Repo, cli: Cli, kind: str) -> None:
    """With its own arguments, stdin and status; its bytes come back."""
    repo = pinned_repo
    for name in ("post-checkout", "post-rewrite", "pre-push"):
        hook(repo, name, FOREIGN[kind])
    before = state(repo.path / ".git/hooks")
    out = cli("install", "--guard", cwd=repo.path)
    assert "your own post-checkout still runs first" in out.stdout
    seen = repo.path.parent / "seen"
    done = run("git", "switch", "-q", "two", cwd=repo.path)
    assert done.returncode == 1  # git's own answer to a post-checkout that fails
    assert repo.read("a.bin") == content("a.bin", 2)
    old, new = repo.git("rev-parse", "main"), repo.git("rev-parse", "two")
    assert seen.read_text().splitlines()[0].split("|")[1:] == [f"{old} {new} 1", ""]
    seen.unlink()
    repo.git("commit", "-q", "--amend", "-m", "Again")
    assert (
        seen.read_text().splitlines()[0].endswith(f"|amend|{new} {repo.git('rev-parse', 'HEAD')}")
    )
    seen.unlink()
    bare = repo.path.parent / "bare"
    repo.git("clone", "-q", "--bare", ".", str(bare))
    assert run("git", "push", "-q", str(bare), "HEAD:new", cwd=repo.path).returncode == 1
    assert "refs/heads/new" in seen.read_text()
    cli("uninstall", cwd=repo.path)
    assert state(repo.path / ".git/hooks") == before


def test_a_symlink_stays_one(pinned_repo: Repo, cli: Cli) -> None:
    repo = pinned_repo
    repo.write("scripts/after", "#!/bin/sh\necho ran >>../seen\n").chmod(0o755)
    (repo.path / ".git/hooks/post-checkout").symlink_to("../../scripts/after")
    before = state(repo.path / ".git/hooks")
    cli("install", cwd=repo.path)
    follows(repo)
    assert (repo.path.parent / "seen").read_text() == "ran\nran\n"
    cli("uninstall", cwd=repo.path)
    assert state(repo.path / ".git/hooks") == before


def test_a_hook_that_is_not_executable_does_not_begin_to_run(pinned_repo: Repo, cli: Cli) -> None:
    hook(pinned_repo, "post-checkout", "#!/bin/sh\necho ran >>../seen\n", 0o644)
    before = state(pinned_repo.path / ".git/hooks")
    cli("install", cwd=pinned_repo.path)
    follows(pinned_repo)
    assert not (pinned_repo.path.parent / "seen").exists()
    cli("uninstall", cwd=pinned_repo.path)
    assert state(pinned_repo.path / ".git/hooks") == before


def test_uninstall_after_a_foreign_edit(pinned_repo: Repo, cli: Cli) -> None:
    repo = pinned_repo
    cli("install", cwd=repo.path)
    path = repo.path / ".git/hooks/post-merge"
    path.write_text(path.read_text() + "echo mine\n")
    cli("install", cwd=repo.path)
    assert path.read_text().endswith("echo mine\n")
    out = cli("uninstall", cwd=repo.path)
    assert "post-merge' was edited" in out.stderr
    assert path.read_text() == "#!/bin/sh\necho mine\n"
    assert os.access(path, os.X_OK)


def test_uninstall_after_an_edit_above_an_earlier_hook(pinned_repo: Repo, cli: Cli) -> None:
    """Both stay alive, and the status says that something of ours remains."""
    repo = pinned_repo
    hook(repo, "post-merge", "#!/bin/sh\necho earlier >>../seen\n")
    cli("install", cwd=repo.path)
    path = repo.path / ".git/hooks/post-merge"
    path.write_text(path.read_text() + "echo mine >>../seen\n")
    out = cli("uninstall", cwd=repo.path, check=1)
    assert f"post-merge{EARLIER}' remains" in out.stderr
    assert "git assets" not in path.read_text()
    subprocess.run([path, "0"], cwd=repo.path, check=True)
    assert (repo.path.parent / "seen").read_text() == "earlier\nmine\n"


MANAGERS = {
    "pre-commit": "#!/usr/bin/env bash\n# File generated by pre-commit: https://pre-commit.com\n",
    "lefthook": '#!/bin/sh\ncall_lefthook run "post-checkout" "$@"\n',
    "overcommit": "#!/usr/bin/env ruby\n# Entrypoint for Overcommit hook integration.\n",
    "its own name": '#!/bin/sh\ncase "$(basename "$0")" in post-checkout) ;; esac\n',
}


@pytest.mark.parametrize("owner", MANAGERS)
def test_a_manager_gets_its_snippet(pinned_repo: Repo, cli: Cli, owner: str) -> None:
    hook(pinned_repo, "post-checkout", MANAGERS[owner])
    before, config = state(pinned_repo.path / ".git/hooks"), pinned_repo.read(".git/config")
    out = cli("install", cwd=pinned_repo.path, check=1)
    assert owner in out.stderr
    assert "hook post-checkout" in out.stderr or "'hook', 'post-checkout'" in out.stderr
    assert state(pinned_repo.path / ".git/hooks") == before
    assert pinned_repo.read(".git/config") == config
    found = cli("install", "--json", cwd=pinned_repo.path, check=1).json()
    assert [row["path"] for row in found["conflicts"]] == [
        str(pinned_repo.path / ".git/hooks/post-checkout")
    ]


@pytest.mark.parametrize("place", [".husky/_", "githooks"])
def test_nothing_is_written_into_the_work_tree(pinned_repo: Repo, cli: Cli, place: str) -> None:
    (pinned_repo.path / place).mkdir(parents=True)
    pinned_repo.git("config", "core.hooksPath", place)
    out = cli("install", cwd=pinned_repo.path, check=1)
    assert 'git assets hook post-checkout "$@"' in out.stderr
    assert list((pinned_repo.path / place).iterdir()) == []
    assert ("husky" in out.stderr) == (place != "githooks")


def test_a_hooks_directory_that_is_a_symlink_into_the_work_tree(
    pinned_repo: Repo, cli: Cli
) -> None:
    shutil.rmtree(pinned_repo.path / ".git/hooks")
    (pinned_repo.path / "githooks").mkdir()
    (pinned_repo.path / ".git/hooks").symlink_to("../githooks")
    cli("install", cwd=pinned_repo.path, check=1)
    assert list((pinned_repo.path / "githooks").iterdir()) == []


def test_hooks_path_elsewhere(pinned_repo: Repo, cli: Cli, tmp_path: Path) -> None:
    elsewhere = tmp_path / "my hooks"
    pinned_repo.git("config", "core.hooksPath", str(elsewhere))
    cli("install", cwd=pinned_repo.path)
    assert (elsewhere / "post-checkout").exists()
    follows(pinned_repo)
    # Somebody points git elsewhere: ours are found and removed all the same.
    pinned_repo.git("config", "--unset", "core.hooksPath")
    cli("uninstall", cwd=pinned_repo.path)
    assert list(elsewhere.iterdir()) == []


def test_a_hooks_path_for_all_repositories(pinned_repo: Repo, cli: Cli, tmp_path: Path) -> None:
    shared = tmp_path / "all hooks"
    pinned_repo.git("config", "--global", "core.hooksPath", str(shared))
    out = cli("install", cwd=pinned_repo.path, check=1)
    assert "git assets install --global" in out.stderr
    assert not shared.exists()
    cli("install", "--global", cwd=pinned_repo.path)
    cli("pull", "-q", cwd=pinned_repo.path)
    follows(pinned_repo)
    cli("uninstall", "--global", cwd=pinned_repo.path)
    assert list(shared.iterdir()) == []


def test_a_directory_that_cannot_be_written(pinned_repo: Repo) -> None:
    hooks = pinned_repo.path / ".git/hooks"
    before, config = state(hooks), pinned_repo.read(".git/config")
    # Root writes everywhere, unless this capability is taken away.
    powerless = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
    if os.geteuid() != 0:
        powerless = []
    elif not shutil.which("setpriv"):
        pytest.skip("no setpriv(1) to take root's power away")
    hooks.chmod(0o555)
    try:
        done = run(*powerless, "git", "assets", "install", cwd=pinned_repo.path)
        assert done.returncode == 128
        assert "nothing was changed" in done.stderr
        assert "Permission denied" in done.stderr
    finally:
        hooks.chmod(0o755)
    assert state(hooks) == before
    assert pinned_repo.read(".git/config") == config
    run("git", "assets", "install", cwd=pinned_repo.path)
    hooks.chmod(0o555)
    done = run(*powerless, "git", "assets", "uninstall", cwd=pinned_repo.path)
    hooks.chmod(0o755)
    assert done.returncode == 128
    assert "all hooks remain" in done.stderr
    follows(pinned_repo)


KILLER = """
import os, signal, sys
from gitassets import beneath, cli, hooks
left = int(sys.argv.pop(1))
def count(real):
    def call(*args, **more):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **more)
    return call
for name in ("rename", "link", "unlink"):
    setattr(os, name, count(getattr(os, name)))
sys.exit(cli.main(sys.argv[1:]))
"""


def test_killed_between_any_two_renames(pinned_repo: Repo, cli: Cli, tmp_path: Path) -> None:
    """At every moment the foreign hook is alive, and the next install or uninstall finishes."""
    repo, seen = pinned_repo, tmp_path / "seen"
    hook(repo, "post-checkout", f"#!/bin/sh\necho ran >>'{seen}'\n")
    before, config = state(repo.path / ".git/hooks"), repo.read(".git/config")
    killed = 0
    for verb in ("install", "uninstall"):
        for moment in range(40):
            if verb == "uninstall":
                cli("install", cwd=repo.path)
            words = [sys.executable, "-c", KILLER, str(moment), verb]
            done = subprocess.run(words, cwd=repo.path, capture_output=True, check=False)
            seen.unlink(missing_ok=True)
            repo.git("checkout", "-q", "main")
            assert seen.read_text() == "ran\n"
            if moment % 2:
                cli("install", cwd=repo.path)
                follows(repo)
            cli("uninstall", cwd=repo.path)
            assert state(repo.path / ".git/hooks") == before
            assert repo.read(".git/config") == config
            if done.returncode != -signal.SIGKILL:
                break
            killed += 1
        else:
            raise AssertionError("it never came to its end")
    assert killed > 12


def test_config_hooks_of_a_newer_git(
    pinned_repo: Repo, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    """What would be configured for git 2.54, and that each command does its work in a shell.

    That git runs it cannot be shown with an older git.
    """
    from gitassets import git, installation

    monkeypatch.chdir(pinned_repo.path)
    monkeypatch.setattr(gitstate, "version", lambda: (2, 54, 0))
    target = installation.local(git.locate(), "fetch", EVENTS)
    assert target.directory == pinned_repo.path / ".git/assets/hooks"
    settings = dict(target.settings)
    assert {settings[f"hook.gitassets-{event}.event"] for event in EVENTS} == set(EVENTS)
    hook(pinned_repo, "post-checkout", MANAGERS["pre-commit"])  # is left alone
    from gitassets import hooks

    todo = target.plan(EVENTS)
    assert todo.obstacles == ()
    hooks.install(todo)
    gitstate.configure(target.settings, target.scope)
    pinned_repo.git("-c", "core.hooksPath=/dev/null", "switch", "-q", "two")
    command = pinned_repo.git("config", "hook.gitassets-post-checkout.command")
    # hook.c: through a shell, the arguments behind the command.
    words = ["sh", "-c", f'{command} "$@"', command, "main~1", "two", "1"]
    done = run(*words, cwd=pinned_repo.path)
    assert done.returncode == 0, done.stderr
    assert pinned_repo.read("a.bin") == content("a.bin", 2)
    shutil.rmtree(target.directory)
    assert run(*words, cwd=pinned_repo.path).returncode == 0
    hooks.install(target.plan(EVENTS))
    monkeypatch.undo()
    cli("uninstall", cwd=pinned_repo.path)
    assert "gitassets" not in pinned_repo.read(".git/config").decode()
    assert not list(target.directory.glob("*"))


def test_versions() -> None:
    assert gitstate.version() >= (2, 31)
    assert (2, 9, 5) < gitstate.CONFIG_HOOKS <= (2, 54, 0)


def test_hooks_that_fell_asleep_are_noticed(pinned_repo: Repo, cli: Cli) -> None:
    def warned() -> bool:
        return "git assets install" in cli("pull", cwd=pinned_repo.path).stderr

    assert not warned()
    cli("install", cwd=pinned_repo.path)
    assert not warned()
    pinned_repo.git("config", "core.hooksPath", "elsewhere")
    assert warned()
    pinned_repo.git("config", "--unset", "core.hooksPath")
    assert not warned()
    hook(pinned_repo, "post-checkout", "#!/bin/sh\n")
    assert warned()
    cli("uninstall", cwd=pinned_repo.path)
    assert not warned()


def test_the_wheel_ships_the_scripts() -> None:
    assert (hookscript.directory() / SHARED).is_file()
    text = (CHECKOUT / "pyproject.toml").read_text()
    assert '"hooks" = "gitassets/_hooks"' in text


def test_guards(pinned_repo: Repo, cli: Cli) -> None:
    repo = pinned_repo
    cli("install", "--guard", cwd=repo.path)
    repo.write("small.txt", "fine")
    repo.git("add", "small.txt")
    repo.git("commit", "-q", "-m", "Small")
    repo.git("config", "assets.guardAbove", "1k")
    repo.write("big one.dat", b"x" * 2000)
    repo.git("add", "big one.dat")
    repo.git("add", "-f", "a.bin") if (repo.path / "a.bin").exists() else None
    done = run("git", "commit", "-q", "-m", "Big", cwd=repo.path)
    assert done.returncode == 1
    assert "hint: git assets add 'big one.dat'" in done.stderr
    repo.git("rm", "-q", "--cached", "big one.dat")
    repo.write("a.bin", "not what is pinned")
    repo.git("add", "-f", "a.bin")
    done = run("git", "commit", "-q", "-m", "Pinned", cwd=repo.path)
    assert done.returncode == 1
    assert "hint: git rm --cached -- a.bin" in done.stderr
    repo.git("commit", "-q", "--no-verify", "-m", "Anyway")


def test_push_guard(pinned_repo: Repo, cli: Cli, tmp_path: Path) -> None:
    repo, bare = pinned_repo, tmp_path / "bare"
    repo.git("init", "-q", "--bare", str(bare))
    repo.git("remote", "add", "origin", str(bare))
    cli("install", "--guard", cwd=repo.path)
    done = run("git", "push", "-q", "origin", "main", cwd=repo.path)
    assert done.returncode == 1
    assert "'a.bin'" in done.stderr
    assert "hint: git assets push" in done.stderr
    repo.git("push", "-q", "--no-verify", "origin", "main")
    repo.commit("The remote has this lockfile already", {"other": "x"})
    repo.git("push", "-q", "origin", "main")
    served = {"a.bin": pinned_bytes(content("a.bin", 1), "https://example.org/a.bin")}
    repo.write(LOCKFILE, lockfile_text(served))
    repo.commit("Served")
    repo.git("push", "-q", "origin", "main")
    repo.git("push", "-q", "origin", "main:gone")
    repo.git("push", "-q", "origin", ":gone")


def test_a_guard_without_its_program_stops_nothing(pinned_repo: Repo, cli: Cli) -> None:
    cli("install", "--guard", cwd=pinned_repo.path)
    broken = {"GIT_ASSETS_PROGRAM": "false"}
    done = run("git", "commit", "-q", "--allow-empty", "-m", "x", cwd=pinned_repo.path, **broken)
    assert done.returncode == 0
