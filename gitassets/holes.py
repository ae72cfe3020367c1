"""What a killed process left in a file: the holes of the file itself are the map.

A file of full size starts as one hole; pages that were written are data, also after kill -9. The
kernel knows pages, not bytes, so the last one of a run may be half written, and a run hides where
one stream has nearly reached the start of the next. Streams start on the grid of one MiB, or are
written down by the caller when they do not: a page is given up before every possible seam.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from gitassets import syscalls
from gitassets.ranges import Ranges

if TYPE_CHECKING:
    from pathlib import Path

GRID = 1 << 20
"""Bytes; where a stream may begin without being written down. aria2's smallest piece."""
CAUTION = max(16 << 10, os.sysconf("SC_PAGE_SIZE"))
"""Bytes given up before a seam and around the ends of a run: a page, or a block of aria2's."""


def reserve(descriptor: int, size: int) -> None:
    """Make an empty file one hole of `size` bytes, with its blocks reserved where that is possible.

    Raises OSError, above all ENOSPC.
    """
    try:
        syscalls.fallocate(descriptor, size)
    except OSError as error:
        if error.errno not in syscalls.UNSUPPORTED:
            raise
        os.ftruncate(descriptor, size)


def arrived(descriptor: int, size: int, known: Ranges) -> Ranges:
    """Return what is certainly in the file; of `known` only what the file system confirms."""
    runs = _runs(descriptor, size)
    found = Ranges()
    for start, end in runs:
        first = start if start % GRID == 0 else start + CAUTION
        for block in range(start - start % GRID, end, GRID):
            found.add(max(first, block), min(end, block + GRID) - CAUTION)
    for start, _ in known:
        found.remove(start - CAUTION, start)
    for start, end in known.within(runs):
        found.add(start, end)
    return found


def _runs(descriptor: int, size: int) -> Ranges:
    runs = Ranges()
    at = 0
    while at < size:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError:  # ENXIO: only a hole from here on
            break
        at = os.lseek(descriptor, start, os.SEEK_HOLE)
        runs.add(start, min(at, size))
    return runs


@cache
def exact(directory: Path) -> bool:
    """Tell whether the file system reports holes by the page, tried once with a small file.

    NFSv3 and FAT claim data everywhere, a tmpfs with huge pages two MiB for one byte. Where no
    file can be made, the answer is no.
    """
    try:
        return _is_exact(directory)
    except OSError:
        return False


def _is_exact(directory: Path) -> bool:
    path = directory / f"probe-{secrets.token_hex(8)}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        path.unlink()
        os.ftruncate(descriptor, 4 * GRID)
        with suppress(OSError):  # a disk that is nearly full
            reserve(descriptor, 4 * GRID)
        empty = not _runs(descriptor, 4 * GRID).count
        os.pwrite(descriptor, b"x", 2 * GRID)
        written = _runs(descriptor, 4 * GRID)
        return empty and written.count <= CAUTION and written.touches(2 * GRID + 1)
    finally:
        os.close(descriptor)
