"""Work split between machines that do not talk: each works out the same split by itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitassets.model import Digest


@dataclass(frozen=True, slots=True)
class Shard:
    """One part of `count`."""

    index: int
    """From 1."""
    count: int

    def of(self, contents: Mapping[Digest, int]) -> set[Digest]:
        """Give this part of the contents (sizes in bytes), by size and then by digest.

        The largest first, each to the part that has least so far (Graham 1969: no part is more than
        a third above the best split). A content costs one byte more than it has, so that many empty
        ones are spread, too.
        """
        loads = [0] * self.count
        mine = set()
        for digest, size in sorted(contents.items(), key=lambda row: (-row[1], row[0])):
            least = loads.index(min(loads))
            loads[least] += size + 1
            if least == self.index - 1:
                mine.add(digest)
        return mine


def read(text: str) -> Shard:
    """Read `I/N`. Raises ValueError."""
    index, slash, count = text.partition("/")
    if not (
        slash and text.isascii() and index.isdecimal() and count.isdecimal() and len(count) <= 6
    ):
        raise ValueError("not I/N, such as 1/8")
    if not 1 <= int(index) <= int(count):
        raise ValueError(f"I is from 1 to {int(count)}")
    return Shard(int(index), int(count))
