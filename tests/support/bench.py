"""One engine on the bench: jobs over the fault server, run to their end, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from gitassets.engines import load
from gitassets.engines.base import Fetched, Job, Tuning
from gitassets.model import Request, Url
from support.content import digest
from support.process import argv, descendants, descriptors, until
from support.sink import FileSink, ListJobs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import FrameType

    from gitassets.engines.base import Engine, Failed, Jobs
    from support.server import FaultServer

TUNING = Tuning(jobs=4, connections=4, low_speed_time=1.0, connect_timeout=5.0)
LIMIT = 60
"""Seconds after which a run hangs."""


class Bench:
    """Makes jobs for one engine and runs them."""

    def __init__(self, name: str, server: FaultServer, staging: Path) -> None:
        self.name = name
        self.server = server
        self.staging = staging
        self.tuning = TUNING
        self._made = 0
        staging.mkdir()

    @property
    def engine(self) -> Engine:
        """Make a new engine."""
        return load(self.name, self.tuning)

    def request(
        self, url: str, headers: Sequence[tuple[str, str]] = (), *, secret: bool = False
    ) -> Request:
        """Ask for `url` (or, when it is a path, the server's) without further ceremony."""
        url = self.server.url(url) if url.startswith("/") else url
        return Request(url, Url(url), tuple(headers), secret=secret, private=True)

    def sink(self, size: int) -> FileSink:
        """Make an empty staging file."""
        self._made += 1
        return FileSink(self.staging / digest(b"%d" % self._made), size)

    def job(
        self,
        size: int,
        *behaviours: str,
        seed: str = "s",
        sink: FileSink | None = None,
        single: bool = False,
    ) -> Job:
        """Make a job for a generated file behind `behaviours`."""
        return self.asking(
            self.request(self.server.blob(size, seed, *behaviours)),
            size=size,
            sink=sink,
            single=single,
        )

    def asking(
        self, *requests: Request, size: int, sink: FileSink | None = None, single: bool = False
    ) -> Job:
        """Make a job for any requests."""
        sink = sink or self.sink(size)
        return Job(sink.path.name, size, requests, sink, single=single)

    def run(self, *jobs: Job) -> list[Fetched | Failed]:
        """Run the jobs; gives the results in the order of the jobs, exactly one of each."""
        results = self.drain(ListJobs(jobs))
        assert len(results) == len(jobs)
        return [next(result for result in results if result.job is job) for job in jobs]

    def one(self, job: Job) -> Fetched | Failed:
        """Run one job."""
        return self.run(job)[0]

    def drain(self, jobs: Jobs) -> list[Fetched | Failed]:
        """Run until nothing is left, and check what holds for every result."""
        with time_limit():
            results = list(self.engine.fetch(jobs))
        for result in results:
            sink = sink_of(result.job)
            assert sink.breaches == []
            assert sink.path.stat().st_size <= sink.size
            assert result.request is None or result.request in result.job.requests
            assert result.count >= 0
        return results


def sink_of(job: Job) -> FileSink:
    """Give the sink as what it is."""
    assert isinstance(job.sink, FileSink)
    return job.sink


@contextlib.contextmanager
def time_limit(seconds: int = LIMIT) -> Iterator[None]:
    """Fail when the block hangs. Only in the main thread."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"hangs for {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def nothing_left(server: FaultServer) -> Iterator[None]:
    """Fail when the block leaves a process, a connection to the server, or a descriptor."""
    files, children = set(descriptors()), set(descendants(os.getpid()))
    yield
    left = [argv(pid) for pid in set(descendants(os.getpid())) - children]
    assert not left, "a process is left"
    until(lambda: server.open_lines == 0, 10, "a connection stays open")
    files |= server.descriptors
    until(lambda: set(descriptors()) <= files, 5, f"descriptors: {descriptors()}")
