"""What a web server says of a file before it is pinned: its size, and where redirects end.

For `add` only: a pinned file's size is known, and a pull asks nothing beforehand.
"""

from __future__ import annotations

import re
import socket
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from gitassets.addresses import judge
from gitassets.errors import Cause, TransferError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response

    from gitassets.engines.base import Tuning
    from gitassets.model import Request
    from gitassets.sources.base import Policy

_TOTAL = re.compile(r"bytes [0-9]{1,16}-[0-9]{1,16}/([0-9]{1,16})")
"""Content-Range (RFC 9110 §14.4); `*` for the total says nothing."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Remote(NamedTuple):
    """A file that a server offers."""

    request: Request
    """Final: no redirect is left."""
    size: int
    """Bytes."""


def ask(request: Request, policy: Policy, tuning: Tuning) -> Remote:
    """Ask for the first byte and read the size off the answer.

    Raises TransferError; also when the server does not say how large the file is, because then
    nobody could tell a whole file from a broken connection.
    """
    import requests  # noqa: PLC0415 - 100 ms that only `add` waits for

    with requests.Session() as session:
        session.trust_env = False
        # Even when it is told not to follow, requests parses the target (ValueError for a bad one)
        # and reads the whole body of the redirect, which may never end.
        session.get_redirect_target = lambda resp: None  # type: ignore[method-assign] # noqa: ARG005
        while True:
            _check_address(request)
            try:
                answer = session.get(
                    request.url,
                    headers={
                        "Range": "bytes=0-0",
                        "Accept-Encoding": "identity",
                        "User-Agent": tuning.user_agent,
                        **dict(request.headers),
                    },
                    allow_redirects=False,
                    stream=True,
                    timeout=(tuning.connect_timeout, tuning.low_speed_time),
                    proxies=_proxies(request, tuning),
                    verify=tuning.ca_file or True,
                )
            except requests.RequestException as error:
                reason = _reason(error)
                raise TransferError(request.url, reason, Cause.TRANSIENT) from error
            with closing(answer):
                if answer.status_code not in _REDIRECTS:
                    return Remote(request, _size(request, answer))
                location = answer.headers.get("Location", "")
            request = policy.hop(request, location)


def _size(request: Request, answer: Response) -> int:
    headers: Mapping[str, str] = answer.headers
    if answer.status_code not in {200, 206, 416}:
        raise TransferError(
            request.url, f"HTTP {answer.status_code}", Cause.GONE, status=answer.status_code
        )
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise TransferError(request.url, "the server sends it compressed only", Cause.LYING)
    if answer.status_code == 416:  # the one answer to the first byte of an empty file
        if headers.get("Content-Range", "").replace(" ", "") == "bytes*/0":
            return 0
        raise TransferError(request.url, "HTTP 416", Cause.LYING, status=416)
    found = _TOTAL.fullmatch(headers.get("Content-Range", "").strip())
    if answer.status_code == 206 and found:
        return int(found[1])
    length = headers.get("Content-Length", "")
    if answer.status_code == 200 and length.isdecimal() and len(length) <= 16:
        return int(length)
    raise TransferError(
        request.url, "the server does not say how large the file is", Cause.LYING,
        hint="download it by other means, then: git assets add FILE --url URL",
    )  # fmt: skip


def _check_address(request: Request) -> None:
    """Judge every address of the host before it is dialled (the engines judge while they dial)."""
    parts = urlsplit(request.url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or parts.scheme)
    except (OSError, UnicodeError) as error:
        raise TransferError(request.url, f"cannot resolve '{parts.hostname}'") from error
    for row in found:
        if rule := judge(str(row[4][0]), private=request.private):
            raise TransferError(
                request.url, f"'{parts.hostname}' is {row[4][0]}: {rule}", Cause.REFUSED,
                hint=f"git config --add assets.allow {parts.hostname}",
            )  # fmt: skip


def _proxies(request: Request, tuning: Tuning) -> dict[str, str]:
    host = urlsplit(request.url).hostname or ""
    direct = any(
        name in {"*", host} or host.endswith("." + name.lstrip(".")) for name in tuning.no_proxy
    )
    return {} if direct else dict(tuning.proxies)


def _reason(error: Exception) -> str:
    """What went wrong, without the nested quotations that urllib3 makes of it."""
    text = str(error)
    for words in ("timed out", "Connection refused", "Connection reset"):
        if words in text:
            return words.lower()
    if found := re.search(r"certificate verify failed: ([^('\"]{1,80})", text):
        return f"its certificate is not trusted: {found[1].strip()}"
    return type(error).__name__
