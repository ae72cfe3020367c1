"""The index of each work tree, rewritten by the difference between its own tree and the new one.

A difference between commits would overwrite what is staged. The new index is made in a copy and
takes the place of the old one by rename, under git's own lock.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gitassets.gitpipes import Pipes
    from gitassets.history.worktrees import Worktree

_NOTHING: Final = b"000000"
"""The mode of an absent side (git-diff-tree(1))."""


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs between the old tree and the new one."""

    path: bytes
    old_mode: bytes
    new_mode: bytes
    old: bytes
    """Id in hex, as is `new`."""
    new: bytes

    @property
    def removed(self) -> bool:
        """It is not in the new tree."""
        return self.new_mode == _NOTHING

    @property
    def added(self) -> bool:
        """It was not in the old tree."""
        return self.old_mode == _NOTHING


def changes(out: bytes) -> list[Change]:
    """Read what `diff-tree -r -z` printed for one pair."""
    parts = out.split(b"\0")
    found = []
    for at in range(0, len(parts) - 1, 2):
        old_mode, new_mode, old, new, _ = parts[at].lstrip(b":").split(b" ")
        found.append(Change(parts[at + 1], old_mode, new_mode, old, new))
    return found


def tree_of(pipes: Pipes, worktree: Worktree, copy: Path) -> bytes | None:
    """Write the index as a tree, and leave a copy of the index at `copy`; None without an index.

    Raises GitError when it holds conflicts.
    """
    if not worktree.index.exists():
        return None
    shutil.copyfile(worktree.index, copy)
    at_copy = pipes.within(worktree.git_dir, worktree.top, copy)
    return bytes.fromhex(at_copy.run("write-tree").decode().strip())


def difference(pipes: Pipes, old: bytes, new: bytes) -> list[Change]:
    """Compare two trees, path by path. Raises GitError."""
    if old == new:
        return []
    out = pipes.run("diff-tree", "-r", "-z", "--no-renames", "--no-abbrev", old.hex(), new.hex())
    return changes(out)


def update(pipes: Pipes, worktree: Worktree, copy: Path, todo: Sequence[Change]) -> None:
    """Apply a difference to the index at `copy`; bits that git would clear are set again."""
    at_copy = pipes.within(worktree.git_dir, worktree.top, copy)
    skipped = _skipped(at_copy) & {change.path for change in todo if not change.removed}
    rows = b"".join(
        b"%s %s\t%s\0" % (b"0" if change.removed else change.new_mode, change.new, change.path)
        for change in todo
    )
    at_copy.run("update-index", "-z", "--index-info", stdin=rows)
    if skipped:
        names = b"".join(path + b"\0" for path in sorted(skipped))
        at_copy.run("update-index", "-z", "--skip-worktree", "--stdin", stdin=names)


def _skipped(pipes: Pipes) -> set[bytes]:
    """Give the paths that sparse checkout leaves out of the work tree."""
    rows = pipes.run("ls-files", "-z", "-t").split(b"\0")
    return {row[2:] for row in rows if row.startswith(b"S ")}
