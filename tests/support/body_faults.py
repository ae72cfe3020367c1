"""Faults of the body: cut, stalled, slow, longer, shorter, or simply not the right bytes."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from support.content import Body, views
from support.exchange import Exchange, Params, behaviour, plain
from support.wire import Answer, Bucket, Cut, Piece, Stall

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def first(pieces: Iterable[Piece], count: int) -> Iterator[Piece]:
    """Give the first `count` bytes."""
    for piece in pieces:
        if len(piece) >= count:
            yield memoryview(piece)[:count]
            return
        count -= len(piece)
        yield piece


@behaviour("drop")
def drop(x: Exchange, p: Params) -> None:
    """Close after `after` bytes of the body, by FIN or (`rst=1`) by RST."""

    def cut(_: Answer, pieces: Iterable[Piece]) -> Iterator[Piece]:
        yield from first(pieces, p.number("after"))
        raise Cut(reset=p.flag("rst"))

    x.wrap(cut)


@behaviour("dropat")
def dropat(x: Exchange, p: Params) -> None:
    """Close where the file reaches the offset `at`, whatever the range; not for later ranges."""

    def cut(answer: Answer, pieces: Iterable[Piece]) -> Iterator[Piece]:
        if answer.start >= p.number("at"):
            yield from pieces
            return
        yield from first(pieces, p.number("at") - answer.start)
        raise Cut(reset=p.flag("rst"))

    x.wrap(cut)


@behaviour("short")
def short(x: Exchange, p: Params) -> None:
    """Announce the whole length, send `by` bytes less, close by FIN."""

    def cut(answer: Answer, pieces: Iterable[Piece]) -> Iterator[Piece]:
        yield from first(pieces, max(0, int(answer.get("Content-Length") or 0) - p.number("by", 1)))
        raise Cut

    x.wrap(cut)


@behaviour("stall")
def stall(x: Exchange, p: Params) -> None:
    """Send `after` bytes of the body, then nothing, for ever."""

    def stop(_: Answer, pieces: Iterable[Piece]) -> Iterator[Piece]:
        yield from first(pieces, p.number("after"))
        raise Stall

    x.wrap(stop)


@behaviour("slow")
def slow(x: Exchange, p: Params) -> None:
    """Send the body of each answer at `rate` bytes a second."""
    x.paces.append(Bucket(p.real("rate", 1)))


@behaviour("throttle")
def throttle(x: Exchange, p: Params) -> None:
    """Limit the connection, over all its requests, to `rate` bytes a second."""
    rate = p.real("rate", 1_000_000)
    if x.line.throttle is None or x.line.throttle.rate != rate:
        x.line.throttle = Bucket(rate)
    x.paces.append(x.line.throttle)


@behaviour("longer")
def longer(x: Exchange, p: Params) -> None:
    """Send `by` bytes too many; Content-Length is `length=right`, `long` or `none`."""
    extra = p.number("by", 1)
    x.wrap(lambda _, pieces: (*pieces, b"\0" * extra))

    def edit(answer: Answer) -> None:
        answer.close = True
        told = int(answer.get("Content-Length") or 0)
        if p.get("length") == "long":
            answer.set("Content-Length", told + extra)
        elif p.get("length") == "none":
            answer.drop("Content-Length")

    x.edits.append(edit)


@behaviour("endless")
def endless(x: Exchange, p: Params) -> Answer:
    """Send for ever: chunked, or with `chunked=0` until one side closes."""
    asked = x.request.range if x.ranged else None
    start = asked[0] if asked else 0
    answer = Answer(200, [("Content-Type", "application/octet-stream")], start=start)
    if asked is not None and x.body is not None:
        answer.status = 206
        end = min(asked[1] or x.body.size, x.body.size)
        answer.set("Content-Range", f"bytes {start}-{end - 1}/{x.body.size}")
    answer.pieces = views(x.body.seed if x.body else "endless", start, 1 << 62)
    answer.chunked = p.get("chunked", "1") == "1"
    answer.close = True
    return answer


@behaviour("flip")
def flip(x: Exchange, p: Params) -> None:
    """Change one bit of the byte at the file offset `at`."""

    def change(answer: Answer, pieces: Iterable[Piece]) -> Iterator[Piece]:
        place = p.number("at") - answer.start
        for piece in pieces:
            if 0 <= place < len(piece):
                wrong = bytearray(piece)
                wrong[place] ^= 1
                yield wrong
            else:
                yield piece
            place -= len(piece)

    x.wrap(change)


@behaviour("prefixgarbage")
def prefixgarbage(x: Exchange, p: Params) -> None:
    """Send the right bytes up to the file offset `at`, then another file's."""

    def change(answer: Answer, pieces: Iterable[Piece]) -> Iterator[Piece]:
        place = answer.start
        for piece in pieces:
            good = min(max(0, p.number("at") - place), len(piece))
            if good:
                yield memoryview(piece)[:good]
            yield from views("garbage", place + good, place + len(piece))
            place += len(piece)

    x.wrap(change)


