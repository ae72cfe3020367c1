"""From facts to a plan: what a pull will keep, link, fetch and leave alone. Pure.

The rule that everything else bows to: bytes that nobody else has are the user's. A file is replaced
only when it is what we put there, or when the user said `--force` (and then it is rescued first).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from gitassets.model import Asset, AssetPath


class State(Enum):
    """What stands at an asset's path."""

    ABSENT = auto()
    RIGHT = auto()
    """The pinned bytes."""
    PREVIOUS = auto()
    """Bytes that an earlier pin put there, unmodified: they can be had again."""
    FOREIGN = auto()
    """Anything else: the user's."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One asset, and what is known about it before anything is done."""

    asset: Asset
    state: State
    tracked: bool = False
    """git tracks this path: then it is git's file."""
    why: str = ""
    """For FOREIGN: what stands there, in the words of an error message."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An asset that will not be touched."""

    asset: Asset
    why: str
    hint: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done. Every command that changes the work tree makes one first."""

    keep: tuple[Asset, ...] = ()
    link: tuple[Asset, ...] = ()
    """The cache has the bytes."""
    fetch: tuple[Asset, ...] = ()
    """Nobody here has the bytes."""
    rescue: tuple[AssetPath, ...] = ()
    """Files of the user's that `--force` moves out of the way before they are replaced."""
    remove: tuple[AssetPath, ...] = ()
    """Unmodified files that the lockfile does not pin any more."""
    blocked: tuple[Refusal, ...] = ()

    @property
    def bytes_to_fetch(self) -> int:
        """Bytes that have to be moved: equal digests count once."""
        return sum({asset.sha256: asset.size for asset in self.fetch}.values())

    @property
    def empty(self) -> bool:
        """Nothing has to be done."""
        return not (self.link or self.fetch or self.remove or self.blocked)


def make(
    observations: Iterable[Observation],
    cached: AbstractSet[str],
    *,
    force: bool = False,
    remove: Iterable[AssetPath] = (),
) -> Plan:
    """Decide for each asset; `cached` are the digests that the cache holds."""
    keep: list[Asset] = []
    link: list[Asset] = []
    fetch: list[Asset] = []
    rescue: list[AssetPath] = []
    blocked: list[Refusal] = []
    for seen in observations:
        asset = seen.asset
        if seen.state is State.RIGHT:
            keep.append(asset)
            continue
        refusal = _refusal(seen)
        if refusal and not force:
            blocked.append(refusal)
            continue
        if refusal:
            rescue.append(asset.path)
        (link if asset.sha256 in cached else fetch).append(asset)
    return Plan(
        tuple(keep), tuple(link), tuple(fetch), tuple(rescue), tuple(remove), tuple(blocked)
    )


def _refusal(seen: Observation) -> Refusal | None:
    path = seen.asset.path
    if seen.tracked and seen.state is not State.ABSENT:
        return Refusal(seen.asset, "is tracked by git", f"git rm --cached -- '{path}'")
    if seen.state is State.FOREIGN:
        return Refusal(seen.asset, seen.why, f"git assets pull --force -- '{path}'")
    return None
