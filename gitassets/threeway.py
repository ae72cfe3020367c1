"""One entry of a lockfile in three versions, made one where the two sides allow it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from gitassets.model import Asset, SourceTable, StoreTable
from gitassets.tables import MAX_URLS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gitassets.model import Digest, Url

__all__ = ["Clash", "asset", "both", "content", "scalar", "source", "store"]

T = TypeVar("T")


class Clash(Exception):  # noqa: N818 - becomes a Conflict
    """Both sides changed the same thing in different ways."""


def both(
    combine: Callable[[T | None, T, T], T | None], base: T | None, ours: T | None, theirs: T | None
) -> T | None:
    """Merge an entry that both sides have changed or removed. Raises Clash."""
    if ours is not None and theirs is not None:
        return combine(base, ours, theirs)
    changed = theirs if ours is None else ours
    # A removal wins over a change that left the bytes alone.
    if isinstance(base, Asset) and isinstance(changed, Asset) and content(base) == content(changed):
        return None
    raise Clash


def content(pin: Asset) -> tuple[Digest, int]:
    """Give what identifies the bytes."""
    return pin.sha256, pin.size


def scalar(base: T | None, ours: T, theirs: T) -> T:
    """Give what the side that changed it made of it. Raises Clash."""
    if theirs in (ours, base):
        return ours
    if base == ours:
        return theirs
    raise Clash


def _ordered(base: tuple[T, ...], ours: tuple[T, ...], theirs: tuple[T, ...]) -> tuple[T, ...]:
    """Merge ordered sets: what neither side removed, then what ours added, then theirs."""
    try:
        return scalar(base, ours, theirs)
    except Clash:
        kept = [item for item in base if item in ours and item in theirs]
        added = [item for item in (*ours, *theirs) if item not in base]
        return tuple(dict.fromkeys([*kept, *added]))


def asset(base: Asset | None, ours: Asset, theirs: Asset) -> Asset:
    """Merge key by key as long as the sides agree about the bytes. Raises Clash."""
    if base is None and content(ours) != content(theirs):
        raise Clash
    before = base or replace(ours, urls=(), origin=None, groups=(), executable=False, extra={})
    sha256, size = scalar(content(before), content(ours), content(theirs))
    for side in (ours, theirs):
        # New places of the old bytes say nothing about the new ones.
        if content(side) != (sha256, size) and _places(side) != _places(before):
            raise Clash
    urls = _ordered(before.urls, ours.urls, theirs.urls)
    if len(urls) > MAX_URLS:
        raise Clash
    return Asset(
        ours.path,
        size,
        sha256,
        urls,
        scalar(before.origin, ours.origin, theirs.origin),
        _ordered(before.groups, ours.groups, theirs.groups),
        scalar(before.executable, ours.executable, theirs.executable),
        _extra(before.extra, ours.extra, theirs.extra),
    )


def _places(pin: Asset) -> tuple[tuple[Url, ...], str | None]:
    return pin.urls, pin.origin


def _extra(
    base: Mapping[str, object], ours: Mapping[str, object], theirs: Mapping[str, object]
) -> dict[str, object]:
    keys = sorted(ours.keys() | theirs.keys())
    merged = {key: scalar(base.get(key), ours.get(key), theirs.get(key)) for key in keys}
    return {key: value for key, value in merged.items() if value is not None}


def store(base: StoreTable | None, ours: StoreTable, theirs: StoreTable) -> StoreTable:
    """Merge key by key. Raises Clash."""
    url = scalar(base.url if base else None, ours.url, theirs.url)
    return StoreTable(ours.id, url, _extra(base.extra if base else {}, ours.extra, theirs.extra))


def source(
    base: SourceTable | None, ours: SourceTable, theirs: SourceTable, *, agreed: bool
) -> SourceTable:
    """Merge key by key; `agreed`: either revision gives the bytes that are pinned. Raises Clash."""
    original = scalar(base.original if base else None, ours.original, theirs.original)
    try:
        resolved = scalar(base.resolved if base else None, ours.resolved, theirs.resolved)
    except Clash:
        if not agreed:
            raise
        resolved = ours.resolved
    extra = _extra(base.extra if base else {}, ours.extra, theirs.extra)
    return SourceTable(ours.id, original, resolved, extra)
