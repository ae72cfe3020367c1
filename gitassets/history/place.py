"""Where a migration takes place: the common git directory, and the top of the main work tree."""

from __future__ import annotations

import os
from pathlib import Path

from gitassets import git
from gitassets.errors import GitError, NotARepository
from gitassets.gitpipes import Pipes


def find() -> tuple[Pipes, Path | None]:
    """Find the repository around the current directory; bare ones count, and have no top.

    Raises NotARepository.
    """
    try:
        out = git.run("rev-parse", "--path-format=absolute", "--git-common-dir")
    except GitError as error:
        raise NotARepository("not a git repository", hint="git init") from error
    common = Path(os.fsdecode(out.rstrip(b"\n")))
    pipes = Pipes(common)
    return pipes, top(pipes)


def top(pipes: Pipes) -> Path | None:
    """Give the main work tree's top, seen from the common directory."""
    if pipes.run("config", "--bool", "core.bare", ok=(0, 1)).strip() == b"true":
        return None
    elsewhere = os.fsdecode(pipes.run("config", "core.worktree", ok=(0, 1)).rstrip(b"\n"))
    found = Path(os.path.normpath(pipes.git_dir / elsewhere)) if elsewhere else pipes.git_dir.parent
    return found if found.is_dir() else None
