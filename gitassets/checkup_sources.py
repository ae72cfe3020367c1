"""What `doctor` finds on the network: does each host answer, by which way, and who are we for it.

One byte of one small asset is asked of each host. What a credential or a proxy's password is, no
finding tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gitassets import engines, probe
from gitassets.checkup import Finding, guarded
from gitassets.engines.routes import proxy_for
from gitassets.errors import TransferError
from gitassets.urls import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gitassets.engines.base import Tuning
    from gitassets.lockfile import Lockfile
    from gitassets.model import Request, Url
    from gitassets.sources import Resolver

_KINDS = {"bearer": "a token", "basic": "a user name and password"}


@dataclass(frozen=True, slots=True)
class Host:
    """A place that assets come from, and what it is asked."""

    name: str
    url: Url
    size: int
    """Bytes of the asset at `url`."""
    only: bool
    """Nobody else has that asset."""


def hosts(lockfile: Lockfile, places: Callable[[Url], Iterable[Url]]) -> list[Host]:
    """List who a pull would ask, mirrors included; each with its smallest asset.

    An asset that nobody else has comes before a smaller one.
    """
    best: dict[str, Host] = {}
    for asset in lockfile.assets.values():
        named = (*lockfile.urls_of(asset), *lockfile.store_urls(asset.sha256, asset.size))
        found = {_name(place): place for url in named for place in places(url)}
        for name, url in found.items() if asset.size else ():
            host = Host(name, url, asset.size, only=len(found) == 1)
            best[name] = min(
                best.get(name, host), host, key=lambda each: (not each.only, each.size)
            )
    return list(best.values())


def reach(found: Iterable[Host], resolver: Resolver, tuning: Tuning) -> Iterator[Finding]:
    """Ask each host for one byte."""
    for host in found:
        yield from guarded("source", partial(_asked, host, resolver, tuning))


def _asked(host: Host, resolver: Resolver, tuning: Tuning) -> Finding:
    way = ""
    try:
        request = resolver.resolve(host.url)
        way = _way(request, tuning)
        name = "local" if request.url.startswith("file:") else engines.ALWAYS
        probe.settle(engines.load(name, tuning), request, host.size, resolver.policy.hop)
    except TransferError as error:
        told = resolver.explain(host.url, error)
        text = f"{host.name}{way}: {redacted(told.reason)}"
        hint = told.hint or "git assets verify --remote"
        return Finding("source", "problem" if host.only else "warning", text, hint)
    return Finding("source", "ok", f"{host.name} answers{way}")


def _way(request: Request, tuning: Tuning) -> str:
    proxy = proxy_for(request.url, tuning)
    # A proxy may be named without a scheme, which `redacted` would not take for a URL.
    through = f" through {redacted(proxy.rpartition('@')[2])}" if proxy else ""
    headers = {name.lower(): value for name, value in request.headers}
    scheme = headers.get("authorization", "").partition(" ")[0].lower()
    if scheme:
        return f"{through}, with {_KINDS.get(scheme, 'a credential')}"
    return f"{through}, with a signature" if request.secret else f"{through}, no credential"


def _name(url: Url) -> str:
    """Scheme, host and port; all directories are one place."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return "file:" if parts.scheme == "file" else f"{parts.scheme}://{host}"
