"""Which file is asked from where, and when: the work of one run in the order it may be done.

Pure bookkeeping, no I/O: `transfer` says what happened, this says what is next. A task is one
digest with its candidates (the places it can be had); a lane is the queue of one engine.
"""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gitassets import retry
from gitassets.engines.pieces import LARGE
from gitassets.errors import Cause
from gitassets.urls import redacted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitassets.errors import TransferError
    from gitassets.model import Digest, Request, Url


@dataclass(frozen=True, slots=True)
class Want:
    """One content that is wanted, and where it may be had, best first."""

    digest: Digest
    size: int
    name: str
    """A path that pins it, for people."""
    urls: tuple[Url, ...]
    pinned: bool = True
    """False: `digest` is only a name for the staging file, any bytes of this size are right."""


@dataclass(slots=True, eq=False)
class Candidate:
    """One place for one task, and what is known about it."""

    url: Url
    request: Request | None = None
    """Ready to be asked, redirects followed so far included."""
    failures: int = 0
    """In a row, without progress."""
    single: bool = False
    """Ignores ranges: one stream from the first byte on."""
    renewed: bool = False
    """Resolved a second time because the first request was denied."""
    settled: bool = False
    """A one-byte range has shown that `request` is final."""
    out: bool = False
    cache: bool = False
    """A cache of the user's: that it lacks something is no news."""
    absent: bool = False
    """It said that it has no such file."""
    complaint: str = ""
    """Why it failed last, for the report."""

    @property
    def moved(self) -> bool:
        """Asked under another URL than its own: resolving it anew may give a fresh one."""
        return self.request is not None and self.request.url != self.url


@dataclass(slots=True, eq=False)
class Task:
    """The state of one wanted digest."""

    want: Want
    candidates: list[Candidate]
    rank: int
    lane: str
    """The engine it is with."""
    at: int = 0
    """Index of the candidate in turn."""
    alone: bool = False
    """A wrong digest came out of several mirrors: only one at a time from now on."""
    doubtful: bool = False
    """Some bytes in the staging file may be of another source or an earlier run."""
    moved: int = 0
    """Bytes over the network."""
    hint: str | None = None
    extended: bool = False
    """The newest lockfile was asked for more candidates."""

    def candidate(self) -> Candidate | None:
        """Give the place in turn, or None when all are out."""
        for step in range(len(self.candidates)):
            index = (self.at + step) % len(self.candidates)
            if not self.candidates[index].out:
                self.at = index
                return self.candidates[index]
        return None

    def others(self) -> bool:
        """Tell whether another place than the one in turn is left."""
        return any(not each.out for i, each in enumerate(self.candidates) if i != self.at)

    def errors(self, but: Candidate | None = None) -> tuple[str, ...]:
        """One line for each place that failed, except `but`, which delivered after all."""
        return tuple(
            f"{redacted(each.url)}: {each.complaint}"
            for each in self.candidates
            if each.complaint and each is not but and not (but and each.cache and each.absent)
        )

    def rotate(self) -> None:
        """Let the next place have its turn."""
        self.at = (self.at + 1) % len(self.candidates)


class Lane:
    """The tasks of one engine, by the time they may start, then in the order they came."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Task]] = []
        self._paused: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, task: Task, wait: float = 0.0) -> None:
        """Queue `task`, not to start before `wait` seconds have passed."""
        ready = time.monotonic() + wait if wait else 0.0
        heapq.heappush(self._heap, (ready, task.rank, task))

    def ready(self) -> Iterator[Task]:
        """Take out the tasks that may start now, one by one."""
        while self._heap and self._heap[0][0] <= time.monotonic():
            yield heapq.heappop(self._heap)[2]

    def drain(self) -> Iterator[Task]:
        """Take out all of them."""
        while self._heap:
            yield heapq.heappop(self._heap)[2]

    def delay(self) -> float | None:
        """Seconds until the next task may start; None when there is none."""
        return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None

    def pause(self, url: str, wait: float) -> None:
        """Leave the host of `url` alone for `wait` seconds: every file on it waits (RFC 6585).

        A longer wait that was asked for already stays.
        """
        host = _host(url)
        self._paused[host] = max(self._paused.get(host, 0.0), time.monotonic() + wait)

    def paused(self, url: str) -> float:
        """Seconds for which the host of `url` must be left alone."""
        until = self._paused.get(_host(url)) if self._paused else None
        return max(0.0, until - time.monotonic()) if until else 0.0


def _host(url: str) -> str:
    return urlsplit(url).netloc


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failure means for its candidate."""

    out: bool = False
    wait: float = 0.0
    pause_host: bool = False
    fatal: bool = False
    """The whole asset has failed."""
    remark: str = ""
    """What the error message lacks."""


def judge(error: TransferError, candidate: Candidate, moved: int, *, cap: float) -> Verdict:
    """Decide by the retry policy; counts the failure. `cap`: longest Retry-After, in seconds."""
    candidate.failures = 1 if moved >= retry.PROGRESS else candidate.failures + 1
    candidate.absent = error.cause is Cause.GONE
    spent = candidate.failures >= retry.TRIES
    match error.cause:
        case Cause.REFUSED | Cause.LOCAL | Cause.GONE | Cause.LYING | Cause.REDIRECT:
            return Verdict(out=True, fatal=error.cause in {Cause.REFUSED, Cause.LOCAL})
        case Cause.DENIED:
            again = candidate.moved and not candidate.renewed
            candidate.renewed, candidate.request, candidate.settled = True, None, False
            return Verdict(out=not again)
        case Cause.UNRANGED:
            again = not candidate.single
            candidate.single = True
            return Verdict(out=not again)
        case Cause.LIMITED:
            wait = retry.pause(error.retry_after, candidate.failures)
            if wait > cap:
                remark = f", to be asked again in {wait:.0f} s; assets.retryCap is {cap:.0f} s"
                return Verdict(out=True, remark=remark)
            return Verdict(out=spent, wait=wait, pause_host=True)
        case Cause.TRANSIENT | Cause.ENGINE:
            return Verdict(out=spent, wait=retry.delay(candidate.failures))


def ordered(wants: Iterable[Want], jobs: int) -> list[Want]:
    """Put small files behind the large ones that may run at once: they fill the gaps."""
    largest = sorted(wants, key=lambda want: -want.size)
    large = [want for want in largest if want.size >= LARGE]
    return [*large[:jobs], *largest[len(large) :], *large[jobs:]]
