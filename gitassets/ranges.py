"""Which bytes of a file are there: half-open ranges, sorted, disjoint, never touching. No I/O."""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Ranges:
    """A set of byte positions, held as the flat list of the borders of its runs."""

    __slots__ = ("_borders", "count")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._borders: list[int] = []
        self.count = 0
        """Bytes in the set."""
        for start, end in ranges:
            self.add(start, end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._borders[::2], self._borders[1::2], strict=True)

    def __repr__(self) -> str:
        return f"Ranges({list(self)})"

    def add(self, start: int, end: int) -> int:
        """Put [start, end) into the set; returns how many of these bytes are new."""
        borders = self._borders
        if start >= end:
            return 0
        if borders and borders[-1] == start:  # the next piece of a stream, by far the usual case
            borders[-1] = end
            self.count += end - start
            return end - start
        first, last = bisect_left(borders, start), bisect_right(borders, end)
        middle = borders[first:last]
        # An odd index lies inside a run, whose other border then counts as ours.
        outer = ([] if first % 2 else [start]) + ([] if last % 2 else [end])
        covered = ([start] if first % 2 else []) + middle + ([end] if last % 2 else [])
        new = end - start - sum(covered[1::2]) + sum(covered[::2])
        borders[first:last] = outer
        self.count += new
        return new

    def remove(self, start: int, end: int) -> None:
        """Take [start, end) out of the set."""
        if start >= end:
            return
        borders = self._borders
        first, last = bisect_left(borders, start), bisect_right(borders, end)
        borders[first:last] = ([start] if first % 2 else []) + ([end] if last % 2 else [])
        self.count = sum(borders[1::2]) - sum(borders[::2])

    def within(self, other: Ranges) -> Ranges:
        """Return the positions that are in both sets."""
        both = Ranges(self)
        end_of_all = max([0, *self._borders[-1:]])
        for start, end in other.missing(end_of_all):
            both.remove(start, end)
        return both

    def missing(self, size: int) -> list[tuple[int, int]]:
        """Return what [0, size) has and the set has not, in order."""
        if not self._borders:
            return [(0, size)] if size else []
        edges = [0, *self._borders, size]
        return [
            (start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end
        ]

    def prefix(self) -> int:
        """Return how many bytes are there from the first one on, without a gap."""
        return self._borders[1] if self._borders and self._borders[0] == 0 else 0

    def touches(self, position: int) -> bool:
        """Tell whether `position` is in a run, or is the border where one ends."""
        return position == 0 or bisect_left(self._borders, position) % 2 == 1

    def dump(self) -> bytes:
        """Return the set as little-endian u64 borders."""
        return struct.pack(f"<{len(self._borders)}Q", *self._borders)

    @classmethod
    def load(cls, data: bytes, size: int) -> Ranges:
        """Read what `dump` wrote; anything else, or a border beyond `size`, is the empty set."""
        if len(data) % 16:
            return cls()
        borders = list(struct.unpack(f"<{len(data) // 8}Q", data))
        if borders != sorted(set(borders)) or (borders and borders[-1] > size):
            return cls()
        return cls(zip(borders[::2], borders[1::2], strict=True))
