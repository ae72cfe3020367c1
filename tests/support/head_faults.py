"""Faults of the answer's kind: its status, and what it says about ranges."""

from __future__ import annotations

import time
from email.utils import formatdate

from support.exchange import Exchange, Params, behaviour, plain
from support.wire import Answer, page


@behaviour("ok")
def ok(x: Exchange, p: Params) -> None:
    """Do nothing wrong: the control."""


@behaviour("norange")
def norange(x: Exchange, p: Params) -> None:
    """Ignore Range: always 200, with Content-Length."""
    x.ranged = False


@behaviour("norange-chunked")
def norange_chunked(x: Exchange, p: Params) -> None:
    """Ignore Range: always 200, chunked."""
    x.ranged = False
    chunked(x, p)


@behaviour("chunked")
def chunked(x: Exchange, p: Params) -> None:
    """Send the body chunked, without Content-Length."""

    def edit(answer: Answer) -> None:
        answer.drop("Content-Length")
        answer.chunked = True

    x.edits.append(edit)


def _content_range(x: Exchange, value: str | None) -> None:
    def edit(answer: Answer) -> None:
        told = answer.get("Content-Range")
        if answer.status != 206 or told is None:
            return
        answer.drop("Content-Range")
        if value is not None:
            span, _, total = told.removeprefix("bytes ").partition("/")
            answer.set("Content-Range", "bytes " + value.format(span=span, total=int(total)))

    x.edits.append(edit)


@behaviour("wrongrange")
def wrongrange(x: Exchange, p: Params) -> Answer:
    """Answer 206 with a range that starts `by` bytes beside the one asked for, and says so."""
    answer = plain(x)
    if answer.status == 206 and x.body is not None:
        start = max(0, answer.start + p.number("by", 1))
        end = min(x.body.size, start + int(answer.get("Content-Length") or 0))
        answer.start, answer.pieces = start, x.body.views(start, end)
        answer.set("Content-Range", f"bytes {start}-{end - 1}/{x.body.size}")
        answer.set("Content-Length", end - start)
    return answer


@behaviour("wrongtotal")
def wrongtotal(x: Exchange, p: Params) -> None:
    """Claim in Content-Range that the file is `by` bytes longer."""
    size = x.body.size if x.body else 0
    _content_range(x, f"{{span}}/{size + p.number('by', 1)}")


@behaviour("unknowntotal")
def unknowntotal(x: Exchange, p: Params) -> None:
    """Send `Content-Range: bytes a-b/*`, which RFC 9110 allows."""
    _content_range(x, "{span}/*")


@behaviour("nocontentrange")
def nocontentrange(x: Exchange, p: Params) -> None:
    """Answer 206 without Content-Range."""
    _content_range(x, None)


@behaviour("cap")
def cap(x: Exchange, p: Params) -> Answer:
    """Answer at most `bytes` of a range, honestly, as RFC 9110 allows."""
    answer = plain(x)
    if answer.status == 206 and x.body is not None:
        end = answer.start + min(p.number("bytes", 65536), int(answer.get("Content-Length") or 0))
        answer.pieces = x.body.views(answer.start, end)
        answer.set("Content-Range", f"bytes {answer.start}-{end - 1}/{x.body.size}")
        answer.set("Content-Length", end - answer.start)
    return answer


@behaviour("416")
def unsatisfiable(x: Exchange, p: Params) -> Answer:
    """Refuse every range."""
    size = x.body.size if x.body else 0
    return Answer(416, [("Content-Range", f"bytes */{size}"), ("Content-Length", "0")])


@behaviour("400norange")
def needs_range(x: Exchange, p: Params) -> Answer | None:
    """Refuse a GET without Range (the Hub, for very large files)."""
    return page(400, "ask for a range\n") if x.request.range is None else None


@behaviour("status", "half500")
def status(x: Exchange, p: Params) -> Answer:
    """Answer with `code`, 500 by default (`half500` is met with `p=0.5;seed=…`)."""
    return page(p.number("code", 500), "no\n")


@behaviour("retryafter")
def retryafter(x: Exchange, p: Params) -> Answer:
    """Answer `code` (429) with Retry-After in `seconds`, as a `date=SECONDS` ahead, or `value=` raw."""
    answer = page(p.number("code", 429), "later\n")
    if "date" in p:
        answer.set("Retry-After", formatdate(time.time() + p.number("date"), usegmt=True))
    elif p.flag("absurd"):
        answer.set("Retry-After", 10**12)
    elif not p.flag("missing"):
        answer.set("Retry-After", p.get("value", p.get("seconds", "1")))
    return answer


@behaviour("ratelimit")
def ratelimit(x: Exchange, p: Params) -> Answer:
    """Answer 429 with the RateLimit field instead of Retry-After (the Hub)."""
    answer = page(429, "later\n")
    answer.set("RateLimit", f'"resolvers";r=0;t={p.number("seconds", 1)}')
    return answer
