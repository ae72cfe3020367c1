"""The cache: objects by content, shared by every clone of a user, and files on their way into it.

What is handed out was verified: at publish, and again whenever its stat signature differs from the
one the journal knows, which is how a write through a hard link is found before the next link.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

from gitassets import cachedir
from gitassets.errors import NoSpace, StoreError
from gitassets.intake import Intake
from gitassets.journal import Journal
from gitassets.link import Linker
from gitassets.locks import CacheLock
from gitassets.objects import Objects
from gitassets.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from gitassets.model import Digest, Signature
    from gitassets.objects import Verified

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_WAIT_SECONDS = 60.0
"""How long a command waits for one that cleans the cache."""
_ROWS = 1000
"""Verified objects that share one transaction of the journal."""


class Store:
    """An open cache. Made by `open`; a context manager, since it holds the cache's lock."""

    def __init__(self, root: Path, lock: CacheLock, objects: Objects) -> None:
        self.root = root
        self.journal = Journal(root / "journal.db")
        self._staging = root / "staging"
        self._quarantine = root / "quarantine"
        self._share = Linker(("reflink", "hardlink", "copy"))
        self._copy = Linker(("reflink", "copy"))
        self._lock = lock
        self._objects = objects

    @classmethod
    def open(cls, root: Path, *, fsync: bool = True, shared: bool = False) -> Store:
        """Open the cache at `root`, making what is missing of it; one that is read-only serves too.

        With `fsync` what was published survives a power loss. Unless `shared`, a directory that
        others own or may write is refused. Raises StoreError.
        """
        cachedir.prepare(root, shared=shared)
        mode = cachedir.SHARED if shared else cachedir.PRIVATE
        objects = Objects(root / "sha256", fsync=fsync, mode=mode)
        return cls(root, CacheLock(root / "lock", _WAIT_SECONDS), objects)

    def close(self) -> None:
        """Let go of the cache. May be repeated."""
        self.journal.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def exclusive(self, timeout: float = _WAIT_SECONDS) -> Iterator[None]:
        """Be the only process that uses this cache; seconds to wait. Raises StoreError."""
        with self._lock.exclusive(timeout):
            yield

    def object_path(self, digest: Digest) -> Path:
        """Return where an object is, or would be."""
        return self._objects.path(digest)

    @property
    def objects_path(self) -> Path:
        """The directory of the objects: `<ab>/<the other 62 digits>` below it."""
        return self.root / "sha256"

    def free_space(self) -> int:
        """Return the bytes that this user may still write to the cache's file system."""
        facts = os.statvfs(self.root)
        return facts.f_bavail * facts.f_frsize

    def staged(self, digests: Iterable[Digest]) -> int:
        """Return how many bytes the staging files of these use on disk, reserved ones included."""
        total = 0
        with suppress(OSError):
            here = os.listdir(self._staging)  # noqa: PTH208 - mostly empty, whatever is wanted
            for name in set(here).intersection(digests):
                total += (self._staging / name).lstat().st_blocks * 512
        return total

    def holds(self, digest: Digest) -> bool:
        """Tell whether an object has that name; nothing is said of its bytes."""
        return self._objects.look(digest) is not None

    def present(self, wanted: Mapping[Digest, int]) -> set[Digest]:
        """Return those objects that are there and intact, of the given sizes in bytes.

        One whose signature is not the known one is hashed, and quarantined when it is wrong.
        """
        looks = {digest: look for digest in wanted if (look := self._objects.look(digest))}
        known = self.journal.signatures(looks)
        good = {digest for digest, look in looks.items() if known.get(digest) == look}
        for digest, state, _ in self.verify([digest for digest in looks if digest not in good]):
            if state == "ok":
                good.add(digest)
            elif state == "corrupt":
                self.quarantine(digest)
        return {digest for digest in good if looks[digest].size == wanted[digest]}

    def stage(self, digest: Digest, size: int) -> Staging | None:
        """Open the staging file of a digest; None while another process is at it.

        Raises NoSpace, StoreError.
        """
        try:
            return Staging.open(self._staging, digest, size, self.journal)
        except OSError as error:
            raise self._failed(error) from error

    def publish(self, batch: Sequence[Verified]) -> None:
        """Make objects of staging files, on disk when this returns; an intact object stays.

        Each file keeps a descriptor open until then. Raises ValueError when the bytes of one are
        not those of its digest, NoSpace, StoreError; what was not published stays in staging,
        unless the disk failed to take it.
        """
        try:
            rows = self._objects.publish(batch, self._keeps)
        except OSError as error:
            raise self._failed(error, sum(file.size for file in batch)) from error
        self.journal.record(rows)

    def adopt(self, path: Path, digest: Digest, size: int) -> bool:
        """Take bytes that another program keeps under their sha256; False when they are not these.

        They are shared where the file system can (the file then becomes read-only), else copied.
        Raises NoSpace, StoreError.
        """
        try:
            status = path.lstat()
            if status.st_size != size:
                return False
            # A foreign owner could change the bytes, or the permissions, at any time.
            own = status.st_uid == os.geteuid()
            intake = Intake(path, self._staging, self._share if own else self._copy)
        except ValueError:
            return False
        except OSError as error:
            if error.errno in _FULL or error.errno == errno.EROFS:
                raise self._failed(error, size) from error
            return False
        if intake.digest != digest:
            intake.discard()
            return False
        self._take(intake)
        return True

    def add_file(self, path: Path) -> tuple[Digest, int]:
        """Put a user's file into the cache as an object of its own; returns sha256 and size.

        Raises OSError when it cannot be read, ValueError when it is not a regular file, NoSpace,
        StoreError.
        """
        size = path.lstat().st_size
        if not os.access(path, os.R_OK, follow_symlinks=False):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        try:
            intake = Intake(path, self._staging, self._copy)
        except OSError as error:
            raise self._failed(error, size) from error
        digest, size = intake.digest, intake.size
        self._take(intake)
        return digest, size

    def verify(
        self, digests: Iterable[Digest], threads: int | None = None
    ) -> Iterator[tuple[Digest, Literal["ok", "corrupt", "absent"], str | None]]:
        """Hash objects, in parallel and in any order: digest, state, and why it is corrupt."""
        todo = list(digests)
        rows: list[tuple[Digest, Signature]] = []
        if not todo:
            return
        from multiprocessing.pool import ThreadPool  # noqa: PLC0415 - nine milliseconds

        workers = min(len(todo), threads or os.cpu_count() or 1)
        together = max(1, min(32, len(todo) // workers // 8))  # small ones cost less than a queue
        with ThreadPool(workers) as pool:
            try:
                for found in pool.imap_unordered(self._objects.examine, todo, together):
                    if found.signature:
                        rows.append((found.digest, found.signature))
                    if len(rows) >= _ROWS:
                        self.journal.record(rows)
                        rows.clear()
                    yield found.digest, found.state, found.error
            finally:
                self.journal.record(rows)

    def quarantine(self, digest: Digest) -> None:
        """Take a corrupt object out of use; its bytes stay in `quarantine`. Raises StoreError."""
        try:
            self._quarantine.mkdir(mode=cachedir.PRIVATE, exist_ok=True)
            self._objects.move_away(digest, self._quarantine / digest)
        except OSError as error:
            raise self._failed(error) from error
        self.journal.forget([digest])

    def objects(self) -> Iterator[tuple[Digest, int, float]]:
        """Go through all objects: digest, size in bytes, modification time in seconds."""
        return iter(self._objects)

    def remove(self, digest: Digest) -> None:
        """Delete an object. Raises StoreError."""
        try:
            self._objects.remove(digest)
        except OSError as error:
            raise self._failed(error) from error
        self.journal.forget([digest])

    def _take(self, intake: Intake) -> None:
        try:
            self.publish([intake])
        finally:
            intake.discard()

    def _keeps(self, digest: Digest) -> bool:
        """Tell whether the object that has this name already is the right one."""
        look = self._objects.look(digest)
        return look is not None and digest in self.present({digest: look.size})

    def _failed(self, error: OSError, needed: int = 0) -> StoreError:
        if error.errno in _FULL:
            return NoSpace(needed, self.free_space(), str(self.root))
        return cachedir.unusable(self.root, error)
