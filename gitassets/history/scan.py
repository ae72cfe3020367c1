"""Which trees hold anything that may change: each tree is looked at once, by its ids alone.

Python's cost is a cost per tree entry, so the first pass does nothing else: one pattern finds the
ids, one set operation keeps those that matter. The second pass reads only what is found here.
"""

from __future__ import annotations

import os
import re
from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

from gitassets.history import entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from gitassets.gitpipes import Pipes

PARALLEL: Final = 20_000
"""Trees from which on a second process pays for itself."""
_SLICES: Final = 8
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
    """What was found in some of the trees; a tree is its number in the list of all."""

    direct: list[int]
    """Trees that hold an interesting blob."""
    inner: dict[int, array[int]]
    """The subtrees of the others. Ids would take most of the memory of a migration."""
    special: dict[int, bytes]
    """Ids of special files, joined, by tree."""


def hot(pipes: Pipes, trees: Sequence[bytes], wanted: Wanted, width: int) -> set[bytes]:
    """Give the trees that hold something interesting, at any depth. Raises GitError."""
    parts = _scan(pipes, trees, wanted, width)
    cut = re.compile(rb".{%d}" % width, re.DOTALL).findall
    found = {tree for part in parts for tree in part.direct}
    special = {tree: joined for part in parts for tree, joined in part.special.items()}
    for judge in (wanted.attributes, wanted.lockfiles):
        if judge is not None:
            changing = judge({name for joined in special.values() for name in cut(joined)})
            found.update(
                tree for tree, joined in special.items() if not changing.isdisjoint(cut(joined))
            )
    rest = [item for part in parts for item in part.inner.items()]
    count = -1
    while len(found) != count:
        count = len(found)
        below: list[tuple[int, array[int]]] = []
        for item in rest:
            if found.isdisjoint(item[1]):
                below.append(item)
            else:
                found.add(item[0])
        rest = below
    return {trees[number] for number in found}


def _scan(pipes: Pipes, trees: Sequence[bytes], wanted: Wanted, width: int) -> list[_Part]:
    numbers = {tree: number for number, tree in enumerate(trees)}
    work = _Work(pipes, wanted, numbers, width)
    count = min(os.cpu_count() or 1, 4)
    if len(trees) < PARALLEL or count == 1:
        return [_scan_part(work, trees)]
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - large histories only
    from multiprocessing import get_context  # noqa: PLC0415

    # Neighbours in the list are neighbours in the pack: slices, so that each keeps its delta bases.
    # Several for each process: what comes back is in memory twice while it is unpacked.
    step = -(-len(trees) // (count * _SLICES))
    slices = [trees[at : at + step] for at in range(0, len(trees), step)]
    global _shared  # noqa: PLW0603 - what the forked processes inherit instead of a pickled copy
    _shared = work
    try:
        with ProcessPoolExecutor(count, mp_context=get_context("fork")) as pool:
            return list(pool.map(_scan_slice, slices))
    finally:
        _shared = None


class _Work(NamedTuple):
    pipes: Pipes
    wanted: Wanted
    numbers: dict[bytes, int]
    width: int


_shared: _Work | None = None


def _scan_slice(trees: Sequence[bytes]) -> _Part:
    assert _shared is not None  # noqa: S101 - set before the processes were forked
    return _scan_part(_shared, trees)


def _scan_part(work: _Work, trees: Sequence[bytes]) -> _Part:
    part = _Part([], {}, {})
    pipes, wanted, numbers, width = work
    find, blobs, every = entries.ids(width), wanted.blobs, set(numbers)
    special = re.compile(rb" (?:\.gitattributes|\.lfsconfig)\0(.{%d})" % width, re.DOTALL).findall
    lockfile = re.compile(rb" assets\.lock\.toml\0(.{%d})" % width, re.DOTALL).findall
    for tree in pipes.objects(trees):
        data, number = tree.data, numbers[tree.id]
        found = find(data)
        if not blobs.isdisjoint(found):
            part.direct.append(number)
        elif inner := every.intersection(found):
            part.inner[number] = array("I", map(numbers.__getitem__, inner))
        names: list[bytes] = []
        if wanted.attributes and any(name in data for name in _SPECIAL):
            names += special(data)
        if wanted.lockfiles and tree.id in wanted.roots and b" assets.lock.toml\0" in data:
            names += lockfile(data)
        if names:
            part.special[number] = b"".join(names)
    return part
