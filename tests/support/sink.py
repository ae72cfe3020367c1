"""A staging file without the cache: what an engine writes into, and where it gets its jobs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from support.content import content

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from gitassets.engines.base import Job


class FileSink:
    """The Sink protocol over one real file; every breach of it is kept in `breaches`."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.breaches: list[str] = []
        self.restarts = 0
        self.writes: list[tuple[int, int]] = []
        """Every range, as it came, by `write` or `wrote`."""
        self._have: list[tuple[int, int]] = []
        self.path.write_bytes(b"")
        os.truncate(path, size)

    def arrived(self) -> list[tuple[int, int]]:
        """List the ranges that count as arrived, in order."""
        return list(self._have)

    def missing(self) -> list[tuple[int, int]]:
        gaps, place = [], 0
        for start, end in self._have:
            if place < start:
                gaps.append((place, start))
            place = end
        if place < self.size:
            gaps.append((place, self.size))
        return gaps

    def write(self, offset: int, chunks: Sequence[bytes]) -> None:
        data = b"".join(chunks)
        if offset < 0 or offset + len(data) > self.size:
            self.breaches.append(f"write of [{offset}, {offset + len(data)}) into {self.size}")
            return
        with self.path.open("r+b", buffering=0) as file:
            file.seek(offset)
            file.write(data)
        self._add(offset, offset + len(data))

    def wrote(self, start: int, end: int) -> None:
        if not 0 <= start <= end <= self.size:
            self.breaches.append(f"claim of [{start}, {end}) in {self.size}")
            return
        self._add(start, end)

    def restart(self) -> None:
        self.restarts += 1
        self._have = []
        os.truncate(self.path, 0)
        os.truncate(self.path, self.size)

    def preload(self, seed: str, ranges: Iterable[tuple[int, int]]) -> None:
        """Put ranges of the generated file there, as an earlier run did."""
        for start, end in ranges:
            self.write(start, [content(seed, start, end)])
        self.writes.clear()

    def wrong(self, seed: str) -> list[str]:
        """List what is not as it should be when the whole file of `seed` has arrived."""
        found = list(self.breaches)
        if self.missing():
            found.append(f"missing {self.missing()[:3]}")
        if self.path.stat().st_size != self.size:
            found.append(f"{self.path.stat().st_size} bytes instead of {self.size}")
        if self.present_wrong(seed):
            found.append("wrong bytes")
        return found

    def present_wrong(self, seed: str) -> bool:
        """Tell whether any range that counts as arrived holds other bytes than the file's."""
        with self.path.open("rb") as file:
            for start, end in self._have:
                file.seek(start)
                if file.read(end - start) != content(seed, start, end):
                    return True
        return False

    def _add(self, start: int, end: int) -> None:
        if start == end:
            return
        self.writes.append((start, end))
        merged: list[tuple[int, int]] = []
        for low, high in sorted([*self._have, (start, end)]):
            if merged and low <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], high))
            else:
                merged.append((low, high))
        self._have = merged


class ListJobs:
    """The Jobs protocol over a list."""

    def __init__(self, jobs: Iterable[Job] = ()) -> None:
        self.waiting = list(jobs)
        self.taken: list[Job] = []

    def add(self, job: Job) -> None:
        self.waiting.append(job)

    def take(self) -> Job | None:
        if not self.waiting:
            return None
        self.taken.append(self.waiting.pop(0))
        return self.taken[-1]

    def delay(self) -> float | None:
        return 0.0 if self.waiting else None
