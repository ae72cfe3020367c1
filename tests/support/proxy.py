"""A small HTTP proxy: absolute-form requests and CONNECT, with a log, and three ways to fail.

It is a FaultServer whose every request is relayed, so `log`, `url()` and `close()` are the same.
"""

from __future__ import annotations

import contextlib
import select
import socket
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from support.server import FaultServer
from support.wire import Cut, page

if TYPE_CHECKING:
    from support.exchange import Exchange

_HOP_BY_HOP = {"proxy-authorization", "proxy-connection", "connection", "host"}


class Proxy(FaultServer):
    """Relays until it is closed."""

    def __init__(
        self, *, login: str = "", strip_range: bool = False, dies_after: int | None = None
    ) -> None:
        """`login` is demanded as `user:password`; `dies_after` bytes of an answer it hangs up."""
        super().__init__()
        self.handler = self._relay
        self._login = login
        self._strip_range = strip_range
        self._dies_after = dies_after

    def _relay(self, exchange: Exchange) -> None:
        request, line = exchange.request, exchange.line
        wanted = "Basic " + b64encode(self._login.encode()).decode()
        if self._login and request.headers.get("proxy-authorization") != wanted:
            answer = page(407, "who are you?\n")
            answer.set("Proxy-Authenticate", 'Basic realm="proxy"')
            line.write(request, answer)
            return
        try:
            if request.method == "CONNECT":
                self._tunnel(exchange)
            else:
                self._forward(exchange)
        except OSError:
            line.write(request, page(502, "cannot reach it\n"))
        raise Cut

    def _tunnel(self, exchange: Exchange) -> None:
        request, line = exchange.request, exchange.line
        host, _, port = request.target.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as upstream:
            request.status = 200
            line.sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            pairs = {upstream: line.sock, line.sock: upstream}
            with contextlib.suppress(OSError):
                while True:
                    for ready in select.select(list(pairs), [], [])[0]:
                        data = ready.recv(65536)
                        if not data:
                            return
                        self._hand(exchange, pairs[ready], data, down=ready is upstream)

    def _forward(self, exchange: Exchange) -> None:
        request, line = exchange.request, exchange.line
        parts = urlsplit(request.target)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        dropped = _HOP_BY_HOP | ({"range"} if self._strip_range else set())
        lines = [f"{request.method} {path or '/'} HTTP/1.1", f"Host: {parts.netloc}"]
        lines += [f"{k}: {v}" for k, v in request.headers.items() if k not in dropped]
        lines += ["Connection: close", "", ""]
        address = parts.hostname or "", parts.port or 80
        with socket.create_connection(address, timeout=10) as upstream:
            upstream.sendall("\r\n".join(lines).encode("latin-1") + request.body)
            data = upstream.recv(65536)
            request.status = int(data.split(b" ", 2)[1]) if b" " in data else 0
            while data:
                self._hand(exchange, line.sock, data, down=True)
                data = upstream.recv(65536)

    def _hand(self, exchange: Exchange, to: socket.socket, data: bytes, *, down: bool) -> None:
        if down:
            if self._dies_after is not None:
                data = data[: max(0, self._dies_after - exchange.request.sent)]
                if not data:
                    raise Cut
            exchange.request.sent += len(data)
        to.sendall(data)
