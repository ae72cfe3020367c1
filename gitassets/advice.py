"""The line to type next, ready to be pasted into a shell."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from gitassets.git import LOCKFILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def commit(files: Iterable[str], subject: str) -> str:
    """`next: git add ... && git commit -m ...` for the lockfile and the files written with it."""
    # git takes ":/path" from the top, whatever directory the user is in.
    paths = " ".join(shlex.quote(f":/{name}") for name in (LOCKFILE, *files))
    return f"next: git add {paths} && git commit -m {shlex.quote(subject)}"


def names(paths: Sequence[str]) -> str:
    """One path, or how many."""
    return paths[0] if len(paths) == 1 else f"{len(paths)} assets"
