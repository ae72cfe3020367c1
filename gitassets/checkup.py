"""What `doctor` finds: one line a subject, of this machine and its programs first.

A check takes what it looks at and gives findings. It never raises through `guarded`: one that
cannot be made is a warning with the reason, and the others go on.
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gitassets import engines, gitstate
from gitassets.engines import programs
from gitassets.engines.base import Tuning
from gitassets.errors import AssetsError, NotARepository
from gitassets.progress import human

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gitassets.config import Config, Setting

State = Literal["ok", "warning", "problem"]
OLDEST_GIT = (2, 31)
"""`rev-parse --path-format` (RelNotes/2.31.0)."""
_LITTLE_MEMORY = 256 * 2**20
"""Bytes: hashing and 64 connections use about half of it."""
_SKEW = 60.0
"""Seconds that a file server's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one subject."""

    name: str
    state: State
    """`problem`: it would stop a pull. `warning`: it may, or it wastes something."""
    text: str
    hint: str | None = None
    """A command to copy, for all that is not ok."""


def guarded(name: str, check: Callable[[], Finding | Iterable[Finding]]) -> list[Finding]:
    """Make one check; a failure of the check itself is a warning."""
    try:
        found = check()
        return [found] if isinstance(found, Finding) else list(found)
    except Exception as error:  # noqa: BLE001 - who is ill may not keep the doctor from the others
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        hint = error.hint if isinstance(error, AssetsError) else None
        text = f"could not be checked: {reason or type(error).__name__}"
        return [Finding(name, "warning", text, hint or "git assets status")]


def settings(config: Callable[[], Config], known: Iterable[Setting[Any]]) -> list[Finding]:
    """Tell which settings nobody can use: each command that reads one stops."""
    try:
        found = config()
    except AssetsError as error:
        return [Finding("settings", "problem", str(error), error.hint or "git config --list")]
    wrong = []
    for read in (*(lambda each=each: found.get(each) for each in known), found.mirrors):
        try:
            read()
        except AssetsError as error:
            wrong.append(Finding("settings", "problem", str(error), error.hint))
    return wrong or [Finding("settings", "ok", "every one can be read")]


def git() -> Finding:
    """Tell git's version, and whether it is enough."""
    try:
        version = gitstate.version()
    except NotARepository as error:
        return Finding("git", "problem", str(error), "command -v git")
    text = ".".join(map(str, version))
    if version < OLDEST_GIT:
        oldest = ".".join(map(str, OLDEST_GIT))
        return Finding("git", "problem", f"{text} is older than {oldest}", "command -v git")
    return Finding("git", "ok", text)


def python() -> Finding:
    """Tell Python's version."""
    return Finding("python", "ok", platform.python_version())


def curl() -> Finding:
    """Tell the versions of pycurl and libcurl, and whether they are enough."""
    if why := engines.load(engines.ALWAYS, Tuning()).unavailable():
        return Finding("curl", "problem", why, "python3 -m pip install --upgrade pycurl")
    from gitassets.engines import curl as engine  # noqa: PLC0415 - may be what is missing

    return Finding("curl", "ok", engine.version())


def aria2c(chosen: str) -> Finding:
    """Tell aria2c's version; that it is missing matters to who asked for it by name alone."""
    if why := engines.load("aria2c", Tuning()).unavailable():
        if chosen == "aria2c":
            return Finding("aria2c", "problem", f"{why}, but assets.engine asks for it", _AUTO)
        return Finding("aria2c", "ok", f"{why}; auto uses curl")
    said = programs.version(programs.find("aria2c") or "aria2c")
    return Finding("aria2c", "ok", said.partition("\n")[0].removeprefix("aria2 version "))


_AUTO = "git config --global assets.engine auto"


def clock(directory: Path) -> Finding:
    """Compare the clock with the newest file of a git directory: no network is asked."""
    with os.scandir(directory) as entries:
        newest = max((entry.stat(follow_symlinks=False).st_mtime for entry in entries), default=0.0)
    now = time.time()
    shown = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(now))
    if now + _SKEW < newest:
        text = f"{shown} is before the last change of '{directory}'"
        return Finding("clock", "warning", text, "timedatectl status")
    return Finding("clock", "ok", shown)


def memory() -> Finding:
    """Tell how much memory programs may still have."""
    available = _available()
    text = f"{human(available)} available"
    if available < _LITTLE_MEMORY:
        return Finding("memory", "warning", text, "git config --global assets.jobs 1")
    return Finding("memory", "ok", text)


def _available() -> int:
    """Bytes; the kernel's own estimate, since free pages alone leave out what caches would give."""
    try:
        rows = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(row.split()[1]) * 1024 for row in rows if row.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def load() -> Finding:
    """Tell how busy the processors are; never a reason to worry."""
    one, five, _ = os.getloadavg()
    return Finding("load", "ok", f"{one:.1f} now, {five:.1f} in 5 min; {os.cpu_count()} processors")
