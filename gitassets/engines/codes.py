"""What libcurl's result numbers mean for a transfer (libcurl-errors(3)). Pure."""

from __future__ import annotations

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


def meaning(code: int, text: str) -> tuple[str, Cause]:
    """Give the reason and the cause of a transfer that ended early with `code`.

    `text` is libcurl's own, which names hosts, ports and certificates, but no path and no query.
    """
    reason = _REASONS.get(code) or text or f"libcurl error {code}"
    return reason, _FINAL.get(code, Cause.TRANSIENT)
