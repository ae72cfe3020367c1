"""Ask a URL for one byte: what it really answers, and where its redirects end.

For engines that hide statuses or follow redirects by themselves (aria2c does both): they are given
final URLs, and when one of them fails the URL itself is asked why.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gitassets.engines.base import Failed, Job
from gitassets.errors import Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gitassets.engines.base import Engine
    from gitassets.model import Request


class OneByte:
    """A sink that lacks nothing but its first byte, and keeps nothing."""

    path = Path("/dev/null")

    def missing(self) -> list[tuple[int, int]]:
        """The first byte, whatever has come."""
        return [(0, 1)]

    def write(self, offset: int, chunks: Sequence[bytes]) -> None:
        """Nothing."""

    def wrote(self, start: int, end: int) -> None:
        """Nothing."""

    def restart(self) -> None:
        """Nothing."""


class _One:
    """A queue of one job."""

    def __init__(self, job: Job) -> None:
        self._jobs = [job]

    def take(self) -> Job | None:
        return self._jobs.pop() if self._jobs else None

    def delay(self) -> float | None:
        return None


def settle(
    engine: Engine, request: Request, size: int, hop: Callable[[Request, str], Request]
) -> Request:
    """Follow the redirects of `request` and check that it serves `size` bytes with ranges.

    Gives the request that needs no further redirect. Raises TransferError as the engine saw it, or
    as `hop` refused it.
    """
    while True:
        job = Job("probe", size, (request,), OneByte())
        for result in engine.fetch(_One(job)):
            if not isinstance(result, Failed):
                return request
            if result.error.cause is not Cause.REDIRECT or not result.error.location:
                raise result.error
            request = hop(request, result.error.location)