@behaviour("garbage")
def garbage(x: Exchange, p: Params) -> None:
    """Serve another file of the same size under the same ETag."""
    if x.body is not None:
        pieces = views("garbage", 0, x.body.size)
        x.body = Body(x.body.size, x.body.seed, b"".join(pieces), x.body.kind)


@behaviour("resize")
def resize(x: Exchange, p: Params) -> None:
    """Serve, honestly, a file that is `by` bytes longer (or, negative, shorter)."""
    if x.body is not None:
        x.body = Body(max(0, x.body.size + p.number("by", 1)), x.body.seed)


@behaviour("etag")
def etag(x: Exchange, p: Params) -> None:
    """Serve another version after `after` requests: ETag and (unless `same=1`) bytes change."""
    if x.body is None or x.count <= p.number("after", 1):
        return
    if p.flag("same"):
        x.edits.append(lambda answer: answer.set("ETag", f'"changed-{x.count}"'))
    else:
        x.body = Body(x.body.size, x.body.seed + "'")


@behaviour("gzip")
def gzip(x: Exchange, p: Params) -> None:
    """Compress, unasked; `code=br` or `zstd` only claims to, and leaves the bytes plain."""
    x.ranged = x.ranged and p.flag("ranged")
    code = p.get("code", "gzip")

    def squeeze(_: Answer, pieces: Iterable[Piece]) -> Iterator[Piece]:
        packer = zlib.compressobj(1, wbits=31)
        for piece in pieces:
            yield packer.compress(piece)
        yield packer.flush()

    def edit(answer: Answer) -> None:
        answer.set("Content-Encoding", code)
        if code == "gzip":
            answer.drop("Content-Length")
            answer.chunked = True
            answer.pieces = squeeze(answer, answer.pieces)

    x.edits.append(edit)


@behaviour("html")
def html(x: Exchange, p: Params) -> Answer:
    """Answer any request with a login page and status 200."""
    body = (
        b"<!DOCTYPE html><html><title>Sign in</title><form>" + b" " * p.number("pad") + b"</html>\n"
    )
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))]
    return Answer(200, headers, [body])


@behaviour("multipart")
def multipart(x: Exchange, p: Params) -> Answer:
    """Wrap a single range in multipart/byteranges."""
    answer = plain(x)
    if answer.status != 206:
        return answer
    head = f"--SEP\r\nContent-Range: {answer.get('Content-Range')}\r\n\r\n".encode()
    tail = b"\r\n--SEP--\r\n"
    answer.set("Content-Length", int(answer.get("Content-Length") or 0) + len(head) + len(tail))
    answer.set("Content-Type", "multipart/byteranges; boundary=SEP")
    answer.drop("Content-Range")
    answer.pieces = [head, *answer.pieces, tail]
    return answer


@behaviour("trailers")
def trailers(x: Exchange, p: Params) -> None:
    """Send the body chunked, with trailer fields."""

    def edit(answer: Answer) -> None:
        answer.drop("Content-Length")
        answer.chunked = True
        answer.trailers = b"X-Trailer: yes\r\n"

    x.edits.append(edit)


@behaviour("badchunk")
def badchunk(x: Exchange, p: Params) -> None:
    """Promise chunks and send bytes that are none."""

    def edit(answer: Answer) -> None:
        answer.drop("Content-Length")
        answer.raw += b"Transfer-Encoding: chunked\r\n"
        answer.pieces = [b"zz\r\nnot a chunk\r\n"]
        answer.close = True

    x.edits.append(edit)
