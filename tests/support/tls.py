"""Certificates for the fault server: a good one, and three that must be refused."""

from __future__ import annotations

import datetime as dt
import ssl
from functools import lru_cache
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

_HOSTS = ("127.0.0.1", "localhost")


@lru_cache(maxsize=1)
def _authority() -> trustme.CA:
    return trustme.CA()


def write_authority(path: Path) -> Path:
    """Write the certificate that clients are to trust; returns `path`."""
    _authority().cert_pem.write_to_path(str(path))
    return path


@lru_cache(maxsize=8)
def context(kind: str) -> ssl.SSLContext:
    """Make a server's TLS: `good`, `expired`, `elsewhere` (another name) or `stranger` (unknown CA)."""
    past = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=2)
    match kind:
        case "good":
            certificate = _authority().issue_cert(*_HOSTS)
        case "expired":
            certificate = _authority().issue_cert(*_HOSTS, not_after=past)
        case "elsewhere":
            certificate = _authority().issue_cert("elsewhere.example")
        case _:
            certificate = trustme.CA().issue_cert(*_HOSTS)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(made)
    return made
