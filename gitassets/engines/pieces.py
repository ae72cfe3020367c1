"""Which bytes of one file to ask for next, and who is bringing the others. Pure.

A file is cut lazily, in file order, so that whoever hashes behind the transfer keeps up, and a
file's size costs no memory. When nothing is left to ask for, the largest piece under way is halved:
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

_SHORTEST = 8 * MIB
_LONGEST = 32 * MIB
"""Bytes of one request. Short ones at both ends of a file, so that hashing starts early and ends
with the transfer; long ones between, because each costs a round trip."""

_PER_CONNECTION = 4 * MIB
"""A file earns one more connection for each of these."""

_WORTH = MIB
"""Least bytes that a request of their own is worth."""

_ALIGN = 1 << 16
"""Halves meet at a multiple of this: no page of the file has two writers, whatever its size."""


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

    @property
    def left(self) -> int:
        """Bytes that have not arrived."""
        return self.end - self.position


class Pieces:
    """The pieces of one file: those to ask for, and those that are under way."""

    __slots__ = ("_again", "_connections", "_gaps", "_given", "_left", "running", "width")

    def __init__(
        self, size: int, missing: Iterable[tuple[int, int]], *, connections: int, cut: bool = True
    ) -> None:
        self._gaps = deque(missing)
        self._left = sum(end - start for start, end in self._gaps)
        self._given = 0
        self._again: list[Piece] = []
        self._connections = connections if cut and size >= LARGE else 0
        """0: a gap is one piece."""
        self.running: list[Piece] = []
        self.width = max(1, min(self._connections, size // _PER_CONNECTION))
        """How many pieces may be under way at once."""

    @property
    def exhausted(self) -> bool:
        """Every byte has arrived."""
        return not (self.running or self._gaps or self._again)

    def next(self) -> Piece | None:
        """Give the next piece to ask for, in file order; None when more hands would not help."""
        if len(self.running) >= self.width:
            return None
        piece = self._again.pop() if self._again else self._cut() if self._gaps else self._halve()
        if piece:
            self.running.append(piece)
        return piece

    def arrived(self, piece: Piece) -> None:
        """Every byte of `piece` is there."""
        self.running.remove(piece)

    def again(self, piece: Piece) -> None:
        """`piece` stopped early: what is left of it is asked for next."""
        self.running.remove(piece)
        if piece.left:
            self._again.append(piece)

    def whole(self, piece: Piece, size: int) -> None:
        """`piece`, which begins at 0, brings the file: nothing else is asked for."""
        self._gaps.clear()
        self._again.clear()
        self.width = 1
        piece.end = size

    def _cut(self) -> Piece:
        start, end = self._gaps.popleft()
        cut = (start + self._step()) // MIB * MIB if self._connections else end
        if end - cut >= _WORTH:
            self._gaps.appendleft((cut, end))
            end = cut
        self._given += end - start
        self._left -= end - start
        return Piece(start, end)

    def _step(self) -> int:
        share = min(self._given, self._left // 2) // self._connections
        return min(max(share, _SHORTEST), _LONGEST)

    def _halve(self) -> Piece | None:
        """Take the second half of the largest piece under way from whoever brings it."""
        donor = max(self.running, key=lambda piece: piece.left, default=None)
        if donor is None or donor.left < 2 * _WORTH:
            return None
        middle = (donor.position + donor.end) // 2 // _ALIGN * _ALIGN
        rest = Piece(middle, donor.end)
        donor.end = middle
        return rest
