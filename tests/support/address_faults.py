"""Faults of the address: redirects that lead astray, signed URLs that expire, credentials."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from support.exchange import Exchange, Params, behaviour
from support.wire import Answer, Cut, page

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from support.wire import Piece


@behaviour("redirect")
def redirect(x: Exchange, p: Params) -> Answer:
    """Send `code` (302) to the rest of the path at `to=self`, `other` or a `scheme`, after `hops`."""
    hops = p.number("hops", 1)
    path = x.rest
    if hops > 1:
        p["hops"] = str(hops - 1)
        path = "/redirect;" + ";".join(f"{k}={v}" for k, v in p.items()) + x.rest
    place = x.away(path) if p.get("to") == "other" else x.here(path)
    if "scheme" in p:
        place = f"{p['scheme']}://{place.partition('://')[2]}"
    answer = page(p.number("code", 302))
    answer.set("Location", place)
    return answer


@behaviour("redirectloop")
def redirectloop(x: Exchange, p: Params) -> Answer:
    """Redirect to itself."""
    answer = page(p.number("code", 302))
    answer.set("Location", x.here(x.request.target))
    return answer


LOCATIONS = {
    "empty": "",
    "garbage": "http://[::zz/%%%",
    "file": "file:///etc/passwd",
    "ftp": "ftp://127.0.0.1/x",
    "javascript": "javascript:alert(1)",
    "noscheme": "//",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "long": "/" + "x" * 20000,
}


@behaviour("badlocation")
def badlocation(x: Exchange, p: Params) -> Answer:
    """Redirect with one of LOCATIONS (`kind=`), or, `kind=none`, without a Location."""
    answer = page(302)
    if p.get("kind") != "none":
        answer.set("Location", LOCATIONS[p.get("kind", "garbage")])
    return answer


@behaviour("signed")
def signed(x: Exchange, p: Params) -> Answer | None:
    """Give a token by redirect; it is good for `bytes=N` or `requests=N`, then `code` (403)."""
    tokens = x.server.tokens
    token = x.request.query.removeprefix("token=")
    if not token:
        token = secrets.token_hex(8)
        budget = [p.number("bytes", 1 << 62), p.number("requests", 1 << 30)]
        with x.server.lock:
            tokens[token] = budget
        answer = page(302)
        target = x.request.path + f"?token={token}"
        answer.set("Location", x.away(target) if p.get("to") == "other" else x.here(target))
        return answer
    with x.server.lock:
        left = tokens.get(token, [0, 0])
        left[1] -= 1
        if left[0] <= 0 or left[1] < 0:
            return page(p.number("code", 403), "expired\n")

    def spend(_: Answer, pieces: Iterable[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            with x.server.lock:
                count = min(len(piece), max(0, left[0]))
                left[0] -= count
            yield memoryview(piece)[:count]
            if count < len(piece):
                raise Cut

    x.wrap(spend)
    return None


@behaviour("auth")
def auth(x: Exchange, p: Params) -> Answer | None:
    """Demand that `header` (authorization) is there, and is `value` when one is given."""
    got = x.request.headers.get(p.get("header", "authorization"))
    if got is not None and p.get("value", got) == got:
        return None
    answer = page(p.number("code", 401), "who are you?\n")
    answer.set("WWW-Authenticate", 'Basic realm="tests"')
    return answer
