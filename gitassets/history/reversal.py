"""The index and the generated files of one work tree, on their way back to the old history.

What is staged and what was edited since stays: only what the migration changed is changed back.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from gitassets import ignore, lockfile
from gitassets.beneath import Root
from gitassets.errors import GitError, HistoryError
from gitassets.git import LOCKFILE
from gitassets.history import attributes, generated, indexes, lfs_leftovers
from gitassets.history.generated import Write
from gitassets.history.switch import IndexSwap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gitassets.gitpipes import Pipes
    from gitassets.history.indexes import Change
    from gitassets.history.switch import Switch
    from gitassets.history.worktrees import Worktree


_ESCAPED: Final = re.compile(r"\\(.)")
"""In a line of `.gitignore`."""


class Saved(NamedTuple):
    """What was kept of a work tree before the migration."""

    head: bytes
    """The commit that HEAD named."""
    file: Path
    """A copy of the index."""


def add(
    pipes: Pipes, copy: Path, tree: Worktree, target: tuple[bytes, Saved | None], todo: Switch
) -> None:
    """Add one work tree's index, made at `copy`, and its files to `todo`.

    `target` is the commit that HEAD will name, and what was kept. The saved index comes back as it
    was, unless the one that is there holds more than the migration made of it. Raises HistoryError
    when what is staged or edited cannot be carried over.
    """
    head = pipes.run("rev-parse", "--verify", f"{tree.head}^{{commit}}").decode().strip()
    now = indexes.tree_of(pipes, tree, copy)
    if now is None or tree.top is None:
        return
    commit, saved = target
    with pipes.reader() as read:
        if saved and saved.head == commit:
            was = _tree_in(pipes, tree, saved.file)
            found = indexes.difference(pipes, now, was)
            if _only_migrated(found, read):
                shutil.copyfile(saved.file, copy)
                _put(todo, tree, copy, _writes(pipes, tree.top, found, read))
                return
        before = _root(pipes, head)
        back = indexes.difference(pipes, before, _root(pipes, commit.hex()))
        staged = {change.path: change for change in indexes.difference(pipes, before, now)}
        found = [change for change in back if change.path not in staged]
        both = [change for change in back if change.path in staged]
        found += filter(None, (_merged(pipes, read, each, staged[each.path]) for each in both))
        if not found:
            copy.unlink()
            return
        indexes.update(pipes, tree, copy, found)
        _put(todo, tree, copy, _writes(pipes, tree.top, found, read))


def _put(todo: Switch, tree: Worktree, copy: Path, writes: Iterator[Write]) -> None:
    todo.files[str(tree.top)] = list(writes)
    todo.indexes.append(IndexSwap(tree.index, copy))


def _tree_in(pipes: Pipes, tree: Worktree, index: Path) -> bytes:
    """Write the tree of another index of the same work tree."""
    where = {"GIT_DIR": str(tree.git_dir), "GIT_INDEX_FILE": str(index)}
    return bytes.fromhex(pipes.having(**where).run("write-tree").decode().strip())


def _only_migrated(back: Sequence[Change], read: Callable[[bytes], bytes]) -> bool:
    """Tell whether the way back undoes a migration and nothing else."""
    pins: set[str] = set()
    for change in back:
        if change.path == LOCKFILE.encode() and not change.added:
            pins = set(lockfile.load(_blob(read, change.old) or b"").assets)
    for change in back:
        name = change.path.rpartition(b"/")[2]
        new, old = _blob(read, change.old), _blob(read, change.new)
        if not generated.is_generated(change.path):
            if not change.added or os.fsdecode(change.path) not in pins:
                return False
        elif name == b".gitignore":
            if _without_block(new).rstrip(b"\n") != _without_block(old).rstrip(b"\n"):
                return False
        elif name == b".gitattributes" and attributes.without_lfs(old or b"") != (new or b""):
            return False
    return True


def _without_block(text: bytes | None) -> bytes:
    """Give a `.gitignore` without our block."""
    head, begin, rest = (text or b"").partition(f"{ignore.BEGIN}\n".encode())
    return head + rest.partition(f"{ignore.END}\n".encode())[2] if begin else head


def _root(pipes: Pipes, commit: str) -> bytes:
    return bytes.fromhex(pipes.run("rev-parse", f"{commit}^{{tree}}").decode().strip())


def _merged(
    pipes: Pipes, read: Callable[[bytes], bytes], back: Change, staged: Change
) -> Change | None:
    """Join the way back of one path with what is staged there; None: it stays as it is staged."""
    if (staged.new_mode, staged.new) == (back.new_mode, back.new):
        return None
    if not generated.is_generated(back.path):
        return None  # an asset that was added to git again
    base, mine, other = (_blob(read, each) for each in (back.old, staged.new, back.new))
    text = _joined(pipes, back.path, mine, (base, other))
    if text is None:
        name = os.fsdecode(back.path)
        raise HistoryError(
            f"what is staged in '{name}' cannot be carried over to the old history",
            hint=f"git restore --staged {name}",
        )
    blob = pipes.run("hash-object", "-w", "--stdin", stdin=text).strip()
    mode = staged.new_mode if not staged.removed else back.new_mode
    return indexes.Change(back.path, staged.new_mode, mode, staged.new, blob)


def _writes(
    pipes: Pipes, top: Path, changes: Sequence[Change], read: Callable[[bytes], bytes]
) -> Iterator[Write]:
    """Decide what becomes of the generated files on disk."""
    with Root(top) as root:
        for change in changes:
            if not generated.is_generated(change.path):
                continue
            path = change.path.decode("utf-8", "surrogateescape")
            disk = lfs_leftovers.read(root, path)
            before, after = _blob(read, change.old), _blob(read, change.new)
            if disk is None and before is not None:
                continue  # removed by the user, or outside of a sparse checkout
            if disk is None or before is None or _same(disk, before):
                if disk is None or before is not None:
                    yield Write(path, disk, after)
                continue
            text = _joined(pipes, change.path, disk, (before, after))
            if text is None:
                raise HistoryError(
                    f"the edits of '{path}' cannot be carried over to the old history",
                    hint=f"git diff {path}, then git checkout -- {path}",
                )
            yield Write(path, disk, text)


def _blob(read: Callable[[bytes], bytes], name: bytes) -> bytes | None:
    """Give a blob by its id in hex; None for the id of nothing."""
    return read(bytes.fromhex(name.decode())) if name.strip(b"0") else None


def _same(disk: bytes, blob: bytes) -> bool:
    """Tell whether a file is what git wrote for a blob, with whatever line ends."""
    return disk.replace(b"\r\n", b"\n") == blob.replace(b"\r\n", b"\n")


def _joined(
    pipes: Pipes, path: bytes, mine: bytes | None, way: tuple[bytes | None, bytes | None]
) -> bytes | None:
    """Go the way from one text to another in a third one; None when that cannot be done."""
    base, other = way
    if mine is None or other is None:
        return None
    if path.rpartition(b"/")[2] == b".gitignore":
        gone = [_ESCAPED.sub(r"\1", line[1:]) for line in _lines(base) - _lines(other)]
        text = mine.decode("utf-8", "surrogateescape")
        return ignore.updated(text, "", add=(), drop=gone).encode("utf-8", "surrogateescape")
    with tempfile.TemporaryDirectory(prefix="git-assets-") as directory:
        names = []
        for name, data in (("mine", mine), ("base", base or b""), ("other", other)):
            Path(directory, name).write_bytes(data)
            names.append(str(Path(directory, name)))
        try:
            return pipes.run("merge-file", "-p", "--quiet", *names)
        except GitError:
            return None


def _lines(text: bytes | None) -> set[str]:
    """Give the lines of our block."""
    head = (text or b"").decode("utf-8", "surrogateescape").partition(f"{ignore.BEGIN}\n")[2]
    return set(head.partition(f"{ignore.END}\n")[0].split("\n")) - {""}
