"""Promise 8: no process, port, lock or temporary file is left behind, however a run ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from pathlib import Path

import pytest
from support import process
from support.interrupted import STALLING, behave, in_the_middle
from support.judges import leftovers
from support.process import Background
from support.repo import pinned

SIZE = 24 * 2**20
ENGINES = ["curl", *(name for name in ("aria2c", "wget") if shutil.which(name))]
STREAMS = {"curl": 4, "aria2c": 2, "wget": 1}


@pytest.fixture
def place(repo, tmp_path, monkeypatch):
    """A repository whose runs put their temporary files where the judge looks."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    return repo


def cache():
    return Path(os.environ["GIT_ASSETS_CACHE"])


def locked():
    """List the files of the cache that somebody holds a lock on."""
    found = []
    for path in [cache() / "lock", *(cache() / "staging").glob("*")]:
        if not path.is_file():
            continue
        with path.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                found.append(path.name)
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_after_success_and_failure(place, server, cli, engine):
    good, bad = (
        pinned(SIZE, "s", server.blob(SIZE, "s")),
        pinned(SIZE, "t", server.blob(SIZE, "t", "flip;at=9")),
    )
    place.lock(
        {
            "good.bin": good,
            "bad.bin": bad,
            "dead.bin": pinned(9, "d", server.url("/status;code=404/x")),
        }
    )
    cli("pull", "--engine", engine, cwd=place.path, check=1)
    assert leftovers(place, cache()) == []
    assert locked() == []


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_after_a_signal(place, server, cli, tmp_path, engine, how):
    """SIGKILL is for our process alone: what it started has to notice."""
    place.lock({"big.bin": pinned(SIZE, "s", server.blob(SIZE, "s", STALLING))})
    with Background(
        ["git-assets", "pull", "--engine", engine], place.path, tmp_path / "pull"
    ) as running:
        in_the_middle(running, server, STREAMS[engine])
        children = process.descendants(running.pid)
        ports = [port for pid in [running.pid, *children] for port in process.listeners(pid)]
        assert bool(children) == (engine != "curl")
        assert bool(ports) == (engine == "aria2c")
        os.kill(running.pid, getattr(signal, how))
        running.wait()
        process.until(lambda: not any(map(process.argv, children)), 10, "a child lives on")
    process.until(lambda: server.open_lines == 0, 10, "a connection lives on")
    assert locked() == []
    left = [Path(name).name for name in leftovers(place, cache())]
    assert [name.removesuffix(".aria2") for name in left] == [pinned(SIZE, "s")["sha256"]] * len(
        left
    )
    behave(server)
    cli("pull", cwd=place.path)
    assert leftovers(place, cache()) == []


def test_what_is_left_is_seen(place, tmp_path):
    """Positive control: a child that nobody ends, and a temporary file."""
    (place.path / ".git-assets-0123456789abcdef").touch()
    assert leftovers(place, cache())
    with Background(["sh", "-c", "sleep 60 & wait"], place.path, tmp_path / "naive") as running:
        process.until(lambda: process.descendants(running.pid))
        [child] = process.descendants(running.pid)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        assert process.argv(child) == ["sleep", "60"]


def test_two_signals_end_it_at_once(place, server, tmp_path):
    place.lock({"big.bin": pinned(SIZE, "s", server.blob(SIZE, "s", STALLING))})
    with Background(["git-assets", "pull"], place.path, tmp_path / "pull") as running:
        in_the_middle(running, server, 1)
        running.interrupt()
        running.interrupt()
        assert running.wait() != 0
        assert "Traceback" not in running.stderr
