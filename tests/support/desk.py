"""Two origins that answer by a function, and keep every request: doubles of APIs stand on it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self


@dataclass
class Asked:
    """One request."""

    origin: str
    """`first` or `second`."""
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def header(self, name: str) -> str:
        found = {key.lower(): value for key, value in self.headers.items()}
        return found.get(name.lower(), "")


class Say(NamedTuple):
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})


class Desk:
    """`answer` is asked for everything; `first` and `second` are addresses of two origins."""

    def __init__(self, answer: Callable[[Asked], Say]) -> None:
        self.answer = answer
        self.log: list[Asked] = []

    def __enter__(self) -> Self:
        self._servers = [_Server(self, origin) for origin in ("first", "second")]
        self.first = f"http://127.0.0.1:{self._servers[0].server_port}"
        self.second = f"http://localhost:{self._servers[1].server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def seen(self, origin: str) -> list[Asked]:
        return [row for row in self.log if row.origin == origin]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, desk: Desk, origin: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.desk, self.origin = desk, origin
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"  # a connection a request: nothing stays open behind a test
    server: Any

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.server.origin, self.command, self.path, dict(self.headers), body)
        self.server.desk.log.append(asked)
        say = part(self.server.desk.answer(asked), asked)
        self.send_response(say.status)
        for name, value in {**say.headers, "Content-Length": str(len(say.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(say.body)

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815


def part(say: Say, asked: Asked) -> Say:
    """Answer a range with the range."""
    wanted = asked.header("Range").removeprefix("bytes=")
    if say.status != 200 or not wanted:
        return say
    start, _, end = wanted.partition("-")
    first, last = int(start), min(int(end or len(say.body)), len(say.body) - 1)
    if first >= len(say.body):
        return Say(416, b"", {"Content-Range": f"bytes */{len(say.body)}"})
    extra = {"Content-Range": f"bytes {first}-{last}/{len(say.body)}"}
    return Say(206, say.body[first : last + 1], {**say.headers, **extra})
