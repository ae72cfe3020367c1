"""A directory of this machine or of a network file system, as `/path` or `file:`.

An object gets its name when its bytes are on disk: written without a name, synced, then linked.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from gitassets.beneath import Root
from gitassets.errors import Blocked, Cause, TransferError
from gitassets.model import Url
from gitassets.remotes.base import Held, place

if TYPE_CHECKING:
    from gitassets.model import Digest
    from gitassets.remotes.base import Named, Surroundings
    from gitassets.remotes.content import Content

_NO_TMPFILE = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT})
"""What file systems and kernels say that do not know O_TMPFILE."""


def path_of(url: str, top: Path) -> Path:
    """Give the absolute path that a plain path or a `file:` URL means; relative ones are below top.

    No symlink is resolved.
    """
    text = url
    if url.startswith("file:"):
        text = unquote(url.removeprefix("file:"))
        text = text[2:] if text.startswith("///") else text
    return Path(os.path.normpath(top / text))


class Directory:
    """A directory; made when its parent exists, so that a volume that is not mounted is noticed."""

    def __init__(self, named: Named, surroundings: Surroundings) -> None:
        self.name = named.name
        self.url = named.url
        self._public = named.public
        self._top = surroundings.top
        self._path = path_of(named.url, surroundings.top)

    def stat(self, digest: Digest) -> Held | None:
        """Look. Raises TransferError."""
        try:
            with Root(self._path) as root:
                facts = root.stat(place(digest))
        except FileNotFoundError:
            return None
        except (OSError, Blocked) as error:
            raise self._failed("read", error) from error
        if facts is None or not stat.S_ISREG(facts.st_mode):
            return None
        return Held(facts.st_size)

    def put(self, content: Content, *, replace: bool) -> None:
        """Copy. Raises TransferError, and what reading raises."""
        try:
            with suppress(FileExistsError):
                self._path.mkdir()
            with Root(self._path) as root:
                _write(root, content, replace=replace)
        except (OSError, Blocked) as error:
            raise self._failed("write to", error) from error

    def public_url(self) -> Url | None:
        """Give a relative `file:` URL for a directory that the repository carries."""
        if self._public:
            return self._public
        try:
            relative = self._path.relative_to(self._top)
        except ValueError:
            return None
        return Url("file:" + quote(relative.as_posix())) if relative.parts else None

    def close(self) -> None:
        """Nothing is kept open."""

    def _failed(self, what: str, error: OSError | Blocked) -> TransferError:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return TransferError(self.url, f"cannot {what} '{self._path}': {reason}", Cause.LOCAL)


def _write(root: Root, content: Content, *, replace: bool) -> None:
    target = place(content.digest)
    with root.directory(content.digest[:2], create=True) as directory:
        unnamed = _unnamed(directory)
        if unnamed is None:
            root.place(target, partial(_copy_to_name, content))
        else:
            try:
                _copy(content, unnamed)
                _name(root, unnamed, target, replace=replace)
            finally:
                os.close(unnamed)
        os.fsync(directory)


def _unnamed(directory: int) -> int | None:
    """Open a file that has no name yet: who is killed leaves nothing (open(2), O_TMPFILE).

    None where the file system has no such files: NFS, for one.
    """
    if not (hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd")):  # noqa: PTH112
        return None
    try:
        return os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=directory)
    except OSError as error:
        if error.errno in _NO_TMPFILE:
            return None
        raise


def _name(root: Root, unnamed: int, target: str, *, replace: bool) -> None:
    """Give the file its name; one that is there stays, unless `replace`."""

    def link(directory: int, name: str) -> None:
        os.link(f"/proc/self/fd/{unnamed}", name, dst_dir_fd=directory, follow_symlinks=True)

    if replace:
        root.place(target, link)
        return
    with suppress(FileExistsError):
        root.create(target, link)


def _copy_to_name(content: Content, directory: int, name: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o644, dir_fd=directory)
    try:
        _copy(content, descriptor)
    finally:
        os.close(descriptor)


def _copy(content: Content, descriptor: int) -> None:
    for piece in content:
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)
