"""The aria2c engine: one process for all large files of a run, driven without its defects.

aria2c gets final URLs and exact sizes as Metalinks over its RPC port, and writes straight into the
staging files; which pieces are in them is asked of it some five times a second. It never sees a
secret header, because it would forward it, and its errors hide the status: whoever wants to know
asks the URL.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gitassets.engines import aria2_process
from gitassets.engines.aria2_download import KEYS, Download
from gitassets.engines.aria2_rpc import Gone, Refused
from gitassets.engines.base import Failed, Fetched
from gitassets.engines.programs import may_see
from gitassets.engines.routes import ca_bundle
from gitassets.errors import Cause, TransferError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path
    from typing import Any

    from gitassets.engines.aria2_rpc import Call
    from gitassets.engines.base import Jobs, Tuning
    from gitassets.model import Request

_POLL = (0.02, 0.2)
"""Seconds between two polls: near an end, and at most."""
_LAST_WORDS = 2.0
"""Seconds that aria2c has, when everything stops, to say which pieces are there."""


class Aria2c:
    """See the module."""

    name = "aria2c"

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning

    def unavailable(self) -> str | None:
        """Say why there is no aria2c to work with; starts it once to ask for its version."""
        return aria2_process.unavailable()

    def handles(self, request: Request) -> bool:
        """Take what needs no header: http and https."""
        return may_see(request)

    def fetch(self, jobs: Jobs) -> Generator[Fetched | Failed, None, None]:
        """Work until `jobs` is empty. The sinks of one run lie in one directory."""
        run = _Run(self._tuning)
        try:
            while True:
                yield from run.feed(jobs)
                if run.busy:
                    yield from run.poll()
                    continue
                delay = jobs.delay()
                if delay is None:
                    return
                time.sleep(delay)
        finally:
            run.close()


class _Run:
    """The process and the downloads of one `fetch`."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._process: aria2_process.Process | None = None
        self._running: dict[str, Download] = {}
        """By aria2c's gid."""
        self._orders: list[Call] = []
        """What to tell aria2c with the next poll."""
        self._again: list[Download] = []
        """What aria2c has done as it was told, and there is more of it."""
        self._broken: str | None = None
        """Why nothing will come of any job any more."""

    @property
    def busy(self) -> bool:
        return bool(self._running)

    def feed(self, jobs: Jobs) -> Iterator[Fetched | Failed]:
        """Take jobs while there is room: twice what runs at once, so that aria2c never waits."""
        again, self._again = self._again, []
        for download in again:
            yield from self._add(download)
        while len(self._running) < 2 * self._tuning.jobs:
            job = jobs.take()
            if job is None:
                return
            if not job.sink.missing():
                yield Fetched(job, None, 0)
                continue
            try:
                download = Download(job, self._tuning)
            except OSError as error:
                source, reason = job.requests[0].source, f"staging: {error.strerror}"
                yield Failed(job, TransferError(source, reason, Cause.LOCAL), None, 0)
            else:
                yield from self._add(download)

    def _add(self, download: Download) -> Iterator[Failed]:
        """Give a download to aria2c; gives a result when that cannot be."""
        try:
            process = self._started(download.job.sink.path.parent)
            process.allow(download.job.size)
            try:
                download.prepare(time.monotonic())
                (gid,) = process.rpc.call("addMetalink", *download.parameters())
            except BaseException:
                download.settle()
                raise
        except Gone as error:
            self._broken = str(error)
            yield download.failed(download.failure(Cause.ENGINE, self._broken))
        except Refused as error:
            yield download.failed(download.failure(Cause.ENGINE, str(error)))
        except OSError as error:
            reason = f"staging: {error.strerror}"
            yield download.failed(download.failure(Cause.LOCAL, reason))
        else:
            self._running[gid] = download

    def _started(self, directory: Path) -> aria2_process.Process:
        if self._broken is not None:
            raise Gone(self._broken)
        if self._process is None:
            bundle = ca_bundle(self._tuning)
            self._process = aria2_process.Process(directory, self._tuning.jobs, bundle)
        if self._process.directory != directory:
            raise Refused("this aria2c may write to another staging directory only")
        return self._process

    def poll(self) -> Iterator[Fetched | Failed]:
        """Ask once what became of everything, and wait until it is worth asking again."""
        try:
            statuses = self._ask()
        except Gone as error:
            yield from self._give_up(error)
            return
        now = time.monotonic()
        done = [self._look(gid, status, now) for gid, status in statuses.items()]
        yield from (result for result in done if result is not None)
        waits = [self._running[gid].patience(statuses[gid], now) for gid in self._running]
        if waits and len(waits) == len(done):
            time.sleep(min(max(min(waits) / 2, _POLL[0]), _POLL[1]))

    def _ask(self) -> dict[str, dict[str, Any]]:
        """Send what was ordered, and get the state of each download. Raises Gone."""
        if self._process is None or self._broken is not None:
            raise Gone(self._broken or "aria2c does not run")
        orders, self._orders = self._orders, []
        questions = [("tellStatus", (gid, KEYS)) for gid in self._running]
        answers = self._process.rpc.batch([*orders, *questions])[len(orders) :]
        return {
            gid: {"status": "error", "errorMessage": str(answer)}
            if isinstance(answer, Refused)
            else answer
            for gid, answer in zip(self._running, answers, strict=True)
        }

    def _look(self, gid: str, status: dict[str, Any], now: float) -> Fetched | Failed | None:
        """Pass on what is new of one download; give its result when it has ended."""
        download = self._running[gid]
        try:
            download.see(status, now)
        except OSError as error:
            download.error = download.failure(Cause.LOCAL, f"staging: {error.strerror}")
        except ValueError as error:
            download.error = download.failure(Cause.ENGINE, f"aria2c: {error}")
        if not download.over(status):
            if download.error is not None:
                self._orders.append(("forceRemove", (gid,)))
            return None
        del self._running[gid]
        self._orders.append(("removeDownloadResult", (gid,)))
        result = download.result(status)
        if result is None:
            self._again.append(download)
        return result

    def _give_up(self, gone: Gone) -> Iterator[Failed]:
        """Fail everything: no process, no second one in this run."""
        self._broken = str(gone)
        if self._process is not None:
            self._broken = f"aria2c died ({self._process.status()})"
            self._process.stop()
        while self._running:
            _, download = self._running.popitem()
            download.settle()
            yield download.failed(download.failure(Cause.ENGINE, self._broken))

    def close(self) -> None:
        """Pass on what is finished, end the process, leave no file of aria2c's."""
        if self._process is None:
            return
        try:
            self._process.rpc.patience(_LAST_WORDS)
            for gid, status in self._ask().items():
                self._look(gid, status, 0)
        except Gone:
            pass  # the holes of the staging files tell the rest
        finally:
            self._process.stop()
            for download in self._running.values():
                download.settle()
