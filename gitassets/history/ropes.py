"""Texts that grow along a directory tree, kept in pieces: a subtree's part is made once.

A piece holds a NUL where the path of the directory above goes, which no path and no other text here
contains. Only what is asked for is joined, and a bounded memory of it is kept: the text of a
lockfile for each of many thousand trees would not fit.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MARK: Final = b"\0"
_LIMIT: Final = 16 << 20
"""Bytes of joined text that are remembered."""


class Rope:
    """Pieces in order: text, or a directory's name (with its slash) and what lies in it."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: tuple[bytes | tuple[bytes, Rope], ...]) -> None:
        self.pieces = pieces


class Joiner:
    """Joins ropes, and remembers the texts that were used last."""

    def __init__(self) -> None:
        self._texts: OrderedDict[Rope, bytes] = OrderedDict()
        self._bytes = 0

    def text(self, rope: Rope) -> bytes:
        """Give the text of a rope that begins at the root."""
        return self._marked(rope).replace(MARK, b"")

    def _marked(self, rope: Rope) -> bytes:
        known = self._texts.get(rope)
        if known is not None:
            self._texts.move_to_end(rope)
            return known
        text = b"".join(
            [
                piece
                if isinstance(piece, bytes)
                else self._marked(piece[1]).replace(MARK, MARK + piece[0])
                for piece in rope.pieces
            ]
        )
        self._texts[rope] = text
        self._bytes += len(text)
        while self._bytes > _LIMIT:
            self._bytes -= len(self._texts.popitem(last=False)[1])
        return text
