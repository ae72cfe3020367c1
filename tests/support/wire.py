"""HTTP/1.1 by hand over a socket: what `http.server` is too polite for.

`Request` is what the log holds, `Answer` what a behaviour shapes, `Line` one connection.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import struct
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator

Piece = bytes | bytearray | memoryview

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_HEAD_LIMIT = 256 * 1024
_line_numbers = itertools.count(1)


class Cut(Exception):  # noqa: N818 - a deed, not an error
    """Close the connection now: by FIN, or by RST."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__(reset)
        self.reset = reset


class Stall(Exception):  # noqa: N818
    """Send nothing more, and keep the connection until the other side leaves."""


@dataclass(eq=False)
class Request:
    """One request, as it came, and what was really answered."""

    method: str
    target: str
    """As sent: with the query, and for a proxy with scheme and host."""
    headers: dict[str, str]
    """Lower-case names; a repeated one is joined by ", "."""
    body: bytes
    line: int
    """The number of the connection; equal numbers: the same connection."""
    port: int
    """Where it came in."""
    began: float = field(default_factory=time.monotonic)
    status: int = 0
    """Zero: no answer was begun."""
    sent: int = 0
    """Bytes of the body that the socket took."""
    done: bool = False
    """The whole answer was handed over."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def host(self) -> str:
        return self.headers.get("host", "")

    @property
    def range(self) -> tuple[int, int | None] | None:
        """The half-open range asked for; None as its end: to the end of the file."""
        match = _RANGE.fullmatch(self.headers.get("range", ""))
        if match is None:
            return None
        return int(match[1]), int(match[2]) + 1 if match[2] else None


@dataclass
class Answer:
    """A response before it is written; every field may be made a lie."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    pieces: Iterable[Piece] = ()
    start: int = 0
    """Where in the file the first byte of `pieces` stands."""
    chunked: bool = False
    close: bool = False
    """Close afterwards, announced or not."""
    version: str = "HTTP/1.1"
    raw: bytes = b""
    """More header lines, as bytes, each with its CRLF."""
    preface: bytes = b""
    """Sent before the status line."""
    trailers: bytes = b""
    pause: float = 0.0
    """Seconds between the lines of the head."""

    def get(self, name: str) -> str | None:
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    def drop(self, name: str) -> None:
        self.headers = [(k, v) for k, v in self.headers if k.lower() != name.lower()]

    def set(self, name: str, value: object) -> None:
        self.drop(name)
        self.headers.append((name, str(value)))

    def lines(self) -> Iterator[bytes]:
        known = {status.value: status.phrase for status in HTTPStatus}
        yield f"{self.version} {self.status} {known.get(self.status, 'Unknown')}\r\n".encode()
        for name, value in self.headers:
            yield f"{name}: {value}\r\n".encode("latin-1")
        if self.raw:
            yield self.raw
        if self.chunked:
            yield b"Transfer-Encoding: chunked\r\n"
        yield b"\r\n"


def page(status: int, text: str = "", kind: str = "text/plain") -> Answer:
    """Build an answer that is a short text."""
    body = text.encode()
    headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
    return Answer(status, headers, [body] if body else [])


class Pace(Protocol):
    """Decides how many bytes may go now, and waits when none may."""

    def allow(self, wanted: int, closing: threading.Event) -> int: ...


class Bucket:
    """A token bucket: `rate` bytes a second, and a twentieth of a second's worth at once."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._burst = max(1.0, rate / 20)
        self._tokens = self._burst
        self._at = time.monotonic()

    def allow(self, wanted: int, closing: threading.Event) -> int:
        while True:
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self.rate)
            self._at = now
            if self._tokens >= 1:
                count = min(wanted, int(self._tokens))
                self._tokens -= count
                return count
            if closing.wait((1 - self._tokens) / self.rate):
                raise Cut


class Line:
    """One accepted connection: reads requests, writes answers, counts what the socket took."""

    def __init__(self, sock: socket.socket, port: int, closing: threading.Event) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.port = port
        self.closing = closing
        self.number = next(_line_numbers)
        self.served = 0
        self.throttle: Bucket | None = None
        """Kept from request to request: throttling is per connection."""
        self._left = b""

    def read(self) -> Request | None:
        """Wait for the next request; None when the other side has left."""
        while b"\r\n\r\n" not in self._left:
            more = self.sock.recv(65536)
            if not more or len(self._left) > _HEAD_LIMIT:
                return None
            self._left += more
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        method, target, *_ = [*first.split(" "), "", ""]
        headers: dict[str, str] = {}
        for line in rest:
            name, _, value = line.partition(":")
            key = name.strip().lower()
            headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
        length = int(headers.get("content-length", "0"))
        while len(self._left) < length:
            more = self.sock.recv(65536)
            if not more:
                return None
            self._left += more
        body, self._left = self._left[:length], self._left[length:]
        return Request(method, target, headers, body, self.number, self.port)

    def write(self, request: Request, answer: Answer, paces: Iterable[Pace] = ()) -> None:
        """Send `answer`. Raises Cut and Stall as its body says, OSError when nobody listens."""
        request.status = answer.status
        if answer.preface:
            self.sock.sendall(answer.preface)
        if answer.pause:
            for line in answer.lines():
                self.sock.sendall(line)
                self.rest(answer.pause)
        else:
            self.sock.sendall(b"".join(answer.lines()))
        if request.method != "HEAD":
            self._body(request, answer, tuple(paces))
        request.done = True

    def _body(self, request: Request, answer: Answer, paces: tuple[Pace, ...]) -> None:
        for piece in answer.pieces:
            if not piece:
                continue
            if answer.chunked:
                self.sock.sendall(b"%x\r\n" % len(piece))
            view = memoryview(piece)
            while view:
                count = len(view)
                for pace in paces:
                    count = pace.allow(count, self.closing)
                took = self.sock.send(view[:count])
                request.sent += took
                view = view[took:]
            if answer.chunked:
                self.sock.sendall(b"\r\n")
        if answer.chunked:
            self.sock.sendall(b"0\r\n" + answer.trailers + b"\r\n")

    def rest(self, seconds: float) -> None:
        """Wait, but not longer than the server lives."""
        if self.closing.wait(seconds):
            raise Cut

    def linger(self) -> None:
        """Keep the connection open until the other side, or the server, ends it."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass

    def close(self, *, reset: bool = False) -> None:
        with contextlib.suppress(OSError):
            if reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self.sock.shutdown(socket.SHUT_WR)
        self.sock.close()
