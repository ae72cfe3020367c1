"""Kernel locks: one for each file that is being written, one for the cache as a whole.

The kernel drops them with the process, so no lock is ever stale, and no age decides anything.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gitassets.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_REPLACEABLE = frozenset({errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EACCES})
"""A symlink, a directory, a socket, a file without permission: what open(2) says of each."""
_POLL = 0.05
"""Seconds between two tries where flock(2) has no time limit of its own."""


def claim(path: str) -> tuple[int, os.stat_result] | None:
    """Open or create a regular file of ours and lock it; None while another process has it.

    Whatever else has the name is removed. The lock ends with the descriptor. Raises StoreError
    where the file system has no locks, OSError.
    """
    while True:
        descriptor = _open(path)
        try:
            if not _lock(descriptor, path):
                os.close(descriptor)
                return None
            status = os.fstat(descriptor)
            if _has_name(status, path):
                if _is_ours(status):
                    return descriptor, status
                Path(path).unlink()
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # it was published, or thrown away, between open and lock


class CacheLock:
    """Held shared while a cache is in use, exclusively while it is cleaned.

    Where it cannot be opened, or the file system has no locks, it is not held: such a cache can
    only be read.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        """Wait up to `timeout` seconds for a process that cleans. Raises StoreError after it."""
        self._path = path
        self._descriptor = -1
        for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
            if self._descriptor < 0:
                with suppress(OSError):
                    self._descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
        if self._descriptor < 0:
            return
        try:
            self._take(fcntl.LOCK_SH, timeout, "is being cleaned")
        except BaseException:
            self.close()
            raise

    @contextmanager
    def exclusive(self, timeout: float) -> Iterator[None]:
        """Be the only process that uses the cache. Raises StoreError when that takes too long."""
        if self._descriptor < 0:
            raise StoreError(f"no permission to lock '{self._path.parent}'")
        try:
            self._take(fcntl.LOCK_EX, timeout, "is in use")
            yield
        finally:
            with suppress(OSError):  # no locks: what was raised says so
                fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def close(self) -> None:
        """Let go. May be repeated."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, kind: int, timeout: float, why: str) -> None:
        end = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() >= end:
                    raise StoreError(
                        f"the cache '{self._path.parent}' {why} by another git assets",
                        hint="try again when it has finished",
                    ) from error
                time.sleep(_POLL)
            except OSError as error:
                if kind == fcntl.LOCK_EX:
                    raise StoreError(f"no locks on '{self._path}': {error.strerror}") from error
                return
            else:
                return


def _open(path: str) -> int:
    try:
        return os.open(path, _FLAGS, 0o600)
    except OSError as error:
        if error.errno not in _REPLACEABLE or not os.path.lexists(path):
            raise
        if error.errno == errno.EISDIR:
            shutil.rmtree(path)
        elif error.errno == errno.EACCES and Path(path).is_file():
            Path(path).chmod(0o600)  # made read-only by a process that died before its rename
        else:
            Path(path).unlink()
    return os.open(path, _FLAGS, 0o600)


def _lock(descriptor: int, path: str) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StoreError(
            f"no locks on the file system of '{Path(path).parent}': {error.strerror}",
            hint="git config --global assets.cacheDir DIRECTORY",
        ) from error
    return True


def _has_name(status: os.stat_result, path: str) -> bool:
    try:
        return os.path.samestat(status, os.lstat(path))
    except FileNotFoundError:
        return False


def _is_ours(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_nlink == 1
