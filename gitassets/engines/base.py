"""The seam between deciding and moving: an engine fills staging files, `transfer` decides.

An engine knows nothing of mirror order, retry, digests, the lockfile or the cache. It takes jobs
when it has room for one, moves their bytes into their sinks, and says what became of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from gitassets.errors import TransferError
    from gitassets.model import Request


class Sink(Protocol):
    """The staging file of one job: the only thing that an engine writes.

    `missing()` is the truth about what has arrived, across engines, runs and kills.
    """

    @property
    def path(self) -> Path:
        """The file itself, of full size, for engines that are processes."""

    def missing(self) -> list[tuple[int, int]]:
        """The half-open byte ranges that have not arrived, in order."""

    def write(self, offset: int, chunks: Sequence[bytes]) -> None:
        """Put the joined chunks at `offset`. Raises OSError when the disk will not take them."""

    def wrote(self, start: int, end: int) -> None:
        """Another process has put the bytes [start, end) into the file."""

    def restart(self) -> None:
        """Forget everything: nothing that has arrived may be used."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One file to bring. Compared by identity: a retry is another job."""

    name: str
    """The sha256: unique among running jobs, safe as a file name, shown to nobody."""
    size: int
    """Bytes, exactly."""
    requests: tuple[Request, ...]
    """The same bytes at each; an engine that cannot use several at once takes the first."""
    sink: Sink
    single: bool = False
    """One stream from the first byte on: the server is known to ignore ranges."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Every byte of the job is in its sink (whether they are right is not the engine's to say)."""

    job: Job
    request: Request | None
    """Who delivered; None when several did."""
    count: int
    """Bytes moved by this job."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The job stopped; what arrived stays in the sink."""

    job: Job
    error: TransferError
    request: Request | None
    count: int


class Jobs(Protocol):
    """Where an engine gets its work: one at a time, when it has room."""

    def take(self) -> Job | None:
        """Give the next job, or None when none is ready now."""

    def delay(self) -> float | None:
        """Seconds until another may be ready; None: not before one has finished, or never."""


class Engine(Protocol):
    """One way of moving bytes."""

    name: str

    def unavailable(self) -> str | None:
        """Say why this engine cannot work on this machine, or None when it can."""

    def handles(self, request: Request) -> bool:
        """Tell whether the engine keeps every rule that this request comes with."""

    def fetch(self, jobs: Jobs) -> Generator[Fetched | Failed, None, None]:
        """Work until `jobs` is empty; closing the generator stops everything and leaves nothing.

        Between two results `jobs` may have got new work. Running transfers never raise: what goes
        wrong is a Failed.
        """


@dataclass(frozen=True, slots=True)
class Tuning:
    """What the user may turn, for every engine alike."""

    jobs: int = 4
    """Files at once (`-j`); small files on one host may be many more."""
    connections: int = 8
    """Connections to one host for one file (`-x`)."""
    low_speed: int = 1024
    """Bytes a second below which ..."""
    low_speed_time: float = 30.0
    """... for so many seconds a connection is dropped and dialled again (`assets.lowSpeed`)."""
    connect_timeout: float = 10.0
    """Seconds."""
    user_agent: str = "git-assets"
    ca_file: str | None = None
    """PEM bundle, or None for the system's."""
    proxies: tuple[tuple[str, str], ...] = ()
    """(scheme, proxy URL) of `http` and `https`; hosts of `no_proxy` are dialled directly."""
    no_proxy: tuple[str, ...] = ()
