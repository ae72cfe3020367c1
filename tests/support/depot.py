"""A web server that keeps what is PUT to it, and what may go wrong with it."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


def key(data: bytes) -> str:
    """Give where a remote has the object of `data`, below its URL."""
    found = hashlib.sha256(data).hexdigest()
    return f"{found[:2]}/{found}"


class Depot:
    """Serves until it is closed. An upload counts when Content-Length bytes have come."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.log: list[tuple[str, str, dict[str, str]]] = []
        """Method, path and headers (names in lower case) of every request."""
        self.user: str | None = None
        """`name:password` that uploads need."""
        self.token: str | None = None
        """Bearer token that uploads need."""
        self.digests = False
        """Tell the sha256 in answers to HEAD."""
        self.answers: list[tuple[int, dict[str, str]]] = []
        """Statuses and headers for the next uploads, in place of taking them."""
        self.status = 0
        """Answer every question with this."""
        self.spoil = False
        """Keep something else than what was sent."""
        self.lock = threading.Lock()
        depot = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args: object) -> None:
                pass

            def handle_one_request(self) -> None:
                with contextlib.suppress(ConnectionError):
                    super().handle_one_request()
                    return
                self.close_connection = True

            def do_HEAD(self) -> None:
                depot.look(self, body=False)

            def do_GET(self) -> None:
                depot.look(self, body=True)

            def do_PUT(self) -> None:
                depot.take(self)

        class Server(ThreadingHTTPServer):
            daemon_threads = False
            request_queue_size = 128  # five, the default, is fewer than a client dials at once

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def url(self, path: str = "/assets") -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def puts(self) -> list[str]:
        """List the paths that were uploaded to, in order."""
        return [path for method, path, _ in self.log if method == "PUT"]

    def has(self, data: bytes, prefix: str = "/assets") -> bool:
        """Tell whether the object of `data` is there, whole."""
        return self.files.get(f"{prefix}/{key(data)}") == data

    def look(self, handler: BaseHTTPRequestHandler, *, body: bool) -> None:
        self._note(handler)
        data = self.files.get(handler.path)
        if data is None or self.status:
            self._say(handler, self.status or 404)
            return
        status, headers = 200, {}
        found = handler.headers.get("Range", "").removeprefix("bytes=")
        whole = len(data)
        if self.digests:
            coded = b64encode(hashlib.sha256(data).digest()).decode()
            headers["Repr-Digest"] = f"sha-256=:{coded}:"
        if body and found:
            start, _, end = found.partition("-")
            last = min(int(end or whole - 1), whole - 1)
            if int(start) >= whole:
                self._say(handler, 416, {"Content-Range": f"bytes */{whole}"})
                return
            data = data[int(start) : last + 1]
            status, headers["Content-Range"] = 206, f"bytes {start}-{last}/{whole}"
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        if body:
            handler.wfile.write(data)

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        self._note(handler)
        length = handler.headers.get("Content-Length")
        data = handler.rfile.read(int(length)) if length is not None else b""
        given = handler.headers.get("Authorization")
        basic = f"Basic {b64encode(self.user.encode()).decode()}" if self.user else None
        wanted = f"Bearer {self.token}" if self.token else basic
        if wanted and given != wanted:
            self._say(handler, 401, {"WWW-Authenticate": 'Basic realm="depot"'})
        elif self.answers:
            self._say(handler, *self.answers.pop(0))
        elif length is None:
            self._say(handler, 411)
        elif len(data) < int(length):
            handler.close_connection = True
        elif handler.headers.get("If-None-Match") == "*" and handler.path in self.files:
            self._say(handler, 412)
        else:
            self.files[handler.path] = data[:-1] if self.spoil else data
            self._say(handler, 201)

    def _note(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self.lock:
            self.log.append((handler.command, handler.path, headers))

    def _say(
        self, handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str] | None = None
    ) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Depot:  # noqa: PYI034 - typing.Self came with 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
