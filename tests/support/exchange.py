"""What the fault server can do wrong, by name.

A path is `/name;key=value;key=value/…/resource`. Each behaviour is a function over one `Exchange`: it
changes what the answer is made of, adds an edit of the finished answer, or returns an answer of its
own, which ends the walk (so what stands behind `redirect` belongs to the target). Every name also
takes `times=N` (only the first N requests), `skip=N` (not the first N), `beyond=N` (only ranges that
start at N or later) and `p=0.5;seed=x` (by a seeded coin).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING

from support.content import Body, digest_of
from support.wire import Answer, Line, Pace, Piece, Request, page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from support.server import FaultServer

Edit = Callable[[Answer], None]
Behaviour = Callable[["Exchange", "Params"], "Answer | None"]

BEHAVIOURS: dict[str, Behaviour] = {}


class Params(dict[str, str]):
    """The parameters of one behaviour."""

    def number(self, key: str, default: int = 0) -> int:
        return int(self.get(key, default))

    def real(self, key: str, default: float = 0.0) -> float:
        return float(self.get(key, default))

    def flag(self, key: str) -> bool:
        return self.get(key, "0") not in ("", "0")


@dataclass
class Exchange:
    """One request on its way to an answer."""

    server: FaultServer
    line: Line
    request: Request
    body: Body | None = None
    ranged: bool = True
    """Range is honoured."""
    rest: str = ""
    """The path behind the behaviour that runs now."""
    count: int = 0
    """How often this behaviour was asked for this path, this time included."""
    paces: list[Pace] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)

    def wrap(self, change: Callable[[Answer, Iterable[Piece]], Iterable[Piece]]) -> None:
        """Send the body through `change`."""

        def edit(answer: Answer) -> None:
            answer.pieces = change(answer, answer.pieces)

        self.edits.append(edit)

    def here(self, path: str) -> str:
        """Give the address of `path` at the origin that was asked."""
        scheme = "https" if hasattr(self.line.sock, "context") else "http"
        return f"{scheme}://{self.request.host}{path}"

    def away(self, path: str) -> str:
        """Give the address of `path` at the origin that was not asked."""
        server = self.server
        return server.url(path) if self.line.port == server.other_port else server.other(path)


def behaviour(*names: str) -> Callable[[Behaviour], Behaviour]:
    """Register a behaviour under its names."""

    def register(function: Behaviour) -> Behaviour:
        for name in names:
            BEHAVIOURS[name] = function
        return function

    return register


def respond(exchange: Exchange) -> Answer:
    """Walk the behaviours of the path and build the answer."""
    segments = exchange.request.path.split("/")[1:]
    walked = 0
    while walked < len(segments) and segments[walked].partition(";")[0] in BEHAVIOURS:
        walked += 1
    exchange.body = _resource(exchange.server, "/" + "/".join(segments[walked:]))
    answer: Answer | None = None
    for index in range(walked):
        name, _, text = segments[index].partition(";")
        params = Params(pair.partition("=")[::2] for pair in text.split(";") if pair)
        exchange.rest = "/" + "/".join(segments[index + 1 :])
        if not _fires(exchange, params, "/".join(segments[index:])):
            continue
        answer = BEHAVIOURS[name](exchange, params)
        if answer is not None:
            break
    if answer is None:
        answer = plain(exchange)
    answer.headers.insert(0, ("Date", formatdate(usegmt=True)))
    for edit in exchange.edits:
        edit(answer)
    return answer


def _resource(server: FaultServer, path: str) -> Body | None:
    match path.split("/"):
        case ["", "b", size, seed, *_] if size.isdigit():
            return Body(int(size), seed)
        case ["", "o", size, seed, _, sha256] if sha256 == digest_of(seed, int(size)):
            return Body(int(size), seed)
    return server.files.get(path)


def _fires(exchange: Exchange, params: Params, key: str) -> bool:
    with exchange.server.lock:
        exchange.count = exchange.server.counts.get(key, 0) + 1
        asked = exchange.request.range
        if "beyond" in params and (asked is None or asked[0] < params.number("beyond")):
            return False
        exchange.server.counts[key] = exchange.count
    if exchange.count <= params.number("skip"):
        return False
    if "times" in params and exchange.count > params.number("skip") + params.number("times"):
        return False
    coin = random.Random(f"{params.get('seed', '')}:{key}:{exchange.count}")
    return "p" not in params or coin.random() < params.real("p")


def plain(exchange: Exchange) -> Answer:
    """Build the answer of a server without faults."""
    body, request = exchange.body, exchange.request
    if body is None:
        return page(404, "nothing here\n")
    headers = [("Content-Type", body.kind), ("ETag", body.etag)]
    if exchange.ranged:
        headers.append(("Accept-Ranges", "bytes"))
    asked = request.range if exchange.ranged else None
    if request.headers.get("if-range", body.etag) != body.etag:
        asked = None
    if asked is None:
        headers.append(("Content-Length", str(body.size)))
        return Answer(200, headers, body.views(0, body.size))
    start, end = asked[0], min(asked[1] or body.size, body.size)
    if start >= body.size:
        return Answer(416, [("Content-Range", f"bytes */{body.size}"), ("Content-Length", "0")])
    headers.append(("Content-Range", f"bytes {start}-{end - 1}/{body.size}"))
    headers.append(("Content-Length", str(end - start)))
    return Answer(206, headers, body.views(start, end), start)
