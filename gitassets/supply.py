"""From a task to the requests that may serve it now: the next place, resolved, made final."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets.engines import ALWAYS
from gitassets.errors import TransferError
from gitassets.probe import settle
from gitassets.schedule import Candidate
from gitassets.urls import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gitassets.engines import Fleet
    from gitassets.model import Digest, Request, Url
    from gitassets.schedule import Task, Want
    from gitassets.sources import Resolver


class Supply:
    """Knows where a digest may be had, and which engine keeps the rules of each place."""

    def __init__(
        self, resolver: Resolver, fleet: Fleet, more: Callable[[Digest], Iterable[Url]]
    ) -> None:
        """`more` is asked, once a digest, when all the places that were given have failed."""
        self._resolver = resolver
        self._fleet = fleet
        self._more = more

    def candidates(self, want: Want) -> list[Candidate]:
        """Give every place of `want` in the order they are tried: caches, then URLs."""
        cached = self._resolver.cached(want.digest) if want.pinned else ()
        return [
            *(Candidate(url, cache=True) for url in cached),
            *map(Candidate, dict.fromkeys(self._places(want.urls))),
        ]

    def _places(self, urls: Iterable[Url]) -> Iterator[Url]:
        for url in urls:
            yield from self._resolver.places(url)

    def next(self, task: Task) -> Candidate | None:
        """Give the place in turn with its request, or None when no place is left.

        Raises TransferError when it cannot be resolved.
        """
        found = task.candidate()
        if found is None and not task.extended:
            task.extended = True
            known = {each.url for each in task.candidates}
            more = dict.fromkeys(self._places(self._more(task.want.digest)))
            task.candidates += [Candidate(url) for url in more if url not in known]
            found = task.candidate()
        if found and not found.request:
            found.request = self._resolver.resolve(found.url)
            if found.request.secret and task.lane != ALWAYS:
                # Behind the redirect there may be a signed URL that any engine may have.
                self._settle(task, found)
        return found

    def explain(self, candidate: Candidate, error: TransferError) -> TransferError:
        """Say why a place failed in the words of its kind of host."""
        return self._resolver.explain(candidate.url, error)

    def lane(self, task: Task, request: Request) -> str:
        """Name the engine that `request` of this task goes to."""
        return self._fleet.fitting(task.lane, request)

    def mirrors(self, task: Task, first: Candidate) -> list[Candidate]:
        """Give every place that aria2c may use at once, each with a final request, `first` first.

        Raises TransferError when `first` itself does not answer as it should.
        """
        # What a cache has, the origin is not asked for.
        others = [] if task.alone or first.single or first.cache else task.candidates
        self._settle(task, first)
        used = [first]
        for candidate in others:
            if candidate is first or candidate.out:
                continue
            try:
                self._settle(task, candidate)
            except TransferError as error:
                candidate.out = True
                candidate.complaint = self.explain(candidate, error).reason
                continue
            if candidate.request and self.lane(task, candidate.request) == task.lane:
                used.append(candidate)
        return used

    def _settle(self, task: Task, candidate: Candidate) -> None:
        request = candidate.request or self._resolver.resolve(candidate.url)
        asker = self._fleet.get(ALWAYS)
        if asker and not candidate.settled and not candidate.single:
            request = settle(asker, request, task.want.size, self.hop)
            candidate.settled = True
        candidate.request = request

    def hop(self, request: Request, location: str) -> Request:
        """Follow one redirect. Raises TransferError when policy or sense forbid it."""
        return self._resolver.policy.hop(request, location)


def shown(request: Request | None) -> str | None:
    """The name of a source as it may be shown."""
    return redacted(request.source) if request else None
