"""Programs that run beside a test: start, wait for a condition, kill, see what is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

PROC = Path("/proc")


def until(condition: Callable[[], object], seconds: float = 20.0, what: str = "") -> None:
    """Wait until `condition()` is true. Raises AssertionError when it never is."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        time.sleep(0.005)


def pids() -> set[int]:
    """List every process that can be seen."""
    return {int(name) for name in os.listdir(PROC) if name.isdigit()}


def argv(pid: int) -> list[str]:
    """Read the arguments of a process; empty when it is gone."""
    try:
        raw = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return raw.decode(errors="surrogateescape").split("\0")[:-1]


def parent(pid: int) -> int:
    """Read who started a process; 0 when it is gone."""
    try:
        stat = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def has_environ(pid: int, entry: bytes) -> bool:
    """Tell whether a process was started with `NAME=value`, or is just being started."""
    place = PROC / str(pid)
    try:
        found = (place / "environ").read_bytes()
        if found:
            return entry in found.split(b"\0")
        # Both are empty within execve(2); and for ever in a zombie and in a kernel thread.
        state = (place / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        return state != "Z" and not argv(pid) and os.path.exists(os.readlink(place / "exe"))
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """List the children of a process, and theirs."""
    by_parent: dict[int, list[int]] = {}
    for each in pids():
        by_parent.setdefault(parent(each), []).append(each)
    found = list(by_parent.get(pid, ()))
    for each in found:
        found.extend(by_parent.get(each, ()))
    return found


def listeners(pid: int) -> list[str]:
    """List the local addresses (hex, as the kernel writes them) on which a process listens."""
    inodes = set()
    with contextlib.suppress(OSError):
        for link in (PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                inodes.add(os.readlink(link).removeprefix("socket:[").removesuffix("]"))
    found = []
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for row in (PROC / "net" / table).read_text().splitlines()[1:]:
                fields = row.split()
                if fields[3] == "0A" and fields[9] in inodes:
                    found.append(fields[1])
    return found


def descriptors() -> dict[int, str]:
    """Map the open descriptors of this process to what they are."""
    found = {}
    for name in os.listdir(PROC / "self" / "fd"):
        with contextlib.suppress(OSError):
            found[int(name)] = os.readlink(PROC / "self" / "fd" / name)
    return found


class Background:
    """A program in a process group of its own, with its output in pipes' stead: two files."""

    def __init__(
        self, args: Sequence[str], cwd: Path, output: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self._out, self._err = output.with_suffix(".out"), output.with_suffix(".err")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                list(args),
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.pid = self.process.pid

    @property
    def stdout(self) -> str:
        return self._out.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return self._err.read_text(errors="replace")

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        """Wait for `condition`. Raises AssertionError with the output when the program ends before."""
        until(lambda: condition() or not self.running, seconds, self.stderr)
        if not condition():
            raise AssertionError(
                f"ended with {self.process.returncode}:\n{self.stdout}{self.stderr}"
            )

    def wait(self, seconds: float = 60.0) -> int:
        """Wait for the end; returns the exit status."""
        return self.process.wait(seconds)

    def interrupt(self) -> None:
        """Send SIGINT to the whole group, as Ctrl-C does."""
        os.killpg(self.pid, signal.SIGINT)

    def kill(self, *, children: bool = True) -> None:
        """Send SIGKILL: to the program and everything it started, or to it alone."""
        doomed = [self.pid, *(descendants(self.pid) if children else ())]
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(20)

    def __enter__(self) -> Background:  # noqa: PYI034 - typing.Self came with 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.running:
            self.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


@contextlib.contextmanager
def no_new_descriptors() -> Iterator[None]:
    """Fail when the block leaves a descriptor open."""
    before = descriptors()
    yield
    left = {k: v for k, v in descriptors().items() if k not in before and "/proc/" not in v}
    assert not left, f"descriptors left open: {left}"
