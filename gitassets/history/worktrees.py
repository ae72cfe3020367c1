"""All work trees of a repository: where they are, what their HEAD is, whether they can be used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitassets.gitpipes import Pipes

_OPERATIONS: Final = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase or am",
    "BISECT_LOG": "a bisection",
}
"""What git keeps in its directory while an operation has not ended."""


@dataclass(frozen=True, slots=True)
class Worktree:
    """One work tree; a bare repository has a HEAD and nothing else."""

    head: str
    """The name of its HEAD for every command: `HEAD`, or `worktrees/<id>/HEAD`."""
    git_dir: Path
    top: Path | None
    """None in a bare repository, and when the directory is gone."""
    detached: bytes | None
    """The raw id in HEAD, when it names no branch."""

    @property
    def index(self) -> Path:
        """Its index, which may not exist."""
        return self.git_dir / "index"

    @property
    def operation(self) -> str | None:
        """What has not ended here, in words."""
        for name, words in _OPERATIONS.items():
            if (self.git_dir / name).exists():
                return words
        return None


def listed(pipes: Pipes, main: Path | None) -> list[Worktree]:
    """Give the main one, at `main`, and all linked ones. Raises GitError."""
    return [_of(pipes, "HEAD", pipes.git_dir, main), *_linked(pipes)]


def _linked(pipes: Pipes) -> Iterator[Worktree]:
    directory = pipes.git_dir / "worktrees"
    if not directory.is_dir():
        return
    for git_dir in sorted(directory.iterdir()):
        try:
            text = (git_dir / "gitdir").read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            continue
        pointer = Path(os.path.normpath(git_dir / text.strip()))
        top = pointer.parent if pointer.exists() else None
        yield _of(pipes, f"worktrees/{git_dir.name}/HEAD", git_dir, top)


def _of(pipes: Pipes, head: str, git_dir: Path, top: Path | None) -> Worktree:
    try:
        text = (git_dir / "HEAD").read_bytes().strip()
    except OSError:
        text = b"ref: "
    detached = None
    if not text.startswith(b"ref:"):
        out = pipes.run("rev-parse", "--verify", "--quiet", head, ok=(0, 1)).strip()
        detached = bytes.fromhex(out.decode()) if out else None
    return Worktree(head, git_dir, top, detached)
