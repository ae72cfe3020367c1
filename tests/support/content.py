"""Bytes that nobody stores: any range of a file of any size, from its seed.

The period is a prime a little above 1 MiB, so two pieces at offsets that are multiples of a power
of two differ for the first 64 GiB: a piece that lands in the wrong place is noticed.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PERIOD = (1 << 20) + 7
PIECE = 256 * 1024


@lru_cache(maxsize=64)
def _period(seed: str) -> memoryview:
    """One period and a piece more, so that every piece is one contiguous view."""
    base = random.Random(seed).randbytes(PERIOD)
    return memoryview(base + base[:PIECE])


def views(seed: str, start: int, end: int) -> Iterator[memoryview]:
    """Give the bytes [start, end) of the file `seed` in views of at most PIECE bytes."""
    base = _period(seed)
    while start < end:
        count = min(PIECE, end - start)
        place = start % PERIOD
        yield base[place : place + count]
        start += count


def content(seed: str, start: int, end: int) -> bytes:
    """Give the bytes [start, end) of the file `seed`."""
    return b"".join(views(seed, start, end))


@lru_cache(maxsize=1024)
def digest_of(seed: str, size: int) -> str:
    """Hash the first `size` bytes of the file `seed`."""
    state = hashlib.sha256()
    for view in views(seed, 0, size):
        state.update(view)
    return state.hexdigest()


def digest(data: bytes) -> str:
    """Hash literal bytes."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Body:
    """What a path serves: literal bytes, or `size` generated ones."""

    size: int
    seed: str
    data: bytes | None = None
    kind: str = "application/octet-stream"

    @property
    def etag(self) -> str:
        return f'"{self.seed}-{self.size}"'

    def views(self, start: int, end: int) -> Iterator[memoryview]:
        """Give the bytes [start, end), cut at the end of the body."""
        end = min(end, self.size)
        if self.data is None:
            yield from views(self.seed, start, end)
        elif start < end:
            yield memoryview(self.data)[start:end]
