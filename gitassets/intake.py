"""A file that is on this disk already, on its way into the cache."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from gitassets import hashing
from gitassets.model import Signature

if TYPE_CHECKING:
    from pathlib import Path

    from gitassets.link import Linker
    from gitassets.model import Digest


class Intake:
    """A link to, or a copy of, a file elsewhere, hashed from its own descriptor.

    The digest is that of the bytes in the cache, whatever happens to the original meanwhile.
    """

    def __init__(self, source: Path, directory: Path, linker: Linker) -> None:
        """Take `source` into `directory` as `linker` can.

        Raises OSError, ValueError when it is not a regular file.
        """
        self._path = directory / f"new-{os.urandom(8).hex()}"
        self.descriptor = -1
        """Open for reading; -1 when this is over."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        if not stat.S_ISREG(source.lstat().st_mode):
            raise ValueError(f"'{source}' is not a regular file")
        place = os.open(directory, flags | os.O_DIRECTORY)
        try:
            linker.link(source, place, self._path.name, executable=False)
            self.descriptor = os.open(self._path.name, flags | os.O_NONBLOCK, dir_fd=place)
            self.digest: Digest = hashing.sha256_of(self.descriptor)
            self.size = os.fstat(self.descriptor).st_size
        except BaseException:
            self.discard()
            raise
        finally:
            os.close(place)

    def seal(self) -> Signature:
        """Make the file read-only; returns how it looks. Raises OSError."""
        with suppress(PermissionError):
            os.fchmod(self.descriptor, 0o444)
        status = os.fstat(self.descriptor)
        return Signature(status.st_size, status.st_mtime_ns, status.st_ino)

    def move(self, target: str) -> None:
        """Give the file its final name and let go of it. Raises OSError."""
        self._path.rename(target)
        # rename(2) does nothing when both names are links to one inode already.
        self.discard()

    def discard(self) -> None:
        """Let go of the file and remove it. May be repeated."""
        self._path.unlink(missing_ok=True)
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
