"""Which piece of which job is asked for next, and what a failed piece means for its job."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from gitassets.engines.base import Failed, Fetched
from gitassets.engines.pieces import LARGE, Pieces
from gitassets.errors import Cause, TransferError

if TYPE_CHECKING:
    from gitassets.engines.base import Job, Jobs, Tuning
    from gitassets.engines.pieces import Piece

_TRIES = 3
"""So often a piece is asked for again before its job fails."""

_PROGRESS = 1 << 20
"""Bytes; an attempt that brought as many is no failure of the piece."""

_PATIENCE = 0.01
"""Seconds; a `delay()` of nothing must not become a busy loop."""


class Work:
    """One job under way."""

    __slots__ = ("count", "etag", "host", "job", "large", "pieces", "proven", "request", "whole")

    def __init__(self, job: Job, pieces: Pieces) -> None:
        self.job = job
        self.request = job.requests[0]
        self.host = self.request.url.partition("://")[2].partition("/")[0]
        self.pieces = pieces
        self.large = job.size >= LARGE
        self.count = 0
        """Bytes that arrived."""
        self.etag: str | None = None
        """Strong, of the first answer: later ones must have the same."""
        self.proven = False
        """A 206 was seen: more connections may ask."""
        self.whole = job.single
        """One stream brings the file from byte 0 on."""

    def error(self, reason: str, cause: Cause) -> TransferError:
        """Give the error of this job's source, with how far it got."""
        if self.count:
            reason = f"{reason} after {self.count} of {self.job.size} bytes"
        return TransferError(str(self.request.source), reason, cause)


class Schedule:
    """The jobs under way, in the order in which they were taken."""

    def __init__(self, jobs: Jobs, tuning: Tuning) -> None:
        self.results: deque[Fetched | Failed] = deque()
        self._jobs = jobs
        self._tuning = tuning
        self._open: list[Work] = []
        """Those that may ask for another piece."""
        self._large = 0
        self._held: Job | None = None
        """A large file that was taken while enough of them were running."""
        self._widths: dict[str, int] = {}
        """Connections for one file that a host was found to bear."""
        self._ask_at: float | None = 0.0
        """When `jobs` may have another, on the monotonic clock; None: not before a result."""

    def next(self) -> tuple[Work, Piece] | None:
        """Give the next piece to ask for: of files that were begun, before new ones are."""
        for work in self._open:
            # The first answer alone decides whether there will be others.
            if work.proven or not work.pieces.running:
                piece = work.pieces.next()
                if piece:
                    return work, piece
        while job := self._take():
            begun = self._begin(job)
            piece = begun.pieces.next() if begun else None
            if begun and piece:
                return begun, piece
        return None

    def wait(self) -> float | None:
        """Seconds after which `next` may have more; None: not before a result was taken."""
        return None if self._ask_at is None else max(0.0, self._ask_at - time.monotonic())

    def look_again(self) -> None:
        """A result was taken: `jobs` may have got new work."""
        self._ask_at = 0.0

    def arrived(self, work: Work, piece: Piece) -> None:
        """Every byte of `piece` is in its sink."""
        work.pieces.arrived(piece)
        if work.pieces.exhausted:
            self._end(work)
            self.results.append(Fetched(work.job, work.request, work.count))

    def stopped(self, work: Work, piece: Piece, error: TransferError) -> bool:
        """Put back what is left of `piece`; tell whether that is the end of the job."""
        pieces = work.pieces
        pieces.again(piece)
        if error.cause is Cause.LIMITED:
            self._widths[work.host] = max(1, len(pieces.running) // 2)
        if error.cause is not Cause.TRANSIENT or work.whole:
            return True
        brought = piece.position - piece.begun
        if not brought:
            if not pieces.running:
                return True
            # The host bears no more connections than these: that costs speed, not the file.
            pieces.width = self._widths[work.host] = len(pieces.running)
        if brought < _PROGRESS:
            piece.tries += 1
        if work not in self._open:
            self._open.append(work)
        return piece.tries > _TRIES

    def fail(self, work: Work, error: TransferError) -> None:
        """The job is over; none of its pieces is under way any more."""
        self._end(work)
        self.results.append(Failed(work.job, error, work.request, work.count))

    def _end(self, work: Work) -> None:
        if work in self._open:
            self._open.remove(work)
        self._large -= work.large

    def _take(self) -> Job | None:
        job, self._held = self._held, None
        if job is None and self._ask_at is not None and self._ask_at <= time.monotonic():
            job = self._jobs.take()
            if job is None:
                delay = self._jobs.delay()
                self._ask_at = None if delay is None else time.monotonic() + max(delay, _PATIENCE)
        if job and job.size >= LARGE and self._large >= self._tuning.jobs:
            job, self._held = None, job
        return job

    def _begin(self, job: Job) -> Work | None:
        try:
            missing = [(0, job.size)] if job.single and job.size else job.sink.missing()
        except OSError as error:
            source = str(job.requests[0].source)
            trouble = TransferError(source, f"cannot read: {error.strerror}", Cause.LOCAL)
            self.results.append(Failed(job, trouble, None, 0))
            return None
        if not missing:
            self.results.append(Fetched(job, None, 0))
            return None
        connections = self._tuning.connections
        pieces = Pieces(job.size, missing, connections=connections, cut=not job.single)
        work = Work(job, pieces)
        pieces.width = min(pieces.width, self._widths.get(work.host, connections))
        self._large += work.large
        if work.large or len(missing) > 1:
            self._open.append(work)
        return work
