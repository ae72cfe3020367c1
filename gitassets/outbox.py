"""Verified files on their way into the store, and the word about each that goes to the caller."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitassets.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitassets.model import Digest
    from gitassets.progress import Progress
    from gitassets.schedule import Task, Want
    from gitassets.staging import Staging
    from gitassets.store import Store

_BATCH = 256
"""Finished small files that share one sync; each keeps a descriptor open until then."""
_BATCH_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one wanted digest."""

    want: Want
    ok: bool
    digest: Digest
    """Of what was delivered: the wanted one, unless nothing was pinned."""
    engine: str | None = None
    source: str | None = None
    """Who delivered, as it may be shown."""
    count: int = 0
    """Bytes moved."""
    errors: tuple[str, ...] = ()
    """One line for each place that failed, also when another one delivered."""
    hint: str | None = None


class Outbox:
    """Gives verified files their names, many at a time, and keeps what there is to say."""

    def __init__(self, store: Store, progress: Progress) -> None:
        self._store = store
        self._progress = progress
        self._verified: list[tuple[Staging, Delivery]] = []
        self._bytes = 0
        self._said: deque[Delivery] = deque()

    def verified(self, staging: Staging, delivery: Delivery) -> None:
        """Take a file whose bytes are right; publishes when enough have come together."""
        self._progress.finished(delivery.want.name)
        self._verified.append((staging, delivery))
        self._bytes += delivery.want.size
        if len(self._verified) >= _BATCH or self._bytes >= _BATCH_BYTES:
            self.publish()

    def publish(self) -> None:
        """Publish what is waiting: one sync for all of them."""
        batch, self._verified, self._bytes = self._verified, [], 0
        try:
            self._store.publish([staging for staging, _ in batch])
        except StoreError as error:
            for _, delivery in batch:
                self._said.append(Delivery(
                    delivery.want, ok=False, digest=delivery.digest, count=delivery.count,
                    errors=(*delivery.errors, str(error)), hint=error.hint,
                ))  # fmt: skip
        else:
            self._said.extend(delivery for _, delivery in batch)
        finally:
            for staging, _ in batch:
                staging.close()

    def there(self, task: Task) -> None:
        """Say that the cache has it by now: another process brought it."""
        self._say(Delivery(task.want, ok=True, digest=task.want.digest, errors=task.errors()))

    def failed(self, task: Task, line: str = "", *, hint: str | None = None) -> None:
        """Say that no place delivered."""
        errors = (*task.errors(), *([line] if line else []))
        self._say(Delivery(
            task.want, ok=False, digest=task.want.digest, count=task.moved,
            errors=errors, hint=hint or task.hint,
        ))  # fmt: skip

    def _say(self, delivery: Delivery) -> None:
        self._progress.finished(delivery.want.name)
        self._said.append(delivery)

    def drain(self) -> Iterator[Delivery]:
        """Give what there is to say, once."""
        while self._said:
            yield self._said.popleft()

    def close(self) -> None:
        """Let go of files that were not published; the next run finds them in staging."""
        while self._verified:
            self._verified.pop()[0].close()
