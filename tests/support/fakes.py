"""The two protocols in memory: transfer without sockets, with time and order under control."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitassets.engines.base import Failed, Fetched
from gitassets.errors import Cause, TransferError
from gitassets.model import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from gitassets.engines.base import Job, Jobs
    from gitassets.model import Digest, Url
    from gitassets.sources.base import Policy


class Clock:
    """Time that passes only when nobody has anything to do."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self.on_wait: Callable[[], None] | None = None

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds + 1e-6
        if self.on_wait:
            self.on_wait()


@dataclass
class Say:
    """One answer of a place: a failure, after `after` bytes of `data`."""

    cause: Cause = Cause.TRANSIENT
    retry_after: float | None = None
    location: str | None = None
    data: bytes = b""
    after: int = 0
    hint: str | None = None


Answer = bytes | Say


@dataclass
class Web:
    """What is behind each URL: the answers to one request after the other; the last one stays."""

    clock: Clock
    pages: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, str, float]] = field(default_factory=list)
    """(engine, URL, time) of every job."""
    singles: list[bool] = field(default_factory=list)

    def serve(self, url: str, *answers: Answer) -> Url:
        from gitassets.model import Url

        self.pages[url] = list(answers)
        return Url(url)

    def answer(self, url: str) -> Answer:
        answers = self.pages.get(url)
        if not answers:
            return Say(Cause.GONE)
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def urls(self, engine: str | None = None) -> list[str]:
        return [url for name, url, _ in self.asked if engine in {None, name}]


class FakeEngine:
    """Implements `engines.base.Engine`: takes what there is, answers from the Web."""

    def __init__(self, name: str, web: Web) -> None:
        self.name = name
        self.web = web
        self.closed = 0

    def unavailable(self) -> str | None:
        return None

    def handles(self, request: Request) -> bool:
        return not (self.name == "aria2c" and request.headers)

    def fetch(self, jobs: Jobs) -> Generator[Fetched | Failed, None, None]:
        try:
            while True:
                while job := jobs.take():
                    yield self._one(job)
                delay = jobs.delay()
                if delay is None:
                    return
                self.web.clock.wait(delay)
        finally:
            self.closed += 1

    def _one(self, job: Job) -> Fetched | Failed:
        probe = job.name == "probe"
        used = job.requests[0]
        place = f"{used.url}#probe" if probe else used.url
        if not probe:
            self.web.asked += [(self.name, each.url, self.web.clock.now) for each in job.requests]
            self.web.singles.append(job.single)
        answer = self.web.answer(place)
        if (
            probe
            and isinstance(answer, Say)
            and answer.cause is Cause.GONE
            and place not in self.web.pages
        ):
            return Fetched(job, used, 1)
        if isinstance(answer, bytes):
            return Fetched(job, used if len(job.requests) == 1 else None, _fill(job, answer))
        count = _fill(job, answer.data[: answer.after]) if answer.after else 0
        error = TransferError(
            used.url, f"says {answer.cause.name}", answer.cause,
            retry_after=answer.retry_after, location=answer.location, hint=answer.hint,
        )  # fmt: skip
        return Failed(job, error, used, count)


def _fill(job: Job, data: bytes) -> int:
    count = 0
    for start, end in job.sink.missing():
        piece = data[start:end]
        if piece:
            job.sink.write(start, [piece])
        count += len(piece)
    return count


class FakeResolver:
    """Implements the sources: a URL is its own request, unless `secret` names a header for it."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.resolved: list[Url] = []
        self.refused: dict[str, TransferError] = {}
        self.headers: dict[str, tuple[tuple[str, str], ...]] = {}
        self.mirrors: dict[str, tuple[Url, ...]] = {}
        self.caches: dict[str, tuple[Url, ...]] = {}

    def resolve(self, url: Url) -> Request:
        self.resolved.append(url)
        if url in self.refused:
            raise self.refused[url]
        return Request(str(url), url, self.headers.get(url, ()), private=True)

    def places(self, url: Url) -> tuple[Url, ...]:
        return self.mirrors.get(url, (url,))

    def cached(self, digest: Digest) -> tuple[Url, ...]:
        return self.caches.get(digest, ())

    def explain(self, url: Url, error: TransferError) -> TransferError:
        return error


class Watcher:
    """A Progress that keeps the books."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.bytes: dict[str, int] = {}
        self.done: list[str] = []
        self.notes: list[str] = []

    def started(self, name: str, size: int, have: int) -> None:
        self.sizes[name] = size
        self.bytes[name] = have

    def advanced(self, name: str, count: int) -> None:
        self.bytes[name] += count

    def finished(self, name: str) -> None:
        self.done.append(name)

    def noted(self, text: str) -> None:
        self.notes.append(text)

    def close(self) -> None:
        pass
