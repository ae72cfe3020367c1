"""Who looks at what a run has left, without the code under test: the judges of the promises."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import tomli

from support.content import digest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from support.repo import Repo

Facts = dict[str, tuple[object, ...]]


def unverified(repo: Repo, cache: Path) -> list[str]:
    """Promise 1: list the files under a final name whose sha256 is not their pin."""
    lockfile = repo.path / "assets.lock.toml"
    text = lockfile.read_text() if lockfile.exists() else ""
    pinned = tomli.loads(text).get("asset", {})
    wrong = []
    for path, entry in pinned.items():
        place = repo.path / path
        if place.is_file() and digest(place.read_bytes()) != entry["sha256"]:
            wrong.append(path)
    objects = (cache / "sha256").glob("??/*")
    wrong += [str(o) for o in objects if digest(o.read_bytes()) != o.parent.name + o.name]
    return wrong


def snapshot(*roots: Path, but: Iterable[Path] = ()) -> Facts:
    """Promise 2: everything that can be seen of what is below `roots`, the roots included."""
    skipped = set(but)
    found: Facts = {}
    todo = [root for root in roots if root not in skipped]
    while todo:
        place = todo.pop()
        facts = place.lstat()
        seen: tuple[object, ...] = (facts.st_mode, facts.st_ino, facts.st_size, facts.st_mtime_ns)
        if stat.S_ISLNK(facts.st_mode):
            seen = (*seen, os.readlink(place))
        elif stat.S_ISREG(facts.st_mode):
            seen = (*seen, digest(place.read_bytes()))
        elif stat.S_ISDIR(facts.st_mode):
            # Its size and times change when a skipped child is made.
            seen = seen[:2] if any(each.parent == place for each in skipped) else seen
            todo += [child for child in place.iterdir() if child not in skipped]
        found[str(place)] = seen
    return found


def changed(before: Facts, after: Facts) -> list[str]:
    """List the paths that differ."""
    return sorted(
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    )


def leftovers(repo: Repo, cache: Path) -> list[str]:
    """Promise 8: list temporary files: in the work tree, beside it, in the cache."""
    temporary = os.environ.get("TMPDIR")
    places = [*repo.path.rglob(".git-assets-*"), *(cache / "staging").glob("*")]
    if temporary:
        from pathlib import Path

        places += list(Path(temporary).iterdir())
    return [str(place) for place in places]
