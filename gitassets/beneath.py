"""Files below a directory, and never outside it, whoever swaps a component for a symlink meanwhile.

A path is resolved from an open descriptor of the root, without following any symlink: by one
openat2(2) where the kernel has it, else component by component. Nothing is remembered between two
files, since a checked prefix may change (gitoxide CVE-2026-44471), except while the caller holds a
directory open.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gitassets import syscalls
from gitassets.errors import Blocked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_PIECE = 2**20
"""Bytes copied at a time."""


class Root:
    """A directory below which files are read and written.

    Paths are relative, POSIX, and hold no empty component, `.` or `..` (ValueError). A symlink or a
    file where a directory is needed raises Blocked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._held: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._descriptor = os.open(self.path, _DIRECTORY)
        self._held[""] = self._descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.clear()
        os.close(self._descriptor)
        self._descriptor = -1

    @contextmanager
    def directory(self, relative: str, *, create: bool = False) -> Iterator[int]:
        """Hold a directory ("" is the root) open: what is done in it meanwhile opens nothing more.

        Gives its descriptor. What is missing is made (mode 0777 less umask) when `create`, else it
        raises FileNotFoundError.
        """
        if relative in self._held:
            yield self._held[relative]
            return
        descriptor = self._open_directory(relative, create=create)
        self._held[relative] = descriptor
        try:
            yield descriptor
        finally:
            del self._held[relative]
            os.close(descriptor)

    def stat(self, relative: str) -> os.stat_result | None:
        """Return the lstat of a path, or None when nothing is there."""
        try:
            with self._parent(relative) as (directory, leaf):
                return os.lstat(leaf, dir_fd=directory)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def scan(self, relative: str, names: Iterable[str]) -> dict[str, os.stat_result]:
        """Return the lstat of those of `names` that exist in one directory."""
        found: dict[str, os.stat_result] = {}
        try:
            with self.directory(relative) as directory:
                for name in names:
                    with suppress(FileNotFoundError):
                        found[name] = os.lstat(name, dir_fd=directory)
        except (FileNotFoundError, NotADirectoryError):
            pass
        return found

    def open_read(self, relative: str) -> int:
        """Open a regular file; the caller closes the descriptor.

        Raises FileNotFoundError, and Blocked for a symlink, a FIFO, a device or a directory.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with self._parent(relative) as (directory, leaf):
            try:
                descriptor = os.open(leaf, flags, dir_fd=directory)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENXIO):  # ENXIO: a socket
                    raise Blocked(relative, "is not a regular file") from error
                raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise Blocked(relative, "is not a regular file")
        return descriptor

    def read_link(self, relative: str) -> str:
        """Where a symlink points. Raises OSError when it is none."""
        with self._parent(relative) as (directory, leaf):
            return os.readlink(leaf, dir_fd=directory)

    def write_atomic(
        self, relative: str, data: bytes, mode: int = 0o644, *, sync: bool = True
    ) -> None:
        """Replace a file as a whole: afterwards it holds the old bytes or the new ones.

        An existing file keeps its permissions; `mode` (less umask) is for a new one. With `sync`
        the new bytes also survive a power loss once this returns. Raises Blocked when something
        else than a regular file is there, OSError when the disk will not take it.
        """

        def put(directory: int, name: str) -> None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, mode, dir_fd=directory)
            try:
                if old is not None:
                    os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & 0o777)
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                if sync:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)

        old = self.stat(relative)
        if old is not None and not stat.S_ISREG(old.st_mode):
            raise Blocked(relative, "is not a regular file")
        with self.directory(_split(relative)[0], create=True) as directory:
            self.place(relative, put)
            if sync:
                os.fsync(directory)

    def create(self, relative: str, put: Callable[[int, str], None]) -> os.stat_result:
        """Let `put(directory, name)` make a file where none is; returns its lstat.

        `put` must make it in one step, and raise FileExistsError when the name is taken. Missing
        parents are made.
        """
        with self._parent(relative, create=True) as (directory, leaf):
            put(directory, leaf)
            return os.lstat(leaf, dir_fd=directory)

    def place(self, relative: str, put: Callable[[int, str], None]) -> os.stat_result:
        """Let `put(directory, name)` make a file, then give it its name in one step.

        Replaces a file or symlink that has the name (a directory: Blocked). Missing parents are
        made. Returns the lstat of what is there then.
        """
        with self._parent(relative, create=True) as (directory, leaf):
            name = f".git-assets-{os.urandom(8).hex()}"
            try:
                put(directory, name)
                os.rename(name, leaf, src_dir_fd=directory, dst_dir_fd=directory)
                # rename(2) does nothing at all when both names are links to one inode.
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=directory)
                return os.lstat(leaf, dir_fd=directory)
            except BaseException as error:
                with suppress(OSError):
                    os.unlink(name, dir_fd=directory)
                if isinstance(error, IsADirectoryError):
                    raise Blocked(relative, "is a directory") from error
                raise

    def rename(self, old: str, new: str) -> None:
        """Move a file, over one that may be there; missing parents of `new` are made.

        Raises FileNotFoundError when `old` does not exist.
        """
        with self._parent(old) as (source, leaf), self._parent(new, create=True) as (target, name):
            os.rename(leaf, name, src_dir_fd=source, dst_dir_fd=target)

    def move_out(self, relative: str, target: Path) -> None:
        """Move what has a name, a directory too, to `target`, which must not exist.

        A regular file is copied when `target` is on another file system. Raises OSError.
        """
        with self._parent(relative) as (directory, leaf):
            try:
                os.rename(leaf, target, src_dir_fd=directory)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                with os.fdopen(self.open_read(relative), "rb") as file, target.open("xb") as copy:
                    while piece := file.read(_PIECE):
                        copy.write(piece)
                os.unlink(leaf, dir_fd=directory)

    def remove(self, relative: str, *, prune: bool = True) -> bool:
        """Unlink a file or a symlink, and with `prune` the parents that are empty then.

        Returns whether it was there. Raises Blocked for a directory.
        """
        try:
            with self._parent(relative) as (directory, leaf):
                os.unlink(leaf, dir_fd=directory)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except IsADirectoryError as error:
            raise Blocked(relative, "is a directory") from error
        parent = _split(relative)[0]
        with suppress(OSError, Blocked):  # the first one that is not empty ends it
            while prune and parent:
                with self._parent(parent) as (directory, leaf):
                    os.rmdir(leaf, dir_fd=directory)
                parent = _split(parent)[0]
        return True

    @contextmanager
    def _parent(self, relative: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        parent, leaf = _split(relative)
        descriptor = self._held.get(parent)
        if descriptor is not None:
            yield descriptor, leaf
            return
        descriptor = self._open_directory(parent, create=create)
        try:
            yield descriptor, leaf
        finally:
            os.close(descriptor)

    def _open_directory(self, relative: str, *, create: bool) -> int:
        components = _check(relative)
        try:
            try:
                if syscalls.has_openat2():
                    return syscalls.openat2(self._descriptor, relative or ".", _DIRECTORY)
                return self._walk(components, create=False)
            except FileNotFoundError:
                if not create:
                    raise
                return self._walk(components, create=True)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise Blocked(relative, "is reached through a symlink") from error
            if create and error.errno == errno.ENOTDIR:
                raise Blocked(relative, "is not a directory") from error
            raise

    def _walk(self, components: list[str], *, create: bool) -> int:
        here = os.dup(self._descriptor)
        for component in components:
            above = here
            try:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(component, dir_fd=above)
                here = _step(above, component)
            finally:
                os.close(above)
        return here


def _step(above: int, component: str) -> int:
    """Open one directory in another. Raises OSError, with ELOOP for a symlink."""
    try:
        return os.open(component, _DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
    except NotADirectoryError:  # Linux says so of a symlink, too
        if stat.S_ISLNK(os.lstat(component, dir_fd=above).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), component) from None
        raise


def _check(relative: str) -> list[str]:
    components = relative.split("/") if relative else []
    if "\0" in relative or any(part in ("", ".", "..") for part in components):
        raise ValueError(f"not a plain relative path: {relative!r}")
    return components


def _split(relative: str) -> tuple[str, str]:
    components = _check(relative)
    if not components:
        raise ValueError("the path of a file is empty")
    return "/".join(components[:-1]), components[-1]
