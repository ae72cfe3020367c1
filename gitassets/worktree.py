"""The user's files: the lockfile, the `.gitignore` blocks, and what was last put where.

Every write goes through `beneath`, whole or not at all. The lockfile is only replaced when it still
is what was read, so that two writers cannot swallow each other's edit.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from gitassets import applied, ignore, lockfile
from gitassets.applied import Applied
from gitassets.beneath import Root
from gitassets.errors import AssetsError, LockfileError, NotARepository, UsageError
from gitassets.git import LOCKFILE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from typing_extensions import Self

    from gitassets.git import Place
    from gitassets.lockfile import Lockfile

IGNORE = ".gitignore"
ATTRIBUTES = ".gitattributes"
_REGISTERED = "registered"
_DAY = 86400.0
_TICK = 0.01
"""Seconds; kernels stamp files with the time of the last timer tick, at most so long ago."""


class WorkTree:
    """An open work tree."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.root = Root(place.top)
        self.records = Applied()
        """What was last put at each path; `save_records` keeps it."""
        self._read: str | None = None
        """sha256 of the lockfile as it was read."""
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self.root)
        if self.place.state:
            try:
                self.records = Applied.load((self.place.state / applied.NAME).read_bytes())
            except OSError:
                self.records = Applied()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def lockfile(self) -> Lockfile:
        """Read the lockfile. Raises LockfileError, or NotARepository when there is none."""
        found = self.root.stat(LOCKFILE)
        if found is None:
            raise NotARepository("there is no assets.lock.toml here", hint="git assets init")
        if found.st_size > lockfile.MAX_BYTES:
            raise LockfileError(None, f"more than {lockfile.MAX_BYTES} bytes")
        with os.fdopen(self.root.open_read(LOCKFILE), "rb") as file:
            data = file.read()
        self._read = _digest(data)
        return lockfile.load(data)

    def has_lockfile(self) -> bool:
        """Tell whether there is anything under the lockfile's name."""
        return self.root.stat(LOCKFILE) is not None

    def save_lockfile(self, new: Lockfile) -> bool:
        """Write the lockfile, whole; False when it already says exactly this.

        Raises AssetsError when somebody else changed it since it was read.
        """
        data = lockfile.dump(new).encode()
        if _digest(data) == self._read:
            return False
        if self.has_lockfile():
            with os.fdopen(self.root.open_read(LOCKFILE), "rb") as file:
                now = _digest(file.read())
            if now != self._read:
                raise AssetsError(
                    "assets.lock.toml was changed by somebody else meanwhile; nothing was written",
                    hint="git assets status",
                )
        elif self._read is not None:
            raise AssetsError("assets.lock.toml was removed meanwhile; nothing was written")
        self.root.write_atomic(LOCKFILE, data)
        self._read = _digest(data)
        return True

    def add_attributes(self) -> bool:
        """Keep the lockfile's line endings on every system; False when that is said already."""
        text = self._text(ATTRIBUTES)
        if any(line.split()[:1] == [LOCKFILE] for line in text.splitlines()):
            return False
        before = text if not text or text.endswith("\n") else text + "\n"
        line = f"{LOCKFILE} text eol=lf merge=gitassets\n"
        self.root.write_atomic(ATTRIBUTES, (before + line).encode("utf-8", "surrogateescape"))
        return True

    def update_ignores(self, *, add: Iterable[str] = (), drop: Iterable[str] = ()) -> list[str]:
        """Let git ignore the paths of `add`, and not those of `drop`; give the files written."""
        adding, dropping = list(add), list(drop)
        have: dict[str, bool] = {}
        homes: dict[str, tuple[list[str], list[str]]] = {}
        for paths, column in ((adding, 0), (dropping, 1)):
            for path in paths:
                home = ignore.home(path, self._with_ignore(path, have))
                homes.setdefault(home, ([], []))[column].append(path)
        written = []
        for home, (new, old) in sorted(homes.items()):
            name = f"{home}/{IGNORE}" if home else IGNORE
            before = self._text(name)
            after = ignore.updated(before, home, add=new, drop=old)
            if after == before:
                continue
            if after:
                self.root.write_atomic(name, after.encode("utf-8", "surrogateescape"))
            else:
                self.root.remove(name, prune=False)
            written.append(name)
        return written

    def _with_ignore(self, path: str, have: dict[str, bool]) -> list[str]:
        """Which directories above `path` have a `.gitignore`."""
        parts = path.split("/")[:-1]
        found = []
        for depth in range(len(parts), 0, -1):
            directory = "/".join(parts[:depth])
            if directory not in have:
                have[directory] = self.root.stat(f"{directory}/{IGNORE}") is not None
            if have[directory]:
                found.append(directory)
        return found

    def _text(self, name: str) -> str:
        try:
            with os.fdopen(self.root.open_read(name), "rb") as file:
                return file.read().decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            return ""

    def relative(self, path: str) -> str:
        """Give a path of the command line relative to the top, as git would.

        Raises UsageError when it lies outside of the work tree.
        """
        top = os.path.realpath(self.place.top)
        here = os.path.join(top, self.place.prefix)  # noqa: PTH118 - no symlink is resolved
        full = os.path.normpath(os.path.join(here, path))  # noqa: PTH118
        if not full.startswith(top + os.sep):
            # An absolute path may lead through another name of the work tree.
            parent, name = os.path.split(full)
            full = os.path.join(os.path.realpath(parent), name)  # noqa: PTH118
        if not full.startswith(top + os.sep):
            raise UsageError(f"'{path}' is outside of the work tree")
        return full[len(top) + 1 :].replace(os.sep, "/")

    def save_records(self) -> None:
        """Keep what was put where. Losing it costs a hash a file, so it is not synced."""
        state = self.place.state
        if state is None or not self.records.dirty:
            return
        # A file written in the tick of its recorded stat could change again without changing its
        # signature ("racy git"): what is recorded must be older than the record.
        behind = _TICK + self.records.newest / 1e9 - time.time()
        time.sleep(max(0.0, min(_TICK, behind)))
        state.mkdir(parents=True, exist_ok=True)
        with Root(state) as directory:
            directory.write_atomic(applied.NAME, self.records.dump(), sync=False)
        self.records.dirty = False

    def must_register(self, cache: Path) -> bool:
        """Tell whether the cache has to hear again what this work tree needs.

        It has, when the lockfile changed, or once a day, since `gc` counts the days of silence.
        """
        state = self.place.state
        if state is None:
            return False
        mark = state / _REGISTERED
        try:
            fresh = time.time() - mark.stat().st_mtime < _DAY
            return not fresh or mark.read_bytes() != self._registration(cache)
        except OSError:
            return True

    def registered(self, cache: Path) -> None:
        """Remember that the cache has heard."""
        if self.place.state:
            self.place.state.mkdir(parents=True, exist_ok=True)
            with Root(self.place.state) as directory:
                directory.write_atomic(_REGISTERED, self._registration(cache), sync=False)

    def _registration(self, cache: Path) -> bytes:
        return f"{self._read} {cache}\n".encode()

    def rescue_place(self) -> Path | None:
        """Make a directory that `--force` moves files to; None without a git directory."""
        state = self.place.state
        if state is None:
            return None
        from tempfile import mkdtemp  # noqa: PLC0415 - only for --force

        parent = state / "rescued"
        parent.mkdir(parents=True, exist_ok=True)
        # One of its own: what was rescued before, in the same second too, stays.
        return Path(mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=parent))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
