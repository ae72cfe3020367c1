"""Bytes from sources into the store: mirrors, retry, limits and verification, once for all engines.

`bring` takes what is wanted and gives what became of each. Nothing counts as delivered before its
sha256 is its pin and the store has it under its name. One thread: the engines are generators that
take a job when they have room.
"""

from __future__ import annotations

from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING

from gitassets.engines import ALWAYS, ENGINES
from gitassets.engines.base import Failed, Job
from gitassets.errors import Cause, StoreError, TransferError
from gitassets.hashing import INLINE
from gitassets.model import Digest
from gitassets.outbox import Delivery, Outbox
from gitassets.schedule import Candidate, Lane, Task, Want, judge, ordered
from gitassets.supply import Supply, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gitassets.engines import Fleet
    from gitassets.engines.base import Fetched
    from gitassets.model import Url
    from gitassets.progress import Progress
    from gitassets.sources import Resolver
    from gitassets.staging import Staging
    from gitassets.store import Store

__all__ = ["Delivery", "Transfer", "Want"]

_BEHIND = 4
"""Files that have arrived and may still be being hashed."""
_PARKED = 64
"""Staging files that stay open while their task waits for another try."""
_BUSY = 0.2
"""Seconds between two looks at a file that another process is downloading."""


class Transfer:
    """One run over many digests."""

    def __init__(  # noqa: PLR0913 - the five things a run is made of, each one a room of its own
        self,
        store: Store,
        resolver: Resolver,
        fleet: Fleet,
        *,
        progress: Progress,
        retry_cap: float = 60.0,
        more: Callable[[Digest], Iterable[Url]] = lambda _: (),
    ) -> None:
        """`more` is asked for further URLs of a digest when all that were given have failed."""
        self._store = store
        self._fleet = fleet
        self._supply = Supply(resolver, fleet, more)
        self._progress = progress
        self._retry_cap = retry_cap
        self._lanes = {name: Lane() for name in ENGINES}
        self._running: dict[Job, tuple[Task, list[Candidate], Staging]] = {}
        self._open: dict[Task, Staging] = {}
        self._landed: deque[Fetched | Failed] = deque()
        self._out = Outbox(store, progress)

    def bring(self, wants: Iterable[Want]) -> Iterator[Delivery]:
        """Fetch each; equal digests must be asked for once."""
        for rank, want in enumerate(ordered(wants, self._fleet.jobs)):
            candidates = self._supply.candidates(want)
            lane = self._fleet.usual(want.size)
            self._lanes[lane].put(Task(want, candidates, rank, lane))
        try:
            while lane := next((name for name, lane in self._lanes.items() if lane), ""):
                yield from self._drive(lane)
            self._out.publish()
            yield from self._out.drain()
        finally:
            self._out.close()
            for staging in self._open.values():
                staging.close()

    def _drive(self, lane: str) -> Iterator[Delivery]:
        """Run one engine until its lane is empty."""
        engine = self._fleet.get(lane)
        if engine is None:  # it gave up on the way
            for task in self._lanes[lane].drain():
                self._move(task, ALWAYS)
            return
        try:
            with closing(engine.fetch(_Queue(self, lane))) as results:
                for result in results:
                    if isinstance(result, Failed) or result.job.size <= INLINE:
                        self._settle(lane, result)
                    else:  # hashed by a thread, which gets the time that the next ones take
                        self._landed.append(result)
                    if len(self._landed) > _BEHIND:
                        self._settle(lane, self._landed.popleft())
                    yield from self._out.drain()
                while self._landed:
                    self._settle(lane, self._landed.popleft())
        finally:
            for _, _, staging in self._running.values():
                staging.close()
            self._running.clear()
            self._landed.clear()
        yield from self._out.drain()

    # What an engine asks for

    def take(self, lane: str) -> Job | None:
        """Make the next job of `lane` that may start now, or None."""
        for task in self._lanes[lane].ready():
            try:
                job = self._prepare(lane, task)
            except TransferError as error:
                self._judge(task, error, 0)
            except StoreError as error:
                self._fail(task, str(error), hint=error.hint)
            except OSError as error:
                self._fail(task, f"cannot write to the cache: {error.strerror or error}")
            else:
                if job:
                    return job
        return None

    def delay(self, lane: str) -> float | None:
        """Seconds until `take` may have another job; None when the lane is empty."""
        return self._lanes[lane].delay()

    def _prepare(self, lane: str, task: Task) -> Job | None:
        candidate = self._supply.next(task)
        if candidate is None or candidate.request is None:
            self._fail(task, "" if task.errors() else "no URL, no store and no copy on this disk")
            return None
        fitting = self._supply.lane(task, candidate.request)
        if fitting != lane:
            self._move(task, fitting)
            return None
        if wait := self._lanes[lane].paused(candidate.request.url):
            self._lanes[lane].put(task, wait)
            return None
        used = self._supply.mirrors(task, candidate) if lane == "aria2c" else [candidate]
        staging = self._staging(task)
        if staging is None:
            return None
        requests = tuple(each.request for each in used if each.request)
        job = Job(task.want.digest, task.want.size, requests, staging, candidate.single)
        self._running[job] = (task, used, staging)
        return job

    def _staging(self, task: Task) -> Staging | None:
        """Open the staging file; None when another process has it, or has just finished it."""
        want = task.want
        if task in self._open:
            return self._open.pop(task)
        staging = self._store.stage(want.digest, want.size)
        if self._brought(want):
            if staging:
                staging.discard()
            self._out.there(task)
            return None
        if staging is None:
            self._lanes[task.lane].put(task, _BUSY)
            return None
        have = want.size - sum(end - start for start, end in staging.missing())
        task.doubtful = task.doubtful or have > 0
        staging.on_bytes = lambda count: self._progress.advanced(want.name, count)
        self._progress.started(want.name, want.size, have)
        return staging

    def _brought(self, want: Want) -> bool:
        """Tell whether another process has brought it since this run looked.

        To be asked when the staging file is held, or known to be held: whoever had it gave the
        object its name before.
        """
        there = self._store.holds(want.digest)
        return there and want.digest in self._store.present({want.digest: want.size})

    # What an engine says

    def _settle(self, lane: str, result: Fetched | Failed) -> None:
        task, used, staging = self._running.pop(result.job)
        task.moved += result.count
        if isinstance(result, Failed):
            self._open[task] = staging
            for candidate in used:
                candidate.settled = False
            self._judge(task, result.error, result.count)
            return
        try:
            got = staging.hexdigest()
        except OSError as error:
            self._open[task] = staging
            why = f"cannot read what was written: {error.strerror or error}"
            self._judge(task, TransferError(used[0].url, why, Cause.LOCAL), 0)
            return
        if not task.want.pinned:
            staging.rename(Digest(got))
        if got == task.want.digest or not task.want.pinned:
            source = shown(result.request or used[0].request)
            errors = task.errors(used[0])
            self._out.verified(
                staging,
                Delivery(task.want, True, Digest(got), lane, source, task.moved, errors),
            )
            return
        staging.restart()
        self._open[task] = staging
        if len(used) > 1:
            task.alone = True  # nobody can say which of them lied: one at a time from now on
        elif task.doubtful:
            task.doubtful = (
                False  # an earlier run's bytes may have been wrong: once more, from zero
            )
        else:
            why = f"wrong bytes: sha256 {got[:12]} instead of {task.want.digest.short}"
            self._judge(task, TransferError(used[0].url, why, Cause.LYING), 0)
            return
        self._lanes[task.lane].put(task)

    def _judge(self, task: Task, error: TransferError, count: int) -> None:
        """Draw the consequence of one failure: again, later, elsewhere, or not at all."""
        candidate = task.candidate()
        if candidate is None:
            self._fail(task, error.reason, hint=error.hint)
            return
        if error.cause is Cause.REDIRECT and candidate.request and error.location:
            try:
                candidate.request = self._supply.hop(candidate.request, error.location)
            except TransferError as refused:
                error = refused
            else:
                self._lanes[task.lane].put(task)
                return
        if self._gives_up(task, error):
            return
        error = self._supply.explain(candidate, error)
        verdict = judge(error, candidate, count, cap=self._retry_cap)
        if error.cause is Cause.UNRANGED and task in self._open:
            self._open[task].restart()
        if verdict.pause_host and candidate.request:
            self._lanes[task.lane].pause(candidate.request.url, verdict.wait)
        candidate.out = verdict.out
        candidate.complaint = error.reason + verdict.remark
        task.hint = error.hint or task.hint
        if verdict.fatal:
            self._fail(task, hint=error.hint)
        else:
            self._again(task, verdict.wait, elsewhere=verdict.out)

    def _gives_up(self, task: Task, error: TransferError) -> bool:
        """Another engine takes over from one that broke, or that cannot say what is wrong."""
        if task.lane == "local":
            return False  # nobody else reads files
        if task.lane != ALWAYS and error.cause is Cause.ENGINE:
            self._progress.noted(f"{task.lane} gave up ({error.reason}): going on with {ALWAYS}")
            self._fleet.drop(task.lane)
        elif task.lane != "aria2c" or error.cause in {Cause.REFUSED, Cause.LOCAL, Cause.GONE}:
            return False
        self._move(task, ALWAYS)
        return True

    def _again(self, task: Task, wait: float, *, elsewhere: bool) -> None:
        if elsewhere or task.others():
            task.doubtful = True
            task.rotate()
            wait = 0.0
        if wait and task in self._open and len(self._open) > _PARKED:
            self._open.pop(task).close()
        self._lanes[task.lane].put(task, wait)

    def _move(self, task: Task, lane: str) -> None:
        task.lane = lane
        self._lanes[lane].put(task)

    def _fail(self, task: Task, line: str = "", *, hint: str | None = None) -> None:
        if staging := self._open.pop(task, None):
            staging.close()
        self._out.failed(task, line, hint=hint)


class _Queue:
    """The Jobs of one engine: a window on the run."""

    def __init__(self, run: Transfer, lane: str) -> None:
        self._run = run
        self._lane = lane

    def take(self) -> Job | None:
        return self._run.take(self._lane)

    def delay(self) -> float | None:
        return self._run.delay(self._lane)
