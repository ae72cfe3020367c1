"""The seam between names and places: a source turns a lockfile URL into a request.

Redirects, credentials and the question whether a host may be asked at all end here; an engine gets
requests that need no further thought.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urljoin, urlsplit

from gitassets.addresses import is_private_host
from gitassets.errors import Cause, TransferError
from gitassets.urls import Url, redacted, same_origin

if TYPE_CHECKING:
    from gitassets.model import Request

MAX_HOPS = 10
"""Redirects followed for one request; curl's own default is 30, git's 20, browsers' 20."""
_ACROSS = frozenset({"accept", "user-agent"})
"""Headers that may cross to another origin: a list of what may, not of what may not."""


class Source(Protocol):
    """One URL scheme. Made with the `Control` that it may ask small questions through."""

    def resolve(self, url: Url) -> Request:
        """Give the request for `url`, with no network where the scheme needs none.

        Raises TransferError, with Cause.REFUSED when policy forbids to ask at all.
        """
        ...

    def address(self, url: Url) -> str:
        """Give what would be dialled for `url`, as far as that is known without asking anybody."""
        return str(url)

    def explain(self, url: Url, error: TransferError) -> TransferError:
        """Say in the words of this kind of host why `url` could not be had."""
        del url
        return error


@dataclass(slots=True)
class Policy:
    """Which places may be asked (design §5): public ones, and what the user allowed."""

    top: Path
    """The work tree: `file:` URLs below it need no permission."""
    allowed: frozenset[str] = frozenset()
    """`assets.allow`: hosts, host:port, or directories."""
    explicit: bool = True
    """A person typed the command; a hook must not dial a private host on its own."""
    asked: set[str] = field(default_factory=set)
    """Private hosts that an explicit command used without a recorded permission."""

    _judged: dict[str, bool] = field(default_factory=dict)
    """By host and port, as they stand in a URL."""

    def private(self, url: Url) -> bool:
        """Tell whether this host may have a private address. Raises TransferError if not."""
        place = url.split("/", 3)[2]  # ten thousand URLs of one host are asked about once
        if place not in self._judged:
            self._judged[place] = self._judge(url)
        return self._judged[place]

    def _judge(self, url: Url) -> bool:
        host, port = _place(url)
        if self._recorded(host, port):
            return True
        if not is_private_host(host):
            return False
        if not self.explicit:
            raise TransferError(
                url,
                f"'{host}' is a private host, and a hook asks no private host by itself",
                Cause.REFUSED,
                hint=f"git config --add assets.allow {host}",
            )
        self.asked.add(host)
        return True

    def hop(self, request: Request, location: str) -> Request:
        """Follow one redirect. Raises TransferError when it may not be followed."""
        if request.hops >= MAX_HOPS:
            raise TransferError(request.url, f"more than {MAX_HOPS} redirects", Cause.LYING)
        try:
            url = Url(urljoin(request.url, location))
        except ValueError as error:
            shown = redacted(location)
            raise TransferError(
                request.url, f"redirect to '{shown}': {error}", Cause.LYING
            ) from error
        old, new = urlsplit(request.url), urlsplit(url)
        if new.scheme not in {"http", "https"} or (old.scheme, new.scheme) == ("https", "http"):
            raise TransferError(
                request.url, f"redirect from {old.scheme} to {new.scheme} refused", Cause.LYING
            )
        stays = same_origin(request.url, url)
        return replace(
            request,
            url=str(url),
            hops=request.hops + 1,
            private=self._private_hop(request, url),
            secret=request.secret and stays,
            headers=request.headers
            if stays
            else tuple(pair for pair in request.headers if pair[0].lower() in _ACROSS),
        )

    def _private_hop(self, request: Request, url: Url) -> bool:
        host, port = _place(url)
        if self._recorded(host, port):
            return True
        if is_private_host(host) and not request.private:
            raise TransferError(
                request.url,
                f"redirect from a public host to the private host '{host}' refused",
                Cause.REFUSED,
                hint=f"git config --add assets.allow {host}",
            )
        return is_private_host(host)

    def _recorded(self, host: str, port: int) -> bool:
        return host in self.allowed or f"{host}:{port}" in self.allowed

    def directory(self, path: Path) -> Path | None:
        """Give the allowed directory that `path` lies below, or None. Nothing on disk is asked."""
        for root in (self.top, *(Path(text) for text in self.allowed if text.startswith("/"))):
            if path.is_relative_to(root):
                return root
        return None


def allowing(url: Url) -> str:
    """Give the entry of `assets.allow` that allows exactly the place that `url` names."""
    if url.scheme == "file":
        return unquote(url.removeprefix("file:")).replace("//", "", 1).rstrip("/")
    host, port = _place(url)
    return f"{host}:{port}"


def _place(url: Url) -> tuple[str, int]:
    """Give the host and the port, the usual one of the scheme when none is written."""
    _, host, port = url.origin
    return host, port
