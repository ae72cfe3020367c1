"""Promise 7: after an interruption at most 1 MiB a stream is fetched again, whoever goes on."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from support import process
from support.interrupted import (
    STALLING,
    Stopped,
    behave,
    go_on,
    in_the_middle,
    judge,
)
from support.process import Background
from support.repo import pinned
from support.server import content

MIB = 2**20
SIZE = 64 * MIB + 12_345
STREAMS = 8
ARIA2C = pytest.mark.skipif(not shutil.which("aria2c"), reason="no aria2c")
needs = {"curl": (), "aria2c": (ARIA2C,)}


def pull(repo, tmp_path, engine, *args):
    command = ["git-assets", "pull", "--engine", engine, "-x", str(STREAMS), *args]
    return Background(command, repo.path, tmp_path / "pull")


@pytest.fixture
def big(repo, server):
    """Pin one large file of which every connection gets only the beginning."""
    repo.lock({"big.bin": pinned(SIZE, "s", server.blob(SIZE, "s", STALLING))})
    repo.commit()
    return repo


def interrupted(repo, server, tmp_path, engine):
    """Kill a pull, and aria2c with it, in the middle; give what had come."""
    with pull(repo, tmp_path, engine) as running:
        in_the_middle(running, server)
        running.kill()
    assert not (repo.path / "big.bin").exists()
    return go_on(server)


PAIRS = [
    pytest.param(first, second, where, marks=needs[first] + needs[second])
    for first, second, where in (
        ("curl", "curl", "same"),
        ("aria2c", "aria2c", "same"),
        ("curl", "aria2c", "same"),
        ("aria2c", "curl", "mirror"),
        ("curl", "curl", "mirror"),
        ("aria2c", "aria2c", "mirror"),
        ("curl", "aria2c", "clone"),
    )
]


@pytest.mark.parametrize(("first", "second", "where"), PAIRS)
def test_killed_in_the_middle(big, server, cli, tmp_path, first, second, where):
    stopped = interrupted(big, server, tmp_path, first)
    place = big.clone(tmp_path / "clone") if where == "clone" else big
    if where == "mirror":
        place.lock({"big.bin": pinned(SIZE, "s", server.other(f"/b/{SIZE}/s/elsewhere.bin"))})
    [row] = cli("pull", "--json", "--engine", second, "-x", str(STREAMS), cwd=place.path).json()[
        "assets"
    ]
    assert (row["status"], row["engine"]) == ("fetched", second)
    judge(stopped, server, SIZE)
    assert place.read("big.bin") == content("s", 0, SIZE)
    assert row["bytes"] <= SIZE - stopped.total + stopped.streams * MIB


@pytest.mark.parametrize("forget", ["staging", "map"])
def test_the_judge_sees_a_restart(big, server, cli, tmp_path, forget):
    """Positive control: without the staging file, or with one that has lost its holes."""
    stopped = interrupted(big, server, tmp_path, "curl")
    cache = Path(os.environ["GIT_ASSETS_CACHE"])
    if forget == "staging":
        shutil.rmtree(cache / "staging")
    else:
        (cache / "journal.db").unlink()
        for path in (cache / "staging").iterdir():
            path.write_bytes(path.read_bytes())
    cli("pull", cwd=big.path)
    assert big.read("big.bin") == content("s", 0, SIZE)
    with pytest.raises(AssertionError, match="asked for again"):
        judge(stopped, server, SIZE)


def test_killed_while_bytes_flow(repo, server, cli, tmp_path):
    """No pause before the kill; the line is slow, so that little lies unread in the sockets."""
    repo.lock({"big.bin": pinned(SIZE, "s", server.blob(SIZE, "s", "throttle;rate=1000000"))})
    with pull(repo, tmp_path, "curl") as running:
        running.until(lambda: server.sent() > 10 * MIB)
        running.kill()
    stopped = go_on(server)
    repo.lock({"big.bin": pinned(SIZE, "s", server.other(f"/b/{SIZE}/s/elsewhere.bin"))})
    cli("pull", cwd=repo.path)
    judge(stopped, server, SIZE)
    assert repo.read("big.bin") == content("s", 0, SIZE)


@pytest.mark.parametrize("engine", [pytest.param(e, marks=needs[e]) for e in needs])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_by_a_signal(big, server, cli, tmp_path, engine, number):
    with pull(big, tmp_path, engine) as running:
        in_the_middle(running, server)
        children = process.descendants(running.pid)
        os.killpg(running.pid, number)
        assert running.wait() in {-signal.SIGINT, -number, 128 + number}
        assert "Traceback" not in running.stderr
        assert running.stderr.strip().splitlines()[-1].startswith("interrupted")
        assert not [pid for pid in children if process.argv(pid)]
    stopped = go_on(server)
    cli("pull", "--engine", "curl", cwd=big.path)
    judge(stopped, server, SIZE)
    assert big.read("big.bin") == content("s", 0, SIZE)


@ARIA2C
def test_killed_aria2c_alone(big, server, tmp_path):
    """The run goes on with curl, from the same staging file."""
    with pull(big, tmp_path, "aria2c") as running:
        in_the_middle(running, server)
        [child] = [
            pid for pid in process.descendants(running.pid) if "aria2c" in process.argv(pid)[0]
        ]
        before = server.requests()
        behave(server)
        os.kill(child, signal.SIGKILL)
        assert running.wait() == 0, running.stderr
        assert "going on with curl" in running.stderr
    with server.lock:
        server.log[: len(before)] = []
    judge(Stopped(before), server, SIZE)
    assert big.read("big.bin") == content("s", 0, SIZE)
