"""Every git command that moves the lockfile: its assets follow, and Python is started once.

Each row names the events for which the scripts decided that there is something to do. With git 2.39
these are the rows of githooks(5) as they were measured; a git that behaves otherwise fails here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.hooked import QUIET, content, lockfile
from support.repo import LOCKFILE, Repo

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Cli
    from support.hooked import World

EARLY = ["post-index-change"]
"""What is cached is relinked by the first event; the later ones of the same command see no change."""


@pytest.mark.parametrize(
    "command",
    [
        "switch side",
        "checkout side",
        "checkout --detach side",
        "switch -C copy side",
        "checkout -f side",
        "checkout -m side",
        "reset --hard side",
        "reset --keep side",
        "reset --merge side",
        "merge --no-edit side",
        "merge --squash side",
        "cherry-pick side~1",
        "cherry-pick -n side~1",
        "read-tree -m -u side",
        "rebase side",
    ],
)
def test_one_command(world: World, command: str) -> None:
    world.git(*command.split())
    assert world.wrong() == {}
    assert (world.repo.path / "c.bin").read_bytes() == content("c.bin", 1)
    if command != "rebase side":
        assert world.acted() == EARLY


def test_the_old_way_round(world: World) -> None:
    world.git("switch", "-q", "side")
    world.acted()
    world.git("switch", "-q", "main")
    assert world.acted() == EARLY
    assert world.wrong() == {}
    assert not (world.repo.path / "c.bin").exists()


@pytest.mark.parametrize(
    "command",
    [
        "checkout -b new",
        "switch -c new main~1",
        "checkout note",
        "restore note",
        "reset",
        "reset --soft side",
        "update-ref refs/heads/other side",
        "commit --allow-empty -m nothing",
        "commit --amend --no-edit --allow-empty",
        "stash",
        "fetch .",
        "status",
        "gc -q",
        "worktree list",
        "rebase begin",
    ],
)
def test_nothing_to_do_starts_no_python(world: World, command: str) -> None:
    world.git(*command.split())
    assert world.acted() == []


def test_a_hook_that_always_starts_python_is_caught(world: World) -> None:
    shared = world.repo.path / ".git/hooks/git-assets.sh"
    naive = shared.read_text().replace('due "$@" && changed "$@" ||', "true ||")
    shared.write_text(naive)
    world.git("checkout", "-q", "-b", "new")
    assert "post-checkout" in world.acted()


@pytest.mark.parametrize(
    "command", [f"checkout side -- {LOCKFILE}", f"restore --source=side {LOCKFILE}"]
)
def test_the_lockfile_alone_is_restored(world: World, command: str) -> None:
    world.git(*command.split())
    assert world.acted() == ["post-checkout"]
    assert world.wrong() == {}


def test_fast_forward(world: World) -> None:
    world.quietly("switch", "-q", "begin")
    world.git("merge", "-q", "--ff-only", "side")
    assert world.wrong() == {}
    assert world.acted() == EARLY


def test_pull(world: World, tmp_path: Path, cli: Cli) -> None:
    world.git("branch", "shared", "begin")
    clone = world.repo.clone(tmp_path / "clone")
    clone.git("switch", "-q", "shared")
    cli("install", cwd=clone.path)
    cli("pull", "-q", cwd=clone.path)
    world.git("branch", "-f", "shared", "side")
    for how in ("--ff-only", "--rebase"):
        clone.git("pull", "-q", how)
        assert world.wrong(clone.path) == {}
        assert world.acted() == EARLY
        clone.git("reset", "-q", "--hard", "origin/begin")
        assert world.wrong(clone.path) == {}
        world.acted()


def test_a_conflict_then_a_commit(world: World, cli: Cli) -> None:
    world.quietly("switch", "-q", "clash")
    cli("pull", "-q", cwd=world.repo.path)
    world.git("reset", "-q", "--hard")
    world.acted()
    before = world.repo.read("a.bin")
    world.git("config", "--unset", "merge.gitassets.driver")
    merged = world.git("merge", "side", check=False)
    assert "CONFLICT" in merged
    assert world.repo.read("a.bin") == before
    cli("resolve", "--theirs", cwd=world.repo.path)
    world.acted()
    world.git("commit", "-q", "--no-edit")
    assert world.acted() == ["post-commit"]
    assert world.wrong() == {}


@pytest.mark.parametrize("operation", ["merge", "cherry-pick", "rebase", "rebase --apply"])
def test_abort(world: World, cli: Cli, operation: str) -> None:
    """What was there before is there again, whatever had been put there meanwhile."""
    world.quietly("switch", "-q", "clash")
    cli("pull", "-q", cwd=world.repo.path)
    world.git("reset", "-q", "--hard")
    assert world.wrong() == {}
    world.git("config", "--unset", "merge.gitassets.driver")
    target = {"cherry-pick": "side~1"}.get(operation, "side")
    world.git(*operation.split(), target, check=False)
    world.git(operation.partition(" ")[0], "--abort")
    assert world.repo.status == ""
    assert world.wrong() == {}


@pytest.mark.parametrize("how", ["--merge", "--apply"])
def test_rebase_acts_at_the_end(world: World, how: str) -> None:
    for number in range(3):
        world.quietly("commit", "-q", "--allow-empty", "-m", f"Empty {number}")
        world.repo.write("note", f"three {number}\n")
        world.quietly("commit", "-q", "-am", f"Note {number}")
    world.git("rebase", "-q", how, "side")
    assert world.wrong() == {}
    acted = world.acted()
    # --apply shows nothing of itself at its first event: once there, and never for a pick.
    assert acted == (["post-rewrite"] if how == "--merge" else EARLY)


def test_rebase_that_fast_forwards(world: World) -> None:
    world.quietly("switch", "-q", "begin")
    world.git("rebase", "-q", "side")
    assert world.wrong() == {}
    assert len(world.acted()) == 1


def test_rebase_that_stops(world: World, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    """In the middle the assets are those of before, and `pull` works there."""
    monkeypatch.setenv("GIT_SEQUENCE_EDITOR", "sed -i s/^pick/edit/")
    world.git("rebase", "-q", "-i", "side")
    assert world.acted() == []
    assert world.wrong() != {}
    cli("pull", "-q", cwd=world.repo.path)
    world.git("rebase", "--continue")
    assert world.acted() == ["post-rewrite"]
    assert world.wrong() == {}


def test_a_range_acts_at_its_last_commit(world: World) -> None:
    world.git("cherry-pick", "begin..side")
    assert world.acted() == ["post-commit"]
    assert world.wrong() == {}
    assert (world.repo.path / "d.bin").exists()
    world.git("revert", "--no-edit", "HEAD~2..HEAD")
    assert world.acted() == ["post-commit"]
    assert world.wrong() == {}
    assert not (world.repo.path / "d.bin").exists()


def test_revert(world: World) -> None:
    world.git("switch", "-q", "side")
    world.acted()
    world.git("revert", "--no-edit", "HEAD")
    assert world.acted() == EARLY
    assert world.wrong() == {}


def test_amend_and_commit(world: World) -> None:
    world.repo.write(LOCKFILE, lockfile({"a.bin": 2, "b.bin": 1}))
    world.git("commit", "-q", "-a", "-m", "Change a")
    assert world.acted() == ["post-commit"]
    assert world.wrong() == {}
    world.repo.write(LOCKFILE, lockfile({"a.bin": 3, "b.bin": 1}))
    world.git("commit", "-q", "--amend", "--no-edit", LOCKFILE)
    assert len(world.acted()) == 1
    assert world.wrong() == {}


@pytest.mark.parametrize("how", ["pop", "apply"])
def test_stash(world: World, how: str) -> None:
    world.repo.write(LOCKFILE, lockfile({"a.bin": 2, "c.bin": 1}))
    world.repo.write("note", "stashed\n")
    world.git("stash", "-q")
    # It was never applied: nothing but the text has come and gone.
    assert world.wrong() == {}
    world.acted()
    world.git("stash", how, "-q")
    assert world.acted() == EARLY
    assert world.wrong() == {}


def test_am(world: World, tmp_path: Path) -> None:
    patches = world.git("format-patch", "-q", "-o", str(tmp_path / "patches"), "begin..side")
    assert patches == ""
    names = sorted(str(path) for path in (tmp_path / "patches").iterdir())
    assert len(names) == 2
    world.git("am", "-q", *names)
    assert world.acted() == ["post-applypatch"]
    assert world.wrong() == {}


def test_bisect_is_a_switch_a_step(world: World) -> None:
    world.git("bisect", "start", "side", "begin")
    assert world.git("rev-parse", "HEAD") == world.git("rev-parse", "side~1")
    assert world.acted() == EARLY
    assert world.wrong() == {}
    world.git("bisect", "reset")
    assert world.acted() == EARLY
    assert world.wrong() == {}


def test_orphan_branch_touches_nothing(world: World) -> None:
    world.git("switch", "-q", "--orphan", "empty")
    assert world.acted() == []
    assert (world.repo.path / "a.bin").read_bytes() == content("a.bin", 1)
    world.git("switch", "-q", "side")
    assert world.wrong() == {}


def test_worktree_add(world: World, tmp_path: Path) -> None:
    there = tmp_path / "linked"
    world.git("worktree", "add", "-q", "--detach", str(there), "side")
    assert world.acted() == ["post-checkout"]
    assert world.wrong(there) == {}
    assert world.wrong() == {}
    linked = Repo(there)
    linked.git("switch", "-q", "--detach", "main")
    assert world.acted() == EARLY
    assert world.wrong(there) == {}
    assert world.wrong() == {}


def test_from_elsewhere(world: World, tmp_path: Path) -> None:
    below = world.repo.path / "deep" / "er"
    below.mkdir(parents=True)
    Repo(below).git("switch", "-q", "side")
    assert world.wrong() == {}
    Repo(tmp_path).git("-C", "world", "switch", "-q", "main")
    assert world.wrong() == {}
    git_dir = world.repo.path / ".git"
    Repo(tmp_path).git(
        f"--git-dir={git_dir}", f"--work-tree={world.repo.path}", "switch", "-q", "side"
    )
    assert world.wrong() == {}


def test_clone_with_a_template(world: World, tmp_path: Path, cli: Cli) -> None:
    cli("install", "--global", "--hook", "fetch", cwd=tmp_path)
    clone = world.repo.clone(tmp_path / "clone")
    assert world.acted() == ["post-checkout"]
    assert world.wrong(clone.path) == {}
    clone.git("switch", "-q", "--detach", "origin/side")
    assert world.wrong(clone.path) == {}
    # A repository without a lockfile pays for a few tests of the shell.
    world.acted()
    Repo.init(tmp_path / "plain")
    assert world.acted() == []
    cli("uninstall", "--global", cwd=tmp_path)
    another = world.repo.clone(tmp_path / "another")
    assert world.acted() == []
    assert not (another.path / "a.bin").exists()
    assert "template" not in Repo(tmp_path).git("config", "--global", "--list").lower()


def test_submodule_is_its_own_repository(world: World, tmp_path: Path, cli: Cli) -> None:
    outer = Repo.init(tmp_path / "outer")
    allow = ("-c", "protocol.file.allow=always")
    outer.git(*allow, "submodule", "add", "-q", "-b", "main", str(world.repo.path), "inner")
    outer.commit("Add")
    inner = Repo(outer.path / "inner")
    cli("install", cwd=inner.path)
    cli("pull", "-q", cwd=inner.path)
    inner.git("switch", "-q", "--detach", "origin/side")
    assert world.wrong(inner.path) == {}
    world.acted()
    outer.git(*allow, "submodule", "update", "-q")
    assert world.wrong(inner.path) == {}
    assert world.acted() == EARLY


def test_quiet_is_quiet(world: World) -> None:
    """The hook of the test's own preparation does not run."""
    world.git(*QUIET, "switch", "-q", "side")
    assert world.acted() == []
    assert world.wrong() != {}
