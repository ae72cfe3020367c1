"""The end of a migration: the backup goes, and with it every object that only old history had.

After this nothing can be undone here. What still holds old objects is not touched, it is named.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gitassets.errors import HistoryError
from gitassets.history import backup, holders, maps, refs, switch, worktrees

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gitassets.gitpipes import Pipes
    from gitassets.history.preflight import Remark

__all__ = ["Outcome", "Size", "backups", "plan", "run"]

_KEPT: Final = frozenset({maps.COMMITS, maps.REFS, maps.FIRST, "summary.json"})
"""What a run leaves for good: others' old links are looked up in the maps, the guard needs ids."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a repository's objects take on disk."""

    bytes: int
    objects: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    before: Size
    after: Size
    holders: list[Remark]
    """What still keeps old objects, or may."""


def backups(state: Path) -> list[Path]:
    """Give the directories of the migrations that can still be undone, the oldest first."""
    runs = [run for run in (state / "runs").glob("*") if run.name.isdecimal()]
    recorded = [run for run in runs if (run / backup.RECORD).exists()]
    return sorted(recorded, key=lambda run: int(run.name))


def plan(pipes: Pipes, state: Path, main: Path | None) -> Outcome:
    """Say how large the repository is and what would hold old objects; writes nothing.

    `main` is the top of the main work tree. Raises GitError.
    """
    size = _size(pipes)
    return Outcome(size, size, holders.listed(pipes, state, worktrees.listed(pipes, main)))


def run(
    pipes: Pipes, state: Path, main: Path | None, say: Callable[[str], None] = lambda _: None
) -> Outcome:
    """Free the space; the caller holds `exclusive`, and may repeat it after a kill.

    Raises HistoryError while a migration is unfinished, GitError, OSError.
    """
    if switch.pending(state):
        raise HistoryError("a migration was interrupted here", hint="git assets migrate")
    before = _size(pipes)
    say("deleting the backup")
    for directory in sorted((state / "runs").glob("*")):
        _strip(directory)
    say("expiring reflogs")
    _expire(pipes, _old(state))
    say("repacking")
    pipes.run("repack", "-a", "-d", "--quiet")
    pipes.run("prune", "--expire=now")
    graph = pipes.git_dir / "objects" / "info"
    if (graph / "commit-graph").exists() or (graph / "commit-graphs").exists():
        pipes.run("commit-graph", "write", "--reachable", "--no-progress")
    found = holders.listed(pipes, state, worktrees.listed(pipes, main))
    return Outcome(before, _size(pipes), found)


def _strip(directory: Path) -> None:
    """Delete all of a run but what it leaves for good; its record first, so that no undo begins."""
    (directory / backup.RECORD).unlink(missing_ok=True)
    for entry in directory.iterdir():
        if entry.name in _KEPT:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _old(state: Path) -> set[bytes]:
    """Give every commit that a migration replaced, in hex."""
    old: set[bytes] = set()
    for file in (state / "runs").glob(f"*/{maps.COMMITS}"):
        rows = (row.split() for row in file.read_bytes().splitlines()[1:])
        old.update(was for was, now in rows if was != now)
    return old


def _expire(pipes: Pipes, old: set[bytes]) -> None:
    """Forget what refs were before a migration; never the stash, whose list is its reflog.

    A reflog that names no old commit stays as it is.
    """
    rows = pipes.run("log", "-g", "--all", "--format=%H %gD").splitlines()
    pairs = (row.split(b" ", 1) for row in rows)
    named = {where.rpartition(b"@{")[0] for name, where in pairs if name in old}
    # `log` shows what a ref became; the oldest entry also holds what it was before.
    for name in pipes.run("for-each-ref", "--format=%(refname)").splitlines():
        with suppress(OSError), (pipes.git_dir / "logs" / os.fsdecode(name)).open("rb") as file:
            if file.readline().partition(b" ")[0] in old:
                named.add(name)
    names = {name.decode("utf-8", "surrogateescape") for name in named} - {refs.STASH}
    names |= {tree.head for tree in worktrees.listed(pipes, None)}
    for ref in sorted(names):
        # 255: there is no reflog of this name, which is as good.
        pipes.run("reflog", "expire", "--expire-unreachable=now", ref, ok=(0, 255))


def _size(pipes: Pipes) -> Size:
    rows = dict(row.split(": ") for row in pipes.run("count-objects", "-v").decode().splitlines())
    return Size(
        (int(rows["size"]) + int(rows["size-pack"])) * 1024,
        int(rows["count"]) + int(rows["in-pack"]),
    )
