"""`http:` and `https:`: any web server. Nothing is asked before the bytes are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets.model import Request
from gitassets.sources.base import Source

if TYPE_CHECKING:
    from gitassets.model import Url
    from gitassets.sources.control import Control


class Web(Source):
    """A URL is its own request; redirects are followed when the server sends one."""

    def __init__(self, control: Control) -> None:
        self._policy = control.policy

    def resolve(self, url: Url) -> Request:
        """Check that the host may be asked. Raises TransferError when not."""
        return Request(url=str(url), source=url, private=self._policy.private(url))
