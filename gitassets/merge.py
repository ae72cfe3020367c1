"""Two lockfiles and their common ancestor, merged by meaning instead of by line.

The key is the path of an asset, the ID of a source or a store, the name of an unknown key. What
only one side changed is taken; what both changed is put together while they agree about the bytes.
A rename on one side and a change on the other meet at the new path, as they do in git.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeVar

from gitassets import threeway
from gitassets.lockfile import Lockfile, blocks
from gitassets.model import Asset, AssetPath, SourceTable, StoreTable
from gitassets.paths import clashes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

__all__ = ["Conflict", "Merged", "merge", "with_markers"]

Kind: TypeAlias = Literal["asset", "source", "store", "extra"]
Favour: TypeAlias = Literal["ours", "theirs"] | None

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Conflict:
    """One entry that a person has to decide; None is a side without it."""

    kind: Kind
    name: str
    """The path of an asset, the ID of a table."""
    ours: object
    theirs: object


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of a merge: with conflicts, `lockfile` holds our side of each."""

    lockfile: Lockfile
    conflicts: tuple[Conflict, ...]
    taken: tuple[str, ...]
    """One line for each entry that is not simply ours."""


def merge(base: Lockfile, ours: Lockfile, theirs: Lockfile, *, favour: Favour = None) -> Merged:
    """Merge by meaning; `favour` decides what would be a conflict."""
    work = _Work(favour)
    base, ours, theirs = _with_renames(base, ours, theirs, taken=work.taken)
    sources = work.table(
        "source",
        (base.sources, ours.sources, theirs.sources),
        lambda a, o, t: threeway.source(a, o, t, agreed=_same_assets(o.id, ours, theirs)),
    )
    stores = work.table("store", (base.stores, ours.stores, theirs.stores), threeway.store)
    extra = work.table("extra", (base.extra, ours.extra, theirs.extra), threeway.scalar)
    assets = work.table("asset", (base.assets, ours.assets, theirs.assets), threeway.asset)
    work.separate(assets, ours.assets)
    # A source that one side dropped stays while the other side's assets need it.
    for entry in assets.values():
        name = (entry.origin or "").partition(":")[0]
        for side in (ours, theirs):
            if name and name not in sources and name in side.sources:
                sources[name] = side.sources[name]
                work.taken.append(f"[source.{name}] kept, it is still used")
    lockfile = Lockfile(
        ours.version,
        max(ours.revision, theirs.revision),
        dict(sorted(stores.items())),
        dict(sorted(sources.items())),
        dict(sorted(assets.items())),
        dict(sorted(extra.items())),
    )
    return Merged(lockfile, tuple(work.conflicts), tuple(work.taken))


def with_markers(merged: Merged) -> str:
    """Write the lockfile with each conflict as two whole blocks between git's markers."""
    parts = dict(blocks(merged.lockfile))
    for conflict in merged.conflicts:
        sides = [_alone(conflict, side) for side in (conflict.ours, conflict.theirs)]
        key = next(key for side in sides for key, _ in side)
        ours, theirs = ("".join(text for _, text in side) for side in sides)
        # The blank line before a block belongs to neither side.
        gap = "\n" if (ours + theirs).startswith("\n") else ""
        sides_text = f"{ours.removeprefix(gap)}=======\n{theirs.removeprefix(gap)}"
        parts[key] = f"{gap}<<<<<<< ours\n{sides_text}>>>>>>> theirs\n"
    return "".join(parts[key] for key in sorted(parts))


def _alone(conflict: Conflict, side: object) -> list[tuple[tuple[int, str], str]]:
    """Give the text of one side of a conflict as if nothing else were in the lockfile."""
    empty, name = Lockfile(), conflict.name
    if isinstance(side, Asset):
        alone = replace(empty, assets={name: side})
    elif isinstance(side, SourceTable):
        alone = replace(empty, sources={name: side})
    elif isinstance(side, StoreTable):
        alone = replace(empty, stores={name: side})
    else:
        alone = replace(empty, extra={} if side is None else {name: side})
    return list(blocks(alone))[1:]


