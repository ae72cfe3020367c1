"""What the old history was, kept beside the new one until `finalize`.

A mirror clone with hard links holds every object and ref for nearly nothing. It cannot hold stash
entries but the newest, symbolic refs, HEADs and indexes of other work trees, configuration, hooks:
those stand in a record and in copies beside it.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any, Final

from gitassets.beneath import Root
from gitassets.errors import GitError
from gitassets.history import stash

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gitassets.gitpipes import Pipes
    from gitassets.history.refs import Ref
    from gitassets.history.worktrees import Worktree

MIRROR: Final = "backup.git"
RECORD: Final = "before.json"
_VERSION: Final = 1


def new_run(state: Path) -> Path:
    """Make the directory of one migration. Raises OSError."""
    runs = state / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    directory = runs / str(max(_numbers(runs), default=0) + 1)
    directory.mkdir()
    return directory


def latest(state: Path) -> Path | None:
    """Give the directory of the newest migration, or None."""
    runs = state / "runs"
    numbers = _numbers(runs) if runs.is_dir() else []
    return runs / str(max(numbers)) if numbers else None


def _numbers(runs: Path) -> list[int]:
    return [int(run.name) for run in runs.iterdir() if run.name.isdecimal()]


def make(pipes: Pipes, run: Path, *, refs: Sequence[Ref], worktrees: Sequence[Worktree]) -> None:
    """Keep everything that a migration is going to change. Raises GitError, OSError."""
    source = str(pipes.git_dir)
    mirror = run / MIRROR
    try:
        pipes.run("clone", "--quiet", "--mirror", "--local", source, str(mirror))
    except GitError:
        # --local refuses an object directory that is a symlink.
        shutil.rmtree(mirror, ignore_errors=True)
        pipes.run("clone", "--quiet", "--mirror", "--no-local", source, str(mirror))
    record: dict[str, Any] = {
        "version": _VERSION,
        "refs": {ref.name: ref.id.hex() for ref in refs if not ref.symbolic},
        "symrefs": _symrefs(pipes, refs),
        "stash": [
            {"id": e.id, "name": e.name, "email": e.email, "date": e.date, "message": e.message}
            for e in stash.listed(pipes)
        ],
        "worktrees": [_worktree(tree, run, number) for number, tree in enumerate(worktrees)],
    }
    for name in ("config", "hooks"):
        _copy(pipes.git_dir / name, run / name)
    with Root(run) as root:
        root.write_atomic(RECORD, json.dumps(record, indent=1).encode())


def _symrefs(pipes: Pipes, refs: Sequence[Ref]) -> dict[str, str]:
    return {
        ref.name: pipes.run("symbolic-ref", ref.name).decode("utf-8", "surrogateescape").strip()
        for ref in refs
        if ref.symbolic
    }


def _worktree(tree: Worktree, run: Path, number: int) -> dict[str, Any]:
    copy = f"index-{number}"
    if tree.index.exists():
        shutil.copyfile(tree.index, run / copy)
    head = tree.git_dir / "HEAD"
    return {
        "head": tree.head,
        "git_dir": str(tree.git_dir),
        "top": str(tree.top) if tree.top else None,
        "HEAD": head.read_text(encoding="utf-8", errors="surrogateescape") if head.exists() else "",
        "index": copy if tree.index.exists() else None,
    }


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    elif source.exists():
        shutil.copyfile(source, target)
