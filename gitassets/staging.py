"""A file on its way into the cache: named by its pin, locked, resumable, hashed while it grows.

What has arrived is known from the file itself (`holes`), with the journal's help, so any engine of
any process can go on where another one was killed. One process at a time: the kernel's lock on the
file is held until `close`.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gitassets import holes
from gitassets.errors import NoSpace
from gitassets.hashing import INLINE, SMALL, Progressive
from gitassets.locks import claim
from gitassets.model import Digest, Signature
from gitassets.ranges import Ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gitassets.journal import Journal

RESUMED = 64 << 10
"""Bytes; a file up to this size begins anew, which costs less than looking what is there."""
_SAVE_SECONDS = 1.0
_SAVE_BYTES = 64 << 20
_IOV_MAX = 1024
"""Buffers that one pwritev(2) takes (limits.h)."""


class Staging:
    """The sink of one digest (`engines.base.Sink`). Made by `open`, ended by `close` or `move`."""

    def __init__(self, descriptor: int, name: str, size: int, journal: Journal) -> None:
        self.digest = Digest(name.rpartition("/")[2])
        """The sha256 that the bytes must have."""
        self.size = size
        """Bytes."""
        self.on_bytes: Callable[[int], None] | None = None
        """Called with the count of bytes that are new; negative when they were thrown away."""
        self.descriptor = descriptor
        """Open for reading and writing; -1 when this is over."""
        self._name = name
        self._journal = journal
        self._ranges = Ranges()
        self._saved = (0, time.monotonic())
        self._hash = Progressive(descriptor, size)
        self._remembered = size > SMALL
        """There may be a row in the journal, or a control file of aria2's."""

    @classmethod
    def open(cls, directory: Path, digest: Digest, size: int, journal: Journal) -> Staging | None:
        """Open or begin the file of `digest`; None while another process has it.

        What is there and is not a file of ours with the right size is replaced. Raises NoSpace
        when the disk cannot hold `size` bytes, StoreError without kernel locks, OSError.
        """
        name = f"{directory}/{digest}"
        claimed = claim(name)
        if claimed is None:
            return None
        descriptor, status = claimed
        staging = cls(descriptor, name, size, journal)
        if size > SMALL:
            # Read-ahead would bring pages of holes into memory, where SEEK_DATA takes them for data
            # (measured on ext4 after fallocate: 10 MiB too much).
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        try:
            staging._begin(status.st_size)
        except BaseException:
            staging.close()
            raise
        return staging

    @property
    def path(self) -> Path:
        """The file; made when it is asked for, since pathlib costs as much as a system call."""
        return Path(self._name)

    def missing(self) -> list[tuple[int, int]]:
        """Return the half-open byte ranges that have not arrived, in order."""
        return self._ranges.missing(self.size)

    def write(self, offset: int, chunks: Sequence[bytes]) -> None:
        """Put the joined chunks at `offset`. Raises OSError; ValueError beyond the size."""
        end = offset + sum(map(len, chunks))
        self._check(offset, end)
        self._hash.writing(offset)
        _write(self.descriptor, chunks, offset)
        self._hash.written(chunks)
        self._arrived(offset, end)

    def wrote(self, start: int, end: int) -> None:
        """Take note that another process has put [start, end) into the file.

        A report that is partly new must be new as a whole, or the rest counts as written twice, and
        the file is hashed once more at the end. Raises ValueError beyond the size.
        """
        self._check(start, end)
        again = self._hash.reaches(start)
        if self._arrived(start, end):
            self._remembered = True
            if again:
                self._hash.rewritten()

    def restart(self) -> None:
        """Forget everything: nothing that has arrived may be used. Raises OSError."""
        count = self._ranges.count
        self._hash.stop()
        os.ftruncate(self.descriptor, 0)
        os.ftruncate(self.descriptor, self.size)
        self._forget()
        self._ranges = Ranges()
        self._saved = (0, time.monotonic())
        self._hash = Progressive(self.descriptor, self.size)
        if self.on_bytes and count:
            self.on_bytes(-count)

    def hexdigest(self) -> str:
        """Return the sha256 of the file, and "" while bytes are missing.

        Waits for the thread that hashes, which is close behind the last byte. Raises OSError.
        """
        return self._hash.digest() if self._ranges.count == self.size else ""

    def seal(self) -> Signature:
        """Make the verified file read-only, before it gets its name; returns how it looks now.

        Raises ValueError when its bytes are not those of the pin, OSError.
        """
        if self.hexdigest() != self.digest:
            raise ValueError(f"the bytes in staging are not those of {self.digest}")
        with suppress(PermissionError):  # FAT, some network mounts
            os.fchmod(self.descriptor, 0o444)
        status = os.fstat(self.descriptor)
        if status.st_size != self.size:
            raise ValueError(f"{status.st_size} bytes in staging instead of {self.size}")
        return Signature(status.st_size, status.st_mtime_ns, status.st_ino)

    def rename(self, digest: Digest) -> None:
        """Take another digest: that of bytes which were not pinned when this began."""
        self._forget()
        self.digest = digest

    def move(self, target: str) -> None:
        """Give the file its final name and let go of it. Raises OSError, and then it is kept."""
        os.rename(self._name, target)  # noqa: PTH104 - a string, see open
        self._forget()
        self._end()

    def close(self) -> None:
        """Let go of the file, and keep it if another run can go on from it. May be repeated."""
        if self.descriptor < 0:
            return
        if self._ranges.count and self.size > RESUMED:
            self._save()
            self._end()
        else:
            self.discard()

    def discard(self) -> None:
        """Let go of the file and remove it. May be repeated."""
        if self.descriptor >= 0:
            self.path.unlink(missing_ok=True)
            self._forget()
            self._end()

    def _begin(self, found: int) -> None:
        """Take what an earlier run left, or make a file of full size."""
        if found == self.size > RESUMED:
            self._remembered = True
            known = self._journal.ranges(self.digest, self.size)
            if holes.exact(self.path.parent):
                known = holes.arrived(self.descriptor, self.size, known)
            self._ranges = known
            self._save()
            self._hash.advance(known.prefix())
            return
        if found:
            os.ftruncate(self.descriptor, 0)
            self._remembered = True
            self._forget()
        try:
            if self.size > SMALL:
                holes.reserve(self.descriptor, self.size)
            else:
                os.ftruncate(self.descriptor, self.size)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            free = os.fstatvfs(self.descriptor)
            place = str(self.path.parent)
            raise NoSpace(self.size, free.f_bavail * free.f_frsize, place) from error

    def _check(self, start: int, end: int) -> None:
        if not 0 <= start <= end <= self.size:
            raise ValueError(f"bytes {start} to {end} of a file of {self.size}")

    def _arrived(self, start: int, end: int) -> int:
        """Keep the books; returns how many bytes are new."""
        seam = start % holes.GRID and not self._ranges.touches(start)
        new = self._ranges.add(start, end)
        if self.size > INLINE:
            self._hash.advance(self._ranges.prefix())
        if self.size > SMALL:
            count, moment = self._saved
            if (
                seam
                or self._ranges.count - count >= _SAVE_BYTES
                or time.monotonic() - moment >= _SAVE_SECONDS
            ):
                self._save()
        if new and self.on_bytes:
            self.on_bytes(new)
        return new

    def _save(self) -> None:
        self._journal.save_ranges(Digest(self._name.rpartition("/")[2]), self._ranges)
        self._saved = (self._ranges.count, time.monotonic())
        self._remembered = True

    def _forget(self) -> None:
        """Remove what other places know of this file."""
        if self._remembered:
            self._journal.drop_ranges([Digest(self._name.rpartition("/")[2])])
            Path(f"{self._name}.aria2").unlink(missing_ok=True)
            self._remembered = self.size > SMALL

    def _end(self) -> None:
        self._hash.stop()
        os.close(self.descriptor)
        self.descriptor = -1


def _write(descriptor: int, chunks: Sequence[bytes], offset: int) -> None:
    if len(chunks) > _IOV_MAX:
        chunks = [b"".join(chunks)]
    total = sum(map(len, chunks))
    count = os.pwritev(descriptor, chunks, offset)
    while count < total:  # a signal, or a disk that fills up: the next call says which
        rest = memoryview(b"".join(chunks))[count:]
        count += os.pwrite(descriptor, rest, offset + count)
