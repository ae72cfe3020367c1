"""The way to a host: which proxy, which certificates. Nothing of the environment."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from gitassets.engines.base import Tuning

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)


def ca_bundle(tuning: Tuning) -> str | None:
    """Give the PEM file to trust: the user's, the system's, certifi's; None when there is none."""
    if tuning.ca_file:
        return tuning.ca_file
    for bundle in _BUNDLES:
        if Path(bundle).is_file():
            return bundle
    try:
        import certifi  # noqa: PLC0415 - the last resort
    except ImportError:
        return None
    return certifi.where()


def proxy_for(url: str, tuning: Tuning) -> str:
    """Give the proxy that `url` is asked through, `""` for none."""
    if not tuning.proxies:
        return ""
    parts = urlsplit(url)
    if _direct(parts.hostname or "", tuning.no_proxy):
        return ""
    return dict(tuning.proxies).get(parts.scheme, "")


@lru_cache(maxsize=256)
def _direct(host: str, no_proxy: tuple[str, ...]) -> bool:
    """Tell whether `no_proxy` names the host, read as curl reads it (CURLOPT_NOPROXY(3))."""
    return any(_matches(host, entry.strip().lower()) for entry in no_proxy)


def _matches(host: str, entry: str) -> bool:
    """`*`, an address, a network, or a name that is the host's or above it."""
    if entry == "*":
        return True
    try:
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        name = entry.strip(".")
        return bool(name) and (host == name or host.endswith("." + name))
