"""The engine that everybody writes first: what the contract must catch."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

from gitassets.engines.base import Failed, Fetched
from gitassets.errors import Cause, TransferError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitassets.engines.base import Job, Jobs, Tuning
    from gitassets.model import Request


class Naive:
    """Follows redirects with all its headers, believes lengths, and cleans up when it likes."""

    name = "naive"
    left: list[subprocess.Popen[bytes]] = []  # noqa: RUF012 - kept for the test to end

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning

    def unavailable(self) -> str | None:
        return None

    def handles(self, request: Request) -> bool:
        return True

    def fetch(self, jobs: Jobs) -> Iterator[Fetched | Failed]:
        batch = []
        while job := jobs.take():
            batch.append(job)
        if batch:
            program = [sys.executable, "-c", "import time; time.sleep(60)"]
            self.left.append(subprocess.Popen([*program, batch[0].requests[0].url]))
        for job in batch:
            yield self._one(job)

    def _one(self, job: Job) -> Fetched | Failed:
        request = job.requests[0]
        start = job.sink.missing()[0][0] if job.sink.missing() else 0
        asked = urllib.request.Request(request.url, headers=dict(request.headers))
        asked.add_header("Range", f"bytes={start}-")
        try:
            with urllib.request.urlopen(asked, timeout=5) as answer:
                data = answer.read(job.size + 9)
                job.sink.write(start, [data])
        except Exception as error:
            return Failed(job, TransferError(request.url, str(error), Cause.TRANSIENT), request, 0)
        return Fetched(job, request, len(data))
