"""An object on its way out: read once, hashed while it is read.

The last bytes are handed over only when the sha256 is right, so that no remote can ever complete an
upload of wrong ones.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from gitassets.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from gitassets.model import Digest

_PIECE = 2**20
"""Bytes read at a time, when the reader has no wish."""


class Stopped(Exception):  # noqa: N818 - a request, not a failure
    """Somebody called `stop`: the upload is to end without having happened."""


class Content:
    """An open object. Read from one thread; `sent` and `stop` are for any other."""

    def __init__(self, path: Path, digest: Digest, size: int) -> None:
        """Raises StoreError when there is no such file of this size."""
        self.digest = digest
        self.size = size
        self.sent = 0
        """Bytes handed over."""
        self._stopped = False
        self._hasher = hashlib.sha256()
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise self._wrong(f"cannot be read: {error.strerror}") from error
        found = os.fstat(self._file.fileno()).st_size
        if found != size:
            self._file.close()
            raise self._wrong(f"has {found} bytes instead of {size}")
        if not size and self._hasher.hexdigest() != digest:  # nobody will read it
            self._file.close()
            raise self._wrong("holds other bytes")

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(_PIECE):
            yield piece

    def read(self, count: int = -1) -> bytes:
        """Give the next bytes, at most `count`.

        Raises StoreError when they are not those of the digest, Stopped.
        """
        if self._stopped:
            raise Stopped
        left = self.size - self.sent
        wanted = left if count < 0 else min(count, left)
        pieces: list[bytes] = []
        while wanted:
            piece = self._file.read(wanted)
            if not piece:
                raise self._wrong("became shorter while it was read")
            pieces.append(piece)
            self._hasher.update(piece)
            wanted -= len(piece)
            left -= len(piece)
        if not left and self._hasher.hexdigest() != self.digest:
            raise self._wrong("holds other bytes")
        data = b"".join(pieces)
        self.sent += len(data)
        return data

    def rewind(self) -> None:
        """Begin again from the first byte: the server wants the same once more."""
        self._file.seek(0)
        self._hasher = hashlib.sha256()
        self.sent = 0

    def stop(self) -> None:
        """Let the next read raise Stopped."""
        self._stopped = True

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _wrong(self, why: str) -> StoreError:
        hint = "git assets verify --cache --repair"
        return StoreError(f"object {self.digest.short} of the cache {why}", hint=hint)
