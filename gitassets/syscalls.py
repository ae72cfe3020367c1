"""The system calls that Python does not offer, by ctypes. Elsewhere than on Linux: ENOSYS."""

from __future__ import annotations

import errno
import os
import struct
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes

_SYS_OPENAT2 = 437
"""The same number on every architecture (Linux 5.6)."""
_AT_FDCWD = -100
_RESOLVE = 0x04 | 0x08
"""RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH (openat2(2))."""
UNSUPPORTED = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})
"""What a call says that the kernel or the file system does not have."""


def openat2(directory: int, relative: str, flags: int) -> int:
    """Open what is below a directory; a symlink on the way: ELOOP, a way out of it: EXDEV."""
    how = struct.pack("QQQ", flags, 0, _RESOLVE)
    name = os.fsencode(relative)
    return _call("syscall", _SYS_OPENAT2, directory, name, how, len(how))


@cache
def has_openat2() -> bool:
    """Ask the kernel once: before Linux 5.6 it says ENOSYS, under an older seccomp filter EPERM."""
    try:
        os.close(openat2(_AT_FDCWD, ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def fallocate(descriptor: int, size: int) -> None:
    """Reserve the bytes [0, size) and make the file that long; what is not written stays a hole.

    Not os.posix_fallocate: where a file system cannot, glibc's writes a byte into every block.
    """
    import ctypes  # noqa: PLC0415

    # On 32-bit systems glibc's `fallocate` takes a short off_t; elsewhere the two are the same.
    name = "fallocate64" if hasattr(_libc(), "fallocate64") else "fallocate"
    _call(name, descriptor, 0, ctypes.c_int64(0), ctypes.c_int64(size))


def syncfs(descriptor: int) -> None:
    """Write the whole file system of an open file to disk; says EIO for any of it (Linux 5.8)."""
    _call("syncfs", descriptor)


@cache
def _libc() -> ctypes.CDLL:
    import ctypes  # noqa: PLC0415 - four milliseconds that `git assets version` need not pay

    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> int:
    import ctypes  # noqa: PLC0415

    function = getattr(_libc(), name, None)
    if function is None:
        raise OSError(errno.ENOSYS, f"no {name} on this system")
    result: int = function(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
