"""Which trees hold anything that may change: each tree is looked at once, by its ids alone.

Python's cost is a cost per tree entry, so the first pass does nothing else: one pattern finds the
ids, one set operation keeps those that matter. The second pass reads only what is found here.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from gitassets.history import entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from gitassets.gitpipes import Pipes

PARALLEL: Final = 20_000
"""Trees from which on a second process pays for itself."""
_SPECIAL: Final = (b" .gitattributes\0", b" .lfsconfig\0")


class Wanted(NamedTuple):
    """What makes a tree interesting."""

    blobs: AbstractSet[bytes]
    attributes: Callable[[Iterable[bytes]], set[bytes]] | None = None
    """Tells which of the `.gitattributes` and `.lfsconfig` blobs will change; None: none."""
    roots: AbstractSet[bytes] = frozenset()
    """Trees in which a lockfile is a lockfile."""
    lockfiles: Callable[[Iterable[bytes]], set[bytes]] | None = None
    """Tells which lockfiles will change though no asset leaves their tree; None: none."""


class _Part(NamedTuple):
    direct: set[bytes]
    """Trees that hold an interesting blob."""
    inner: dict[bytes, bytes]
    """The subtrees of the others, joined."""
    special: dict[bytes, bytes]
    """Ids of special files, joined, by tree."""


def hot(pipes: Pipes, trees: Sequence[bytes], wanted: Wanted, width: int) -> set[bytes]:
    """Give the trees that hold something interesting, at any depth. Raises GitError."""
    part = _scan(pipes, trees, wanted, width)
    cut = re.compile(rb".{%d}" % width, re.DOTALL).findall
    for judge in (wanted.attributes, wanted.lockfiles):
        if judge is None:
            continue
        names = {name for joined in part.special.values() for name in cut(joined)}
        changing = judge(names)
        part.direct.update(
            tree for tree, joined in part.special.items() if not changing.isdisjoint(cut(joined))
        )
    found = part.direct
    rest = part.inner
    while rest:
        above = [tree for tree, joined in rest.items() if not found.isdisjoint(cut(joined))]
        if not above:
            break
        for tree in above:
            del rest[tree]
        found.update(above)
    return found


def _scan(pipes: Pipes, trees: Sequence[bytes], wanted: Wanted, width: int) -> _Part:
    interesting = {*trees, *wanted.blobs}
    count = min(os.cpu_count() or 1, 4)
    if len(trees) < PARALLEL or count == 1:
        return _scan_part(pipes, trees, wanted, interesting, width)
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - large histories only
    from multiprocessing import get_context  # noqa: PLC0415

    # Neighbours in the list are neighbours in the pack: slices, so that each keeps its delta bases.
    step = -(-len(trees) // count)
    slices = [trees[at : at + step] for at in range(0, len(trees), step)]
    global _shared  # noqa: PLW0603 - what the forked processes inherit instead of a pickled copy
    _shared = (pipes, wanted, interesting, width)
    whole = _Part(set(), {}, {})
    try:
        with ProcessPoolExecutor(len(slices), mp_context=get_context("fork")) as pool:
            for part in pool.map(_scan_slice, slices):
                whole.direct.update(part.direct)
                whole.inner.update(part.inner)
                whole.special.update(part.special)
    finally:
        _shared = None
    return whole


_shared: tuple[Pipes, Wanted, set[bytes], int] | None = None


def _scan_slice(trees: Sequence[bytes]) -> _Part:
    assert _shared is not None  # noqa: S101 - set before the processes were forked
    pipes, wanted, interesting, width = _shared
    return _scan_part(pipes, trees, wanted, interesting, width)


def _scan_part(
    pipes: Pipes, trees: Sequence[bytes], wanted: Wanted, interesting: set[bytes], width: int
) -> _Part:
    part = _Part(set(), {}, {})
    find, blobs = entries.ids(width), wanted.blobs
    special = re.compile(rb" (?:\.gitattributes|\.lfsconfig)\0(.{%d})" % width, re.DOTALL).findall
    lockfile = re.compile(rb" assets\.lock\.toml\0(.{%d})" % width, re.DOTALL).findall
    for tree in pipes.objects(trees):
        data = tree.data
        hits = interesting.intersection(find(data))
        if hits and not blobs.isdisjoint(hits):
            part.direct.add(tree.id)
        elif hits:
            part.inner[tree.id] = b"".join(hits)
        names: list[bytes] = []
        if wanted.attributes and any(name in data for name in _SPECIAL):
            names += special(data)
        if wanted.lockfiles and tree.id in wanted.roots and b" assets.lock.toml\0" in data:
            names += lockfile(data)
        if names:
            part.special[tree.id] = b"".join(names)
    return part
