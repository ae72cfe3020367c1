"""Which bytes of one file to ask for next, and who is bringing the others. Pure.

A file is cut lazily, in file order, so that whoever hashes behind the transfer keeps up, and a
file's size costs no memory. When nothing is left to ask, the largest piece in flight is halved:
the tail of a transfer never waits for its slowest connection.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MIB = 1 << 20

LARGE = 8 * MIB
"""Bytes from which on a file is brought in pieces; below it one request is cheaper."""

_STEP = (8 * MIB, 32 * MIB)
"""Least and most bytes of one request: a clean end keeps its connection, an early one closes it."""

_PER_CONNECTION = 4 * MIB
"""A file earns one more connection for each of these."""

_HALF = MIB
"""Least bytes that a new request is worth when a piece is halved."""

_ALIGN = 1 << 16
"""Halves meet at a multiple of this, so that two writers never share a page of the file."""


class Piece:
    """The half-open byte range [position, end) that one connection brings."""

    __slots__ = ("begun", "end", "position", "tries")

    def __init__(self, start: int, end: int) -> None:
        self.position = start
        """The next byte that has not arrived."""
        self.end = end
        """Lowered when another connection takes over the rest."""
        self.begun = start
        """`position` when the running attempt began."""
        self.tries = 0
        """Attempts that failed without bringing much."""


class Ranges:
    """The pieces of one file: those to ask for, and those that are under way."""

    __slots__ = ("_again", "_gaps", "_step", "running", "width")

    def __init__(
        self,
        size: int,
        missing: Iterable[tuple[int, int]],
        *,
        connections: int,
        step: int | None = None,
    ) -> None:
        self._gaps = deque(missing)
        self._again: list[Piece] = []
        self.running: list[Piece] = []
        if step or size < LARGE:
            self._step = step or LARGE
            self.width = 1
        else:
            self._step = min(max(size // (4 * connections), _STEP[0]), _STEP[1]) // MIB * MIB
            self.width = max(1, min(connections, size // _PER_CONNECTION))
        """How many pieces may be under way at once."""

    @property
    def exhausted(self) -> bool:
        """Every byte has arrived."""
        return not (self.running or self._gaps or self._again)

    @property
    def waiting(self) -> bool:
        """There are bytes that nobody is bringing."""
        return bool(self._gaps or self._again)

    def next(self) -> Piece | None:
        """Give the next piece to ask for, in file order; None when more hands would not help."""
        if len(self.running) >= self.width:
            return None
        piece = self._next_whole() or self._half()
        if piece:
            self.running.append(piece)
        return piece

    def _next_whole(self) -> Piece | None:
        if self._again:
            return self._again.pop()
        if not self._gaps:
            return None
        start, end = self._gaps.popleft()
        cut = (start // self._step + 1) * self._step
        if end - cut >= _HALF:
            self._gaps.appendleft((cut, end))
            end = cut
        return Piece(start, end)

    def _half(self) -> Piece | None:
        if not self.running:
            return None
        donor = max(self.running, key=lambda piece: piece.end - piece.position)
        middle = (donor.position + donor.end) // 2 // _ALIGN * _ALIGN
        if donor.end - middle < _HALF or middle - donor.position < _HALF // 2:
            return None
        rest = Piece(middle, donor.end)
        donor.end = middle
        return rest

    def done(self, piece: Piece) -> None:
        """`piece` has arrived."""
        self.running.remove(piece)

    def again(self, piece: Piece) -> None:
        """`piece` stopped early: what is left of it is asked for next."""
        self.running.remove(piece)
        if piece.position < piece.end:
            self._again.append(piece)

    def whole(self, piece: Piece, size: int) -> None:
        """The server answers `piece`, which starts at 0, with the file: nothing else is asked."""
        self._gaps.clear()
        self._again.clear()
        self.width = 1
        piece.end = size
