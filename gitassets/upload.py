"""Make a remote hold objects of the cache: look, plan, upload, look again.

What is uploaded is read once and hashed while it is read; it counts when the remote, asked anew,
says that it has it: the size and, where the remote keeps one, the sha256. Every step may be
repeated, so an interrupted run is continued by the next one.
"""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from gitassets import retry
from gitassets.errors import AssetsError, Cause, TransferError
from gitassets.progress import Silent
from gitassets.remotes.content import Content, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future

    from gitassets.model import Digest
    from gitassets.progress import Progress
    from gitassets.remotes.base import Held, Remote
    from gitassets.store import Store

T = TypeVar("T")

_ASKED = 16
"""Questions to a remote at once: 10,000 objects at 50 ms each take half a minute."""
_LOOK = 0.25
"""Seconds between two looks at how far the uploads are."""
_OF_ALL = frozenset({Cause.TRANSIENT, Cause.LIMITED, Cause.DENIED, Cause.LOCAL})
"""What a remote says of itself, not of one object."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a remote lacks. Sizes in bytes, by digest."""

    there: Mapping[Digest, int]
    lacking: Mapping[Digest, int]
    wrong: frozenset[Digest] = frozenset()
    """Of those lacking: the remote has something else under the name."""

    @property
    def bytes(self) -> int:
        """How much is to be uploaded."""
        return sum(self.lacking.values())


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What became of one object."""

    digest: Digest
    size: int
    error: str | None = None
    """None: the remote has it."""
    hint: str | None = None
    count: int = 0
    """Bytes sent."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How uploads are done."""

    jobs: int = 4
    """At once."""
    retry_cap: float = 60.0
    """Longest wait that a remote may ask for, in seconds."""
    progress: Progress = field(default_factory=Silent)
    names: Mapping[Digest, str] = field(default_factory=dict)
    """What people call an object; without one, its digest."""


def plan(remote: Remote, contents: Mapping[Digest, int], manner: Manner) -> Plan:
    """Ask the remote for each content, many at a time.

    Raises TransferError when it cannot say of one whether it has it: then it could not be trusted
    with the others.
    """
    stopped = threading.Event()
    there: dict[Digest, int] = {}
    lacking: dict[Digest, int] = {}
    wrong = set()
    pool = ThreadPoolExecutor(_ASKED)
    try:
        asked = {
            digest: pool.submit(_again, partial(remote.stat, digest), manner, stopped)
            for digest in contents
        }
        for digest, size in contents.items():
            found = asked[digest].result()
            if found and _is(found, digest, size):
                there[digest] = size
                continue
            lacking[digest] = size
            if found:
                wrong.add(digest)
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
    return Plan(there, lacking, frozenset(wrong))


def apply(store: Store, remote: Remote, todo: Plan, manner: Manner) -> Iterator[Uploaded]:
    """Upload what the plan says is lacking, the largest first; one result for each, as it comes.

    Closing the generator stops what is under way; nothing half is left at the remote.
    """
    run = _Run(store, remote, todo.wrong, manner)
    pending: dict[Future[Uploaded], Digest] = {}
    pool = ThreadPoolExecutor(manner.jobs)
    try:
        for digest, size in sorted(todo.lacking.items(), key=lambda row: (-row[1], row[0])):
            pending[pool.submit(run.one, digest, size)] = digest
        while pending:
            done, _ = wait(pending, _LOOK, return_when=FIRST_COMPLETED)
            run.report()
            for future in done:
                run.ended(pending.pop(future))
                yield future.result()
    finally:
        run.stop()
        pool.shutdown(cancel_futures=True)


def objects(
    store: Store, remote: Remote, contents: Mapping[Digest, int], manner: Manner | None = None
) -> Iterator[Uploaded]:
    """Make `remote` hold objects of the cache (sizes in bytes); one result for each.

    Raises TransferError when the remote cannot be asked.
    """
    manner = manner or Manner()
    todo = plan(remote, contents, manner)
    yield from (Uploaded(digest, size) for digest, size in todo.there.items())
    yield from apply(store, remote, todo, manner)


class _Run:
    """Uploads under way, in threads; told about, and stopped, from the one that started them."""

    def __init__(
        self, store: Store, remote: Remote, wrong: frozenset[Digest], manner: Manner
    ) -> None:
        self._store = store
        self._remote = remote
        self._wrong = wrong
        self._manner = manner
        self._stopped = threading.Event()
        self._open: dict[Digest, Content] = {}
        self._shown: dict[Digest, int] = {}
        self._given_up: TransferError | None = None
        """Why the remote is not worth another object."""

    def one(self, digest: Digest, size: int) -> Uploaded:
        """Upload one object and look whether it is there."""
        count = 0
        if self._given_up:
            return Uploaded(digest, size, f"not tried: {self._given_up.reason}")

        def put() -> None:
            nonlocal count
            with Content(self._store.object_path(digest), digest, size) as content:
                self._open[digest] = content
                try:
                    if self._stopped.is_set():
                        raise Stopped
                    self._remote.put(content, replace=digest in self._wrong)
                finally:
                    count += content.sent

        try:
            _again(put, self._manner, self._stopped)
            held = _again(partial(self._prove, digest), self._manner, self._stopped)
        except Stopped:
            return Uploaded(digest, size, "stopped", count=count)
        except TransferError as error:
            if error.cause in _OF_ALL:
                self._given_up = error
            return Uploaded(digest, size, error.reason, error.hint, count)
        except AssetsError as error:
            return Uploaded(digest, size, str(error), error.hint, count)
        if not _is(held, digest, size):
            why = f"was sent, but the remote has {held.size} bytes, or other ones"
            return Uploaded(digest, size, why, count=count)
        return Uploaded(digest, size, count=count)

    def _prove(self, digest: Digest) -> Held:
        """Ask for what was sent; some stores show it only after a while, so none is transient."""
        held = self._remote.stat(digest)
        if held is None:
            raise TransferError(self._remote.url, "was sent, but the remote has nothing")
        return held

    def report(self) -> None:
        """Tell the progress how far each upload is; a repeated one counts back."""
        progress = self._manner.progress
        for digest, content in list(self._open.items()):
            name = self._manner.names.get(digest, digest)
            if digest not in self._shown:
                progress.started(name, content.size, 0)
            sent = content.sent
            progress.advanced(name, sent - self._shown.get(digest, 0))
            self._shown[digest] = sent

    def ended(self, digest: Digest) -> None:
        """Tell the progress that nothing more will come of an object."""
        self._open.pop(digest, None)
        self._manner.progress.finished(self._manner.names.get(digest, digest))

    def stop(self) -> None:
        """End what is under way at its next read."""
        self._stopped.set()
        for content in list(self._open.values()):
            content.stop()


def _is(held: Held, digest: Digest, size: int) -> bool:
    return held.size == size and held.sha256 in {None, digest}


def _again(act: Callable[[], T], manner: Manner, stopped: threading.Event) -> T:
    """Do something, and again after what passes. Raises TransferError when it does not."""
    failures = 0
    while True:
        try:
            return act()
        except TransferError as error:
            failures += 1
            pause = _pause(error, failures, manner.retry_cap)
            if pause is None:
                raise
            if stopped.wait(pause):
                raise Stopped from error


def _pause(error: TransferError, failures: int, cap: float) -> float | None:
    """Seconds until it is worth another try; None when it is not."""
    if failures >= retry.TRIES:
        return None
    if error.cause is Cause.TRANSIENT:
        return retry.delay(failures)
    if error.cause is Cause.LIMITED:
        pause = retry.pause(error.retry_after, failures)
        return pause if pause <= cap else None
    return None
