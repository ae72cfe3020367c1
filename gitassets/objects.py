"""The objects of a cache: read-only files named by their sha256, `<ab>/<the other 62 digits>`.

An object appears whole, verified and on disk: content synced, then the name, then the directory. It
is never written again.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from gitassets import hashing, syscalls
from gitassets.model import Digest, Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_FEW = 4
"""Files that are synced one by one; more of them share one syncfs(2), ten times as fast."""


class Examined(NamedTuple):
    """What hashing an object showed."""

    digest: Digest
    state: Literal["ok", "corrupt", "absent"]
    error: str | None = None
    """Why it is corrupt."""
    signature: Signature | None = None
    """How it looked, when it is ok."""


class Verified(Protocol):
    """A file that may become an object; `gitassets.staging` and `gitassets.intake` have one."""

    @property
    def digest(self) -> Digest:
        """The sha256 that it must have."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def descriptor(self) -> int:
        """Open; -1 when the file was moved or thrown away."""

    def seal(self) -> Signature:
        """Make it read-only. Raises ValueError when the bytes are not those of the digest."""

    def move(self, target: str) -> None:
        """Rename it and let go of it."""

    def discard(self) -> None:
        """Remove it."""


class Objects:
    """The directory of objects."""

    def __init__(self, root: Path, *, fsync: bool, mode: int) -> None:
        self._root = root
        self._fsync = fsync
        self._mode = mode
        self._made: set[str] = set()

    def path(self, digest: Digest) -> Path:
        """Return where an object is, or would be."""
        return Path(f"{self._root}/{digest[:2]}/{digest[2:]}")

    def look(self, digest: Digest) -> Signature | None:
        """Return how an object looks; None when it is absent. Anything may have its name."""
        try:  # ten thousand times a run: pathlib would take longer than the kernel
            status = os.lstat(f"{self._root}/{digest[:2]}/{digest[2:]}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Signature(status.st_size, status.st_mtime_ns, status.st_ino)

    def examine(self, digest: Digest) -> Examined:
        """Hash an object; one that cannot be read is corrupt."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self.path(digest), flags)
        except (FileNotFoundError, NotADirectoryError):
            return Examined(digest, "absent")
        except OSError as error:
            return Examined(digest, "corrupt", error.strerror)
        try:
            # Looked at before: a change while it is hashed then differs from what is recorded.
            status = os.fstat(descriptor)
            found = hashing.sha256_of(descriptor)
        except OSError as error:
            return Examined(digest, "corrupt", error.strerror)
        finally:
            os.close(descriptor)
        if found != digest:
            return Examined(digest, "corrupt", f"its sha256 is {found.short}")
        signature = Signature(status.st_size, status.st_mtime_ns, status.st_ino)
        return Examined(digest, "ok", signature=signature)

    def publish(
        self, batch: Sequence[Verified], keeps: Callable[[Digest], bool]
    ) -> list[tuple[Digest, Signature]]:
        """Make objects of verified files, and say how they look.

        Where an object exists, `keeps` decides whether it stays; then the new file is dropped.
        Raises ValueError before anything happens when a file has not the bytes of its digest, and
        OSError; content that could not be synced is thrown away, since after a failed fsync(2) the
        kernel takes the pages for clean.
        """
        looks = [(file, file.digest, file.seal()) for file in batch]
        try:
            self._sync([file.descriptor for file in batch])
        except OSError:
            for file in batch:
                file.discard()
            raise
        rows = []
        changed = set()
        for file, digest, signature in looks:
            fan = f"{self._root}/{digest[:2]}"
            if self._make(fan):
                changed.add(str(self._root))
            target = f"{fan}/{digest[2:]}"
            if os.path.lexists(target) and keeps(digest):
                file.discard()
                continue
            file.move(target)
            changed.add(fan)
            rows.append((digest, signature))
        self._sync_directories(changed)
        return rows

    def move_away(self, digest: Digest, target: Path) -> None:
        """Move an object out of the way, over what is there. Absent: nothing."""
        with suppress(FileNotFoundError):
            self.path(digest).replace(target)

    def remove(self, digest: Digest) -> None:
        """Delete an object. Absent: nothing."""
        self.path(digest).unlink(missing_ok=True)

    def __iter__(self) -> Iterator[tuple[Digest, int, float]]:
        """Go through all: digest, size in bytes, time of the last change in seconds."""
        for fan in _entries(self._root):
            for entry in _entries(fan):
                with suppress(ValueError, FileNotFoundError):  # not ours; gone meanwhile
                    digest = Digest(fan.name + entry.name)
                    status = entry.stat(follow_symlinks=False)
                    yield digest, status.st_size, status.st_mtime

    def _make(self, fan: str) -> bool:
        """Make the directory of a digest; tells whether it is new."""
        if fan in self._made:
            return False
        try:
            os.mkdir(fan, self._mode)  # noqa: PTH102 - a string, as in look
        except FileExistsError:
            return False
        finally:
            self._made.add(fan)  # not before it is there: another thread may publish, too
        return True

    def _sync(self, descriptors: Sequence[int]) -> None:
        if not self._fsync:
            return
        if len(descriptors) > _FEW:
            try:
                syscalls.syncfs(descriptors[0])
            except OSError as error:
                if error.errno not in syscalls.UNSUPPORTED:
                    raise
            else:
                return
        for descriptor in descriptors:
            try:
                os.fsync(descriptor)
            except OSError as error:
                if error.errno not in (*syscalls.UNSUPPORTED, errno.EINVAL):
                    raise

    def _sync_directories(self, directories: Iterable[str]) -> None:
        if not self._fsync:
            return
        opened: list[int] = []
        try:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            opened.extend(os.open(directory, flags) for directory in sorted(directories))
            self._sync(opened)
        finally:
            for descriptor in opened:
                os.close(descriptor)


def _entries(directory: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
