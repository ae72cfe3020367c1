"""Faults of HTTP itself: connections that end or dawdle, and messages that are none."""

from __future__ import annotations

from support.exchange import Exchange, Params, behaviour
from support.wire import Answer, Cut, Stall


@behaviour("hangup")
def hangup(x: Exchange, p: Params) -> Answer:
    """Close before the first byte of the answer (`rst=1`: by RST)."""
    raise Cut(reset=p.flag("rst"))


@behaviour("silent")
def silent(x: Exchange, p: Params) -> Answer:
    """Never answer."""
    raise Stall


@behaviour("delay")
def delay(x: Exchange, p: Params) -> None:
    """Wait `ms` milliseconds before the answer."""
    x.line.rest(p.real("ms", 100) / 1000)


@behaviour("slowheaders")
def slowheaders(x: Exchange, p: Params) -> None:
    """Pause `ms` milliseconds after each line of the head."""

    def edit(answer: Answer) -> None:
        answer.pause = p.real("ms", 50) / 1000

    x.edits.append(edit)


@behaviour("closeafter")
def closeafter(x: Exchange, p: Params) -> None:
    """Close the connection, unannounced, when it has served `requests`."""

    def edit(answer: Answer) -> None:
        answer.close = x.line.served >= p.number("requests", 1)

    x.edits.append(edit)


@behaviour("close")
def close(x: Exchange, p: Params) -> None:
    """Announce the end of the connection with each answer."""

    def edit(answer: Answer) -> None:
        answer.close = True
        answer.set("Connection", "close")

    x.edits.append(edit)


@behaviour("http10")
def http10(x: Exchange, p: Params) -> None:
    """Answer as HTTP/1.0: no ranges, the end of the connection is the end (`length=1`: announced)."""
    x.ranged = False

    def edit(answer: Answer) -> None:
        answer.version, answer.close = "HTTP/1.0", True
        if not p.flag("length"):
            answer.drop("Content-Length")

    x.edits.append(edit)


def _raw(x: Exchange, lines: bytes) -> None:
    def edit(answer: Answer) -> None:
        answer.raw += lines

    x.edits.append(edit)


@behaviour("doublelength")
def doublelength(x: Exchange, p: Params) -> None:
    """Send a second, different Content-Length."""
    _raw(x, b"Content-Length: 7\r\n")


@behaviour("lengthandchunked")
def lengthandchunked(x: Exchange, p: Params) -> None:
    """Send Content-Length and a chunked body."""

    def edit(answer: Answer) -> None:
        answer.chunked = True

    x.edits.append(edit)


@behaviour("wronglength")
def wronglength(x: Exchange, p: Params) -> None:
    """Announce `by` bytes more than are sent, then close."""

    def edit(answer: Answer) -> None:
        answer.set("Content-Length", int(answer.get("Content-Length") or 0) + p.number("by", 1))
        answer.close = True

    x.edits.append(edit)


@behaviour("link")
def link(x: Exchange, p: Params) -> None:
    """Name a duplicate at the other origin (RFC 6249), which aria2c asks when it is let."""
    _raw(x, f"Link: <{x.away(x.rest)}>; rel=duplicate; pri=1\r\n".encode())


@behaviour("torrent")
def torrent(x: Exchange, p: Params) -> None:
    """Claim to be something that a downloader might follow: `kind` is a media type."""
    kind = p.get("kind", "application~x-bittorrent").replace("~", "/")
    x.edits.append(lambda answer: answer.set("Content-Type", kind))


@behaviour("evilheaders")
def evilheaders(x: Exchange, p: Params) -> None:
    """Send ESC, a bidi control and a hostile file name in header values."""
    _raw(x, b"X-Evil: \x1b[2J\x1b]0;owned\x07\r\nX-Bidi: \xe2\x80\xae\r\n")
    _raw(x, b"Content-Disposition: attachment; filename=../../evil\r\nSet-Cookie: a=b\r\n")


@behaviour("lonecr")
def lonecr(x: Exchange, p: Params) -> None:
    """Send a CR within a header value, which RFC 9112 forbids and some take for a line end."""
    _raw(x, b"X-Lone: a\rContent-Range: bytes 0-0/1\r\n")


@behaviour("header")
def header(x: Exchange, p: Params) -> None:
    """Add one header `name: value`."""
    _raw(x, f"{p['name']}: {p.get('value', '')}\r\n".encode())


@behaviour("hugeheaders")
def hugeheaders(x: Exchange, p: Params) -> None:
    """Send `kib` KiB of header lines."""
    _raw(x, b"".join(b"X-%d: %s\r\n" % (i, b"x" * 1000) for i in range(p.number("kib", 512))))


@behaviour("continue100")
def continue100(x: Exchange, p: Params) -> None:
    """Send interim answers before the real one."""

    def edit(answer: Answer) -> None:
        answer.preface = (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        )

    x.edits.append(edit)


@behaviour("nothttp")
def nothttp(x: Exchange, p: Params) -> Answer:
    """Answer with a line that is not HTTP."""
    x.line.sock.sendall(b"220 mail.example ESMTP\r\n")
    raise Cut
