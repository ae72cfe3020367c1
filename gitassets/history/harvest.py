"""The bytes that leave git, on their way into the cache: each blob read, hashed and stored once."""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from gitassets.model import Digest, Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from gitassets.gitpipes import Pipes
    from gitassets.store import Store

_BATCH_FILES: Final = 64
_BATCH_BYTES: Final = 256 << 20
"""What is published at once, so that many small files share one sync."""

_publishing: Final = threading.Lock()


class Content(NamedTuple):
    """What a lockfile says of a file."""

    sha256: Digest
    size: int

    @property
    def tail(self) -> bytes:
        """The last two lines of the lockfile's block."""
        return b'size = %d\nsha256 = "%s"\n' % (self.size, self.sha256.encode())


class Poured:
    """A file that was written here, on its way to become an object (`objects.Verified`)."""

    def __init__(self, directory: Path, pieces: Iterable[bytes]) -> None:
        """Write the pieces, and hash them as they pass. Raises OSError."""
        self._path = directory / f"new-{secrets.token_hex(8)}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self.descriptor = os.open(self._path, flags, 0o600)
        """Open; -1 when this is over."""
        hasher = hashlib.sha256()
        self.size = 0
        try:
            for piece in pieces:
                hasher.update(piece)
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(self.descriptor, rest) :]
                self.size += len(piece)
        except BaseException:
            self.discard()
            raise
        self.digest = Digest(hasher.hexdigest())

    def seal(self) -> Signature:
        """Make the file read-only; returns how it looks. Raises OSError."""
        with suppress(PermissionError):  # FAT, some network mounts
            os.fchmod(self.descriptor, 0o444)
        status = os.fstat(self.descriptor)
        return Signature(status.st_size, status.st_mtime_ns, status.st_ino)

    def move(self, target: str) -> None:
        """Give the file its final name and let go of it. Raises OSError."""
        self._path.rename(target)
        os.close(self.descriptor)
        self.descriptor = -1

    def discard(self) -> None:
        """Let go of the file and remove it. May be repeated."""
        if self.descriptor >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self.descriptor)
            self.descriptor = -1


def contents(
    pipes: Pipes, blobs: Iterable[bytes], store: Store | None, done: Callable[[int], None]
) -> dict[bytes, Content]:
    """Hash blobs, and put them into `store` when there is one; `done` is told of their bytes.

    They are read fastest in the order in which the inventory met them, that of the packs. Raises
    GitError for a blob that is missing, NoSpace, StoreError.
    """
    todo = list(blobs)
    count = min(os.cpu_count() or 1, 4, len(todo))
    if count < 2:
        return dict(_some(pipes, todo, store, done))
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only with much to do

    # Pipes and hashlib release the interpreter's lock: threads are enough.
    step = -(-len(todo) // count)
    slices = [todo[at : at + step] for at in range(0, len(todo), step)]
    with ThreadPoolExecutor(count) as pool:
        parts = pool.map(lambda part: dict(_some(pipes, part, store, done)), slices)
        return {blob: content for part in parts for blob, content in part.items()}


def _some(
    pipes: Pipes, blobs: Sequence[bytes], store: Store | None, done: Callable[[int], None]
) -> Iterator[tuple[bytes, Content]]:
    waiting: list[Poured] = []
    try:
        for blob, size, pieces in pipes.streams(blobs):
            if store is None:
                yield blob, _hashed(pieces, size)
                done(size)
                continue
            poured = Poured(store.root / "staging", pieces)
            waiting.append(poured)
            yield blob, Content(poured.digest, poured.size)
            done(size)
            if len(waiting) >= _BATCH_FILES or sum(each.size for each in waiting) >= _BATCH_BYTES:
                _publish(store, waiting)
        if store:
            _publish(store, waiting)
    finally:
        for poured in waiting:
            poured.discard()


def _hashed(pieces: Iterable[bytes], size: int) -> Content:
    hasher = hashlib.sha256()
    for piece in pieces:
        hasher.update(piece)
    return Content(Digest(hasher.hexdigest()), size)


def _publish(store: Store, waiting: list[Poured]) -> None:
    # Two blobs never have the same content, so no digest is twice in the batch. One thread at a
    # time: a store is not made for two.
    if waiting:
        with _publishing:
            store.publish(waiting)
        waiting.clear()
