"""What an engine may answer, and what it may ask for again: the judges of the engine contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets.engines.base import Failed, Fetched
from gitassets.errors import Cause
from support.bench import sink_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.server import FaultServer, Request

MIB = 1 << 20

DELIVERED = "delivered"
UNKNOWING: set[Cause | str] = {Cause.TRANSIENT, Cause.ENGINE}

TOLD: dict[str, dict[Cause, tuple[set[Cause | str], str]]] = {
    "curl": {},
    "aria2c": {
        Cause.DENIED: (UNKNOWING, "'No URI available' hides all statuses but 401 and 404"),
        Cause.LIMITED: (UNKNOWING, "Retry-After is never read, the status is hidden"),
        Cause.LYING: (
            {*UNKNOWING, Cause.UNRANGED, DELIVERED},
            "error 8 for every wrong range; not every lie is looked at while the bytes are right",
        ),
        Cause.UNRANGED: (UNKNOWING | {Cause.LYING}, "error 8 for every wrong range"),
        Cause.REDIRECT: ({*UNKNOWING, DELIVERED}, "it follows redirects by itself"),
    },
    "wget": {},
}
"""For each engine: a cause that it may not recognise, what it may say instead, and the reason."""

BLOCK, PIECE = 16 * 1024, MIB
"""What aria2's control file counts in, and what it asks for (transfer notes, 1.7)."""


def delivered(result: Fetched | Failed, seed: str = "s") -> None:
    """Assert that the whole file is there, and right."""
    assert isinstance(result, Fetched), f"{result.error.cause}: {result.error.reason}"
    assert sink_of(result.job).wrong(seed) == []


def failed(result: Fetched | Failed, *causes: Cause, engine: str, seed: str = "s") -> None:
    """Assert that the job failed for one of `causes`, or as TOLD allows this engine."""
    allowed: set[Cause | str] = set(causes)
    for cause in causes:
        allowed |= TOLD[engine].get(cause, (set(), ""))[0]
    if isinstance(result, Fetched):
        assert DELIVERED in allowed, "delivered, but should have failed"
        delivered(result, seed)
    else:
        assert result.error.cause in allowed, result.error.reason
        assert result.error.reason


def span(request: Request, size: int) -> tuple[int, int]:
    """Give the half-open range that a request asks for."""
    start, end = request.range or (0, None)
    return start, size if end is None else end


def overlap(one: tuple[int, int], other: tuple[int, int]) -> int:
    """Count the bytes that two ranges share."""
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def known_again(engine: str, have: Sequence[tuple[int, int]], size: int) -> int:
    """Count the bytes that an engine may ask for although they are there.

    wget knows a prefix only. aria2 goes through a piece from its first missing block to its end.
    """
    if engine == "curl":
        return 0
    if engine == "wget":
        return sum(end - start for start, end in have if start > 0)
    again = 0
    for low in range(0, size, PIECE):
        piece = low, min(low + PIECE, size)
        there = sum(overlap(piece, one) for one in have)
        if there < piece[1] - piece[0]:
            prefix = sum(overlap(piece, one) for one in have if one[0] <= low)
            again += there - prefix // BLOCK * BLOCK
    return again


def went_on(engine: str, have: Sequence[tuple[int, int]], size: int, server: FaultServer) -> None:
    """Assert that nothing was asked for which was there, and empty the log.

    Asked for, not sent: a connection that is closed early has been sent what nobody read.
    """
    asked = [span(request, size) for request in server.log]
    again = sum(overlap(one, other) for one in asked for other in have)
    assert again <= known_again(engine, have, size), f"{asked} asked, {have} there"
    server.forget()
