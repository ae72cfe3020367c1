"""A directory of this machine or of a network file system, as `/path` or `file:`.

An object gets its name when its bytes are on disk: written under another name, synced, renamed.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
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

    def put(self, content: Content, *, replace: bool) -> None:  # noqa: ARG002 - equal bytes
        """Copy. Raises TransferError, and what reading raises."""
        try:
            with suppress(FileExistsError):
                self._path.mkdir()
            with Root(self._path) as root:
                _write(root, content)
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


def _write(root: Root, content: Content) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

    def copy(directory: int, name: str) -> None:
        descriptor = os.open(name, flags, 0o644, dir_fd=directory)
        try:
            for piece in content:
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    with root.directory(content.digest[:2], create=True) as directory:
        root.place(place(content.digest), copy)
        os.fsync(directory)
