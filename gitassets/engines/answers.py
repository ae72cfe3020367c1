"""Judging an HTTP answer before its first byte is used. Pure: lines in, Answer or error out.

Nothing that a server says about the content is believed: the pin is compared with it. No text of
the server's goes into a reason, only numbers that were parsed.
"""

from __future__ import annotations

import math
import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from gitassets.errors import Cause, TransferError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CONTENT_RANGE = re.compile(rb"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.IGNORECASE)
_RATE_LIMIT = re.compile(rb"(?:^|[;,\s])(?:r|remaining)=0(?:[;,\s].*?)?[;,\s](?:t|reset)=(\d{1,9})")
"""`"name";r=0;t=55` of draft-ietf-httpapi-ratelimit-headers; older: `remaining=0, reset=55`."""

_URL_BYTES = "!#$%&'()*+,/:;=?@[]~"
"""What RFC 3986 lets stand in a URL, beside letters, digits and `_.-`."""

_CAUSES = {
    400: Cause.DENIED,  # S3 answers 400 to an expired token
    401: Cause.DENIED,
    403: Cause.DENIED,
    404: Cause.GONE,
    407: Cause.DENIED,
    408: Cause.TRANSIENT,
    410: Cause.DENIED,
    425: Cause.TRANSIENT,
    429: Cause.LIMITED,
    500: Cause.TRANSIENT,
    502: Cause.TRANSIENT,
    503: Cause.LIMITED,
    504: Cause.TRANSIENT,
}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CDN = range(520, 531)
"""Cloudflare's own: the server behind it hiccupped."""


class Asked(NamedTuple):
    """What a request was about; `source` names it in errors, `url` is what was dialled."""

    source: str
    url: str
    start: int
    end: int
    """Exclusive."""
    size: int
    validator: str | None = None
    """The strong ETag of the first answer, when this is a later request for the same file."""


class Answer(NamedTuple):
    """An answer whose body may be used."""

    whole: bool
    """The body is the file from byte 0 on, whatever range was asked for."""
    etag: str | None
    """Strong ones only (RFC 9110 §8.8.1)."""
    sized: bool
    """The end of the body is told in advance: the connection can be used again."""


def judge(lines: Sequence[bytes], asked: Asked) -> Answer:
    """Give the Answer that the header block `lines` begins.

    `lines` may hold earlier blocks (1xx, a proxy's answer to CONNECT); the last one counts.
    Raises TransferError when the body is not exactly what was asked for.
    """
    status, fields = _parse(lines)
    if status == 206:
        _judge_body(fields, asked)
        return _judge_part(fields, asked)
    if status == 200:
        _judge_body(fields, asked)
        return _judge_whole(fields, asked)
    raise _refusal(status, fields, asked)


def _parse(lines: Sequence[bytes]) -> tuple[int, dict[bytes, bytes]]:
    """Give status (0: none) and fields by lower-case name; repeated ones are joined by a comma."""
    status = 0
    fields: dict[bytes, bytes] = {}
    for line in lines:
        if line.startswith(b"HTTP/"):
            code = line[:16].split(None, 2)[1:2]
            status = int(code[0]) if code and code[0].isdigit() else 0
            fields = {}
            continue
        name, _, value = line.partition(b":")
        name = name.lower()
        fields[name] = fields[name] + b"," + value.strip() if name in fields else value.strip()
    return status, fields


def _judge_body(fields: Mapping[bytes, bytes], asked: Asked) -> None:
    coding = fields.get(b"content-encoding", b"identity").lower()
    if coding not in {b"identity", b""}:
        raise _lying(asked, "sent an encoded body that nobody asked for")
    if fields.get(b"content-type", b"").lower().startswith(b"multipart/byteranges"):
        raise _lying(asked, "sent several ranges where one was asked for")


def _judge_part(fields: Mapping[bytes, bytes], asked: Asked) -> Answer:
    match = _CONTENT_RANGE.fullmatch(fields.get(b"content-range", b""))
    if not match:
        raise _lying(asked, "sent a range without saying which", 206)
    first, last, total = map(int, match.groups())
    if total != asked.size:
        raise _lying(asked, f"has {total} bytes, not {asked.size}", 206)
    if (first, last) != (asked.start, asked.end - 1):
        wanted = f"{asked.start}-{asked.end - 1}"
        raise _lying(asked, f"sent bytes {first}-{last} instead of {wanted}", 206)
    length = _length(fields, asked)
    if length not in {None, asked.end - asked.start}:
        raise _lying(
            asked, f"announced {length} bytes for a range of {asked.end - asked.start}", 206
        )
    etag = _strong(fields)
    if asked.validator and etag and etag != asked.validator:
        raise _changed(asked, 206)
    return Answer(whole=False, etag=etag, sized=length is not None)


def _judge_whole(fields: Mapping[bytes, bytes], asked: Asked) -> Answer:
    length = _length(fields, asked)
    html = fields.get(b"content-type", b"").lower().startswith((b"text/html", b"application/xhtml"))
    if html and length != asked.size and not _names_html(asked.url):
        raise _lying(asked, "got HTML instead of the file", 200)
    if asked.validator:
        raise _changed(asked, 200)
    if length not in {None, asked.size}:
        raise _lying(asked, f"has {length} bytes, not {asked.size}", 200)
    if asked.start:
        raise TransferError(asked.source, "ignores ranges", Cause.UNRANGED, status=200)
    return Answer(whole=True, etag=_strong(fields), sized=length is not None)


def _refusal(status: int, fields: Mapping[bytes, bytes], asked: Asked) -> TransferError:
    if status in _REDIRECTS:
        return _redirect(status, fields, asked)
    if status == 416:
        return _lying(asked, f"HTTP 416: has no bytes {asked.start}-{asked.end - 1}", 416)
    cause = _CAUSES.get(status, Cause.TRANSIENT if status in _CDN else Cause.LYING)
    wait = retry_after(fields) if cause is Cause.LIMITED else None
    reason = f"HTTP {status}" if status else "not an HTTP answer"
    return TransferError(
        asked.source, reason, cause,
        status=status or None, retry_after=wait, code=_word(fields.get(b"x-error-code", b"")),
    )  # fmt: skip


def _word(text: bytes) -> str | None:
    """A word to compare with; anything else that a server says is not passed on."""
    return text.decode() if len(text) <= 40 and text.isalpha() else None


def _redirect(status: int, fields: Mapping[bytes, bytes], asked: Asked) -> TransferError:
    target = fields.get(b"location", b"")
    try:
        location = urljoin(asked.url, quote(target, safe=_URL_BYTES)) if target else ""
    except ValueError:  # brackets that hold no IPv6 address
        location = ""
    if not location:
        return _lying(asked, f"HTTP {status} without a target", status)
    reason = f"HTTP {status}: moved"
    return TransferError(asked.source, reason, Cause.REDIRECT, status=status, location=location)


def retry_after(fields: Mapping[bytes, bytes]) -> float | None:
    """Seconds that the server asks us to stay away, as it says it; None when it does not.

    Retry-After as seconds or as a date (RFC 9110 §10.2.3), which is read against the server's own
    clock; else what a RateLimit field says of an exhausted quota. May be negative or absurd.
    """
    text = fields.get(b"retry-after", b"").decode("latin-1").strip()
    if text:
        try:
            seconds = float(text)
        except ValueError:
            return _until(text, fields.get(b"date", b"").decode("latin-1"))
        return seconds if math.isfinite(seconds) else None
    match = _RATE_LIMIT.search(fields.get(b"ratelimit", b"").lower())
    return float(match[1]) if match else None


def _until(then: str, now: str) -> float | None:
    try:
        return (parsedate_to_datetime(then) - parsedate_to_datetime(now)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None


def _length(fields: Mapping[bytes, bytes], asked: Asked) -> int | None:
    """Content-Length; None without one, or where chunks override it (RFC 9112 §6.3)."""
    raw = fields.get(b"content-length")
    if raw is None:
        return None
    values = {value.strip() for value in raw.split(b",")}
    value = values.pop()
    if values or not value.isdigit() or len(value) > 19:
        raise _lying(asked, "contradicts itself about the length")
    return int(value)


def _strong(fields: Mapping[bytes, bytes]) -> str | None:
    etag = fields.get(b"etag", b"")
    if len(etag) < 2 or not (etag.startswith(b'"') and etag.endswith(b'"')):
        return None
    # It is sent back as If-Range: only what cannot break a header line.
    return etag.decode() if etag.isascii() and all(0x21 <= byte < 0x7F for byte in etag) else None


def _names_html(url: str) -> bool:
    return urlsplit(url).path.lower().endswith((".html", ".htm", ".xhtml"))


def _lying(asked: Asked, reason: str, status: int | None = None) -> TransferError:
    return TransferError(asked.source, reason, Cause.LYING, status=status)


def _changed(asked: Asked, status: int) -> TransferError:
    return _lying(asked, "content changed between two ranges", status)
