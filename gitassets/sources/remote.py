"""What a web server says of a file before it is pinned: its size, and where redirects end.

For `add` only: a pinned file's size is known, and a pull asks nothing beforehand.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from gitassets.errors import Cause, TransferError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response

    from gitassets.model import Request
    from gitassets.sources.control import Control

_TOTAL = re.compile(r"bytes [0-9]{1,16}-[0-9]{1,16}/([0-9]{1,16})")
"""Content-Range (RFC 9110 §14.4); `*` for the total says nothing."""


class Remote(NamedTuple):
    """A file that a server offers."""

    request: Request
    """Final: no redirect is left."""
    size: int
    """Bytes."""


def ask(request: Request, control: Control) -> Remote:
    """Ask for the first byte and read the size off the answer.

    Raises TransferError; also when the server does not say how large the file is, because then
    nobody could tell a whole file from a broken connection.
    """
    with control.open(request, headers={"Range": "bytes=0-0"}) as (last, answer):
        return Remote(last, _size(last, answer))


def _size(request: Request, answer: Response) -> int:
    headers: Mapping[str, str] = answer.headers
    if answer.status_code not in {200, 206, 416}:
        raise TransferError(
            request.url, f"HTTP {answer.status_code}", Cause.GONE,
            status=answer.status_code, code=headers.get("X-Error-Code"),
        )  # fmt: skip
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
