"""What the opt-in guards refuse: bytes that belong to the lockfile, pins that nobody serves."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from gitassets import git, gitstate, lockfile
from gitassets.console import human, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SHOWN = 3
"""Names in one message."""


class Objection(NamedTuple):
    """One reason not to go on, and the line to type."""

    text: str
    hint: str


def commit(above: int) -> Iterator[Objection]:
    """Object to staged files that the staged lockfile pins, or that have more than `above` bytes.

    Raises LockfileError, GitError.
    """
    text = git.show("", git.LOCKFILE)
    pinned = lockfile.load(text).assets if text is not None else {}
    for path, size in gitstate.staged_files():
        shown = shlex.quote(path)
        if path in pinned:
            yield Objection(
                f"'{path}' is pinned by assets.lock.toml, and would be committed to git, too",
                f"git rm --cached -- {shown}",
            )
        elif size > above:
            limit = f"assets.guardAbove ({human(above)})"
            why = f"'{path}' has {human(size)}, more than {limit}"
            yield Objection(why, f"git assets add {shown}")


def push(lines: Iterable[str]) -> Iterator[Objection]:
    """Object to refs whose lockfile pins what no URL serves; `lines` are those of githooks(5).

    A ref whose lockfile the remote has already is not looked at. Raises LockfileError, GitError.
    """
    rows = [line.split(" ") for line in lines if line.strip()]
    pushed = [(ref, new, old) for ref, new, _, old in rows if new.strip("0")]
    texts = git.lockfiles(dict.fromkeys(each for _, *both in pushed for each in both))
    for ref, new, old in pushed:
        if new not in texts or texts[new] == texts.get(old):
            continue
        found = lockfile.load(texts[new])
        if found.stores:
            continue
        paths = [asset.path for asset in found.assets.values() if not found.urls_of(asset)]
        if paths:
            names = ", ".join(f"'{path}'" for path in paths[:_SHOWN])
            more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
            yield Objection(
                f"{ref} pins {plural(len(paths), 'file')} that only this cache has: {names}{more}",
                "git assets push",
            )
