"""Can every pinned file still be had? One byte of each is asked for, none is kept.

Proves that a place answers for the path with the pinned size; whether the other bytes are right
only a download can tell.
"""

from __future__ import annotations

import heapq
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitassets import retry
from gitassets.config import MIN_SOURCES
from gitassets.console import plural
from gitassets.engines import ALWAYS
from gitassets.engines.base import Failed, Job
from gitassets.errors import Cause, TransferError, UsageError
from gitassets.probe import OneByte
from gitassets.urls import redacted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitassets.context import Context
    from gitassets.engines import Fleet
    from gitassets.engines.base import Fetched
    from gitassets.lockfile import Lockfile
    from gitassets.model import Asset, Digest, Request, Url
    from gitassets.sources import Resolver

_TRIES = 3
"""A check is not worth the patience of a download."""
_PASSING = frozenset({Cause.TRANSIENT, Cause.LIMITED, Cause.ENGINE})


@dataclass(slots=True, eq=False)
class Question:
    """One content, the places that may have it, and what they said."""

    size: int
    places: list[Url]
    """Not asked yet, best first."""
    failures: int = 0
    served: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Finding:
    """Where one asset can be had."""

    asset: Asset
    served: tuple[str, ...]
    """As they may be shown; no more are asked than are needed."""
    errors: tuple[str, ...]
    """One line for each place that does not have it."""
    enough: bool


def check(context: Context, assets: Sequence[Asset]) -> list[Finding]:
    """Ask for each asset until `assets.minSources` of its places have answered.

    The caches of this machine and of the team do not count: others have to pull, too. Raises
    UsageError when there is no network to ask.
    """
    if context.offline:
        raise UsageError("what others can have is not to be known offline")
    needed = context.config.get(MIN_SOURCES)
    questions = _questions(context.lockfile, assets)
    _Asking(context.resolver, context.fleet, needed).run(questions.values())
    found = []
    for asset in assets:
        question = questions[asset.sha256]
        served, errors = tuple(question.served), tuple(question.errors)
        found.append(Finding(asset, served, errors, enough=len(served) >= needed))
    return found


def tell(context: Context, verb: str, found: Sequence[Finding], *, as_json: bool) -> int:
    """Report, and give the exit status: 1 when any asset can be had from too few places."""
    short = [row for row in found if not row.enough]
    if as_json:
        rows = [
            {
                "path": row.asset.path,
                "sha256": row.asset.sha256,
                "served": list(row.served),
                "errors": list(row.errors),
                "ok": row.enough,
            }
            for row in found
        ]
        context.console.json(verb, {"assets": rows})
        return 1 if short else 0
    for row in short:
        path, count = row.asset.path, len(row.served)
        places = plural(count + len(row.errors), "place")
        nowhere = "has no URL and no store: nobody else can pull it"
        why = f"can be had from {count} of {places}" if count or row.errors else nowhere
        context.console.error(f"'{path}' {why}", hint=f"git assets push {path}")
        for line in row.errors:
            context.console.error(f"  {line}")
    few = f", {len(short)} from too few places" if short else ""
    context.console.answer(f"{plural(len(found) - len(short), 'asset')} can be had{few}")
    return 1 if short else 0


def _questions(lockfile: Lockfile, assets: Iterable[Asset]) -> dict[Digest, Question]:
    urls: dict[Digest, list[Url]] = {}
    sizes = {}
    for asset in assets:
        urls.setdefault(asset.sha256, []).extend(lockfile.urls_of(asset))
        sizes[asset.sha256] = asset.size
    return {
        digest: Question(
            sizes[digest], [*dict.fromkeys((*own, *lockfile.store_urls(digest, sizes[digest])))]
        )
        for digest, own in urls.items()
    }


class _Asking:
    """One run: which question is with which engine, and what its answer means."""

    def __init__(self, resolver: Resolver, fleet: Fleet, needed: int) -> None:
        self._resolver = resolver
        self._fleet = fleet
        self._needed = needed
        self._lanes: dict[str, list[tuple[float, int, Question, Request]]] = {
            ALWAYS: [],
            "local": [],
        }
        self._count = 0
        self._running: dict[Job, Question] = {}

    def run(self, questions: Iterable[Question]) -> None:
        """Fill in `served` and `errors` of each."""
        for question in questions:
            self._next(question)
        while lane := next((name for name, waiting in self._lanes.items() if waiting), ""):
            engine = self._fleet.get(lane)
            if engine is None:
                raise UsageError(f"the {lane} engine is not there to ask with")
            with closing(engine.fetch(_Lane(self, lane))) as results:
                for result in results:
                    self._settle(result)

    def take(self, lane: str) -> Job | None:
        """Give the next job of a lane that may start now."""
        waiting = self._lanes[lane]
        if waiting and waiting[0][0] <= time.monotonic():
            _, _, question, request = heapq.heappop(waiting)
            job = Job("probe", question.size, (request,), OneByte())
            self._running[job] = question
            return job
        return None

    def delay(self, lane: str) -> float | None:
        """Seconds until the lane may have another job."""
        waiting = self._lanes[lane]
        return max(0.0, waiting[0][0] - time.monotonic()) if waiting else None

    def _put(self, question: Question, request: Request, wait: float = 0.0) -> None:
        lane = self._fleet.fitting(ALWAYS, request)
        self._count += 1
        row = (time.monotonic() + wait if wait else 0.0, self._count, question, request)
        heapq.heappush(self._lanes[lane], row)

    def _next(self, question: Question) -> None:
        """Turn to the next place, unless enough have answered."""
        question.failures = 0
        while question.places and len(question.served) < self._needed:
            place = question.places.pop(0)
            try:
                request = self._resolver.resolve(place)
            except TransferError as error:
                question.errors.append(f"{redacted(place)}: {error.reason}")
                continue
            if question.size == 0:  # there is no byte to ask for, and a pull asks for none
                question.served.append(redacted(place))
                continue
            self._put(question, request)
            return

    def _settle(self, result: Fetched | Failed) -> None:
        question = self._running.pop(result.job)
        request = result.job.requests[0]
        if not isinstance(result, Failed):
            question.served.append(redacted(request.source))
            self._next(question)
            return
        error = result.error
        if error.cause is Cause.REDIRECT and error.location:
            try:
                self._put(question, self._resolver.policy.hop(request, error.location))
            except TransferError as refused:
                error = refused
            else:
                return
        question.failures += 1
        if error.cause in _PASSING and question.failures < _TRIES:
            self._put(question, request, retry.delay(question.failures))
            return
        question.errors.append(f"{redacted(request.source)}: {error.reason}")
        self._next(question)


class _Lane:
    """The Jobs of one engine."""

    def __init__(self, asking: _Asking, lane: str) -> None:
        self._asking = asking
        self._lane = lane

    def take(self) -> Job | None:
        return self._asking.take(self._lane)

    def delay(self) -> float | None:
        return self._asking.delay(self._lane)
