"""The sources by URL scheme: one line each, imported when one is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from gitassets.errors import Cause, TransferError

if TYPE_CHECKING:
    from gitassets.model import Request, Url
    from gitassets.sources.base import Policy, Source

SOURCES = {
    "http": "gitassets.sources.web:Web",
    "https": "gitassets.sources.web:Web",
    "file": "gitassets.sources.file:File",
}


class Resolver:
    """Finds the source of a URL; keeps each for the run."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._made: dict[str, Source] = {}

    def resolve(self, url: Url) -> Request:
        """Give the request for `url`. Raises TransferError."""
        scheme = url.scheme
        if scheme not in self._made:
            if scheme not in SOURCES:
                raise TransferError(
                    url, f"no source for '{scheme}:' URLs in this version", Cause.LYING
                )
            module, _, attribute = SOURCES[scheme].partition(":")
            made = getattr(import_module(module), attribute)(self.policy)
            self._made[scheme] = cast("Source", made)
        return self._made[scheme].resolve(url)
