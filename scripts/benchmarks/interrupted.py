"""The case that is killed half-way: how many bytes both runs fetched, for each byte of the file."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from benchmarks import data, pulls
from benchmarks.run import Contender, Failed, Measured, Samples, say

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench

LINE = 25_000_000
"""Bytes a second of each connection."""


def interrupted(bench: Bench) -> Samples:
    """One file of 1 GiB; kill -9 of the whole process group at half, then the same command."""
    size = bench.count(1024, 8) * data.MIB
    # A line that is slower than the reader: what the server has sent is what was fetched. At full
    # speed megabytes wait in socket buffers, and are gone when a connection is closed.
    line = bench.server("line", f"--rate={LINE}")
    job = pulls.Job(bench, "interrupted", 1, size, line.url)
    samples = Samples()
    for engine in ("curl", "aria2c"):
        contender = job.ours(f"pull, {engine}", "--engine", engine)
        if engine == "aria2c" and not bench.has("aria2c"):
            samples.missing[contender.name] = "aria2c not found"
            continue
        rows: list[Measured | None] = []
        for number in range(bench.runs):
            say(f"  {contender.name}: run {number + 1} of {bench.runs}")
            contender.before()
            rows.append(_twice(bench, contender, size))
            contender.check()
            contender.after()
        samples.runs[contender.name] = rows
    return samples


def _twice(bench: Bench, contender: Contender, size: int) -> Measured:
    """Kill one run at half and measure the second.

    Fetched is what the file system really holds when the first run is dead, and what the server
    sent to the second.
    """
    cache = _cache(contender)
    with bench.meter.log.open("wb") as log:
        process = subprocess.Popen(
            contender.argv, cwd=contender.cwd, stdout=log, stderr=log, start_new_session=True,
            env={**bench.environment, **contender.environment},
        )  # fmt: skip
    while process.poll() is None and arrived(cache) < size // 2:
        time.sleep(0.01)
    early = process.poll() is not None
    if not early:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if early and not bench.quick:
        raise Failed("ended before half of the bytes were there")
    _quiet(cache)
    first = arrived(cache)
    again = bench.once(contender)
    fetched = first + (again.moved or 0)
    return Measured(again.seconds, again.processor, again.peak, again.moved, fetched / size)


def _quiet(cache: Path) -> None:
    """Wait until nothing arrives any more: an engine that is a process dies after its parent."""
    before = -1
    while (now := arrived(cache)) != before:
        before = now
        time.sleep(0.5)


def arrived(cache: Path) -> int:
    """Sum what was really written to the files that hold or become objects.

    Holes do not count, nor does room that was only reserved: lseek(2), SEEK_DATA.
    """
    found = 0
    for path in (*cache.glob("staging/*"), *cache.glob("sha256/*/*")):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as source:  # renamed meanwhile
            found += _written(source.fileno())
    return found


def _written(fd: int) -> int:
    at = found = 0
    while True:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:  # ENXIO: only a hole from here on
            return found
        at = os.lseek(fd, start, os.SEEK_HOLE)
        found += at - start


def _cache(contender: Contender) -> Path:
    return contender.cwd.parent / "cache"
