"""The wrapper that every program runs in: what the program cannot do any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.process import Background, argv, until

from gitassets.engines import confine
from gitassets.engines.programs import environment, find, one_line

if TYPE_CHECKING:
    from pathlib import Path


def wrapped(directory: Path, script: str, *, limit: int = 1 << 20, parent: int = 0) -> list[str]:
    shell = ["--", "/bin/sh", "-c", script]
    start = [sys.executable, "-I", "-S", confine.__file__]
    return [*start, str(parent or os.getpid()), str(limit), str(directory), *shell]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    (tmp_path / "inside").mkdir()
    return tmp_path / "inside"


def test_writes_only_below(inside: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (inside / "link").symlink_to(outside)
    harm = f"echo bad > {outside}; echo bad > {inside}/link; rm {outside}; mkdir {tmp_path}/new"
    good = f"echo good > {inside}/x; mv {inside}/x {inside}/y; echo > /dev/null && cat {outside}"
    told = run(wrapped(inside, f"{harm}; {good}"))
    if not outside.exists() or outside.read_text() != "mine":
        pytest.skip("no Landlock in this kernel")
    assert told.returncode == 0
    assert told.stdout == "mine"
    assert (inside / "y").read_text() == "good\n"
    assert not (tmp_path / "new").exists()
    # The control: the same commands do harm without the wrapper.
    subprocess.run(["/bin/sh", "-c", harm], check=True)
    assert not outside.exists()


def test_no_file_grows_beyond_the_limit(inside: Path) -> None:
    told = run(wrapped(inside, f"exec head -c 5000 /dev/zero > {inside}/x", limit=4096))
    assert told.returncode == -signal.SIGXFSZ
    assert (inside / "x").stat().st_size == 4096


def test_signals_are_as_a_program_expects_them(inside: Path) -> None:
    told = run(wrapped(inside, "grep -E 'SigIgn' /proc/self/status"))
    ignored = int(told.stdout.split()[1], 16)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        assert not ignored & 1 << (number - 1)


def test_dies_with_its_parent(inside: Path, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    command = wrapped(inside, f"echo $$ > {inside}/pid; exec sleep 60", parent=1)
    place = command.index("1")
    script.write_text(
        "import os, subprocess\n"
        f"command = {command!r}\n"
        f"command[{place}] = str(os.getpid())\n"
        "subprocess.run(command)\n"
    )
    with Background([sys.executable, str(script)], tmp_path, tmp_path / "out") as parent:
        parent.until(lambda: (inside / "pid").exists() and (inside / "pid").read_text().strip())
        child = int((inside / "pid").read_text())
        assert argv(child)
        os.kill(parent.pid, signal.SIGKILL)
        until(lambda: not argv(child))


def test_a_parent_that_is_gone_already(inside: Path) -> None:
    told = run(wrapped(inside, f"echo > {inside}/x", parent=os.getppid()))
    assert told.returncode == 1
    assert not (inside / "x").exists()


class TestPrograms:
    def test_found_only_at_absolute_places(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "sub").mkdir()
        for path in (tmp_path / "tool", tmp_path / "sub" / "tool"):
            path.write_text("#!/bin/sh\n")
            path.chmod(0o755)
        for places in ("", ".", ":", "sub", "./sub:/nonexistent:"):
            monkeypatch.setenv("PATH", places)
            assert find("tool") is None
        monkeypatch.setenv("PATH", f".:{tmp_path}/sub")
        assert find("tool") == f"{tmp_path}/sub/tool"
        (tmp_path / "sub" / "tool").chmod(0o644)
        assert find("tool") is None
        (tmp_path / "sub" / "tool").unlink()
        (tmp_path / "sub" / "tool").mkdir()
        assert find("tool") is None

    def test_the_environment_is_a_list_of_what_may_pass(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("http_proxy", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "LD_PRELOAD"):
            monkeypatch.setenv(name, "canary")
        assert "canary" not in environment("/h").values()
        assert environment("/h")["HOME"] == "/h"

    def test_one_line(self) -> None:
        kept = "http://a.example/%20?a=b&c=d;e~'()*![]{}|#f"
        assert one_line(kept) == kept
        assert one_line("a b\r\n\t\0\x7f\u2028ü\ud800") == "a%20b%0D%0A%09%00%7F%E2%80%A8%C3%BC?"
