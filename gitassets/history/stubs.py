"""LFS pointers in work trees where a file should be: what a clone has that never fetched.

After a migration such a text is nobody's edit, it is an absent asset; left alone it would be in the
way of `pull`. It is written down before it goes, so that an undo gives it back.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

from gitassets import lockfile
from gitassets.beneath import Root
from gitassets.errors import AssetsError, Blocked
from gitassets.git import LOCKFILE
from gitassets.history import pointers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitassets.history.worktrees import Worktree

RECORD: Final = "stubs.json"
"""In the directory of a migration."""


class Stub(TypedDict):
    """One file that was taken away."""

    top: str
    path: str
    text: str
    """Latin-1: any bytes."""
    mode: int


def remove(run: Path, trees: Iterable[Worktree]) -> int:
    """Take the pointers of pinned files out of the work trees; gives how many. Raises OSError."""
    found = [stub for tree in trees if tree.top for stub in _in(tree.top)]
    if not found:
        return 0
    with Root(run) as root:
        root.write_atomic(RECORD, json.dumps([*_read(run), *found]).encode())
    for stub in found:
        with Root(Path(stub["top"])) as root:
            if _text(root, stub["path"]) == stub["text"].encode("latin-1"):
                root.remove(stub["path"], prune=False)
    return len(found)


def give_back(run: Path) -> None:
    """Write again what was taken away, where nothing else is now. Raises OSError."""
    for stub in _read(run):
        top = Path(stub["top"])
        if not top.is_dir():
            continue
        with suppress(Blocked), Root(top) as root:
            if root.stat(stub["path"]) is None:
                root.write_atomic(stub["path"], stub["text"].encode("latin-1"), stub["mode"])
                (top / stub["path"]).chmod(stub["mode"])


def _in(top: Path) -> Iterator[Stub]:
    with Root(top) as root:
        try:
            with os.fdopen(root.open_read(LOCKFILE), "rb") as file:
                assets = lockfile.load(file.read()).assets.values()
        except (FileNotFoundError, AssetsError):
            return
        for asset in assets:
            text = _text(root, asset.path)
            pointer = pointers.parse(text) if text else None
            if text and pointer and pointer.sha256 == asset.sha256 and asset.size != len(text):
                status = root.stat(asset.path)
                mode = status.st_mode & 0o777 if status else 0o644
                yield Stub(
                    top=str(top), path=asset.path, text=text.decode("latin-1"), mode=mode
                )  # fmt: skip


def _text(root: Root, path: str) -> bytes | None:
    """Read a file that is no larger than a pointer."""
    with suppress(FileNotFoundError, NotADirectoryError, Blocked):
        status = root.stat(path)
        if status and status.st_size <= pointers.MAX_SIZE:
            with os.fdopen(root.open_read(path), "rb") as file:
                return file.read(pointers.MAX_SIZE + 1)
    return None


def _read(run: Path) -> list[Stub]:
    try:
        rows: list[Stub] = json.loads((run / RECORD).read_bytes())
    except FileNotFoundError:
        return []
    return rows
