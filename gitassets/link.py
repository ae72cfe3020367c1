"""Make a file from an object of the cache: reflink, hardlink, symlink or copy.

Each way exists on some file systems and not on others; `Linker` finds out once for each pair.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

MODES = ("reflink", "hardlink", "symlink", "copy")

_FICLONE = 0x40049409
"""_IOW(0x94, 9, int) (ioctl_ficlone(2))."""
_COPIED_AT_ONCE = 64 << 20
"""Bytes a call; small enough that Ctrl-C is heard."""
_READ_AT_ONCE = 1 << 20
_NOT_HERE = frozenset(
    {
        errno.EPERM,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        errno.EXDEV,
        errno.ENOTTY,
        errno.ENOSYS,
        errno.EINVAL,
    }
)
"""What the calls say when a pair of file systems cannot do this."""
_NOT_THIS_FILE = frozenset({errno.EMLINK, errno.EACCES})
"""What link(2) says of one object: too many links, or somebody else's (fs.protected_hardlinks)."""


def make(mode: str, source: Path, directory: int, name: str, *, executable: bool) -> None:
    """Create `name`, which must not exist, in an open directory from the object `source`.

    A hardlink shares the object's inode and its mode 0444, a symlink points at it. The others are
    the user's own files (0644, or 0755, less umask), and grow under `name`. Raises OSError, and
    then nothing is left.
    """
    if mode == "hardlink":
        os.link(source, name, dst_dir_fd=directory, follow_symlinks=False)
    elif mode == "symlink":
        os.symlink(source.absolute(), name, dir_fd=directory)
    else:
        permissions = 0o755 if executable else 0o644
        _fill(_clone if mode == "reflink" else _copy, source, directory, name, permissions)


class Linker:
    """The modes that the user allows, in order, and what is known of them."""

    def __init__(self, modes: Sequence[str]) -> None:
        self._modes = tuple(modes)
        self._failed: set[tuple[str, int]] = set()
        """(mode, device of the directory): all objects are on one device, the cache's."""

    def link(self, source: Path, directory: int, name: str, *, executable: bool) -> str:
        """Create `name`, which must not exist, by the first mode that works; returns that mode.

        The name appears with the whole content or not at all. An executable never shares the
        object's inode, so for it `copy` is allowed always. Raises OSError: FileExistsError, or what
        the last mode said.
        """
        modes = self._modes
        if executable:
            modes = (*(mode for mode in modes if mode == "reflink"), "copy")
        for mode in modes:
            pair = (mode, os.fstat(directory).st_dev) if self._failed else None
            if pair in self._failed and mode != modes[-1]:
                continue
            try:
                self._make(mode, source, directory, name, executable=executable)
            except OSError as error:
                if mode == modes[-1] or not self._falls_through(mode, error):
                    raise
                if error.errno in _NOT_HERE:
                    self._failed.add((mode, os.fstat(directory).st_dev))
            else:
                return mode
        raise ValueError("no link mode is allowed")

    @staticmethod
    def _falls_through(mode: str, error: OSError) -> bool:
        return error.errno in _NOT_HERE or (mode == "hardlink" and error.errno in _NOT_THIS_FILE)

    @staticmethod
    def _make(mode: str, source: Path, directory: int, name: str, *, executable: bool) -> None:
        if mode in ("hardlink", "symlink"):  # whole from the first moment
            make(mode, source, directory, name, executable=executable)
            return
        with suppress(FileNotFoundError):
            os.lstat(name, dir_fd=directory)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        temporary = f".git-assets-{os.urandom(8).hex()}"
        make(mode, source, directory, temporary, executable=executable)
        try:
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError:
            os.unlink(temporary, dir_fd=directory)
            raise


def _fill(
    move: Callable[[int, int], None], source: Path, directory: int, name: str, permissions: int
) -> None:
    origin = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        target = os.open(name, flags, permissions, dir_fd=directory)
        try:
            move(origin, target)
        except BaseException:
            os.unlink(name, dir_fd=directory)
            raise
        finally:
            os.close(target)
    finally:
        os.close(origin)


def _clone(origin: int, target: int) -> None:
    fcntl.ioctl(target, _FICLONE, origin)


def _copy(origin: int, target: int) -> None:
    """Copy a whole file by the kernel's shortest way. Raises OSError when it comes out shorter."""
    size = os.fstat(origin).st_size
    done = 0
    for way in (_copy_file_range, _sendfile, _read_and_write):
        try:
            while done < size and (count := way(origin, target, done)):
                done += count
        except OSError as error:
            if error.errno not in _NOT_HERE or way is _read_and_write:
                raise
        if done >= size:
            return
    raise OSError(errno.EIO, f"the source ends after {done} of {size} bytes")


def _copy_file_range(origin: int, target: int, at: int) -> int:
    return os.copy_file_range(origin, target, _COPIED_AT_ONCE, at, at)


def _sendfile(origin: int, target: int, at: int) -> int:
    os.lseek(target, at, os.SEEK_SET)
    return os.sendfile(target, origin, at, _COPIED_AT_ONCE)


def _read_and_write(origin: int, target: int, at: int) -> int:
    return os.pwrite(target, os.pread(origin, _READ_AT_ONCE, at), at)
