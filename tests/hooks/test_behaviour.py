"""What a hook may do: modes, limits, modified files, hostile lockfiles, Ctrl-C, a missing program."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.hooked import content, lockfile, run
from support.process import until
from support.repo import LOCKFILE, Repo, lockfile_text, pinned, pinned_bytes

if TYPE_CHECKING:
    from conftest import Cli
    from support.hooked import World
    from support.server import FaultServer

KIB = 2**10


def pin(world: World, text: str, branch: str) -> None:
    """Make a branch with this lockfile."""
    world.quietly("switch", "-q", "-c", branch)
    world.repo.write(LOCKFILE, text)
    world.quietly("commit", "-q", "-am", branch)
    world.quietly("switch", "-q", "main")


@pytest.fixture
def remote(world: World, server: FaultServer) -> FaultServer:
    """Make a branch `far` with two files of 100 KiB that only a server has."""
    entries = {"a.bin": pinned_bytes(content("a.bin", 1))}
    for name in ("far.bin", "near.bin"):
        entries[name] = pinned(100 * KIB, name, server.url(f"/b/{100 * KIB}/{name}/{name}"))
    pin(world, lockfile_text(entries), "far")
    host = server.url("/").split("/")[2].split(":")[0]
    world.git("config", "--add", "assets.allow", host)
    return server


def test_fetches_what_the_cache_lacks(world: World, remote: FaultServer) -> None:
    done = run("git", "switch", "far", cwd=world.repo.path)
    assert done.returncode == 0
    assert world.wrong() == {}
    assert "2 files fetched (200.0 KiB)" in done.stderr
    assert "missing" not in done.stderr
    assert world.acted() == ["post-index-change", "post-checkout"]
    assert remote.sent("far.bin") == 100 * KIB


def test_no_progress_where_nobody_looks(world: World, remote: FaultServer, monkeypatch) -> None:
    monkeypatch.setenv("GIT_PROGRESS_DELAY", "0")
    done = run("git", "switch", "-q", "far", cwd=world.repo.path)
    said = done.stderr.splitlines()
    assert said[-1] == "git assets: 2 files fetched (200.0 KiB)"
    assert all(line.startswith("git assets: ") for line in said)
    # The control: the same setting shows progress in a pull that a person started.
    (world.repo.path / "far.bin").unlink()
    shutil.rmtree(os.environ["GIT_ASSETS_CACHE"])
    assert "fetching: " in run("git", "assets", "pull", cwd=world.repo.path).stderr


def test_a_lockfile_that_changes_while_a_hook_works_is_not_missed(
    world: World, remote: FaultServer
) -> None:
    """What was applied is older than what is there now, though it was noted down later."""
    home = (world.repo.path / LOCKFILE).read_text()

    def meanwhile(_: object) -> None:
        remote.watch = None
        world.repo.write(LOCKFILE, home)

    remote.watch = meanwhile
    run("git", "switch", "-q", "far", cwd=world.repo.path)
    assert remote.watch is None
    world.acted()
    world.git("commit", "-q", "-am", "as at home")
    assert world.acted() == ["post-commit"]
    assert world.wrong() == {}


def test_reset_relinks_and_says_what_is_left(world: World, remote: FaultServer) -> None:
    done = run("git", "reset", "-q", "--hard", "far", cwd=world.repo.path)
    assert done.returncode == 0
    line = "git assets: 2 files missing (200.0 KiB, not in the cache); to get them: git assets pull"
    assert line in done.stderr.splitlines()
    assert remote.requests() == []


def test_verify_mode_asks_no_server(world: World, remote: FaultServer) -> None:
    world.git("config", "assets.hook", "verify")
    done = run("git", "switch", "far", cwd=world.repo.path)
    assert done.returncode == 0
    assert done.stderr.count("git assets pull") == 1
    assert remote.requests() == []
    assert world.acted() == ["post-index-change"]


def test_the_limit_ends_it_with_one_line(world: World, remote: FaultServer, cli: Cli) -> None:
    world.git("config", "assets.hookLimit", "150k")
    done = run("git", "switch", "far", cwd=world.repo.path)
    assert "1 file fetched (100.0 KiB)" in done.stderr
    left = [line for line in done.stderr.splitlines() if "git assets pull" in line]
    why = "larger than assets.hookLimit allows"
    assert left == [f"git assets: 1 file missing (100.0 KiB, {why}); to get them: git assets pull"]
    assert list(world.wrong()) == ["near.bin"]
    cli("pull", "-q", cwd=world.repo.path)
    assert world.wrong() == {}
    world.acted()
    world.git("checkout", "-q", "-b", "further")
    assert world.acted() == []


def test_a_private_host_is_not_asked_without_permission(world: World, remote: FaultServer) -> None:
    world.git("config", "--unset-all", "assets.allow")
    done = run("git", "switch", "far", cwd=world.repo.path)
    assert done.returncode == 0
    assert "private host" in done.stderr
    assert remote.requests() == []


def test_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_ASSETS_HOOK", "off")
    world.git("switch", "-q", "side")
    monkeypatch.delenv("GIT_ASSETS_HOOK")
    world.git("config", "assets.hook", "off")
    world.git("switch", "-q", "main")
    world.git("switch", "-q", "side")
    assert world.acted() == []
    assert world.wrong() != {}


def test_modified_files_stay(world: World) -> None:
    mine = {}
    for name in ("a.bin", "b.bin"):  # one changes its pin, the other loses it
        path = world.repo.path / name
        path.unlink()
        path.write_bytes(b"mine: " + name.encode())
        mine[name] = path.read_bytes()
    done = run("git", "switch", "side", cwd=world.repo.path)
    assert done.returncode == 0
    assert {name: world.repo.read(name) for name in mine} == mine
    assert (world.repo.path / "c.bin").read_bytes() == content("c.bin", 1)
    assert done.stderr.count("left as you changed it") == 1
    assert "'a.bin'" in done.stderr
    assert "'b.bin'" in done.stderr


def test_a_file_that_was_touched_but_not_changed_goes(world: World) -> None:
    path = world.repo.path / "b.bin"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    world.git("switch", "-q", "side")
    assert world.wrong() == {}


def test_a_file_that_git_tracks_now_stays(world: World) -> None:
    world.quietly("switch", "-q", "-c", "tracked", "side")
    world.repo.write("b.bin", content("b.bin", 1))
    world.quietly("add", "-f", "b.bin")
    world.quietly("commit", "-q", "-m", "Track b")
    world.quietly("switch", "-q", "main")
    world.repo.write("b.bin", content("b.bin", 1))
    world.git("switch", "-q", "tracked")
    assert world.repo.status == ""
    assert world.repo.read("b.bin") == content("b.bin", 1)


def test_the_last_copy_stays(world: World) -> None:
    """What the cache cannot give back is not removed."""
    shutil.rmtree(os.environ["GIT_ASSETS_CACHE"])
    world.git("switch", "-q", "side")
    assert world.repo.read("b.bin") == content("b.bin", 1)


def test_what_was_never_pulled_stays_away(world: World) -> None:
    """A switch brings what differs, not what the user has left out."""
    (world.repo.path / "b.bin").unlink()
    world.git("checkout", "-q", "-b", "more")
    world.repo.write(LOCKFILE, lockfile({"a.bin": 2, "b.bin": 1}))
    world.git("commit", "-q", "-am", "Change a")
    assert world.repo.read("a.bin") == content("a.bin", 2)
    assert not (world.repo.path / "b.bin").exists()


HOSTILE = {
    "markers": "<<<<<<< ours\n" + lockfile_text({}) + "=======\n>>>>>>> theirs\n",
    "no TOML": "version = [",
    "a path outside": lockfile_text({"../evil.bin": pinned_bytes(b"x")}),
    "the git directory": lockfile_text({".git/hooks/post-merge": pinned_bytes(b"x")}),
    "a newer version": "version = 99\n",
    "a link in the way": lockfile_text({"link/evil.bin": pinned_bytes(content("a.bin", 1))}),
    "no pin": '[asset."x.bin"]\nsize = 1\n',
    "17 MiB": "# " + "x" * (17 * 2**20),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_lockfile_is_one_line(world: World, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (world.repo.path / "link").symlink_to(outside)
    pin(world, HOSTILE[name], "hostile")
    before = {path: path.read_bytes() for path in world.repo.path.glob("*.bin")}
    done = run("git", "switch", "hostile", cwd=world.repo.path)
    assert done.returncode == 0
    if name != "a link in the way":
        assert {path: path.read_bytes() for path in world.repo.path.glob("*.bin")} == before
        said = [line for line in done.stderr.splitlines() if "Switched" not in line]
        assert len(said) == 1
        assert said.pop().startswith("git assets: assets.lock.toml")
    assert "Traceback" not in done.stderr
    assert list(outside.iterdir()) == []


def test_missing_program_is_one_line(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GIT_ASSETS_PROGRAM")
    shared = world.repo.path / ".git/hooks/git-assets.sh"
    lines = shared.read_text().splitlines(keepends=True)
    baked = [line for line in lines if line.startswith("program=/")]
    assert len(baked) == 1
    shared.write_text("".join(lines).replace(baked[0], "program=/nowhere/git-assets\n"))
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "cmp"):
        (tools / name).symlink_to(shutil.which(name) or "")
    done = run("git", "reset", "-q", "--hard", "side", cwd=world.repo.path, PATH=str(tools))
    assert done.returncode == 0
    line = "git-assets is not installed here, so the assets are those of before: git assets pull"
    assert done.stderr.splitlines() == [f"git assets: {line}"]
    done = run("git", "checkout", "-b", "new", cwd=world.repo.path, PATH=str(tools))
    assert done.returncode == 0


def test_a_broken_program_stops_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, script, tmp_path: Path
) -> None:
    for status in (1, 2, 127, 128):
        broken = script(tmp_path / f"broken{status}", f"#!/bin/sh\nexit {status}\n")
        monkeypatch.setenv("GIT_ASSETS_PROGRAM", str(broken))
        assert run("git", "switch", "side", cwd=world.repo.path).returncode == 0
        world.git("switch", "-q", "main")


def test_no_cmp_no_problem(world: World, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "git-assets", "sh"):
        (tools / name).symlink_to(shutil.which(name) or "")
    world.acted()
    assert run("git", "checkout", "-b", "new", cwd=world.repo.path, PATH=str(tools)).returncode == 0
    assert world.acted() == []
    run("git", "switch", "side", cwd=world.repo.path, PATH=str(tools))
    assert world.wrong() == {}


def test_strict_lets_git_know(world: World) -> None:
    pin(world, lockfile({"a.bin": 7}, cached=False), "nobody")
    world.git("config", "assets.hookStrict", "true")
    assert run("git", "switch", "nobody", cwd=world.repo.path).returncode == 1
    assert world.git("branch", "--show-current") == "nobody"
    world.git("config", "assets.hookStrict", "false")
    world.git("switch", "-q", "main")
    assert run("git", "switch", "nobody", cwd=world.repo.path).returncode == 0


def test_a_bad_setting_is_one_line(world: World) -> None:
    world.git("config", "assets.hook", "sometimes")
    done = run("git", "switch", "side", cwd=world.repo.path)
    assert done.returncode == 0
    assert "bad value 'sometimes' for assets.hook" in done.stderr


def test_a_manager_calls_the_verb(world: World) -> None:
    """The verb without --decided becomes the script: the same guards, no second Python."""
    world.quietly("switch", "-q", "side")
    done = run("git-assets", "hook", "post-checkout", "x", "y", "1", cwd=world.repo.path)
    assert done.returncode == 0
    assert world.wrong() == {}
    world.quietly("switch", "-q", "main")
    framework = {
        "PRE_COMMIT_FROM_REF": world.git("rev-parse", "side"),
        "PRE_COMMIT_TO_REF": world.git("rev-parse", "main"),
        "PRE_COMMIT_CHECKOUT_TYPE": "1",
    }
    run("git-assets", "hook", "post-checkout", cwd=world.repo.path, **framework)
    assert world.wrong() == {}


class Terminal:
    """git in a terminal of its own, as its foreground job."""

    def __init__(self, args: list[str], cwd: Path) -> None:
        self.text = b""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execvp(args[0], args)

    def until(self, words: bytes) -> None:
        def seen() -> bool:
            self._read()
            return words in self.text

        until(seen, what=self.text.decode(errors="replace"))

    def press(self, key: bytes) -> None:
        os.write(self._fd, key)

    def wait(self) -> int:
        while self._read(1.0):
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self._fd)
        return status

    def _read(self, seconds: float = 0.0) -> bool:
        while select.select([self._fd], [], [], seconds)[0]:
            try:
                data = os.read(self._fd, 65536)
            except OSError:  # EIO: the other side is closed
                return False
            if not data:
                return False
            self.text += data
        return True


@pytest.mark.parametrize("operation", ["switch", "merge --no-edit"])
def test_ctrl_c_reaches_the_hook_alone(
    world: World, remote: FaultServer, cli: Cli, operation: str
) -> None:
    url = remote.url(f"/stall;after=65536;times=1/b/{300 * KIB}/slow/slow.bin")
    entries = {
        "a.bin": pinned_bytes(content("a.bin", 1)),
        "slow.bin": pinned(300 * KIB, "slow", url, remote.url(f"/b/{300 * KIB}/slow/slow.bin")),
    }
    pin(world, lockfile_text(entries), "slow")
    terminal = Terminal(["git", *operation.split(), "slow"], world.repo.path)
    try:
        until(lambda: remote.sent("slow.bin") >= 65536)
        terminal.press(b"\x03")
        terminal.until(b"interrupted")
    except BaseException:
        os.kill(terminal.pid, signal.SIGKILL)
        raise
    finally:
        status = terminal.wait()
    assert os.waitstatus_to_exitcode(status) == 0, terminal.text
    assert not (world.repo.path / ".git/MERGE_HEAD").exists()
    assert world.repo.status == ""
    assert not (world.repo.path / "slow.bin").exists()
    cli("pull", "-q", cwd=world.repo.path)
    assert world.wrong() == {}
    assert cli("verify", "--cache", "--json", cwd=world.repo.path).code == 0


def test_without_taking_the_terminal_git_dies(world: World, script, monkeypatch, tmp_path) -> None:
    """The control: a hook that leaves the terminal to git takes it along."""
    waiting = tmp_path / "waiting"
    slow = script(tmp_path / "slow", f'#!/bin/sh\ntouch "{waiting}"\nexec sleep 60\n')
    monkeypatch.setenv("GIT_ASSETS_PROGRAM", str(slow))
    terminal = Terminal(["git", "merge", "--no-edit", "side"], world.repo.path)
    until(waiting.exists)
    terminal.press(b"\x03")
    assert os.waitstatus_to_exitcode(terminal.wait()) != 0


def test_linked_work_trees_have_their_own_record(world: World, tmp_path: Path) -> None:
    linked = Repo(tmp_path / "linked")
    world.git("worktree", "add", "-q", "--detach", str(linked.path), "main")
    places = [
        Path(Repo(path).git("rev-parse", "--path-format=absolute", "--git-path", "assets/lockfile"))
        for path in (world.repo.path, linked.path)
    ]
    assert places[0] != places[1]
    assert all(place.read_text() == (linked.path / LOCKFILE).read_text() for place in places)
