"""Which objects of the cache nobody needs any more: `git assets cache gc`.

Every clone and work tree that used the cache is asked what it pins now, at HEAD and in its work
tree. One that cannot be asked (an unplugged drive) counts with what it needed last, for a grace
time. What nobody else could give back is kept unless it is named.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gitassets import git, lockfile
from gitassets.errors import AssetsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from gitassets.journal import Clone
    from gitassets.lockfile import Lockfile
    from gitassets.model import Digest
    from gitassets.store import Store


class Item(NamedTuple):
    """One object and what is to become of it."""

    digest: Digest
    size: int
    name: str
    """The path that it was last known by, or empty."""
    verdict: str
    """remove, needed, only-here or young."""


class Needs(NamedTuple):
    """What all clones together say."""

    digests: set[Digest]
    elsewhere: set[Digest]
    """Contents that some lockfile names a place for."""
    names: dict[Digest, str]


def survey(store: Store, *, grace: float) -> Needs:
    """Ask every registered clone; forgets those that are gone for longer than `grace` seconds."""
    needs = Needs(set(), set(), {})
    now = time.time()
    for clone in store.journal.clones():
        found = list(_lockfiles(clone))
        if found:
            for locked in found:
                _add(needs, locked)
        elif now - clone.seen_at <= grace:
            needs.digests.update(clone.needed)
        else:
            store.journal.forget_clone(clone.common_dir, clone.worktree)
    return needs


def _lockfiles(clone: Clone) -> Iterator[Lockfile]:
    """The lockfiles of one work tree, as it stands and at its HEAD; none when it is not there."""
    top = Path(clone.worktree)
    if not Path(clone.common_dir).is_dir() or not top.is_dir():
        return
    texts = []
    with suppress(OSError):
        texts.append((top / git.LOCKFILE).read_bytes())
    with suppress(AssetsError), git.elsewhere():
        texts += git.lockfiles(["HEAD"], cwd=top).values()
    for text in texts:
        try:
            yield lockfile.load(text)
        except AssetsError:  # in conflict, or being edited: what it needed last still counts
            return
    if not texts:
        yield lockfile.Lockfile()


def _add(needs: Needs, locked: Lockfile) -> None:
    for asset in locked.assets.values():
        needs.digests.add(asset.sha256)
        needs.names[asset.sha256] = asset.path
        if locked.stores or asset.urls or asset.origin:
            needs.elsewhere.add(asset.sha256)


def judge(store: Store, needs: Needs, *, older_than: float, named: Collection[str]) -> list[Item]:
    """Decide for each object, the largest first; `older_than` is in seconds."""
    fetched = store.journal.fetched()
    now = time.time()
    items = []
    for digest, size, mtime in store.objects():
        name = needs.names.get(digest) or fetched.get(digest, "")
        if digest in needs.digests:
            verdict = "needed"
        elif any(digest.startswith(prefix) for prefix in named):
            verdict = "remove"
        elif digest not in needs.elsewhere and digest not in fetched:
            verdict = "only-here"
        elif now - mtime < older_than:
            verdict = "young"
        else:
            verdict = "remove"
        items.append(Item(digest, size, name, verdict))
    return sorted(items, key=lambda item: (-item.size, item.digest))
