"""The files that a migration writes into work trees: lockfile, ignore and attribute files.

A file with unstaged edits gets the same edit that its staged text got, and keeps its own.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from gitassets import ignore, lockfile
from gitassets.beneath import Root
from gitassets.errors import AssetsError, HistoryError
from gitassets.git import LOCKFILE
from gitassets.history import attributes
from gitassets.history.spec import PATHS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from gitassets.history.indexes import Change

_LFSCONFIG: Final = ".lfsconfig"
_AT_TOP: Final = frozenset({LOCKFILE, PATHS_FILE, _LFSCONFIG})
_ANYWHERE: Final = frozenset({".gitignore", ".gitattributes"})

_ESCAPED: Final = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Write:
    """One file of a work tree: from exactly these bytes to those; None: there is no file."""

    path: str
    before: bytes | None
    after: bytes | None


def is_generated(path: bytes) -> bool:
    """Tell whether a migration writes this path."""
    text = path.decode("utf-8", "surrogateescape")
    return text in _AT_TOP or text.rpartition("/")[2] in _ANYWHERE


def prepare(top: Path, todo: Sequence[Change], read: Callable[[bytes], bytes]) -> list[Write]:
    """Decide what the generated files on disk become; `read` gives a blob. Raises HistoryError."""
    with Root(top) as root:
        return list(_prepared(root, todo, read))


def apply(top: Path, todo: Sequence[Write]) -> list[str]:
    """Write what was decided; gives the paths that were changed by somebody meanwhile."""
    changed = []
    with Root(top) as root:
        for write in todo:
            found = _bytes(root, write.path)
            if found == write.after:
                continue
            if found != write.before:
                changed.append(write.path)
            elif write.after is None:
                root.remove(write.path)
            else:
                root.write_atomic(write.path, write.after)
    return changed


def _prepared(
    root: Root, todo: Sequence[Change], read: Callable[[bytes], bytes]
) -> Iterator[Write]:
    for change in todo:
        if not is_generated(change.path):
            continue
        path = change.path.decode("utf-8", "surrogateescape")
        disk = _bytes(root, path)
        old = None if change.added else read(bytes.fromhex(change.old.decode()))
        new = None if change.removed else read(bytes.fromhex(change.new.decode()))
        if disk is None and old is not None:
            continue  # removed by the user, or outside of a sparse checkout
        if _same(disk, old):
            yield Write(path, disk, new)
        elif disk is not None:
            yield Write(path, disk, _with_edit(path, disk, old, new))


def _with_edit(path: str, disk: bytes, old: bytes | None, new: bytes | None) -> bytes | None:
    """Make the change from `old` to `new` in the user's own text."""
    name = path.rpartition("/")[2]
    if name == ".gitignore" and new is not None:
        added = _lines(new) - _lines(old or b"")
        text = disk.decode("utf-8", "surrogateescape")
        paths = [_ESCAPED.sub(r"\1", line[1:]) for line in added]
        return ignore.updated(text, "", add=paths, drop=()).encode("utf-8", "surrogateescape")
    if name == ".gitattributes":
        return attributes.without_lfs(disk) or None
    if name == LOCKFILE and new is not None and old is not None:
        return _merged_lockfile(disk, new)
    if name == _LFSCONFIG:
        return None
    raise HistoryError(
        f"'{path}' is in the work tree, is not tracked, and would be replaced",
        hint=f"mv {path} {path}.old",
    )


def _merged_lockfile(disk: bytes, new: bytes) -> bytes:
    try:
        mine, theirs = lockfile.load(disk), lockfile.load(new)
        merged = mine.with_assets(
            asset for path, asset in theirs.assets.items() if path not in mine.assets
        )
    except AssetsError as error:
        raise HistoryError(
            f"the edited {LOCKFILE} cannot be joined with the new one: {error}",
            hint=f"git add {LOCKFILE}",
        ) from error
    merged = replace(
        merged,
        extra={**mine.extra, **theirs.extra},
        stores=dict(sorted({**theirs.stores, **mine.stores}.items())),
    )
    return lockfile.dump(merged).encode()


def _lines(data: bytes) -> set[str]:
    """Give the lines of the managed block."""
    text = data.decode("utf-8", "surrogateescape")
    _, begin, rest = text.partition(ignore.BEGIN)
    return {line for line in rest.split("\n") if line.startswith("/")} if begin else set()


def _same(disk: bytes | None, old: bytes | None) -> bool:
    """Tell whether a file is what git wrote for a blob, with whatever line ends."""
    if disk is None or old is None:
        return disk is old
    return disk == old or disk.replace(b"\r\n", b"\n") == old.replace(b"\r\n", b"\n")


def _bytes(root: Root, path: str) -> bytes | None:
    try:
        with os.fdopen(root.open_read(path), "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
