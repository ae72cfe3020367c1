"""Progress: bars on a terminal, lines in a pipe, JSON for programs, and silence for a second."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios

import pytest
from support.process import until
from support.repo import pinned

from gitassets import bars

MIB = 2**20


@pytest.fixture
def slow(repo, server):
    """Two files, the larger with a name that is too long and tries to draw."""
    size = 3 * MIB
    name = "data/" + "very-long-name-" * 6 + "[bold].bin"
    repo.lock({
        name: pinned(size, "s", server.blob(size, "s", "slow;rate=3000000")),
        "small.bin": pinned(MIB, "t", server.blob(MIB, "t", "slow;rate=1000000")),
    })  # fmt: skip
    return repo


def in_a_terminal(repo, columns, *words, **environ):
    """Run a pull in a terminal of that width; give what it drew."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color", "GIT_PROGRESS_DELAY": "0", **environ}
    env.pop("COLUMNS", None)
    running = subprocess.Popen(
        ["git-assets", "pull", *words], cwd=repo.path, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )  # fmt: skip
    os.close(theirs)
    drawn = b""
    try:
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # EIO: the last one has closed the other end
                break
            if not piece:
                break
            drawn += piece
    finally:
        os.close(ours)
        running.wait(30)
    assert running.returncode == 0
    return drawn.decode()


def plain(drawn):
    return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07)", "", drawn)


@pytest.mark.parametrize("columns", [80, 200])
def test_bars_fit_the_terminal(slow, columns):
    drawn = in_a_terminal(slow, columns)
    rows = [row for row in re.split(r"[\r\n]+", plain(drawn)) if row]
    assert any("of 2 files" in row and "/s" in row for row in rows)
    assert any("[bold].bin" in row and "of 3.0 MiB" in row for row in rows)
    assert max(len(row) for row in rows if " of " in row and "━" in row) <= columns
    assert not [row for row in rows if re.fullmatch(r" +\S+/s *", row)], (
        "a row of its own for the end of another"
    )
    assert rows[-1].startswith("2 files fetched") or any(
        row.startswith("2 files fetched") for row in rows
    )
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h"), "the cursor comes back"


def test_a_dumb_terminal_gets_lines(slow):
    assert "\x1b" not in in_a_terminal(slow, 80, TERM="dumb")


@pytest.mark.parametrize("words", [["--no-progress"], ["-q"]])
def test_nothing_when_nobody_wants_it(slow, words):
    drawn = in_a_terminal(slow, 80, *words)
    assert "\x1b" not in drawn
    assert " of 2 files" not in drawn


def test_lines_in_a_pipe(slow, cli):
    said = cli("pull", cwd=slow.path, env={"GIT_PROGRESS_DELAY": "0"}).stderr
    assert re.search(r"^fetching: \d of 2 files, .* of 4\.0 MiB, .*/s$", said, re.MULTILINE)
    assert "\x1b" not in said
    assert "\r" not in said


def test_json_lines(slow, cli):
    result = cli(
        "pull", "--progress=json", "--json", cwd=slow.path, env={"GIT_PROGRESS_DELAY": "0"}
    )
    rows = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    assert rows
    assert all(
        set(row) == {"files", "files_done", "bytes", "bytes_total", "bytes_per_second"}
        for row in rows
    )
    assert [row["bytes"] for row in rows] == sorted(row["bytes"] for row in rows)
    assert rows[-1]["bytes_total"] == 4 * MIB
    assert result.json()["summary"]["fetched"] == 2


def test_a_fast_run_is_silent(repo, server, cli):
    repo.lock({"x.bin": pinned(1000, "s", server.blob(1000, "s"))})
    said = cli("pull", cwd=repo.path, env={"GIT_PROGRESS_DELAY": "60"}).stderr
    assert "fetching" not in said


class TestCounting:
    @pytest.fixture
    def counter(self, monkeypatch, capsys):
        monkeypatch.setenv("GIT_PROGRESS_DELAY", "0")
        return bars.make("json", terminal=False, total=100, files=2, word="fetching")

    def test_what_was_there_is_not_speed(self, counter, capsys):
        counter.started("a", 60, 50)
        counter.advanced("a", 10)
        counter.advanced("a", -20)
        assert (counter.bytes, counter.moved) == (40, 10)
        counter.finished("a")
        assert counter.done == 1
        assert counter.active == {}
        counter.advanced("unknown", 5)
        counter.finished("never begun")
        counter.close()
        capsys.readouterr()

    @pytest.mark.parametrize("delay", ["", "x", "-1", "1e9", "٣"])
    def test_a_strange_delay_is_a_second(self, monkeypatch, delay, capsys):
        monkeypatch.setenv("GIT_PROGRESS_DELAY", delay)
        made = bars.make("auto", terminal=False, total=1, files=1, word="fetching")
        made.started("a", 1, 0)
        assert capsys.readouterr().err == ""

    def test_at_most_eight_rows_the_largest(self, monkeypatch, capsys):
        monkeypatch.setenv("GIT_PROGRESS_DELAY", "0")
        made = bars.make("always", terminal=False, total=10**6, files=20, word="fetching")
        try:
            for at in range(20):
                made.started(f"file-{at}", 1000 + at, 1)
            made.show(1.0)
            assert set(made._rows) == {f"file-{at}" for at in range(12, 20)}
            made.finished("file-19")
            made.show(1.0)
            assert set(made._rows) == {f"file-{at}" for at in range(11, 19)}
        finally:
            made.close()
        until(lambda: made._live is None)
        capsys.readouterr()
