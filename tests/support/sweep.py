"""Kill a program at its n-th system call (SQLite's method, with strace as the means)."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CALLS = "write,pwrite64,pwritev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,fchmod,ftruncate,fallocate"


@functools.cache
def why_not() -> str | None:
    """Say why this machine cannot do it, or None."""
    if not shutil.which("strace"):
        return "strace is not installed"
    tried = subprocess.run(["strace", "-qq", "true"], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"strace may not trace here: {tried.stderr[:80]}"


needs_strace = pytest.mark.skipif(bool(why_not()), reason=str(why_not()))


def count(command: Sequence[str], cwd: Path, log: Path) -> int:
    """Run `command` to its end; give how many of CALLS the busiest of its processes made."""
    traced = ["strace", "-f", "-qq", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(log)]
    subprocess.run([*traced, *command], cwd=cwd, capture_output=True, check=True)
    lines = log.read_text().splitlines()
    begun = Counter(line.split()[0] for line in lines if "(" in line and "resumed>" not in line)
    return max(begun.values())


def killed_at(command: Sequence[str], cwd: Path, number: int) -> int:
    """Run `command`; each of its processes is killed at its call `number` of CALLS."""
    traced = [
        "strace",
        "-f",
        "-qq",
        "-e",
        f"trace={CALLS}",
        "-e",
        f"inject={CALLS}:signal=KILL:when={number}",
    ]
    return subprocess.run(
        [*traced, "-o", "/dev/null", *command], cwd=cwd, capture_output=True, check=False
    ).returncode


def points(total: int, most: int) -> Iterator[int]:
    """Spread at most `most` numbers over 1 to `total`, both ends included."""
    chosen = {1 + at * (total - 1) // max(1, most - 1) for at in range(most)}
    yield from sorted(chosen)
