"""The sources by URL scheme: one line each, imported when one is asked for."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from gitassets.errors import Cause, TransferError
from gitassets.sources.control import Control
from gitassets.sources.rewrites import Rewrites
from gitassets.urls import Url

if TYPE_CHECKING:
    from gitassets.engines.base import Tuning
    from gitassets.model import Digest, Request
    from gitassets.sources.base import Policy, Source

SOURCES = {
    "http": "gitassets.sources.web:Web",
    "https": "gitassets.sources.web:Web",
    "file": "gitassets.sources.file:File",
    "hf": "gitassets.sources.hf:Hub",
    "github-release": "gitassets.sources.github:Releases",
    "s3": "gitassets.sources.bucket:Buckets",
    "gs": "gitassets.sources.bucket:Buckets",
    "az": "gitassets.sources.bucket:Buckets",
    "lfs+http": "gitassets.sources.lfs:Lfs",
    "lfs+https": "gitassets.sources.lfs:Lfs",
}
_ANYWHERE = Rewrites()


class Resolver:
    """Finds the source of a URL; keeps each for the run."""

    def __init__(self, policy: Policy, tuning: Tuning, rewrites: Rewrites = _ANYWHERE) -> None:
        self.policy = policy
        self.control = Control(policy, tuning)
        self._rewrites = rewrites
        self._plain = rewrites == Rewrites()
        self._mirror_first: bool | None = None
        self._made: dict[str, Source] = {}

    def resolve(self, url: Url) -> Request:
        """Give the request for `url`. Raises TransferError."""
        return self.source(url).resolve(url)

    def source(self, url: Url) -> Source:
        """Give the source of the URL's scheme. Raises TransferError when there is none."""
        scheme = url.scheme
        if scheme not in self._made:
            if scheme not in SOURCES:
                raise TransferError(
                    url, f"no source for '{scheme}:' URLs in this version", Cause.LYING
                )
            module, _, attribute = SOURCES[scheme].partition(":")
            made = getattr(import_module(module), attribute)(self.control)
            self._made[scheme] = cast("Source", made)
        return self._made[scheme]

    def places(self, url: Url) -> tuple[Url, ...]:
        """Give what is to be asked for `url`, in order: the user's mirrors, then itself."""
        if self._plain:
            return (url,)
        try:
            address = self.source(url).address(url)
        except TransferError:  # told when it is resolved
            address = str(url)
        found = self._rewrites.places(url, address)
        if self._rewrites.hub_mirror is None or url.scheme != "hf" or address == url:
            return found
        mirrored = Url(f"{self._rewrites.hub_mirror}{urlsplit(address).path}")
        if not self._rewrites.origin or self._faster(url, mirrored):
            return (mirrored, *found)
        return (*found, mirrored)

    def _faster(self, url: Url, mirrored: Url) -> bool:
        """Tell, by the first file of the run, whether the Hub's mirror answers before the Hub."""
        if self._mirror_first is None:
            from gitassets.sources import hubmirror  # noqa: PLC0415 - for few users only

            try:
                hub = replace(self.resolve(url), headers=(), secret=False)
                mirror = self.resolve(mirrored)
            except TransferError:  # told when it is resolved
                return False
            self._mirror_first = hubmirror.faster(self.control, hub, mirror)
        return self._mirror_first

    def cached(self, digest: Digest) -> tuple[Url, ...]:
        """Give where a cache of the user's may have the content: asked before any URL."""
        return self._rewrites.cached(digest)

    def explain(self, url: Url, error: TransferError) -> TransferError:
        """Say why `url` could not be had, in the words of its kind of host."""
        return self.source(url).explain(url, error)
