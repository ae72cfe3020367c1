"""sha256 of a file: after it was written, while it is written, or right behind the writer."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

from gitassets.model import Digest

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALL = 1 << 20
"""Bytes; a file up to this size is kept no books of: it begins anew."""

INLINE = 1 << 18
"""Bytes; a file up to this size is hashed by its writer: less work than a thread."""

BLOCK = 1 << 20
"""Bytes read at once: the interpreter is free meanwhile, and a core's cache holds them."""


def sha256_of(descriptor: int, start: int = 0, hasher: hashlib._Hash | None = None) -> Digest:
    """Return the digest of an open file from `start` on, after what `hasher` has seen already.

    The position of the descriptor is not used. Raises OSError.
    """
    hasher = hashlib.sha256() if hasher is None else hasher
    buffer = memoryview(bytearray(BLOCK))
    while count := os.preadv(descriptor, [buffer], start):
        hasher.update(buffer[:count])
        start += count
    return Digest(hasher.hexdigest())


class Progressive:
    """The digest of a file that grows, in the cheapest way that is right for it.

    A small file that arrives in order is hashed from the bytes at hand, a large one by a thread
    behind its contiguous prefix, and what neither can know once more at the end. Holes are never
    read: a page of a hole in memory would count as data afterwards (lseek(2), SEEK_DATA).
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size
        self._hasher: hashlib._Hash | None = hashlib.sha256() if size <= INLINE else None
        self._hashed = 0
        self._follows = size > INLINE
        self._follower: Follower | None = None
        self._digest: Digest | None = None

    def writing(self, offset: int) -> None:
        """Bytes from `offset` on will be written, perhaps not for the first time."""
        self._digest = None
        if offset != self._hashed:
            self._hasher = None
        if self._follower and offset < self._follower.limit:
            self.rewritten()

    def written(self, chunks: Sequence[bytes]) -> None:
        """Take the bytes that were just written."""
        if self._hasher:
            for chunk in chunks:
                self._hasher.update(chunk)
                self._hashed += len(chunk)

    def reaches(self, start: int) -> bool:
        """Tell whether bytes from `start` on may have been hashed behind the writer."""
        return self._follower is not None and start < self._follower.limit

    def rewritten(self) -> None:
        """Give up what was hashed: all of it, once more, at the end."""
        self.stop()
        self._follows = False

    def advance(self, prefix: int) -> None:
        """Tell how many bytes have arrived from the first on, without a gap."""
        if self._follower is None:
            if not self._follows or prefix < min(BLOCK, self._size):
                return
            self._follower = Follower(self._descriptor, self._size)
        self._follower.advance(prefix)

    def digest(self) -> Digest:
        """Return the digest of the file, every byte of which has arrived. Raises OSError."""
        if self._digest is None:
            if self._follower:
                self._digest = self._follower.digest()
            elif self._hasher and self._hashed == self._size:  # not when a process wrote it
                self._digest = Digest(self._hasher.hexdigest())
            else:
                self._digest = sha256_of(self._descriptor)
        return self._digest

    def stop(self) -> None:
        """End the thread, if there is one."""
        if self._follower:
            self._follower.stop()
        self._follower = None


class Follower:
    """Hashes the contiguous prefix of a growing file from the page cache, in a thread of its own.

    `advance` tells how far the prefix reaches; bytes below it must not change any more. Every
    Follower ends with `digest` or `stop`.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size
        self._prefix = 0
        self._stopped = False
        self._error: OSError | None = None
        self._digest: Digest | None = None
        self._changed = threading.Condition()
        # A daemon, so that a run that dies without closing anything can end.
        self._thread = threading.Thread(target=self._run, name="sha256", daemon=True)
        self._thread.start()

    @property
    def limit(self) -> int:
        """How far the thread may have hashed: whole blocks of the prefix it was told of."""
        return self._prefix if self._prefix == self._size else self._prefix - self._prefix % BLOCK

    def advance(self, prefix: int) -> None:
        """Allow hashing up to `prefix`; waking the thread is left until a block is full."""
        if prefix // BLOCK != self._prefix // BLOCK or prefix == self._size:
            with self._changed:
                self._prefix = prefix
                self._changed.notify()

    def digest(self) -> Digest:
        """Wait for the last byte and return the digest; the prefix must be the whole file.

        Raises OSError when the file could not be read, or is shorter than it should be.
        """
        with self._changed:
            self._prefix = self._size
            self._changed.notify()
        self._thread.join()
        if self._digest is None:
            raise self._error or OSError("the file is shorter than it should be")
        return self._digest

    def stop(self) -> None:
        """End the thread, whatever it has hashed."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        hasher = hashlib.sha256()
        buffer = memoryview(bytearray(min(BLOCK, self._size)))
        done = 0
        try:
            while done < self._size and not self._stopped:
                ready = self._wait(done)
                if not ready:
                    return
                count = os.preadv(self._descriptor, [buffer[:ready]], done)
                if not count:
                    return
                hasher.update(buffer[:count])
                done += count
        except OSError as error:
            self._error = error
        if done == self._size:
            self._digest = Digest(hasher.hexdigest())

    def _wait(self, done: int) -> int:
        """Return how many bytes from `done` on may be hashed now: a block, or the last ones."""
        with self._changed:
            enough = min(BLOCK - done % BLOCK, self._size - done)
            self._changed.wait_for(lambda: self._stopped or self._prefix - done >= enough)
            return 0 if self._stopped else enough