@dataclass(slots=True)
class _Work:
    favour: Favour
    conflicts: list[Conflict] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)

    def table(
        self,
        kind: Kind,
        sides: tuple[Mapping[str, T], Mapping[str, T], Mapping[str, T]],
        combine: Callable[[T | None, T, T], T | None],
    ) -> dict[str, T]:
        """Merge one mapping; `combine` decides where both sides have changed an entry."""
        base, ours, theirs = sides
        merged: dict[str, T] = {}
        for name in sorted(ours.keys() | theirs.keys()):
            a, o, t = base.get(name), ours.get(name), theirs.get(name)
            if t in (o, a):
                result = o
            elif a == o:
                result = self._take(kind, name, t, "theirs")
            else:
                try:
                    result = threeway.both(combine, a, o, t)
                    self._take(kind, name, result, "both sides")
                except threeway.Clash:
                    result = self.settle(kind, name, o, t)
            if result is not None:
                merged[name] = result
        return merged

    def settle(self, kind: Kind, name: str, ours: T | None, theirs: T | None) -> T | None:
        """Let `favour` decide a conflict, or record it and go on with our side."""
        if self.favour is None:
            self.conflicts.append(Conflict(kind, name, ours, theirs))
            return ours
        chosen = ours if self.favour == "ours" else theirs
        return self._take(kind, name, chosen, f"{self.favour}, in conflict")

    def separate(self, assets: dict[str, Asset], ours: Mapping[str, Asset]) -> None:
        """Settle paths that each side may have alone but no work tree can have together."""
        for one, other, _ in list(clashes(assets.keys())):
            mine, foreign = (one, other) if one in ours else (other, one)
            if self.favour == "theirs":
                assets.pop(mine, None)
                self.taken.append(f"'{mine}' left out for '{foreign}' of theirs")
            elif (entry := assets.pop(foreign, None)) is not None:
                self.settle("asset", foreign, None, entry)

    def _take(self, kind: Kind, name: str, result: T | None, side: str) -> T | None:
        shown = f"'{name}'" if kind == "asset" else name if kind == "extra" else f"[{kind}.{name}]"
        self.taken.append(f"{shown} {'removed' if result is None else 'taken'} as in {side}")
        return result


def _with_renames(
    base: Lockfile, *sides: Lockfile, taken: list[str]
) -> tuple[Lockfile, Lockfile, Lockfile]:
    """Rename in the base and on the other side what one side has renamed."""
    renames = [_renames(base.assets, side.assets) for side in sides]
    ours, theirs = sides
    for old, new in renames[0]:
        if old in theirs.assets and new not in theirs.assets:
            base, theirs = _renamed(base, old, new), _renamed(theirs, old, new)
    for old, new in renames[1]:
        if old in ours.assets and new not in ours.assets:
            base, ours = _renamed(base, old, new), _renamed(ours, old, new)
            taken.append(f"'{old}' renamed to '{new}' as in theirs")
    return base, ours, theirs


def _renames(base: Mapping[str, Asset], side: Mapping[str, Asset]) -> list[tuple[str, str]]:
    """Find paths that went while their bytes came up at one other path."""
    gone = [base[path] for path in base.keys() - side.keys()]
    new = [side[path] for path in side.keys() - base.keys()]
    was, now = (Counter(map(threeway.content, assets)) for assets in (gone, new))
    places = {threeway.content(asset): asset.path for asset in new}
    return [
        (asset.path, places[content])
        for asset in gone
        if was[content := threeway.content(asset)] == now[content] == 1
    ]


def _renamed(lockfile: Lockfile, old: str, new: str) -> Lockfile:
    assets = dict(lockfile.assets)
    assets[new] = replace(assets.pop(old), path=AssetPath(new))
    return replace(lockfile, assets=assets)


def _same_assets(name: str, ours: Lockfile, theirs: Lockfile) -> bool:
    """Tell whether both sides pin the same bytes through this source, at whatever revision."""
    pinned = [
        {
            asset.path: threeway.content(asset)
            for asset in side.assets.values()
            if asset.origin is not None and asset.origin.partition(":")[0] == name
        }
        for side in (ours, theirs)
    ]
    return pinned[0] == pinned[1]
