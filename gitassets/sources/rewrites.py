"""The user's own places: mirrors of URL prefixes, and the team cache. Nothing of a committed file.

A mirror is another spelling of a URL, tried at fetch time only: the lockfile keeps what it says,
and the digest decides whether the mirror told the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitassets.urls import Url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitassets.model import Digest


@dataclass(frozen=True, slots=True)
class Rewrites:
    """What git config says of where else a URL, or a content, may be had."""

    mirrors: tuple[tuple[str, str], ...] = ()
    """`assets.<prefix>.mirror`: (prefix, other prefix), in the order they are tried."""
    cache: Url | None = None
    """`assets.teamCache`: holds objects at `<url>/<ab>/<sha256>`."""
    hub_mirror: Url | None = None
    """`assets.hfMirror`: a mirror of the Hub, used when it is the faster one."""
    origin: bool = True
    """False (`assets.origin=never`): what the lockfile names is not asked, only our own places."""

    def cached(self, digest: Digest) -> tuple[Url, ...]:
        """Give where the team cache has the content, when there is a team cache."""
        if self.cache is None:
            return ()
        return (Url(f"{self.cache.rstrip('/')}/{digest[:2]}/{digest}"),)

    def places(self, url: Url, address: str) -> tuple[Url, ...]:
        """Give what is asked for `url`, in order: its mirrors, then itself.

        `address` is what `url` is dialled as (the Hub's https for `hf:`): a rule may name either.
        The longest prefix that fits wins, as with git's `url.<base>.insteadOf`.
        """
        itself = (url,) if self.origin or url.scheme == "file" else ()
        return tuple(dict.fromkeys((*self._mirrored((url, address)), *itself)))

    def targets(self) -> Iterable[Url]:
        """Give the places that the user named: private ones need no further permission."""
        own = (self.cache, self.hub_mirror)
        return (*(Url(target) for _, target in self.mirrors), *(url for url in own if url))

    def _mirrored(self, spellings: tuple[str, str]) -> Iterable[Url]:
        fitting = [
            (prefix, spelling)
            for prefix, _ in self.mirrors
            for spelling in spellings
            if spelling.startswith(prefix)
        ]
        if not fitting:
            return
        longest, spelling = max(fitting, key=lambda pair: len(pair[0]))
        for prefix, target in self.mirrors:
            if prefix == longest:
                yield Url(target + spelling[len(prefix) :])
