"""What libcurl's result numbers mean for a transfer (libcurl-errors(3)). Pure."""

from __future__ import annotations

import re

from gitassets.errors import Cause

STALLED = -1
"""Our own, beside libcurl's: too slow for too long."""

_REASONS = {
    STALLED: "stalled",
    0: "connection closed",  # orderly, but too early
    18: "connection closed",
    28: "timed out",
    52: "connection closed",
    55: "connection lost",
    56: "connection lost",
}
"""Where libcurl's own text says less."""

_FINAL = {
    1: Cause.LYING,  # not HTTP
    3: Cause.LYING,  # not a URL
    8: Cause.LYING,  # not an HTTP header
    60: Cause.LYING,  # the server's certificate
    77: Cause.LOCAL,  # the CA bundle
    83: Cause.LYING,  # the issuer of the certificate
}
"""What no second try changes."""

_TUNNEL = re.compile(r"CONNECT tunnel failed, response (\d{3})")
_CLOSED = {"401", "403", "407"}
"""A proxy's answers to CONNECT that stay as they are."""


def meaning(code: int, text: str) -> tuple[str, Cause]:
    """Give the reason and the cause of a transfer that ended early with `code`.

    `text` is libcurl's own, which names hosts, ports and certificates, but no path and no query.
    """
    if tunnel := _TUNNEL.match(text):
        return f"proxy: HTTP {tunnel[1]}", Cause.DENIED if tunnel[1] in _CLOSED else Cause.TRANSIENT
    reason = _REASONS.get(code) or text or f"libcurl error {code}"
    return reason, _FINAL.get(code, Cause.TRANSIENT)
