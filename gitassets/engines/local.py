"""The local engine: `file:` requests, read below a directory that they may not leave.

Copied, not cloned or linked: every byte goes past the sink, which hashes what it is given.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gitassets.beneath import Root
from gitassets.engines.base import Failed, Fetched
from gitassets.errors import Blocked, Cause, TransferError

if TYPE_CHECKING:
    from collections.abc import Generator

    from gitassets.engines.base import Job, Jobs, Tuning
    from gitassets.model import Request

_PIECE = 1 << 20
"""Bytes of one read."""
_SCHEME = "file://"


class Local:
    """The engine for files of this machine. Tuning has no say: one file after another."""

    name = "local"

    def __init__(self, tuning: Tuning) -> None:
        del tuning

    def unavailable(self) -> str | None:
        """Give None: there are always files."""
        return None

    def handles(self, request: Request) -> bool:
        """Take absolute `file:` URLs with a directory that was allowed."""
        return request.url.startswith(_SCHEME + "/") and request.root is not None

    def fetch(self, jobs: Jobs) -> Generator[Fetched | Failed, None, None]:
        """Work until `jobs` is empty."""
        while True:
            while job := jobs.take():
                yield _copy(job)
            delay = jobs.delay()
            if delay is None:
                return
            time.sleep(delay)


def _copy(job: Job) -> Fetched | Failed:
    request = job.requests[0]
    count = 0
    try:
        missing = job.sink.missing()
        if not missing:
            return Fetched(job, None, 0)
        descriptor = _open(request, job.size)
        try:
            for start, end in missing:
                for at in range(start, end, _PIECE):
                    piece = _read(descriptor, at, min(_PIECE, end - at), request)
                    job.sink.write(at, [piece])
                    count += len(piece)
        finally:
            os.close(descriptor)
    except TransferError as error:
        return Failed(job, error, request, count)
    except OSError as error:
        reason = f"cannot write: {error.strerror or error}"
        return Failed(job, _error(request, reason, Cause.LOCAL), request, count)
    return Fetched(job, request, count)


def _open(request: Request, size: int) -> int:
    """Open the file, which must have `size` bytes. Raises TransferError."""
    path = Path(unquote(request.url.removeprefix(_SCHEME), errors="surrogateescape"))
    root = Path(request.root or "/")
    try:
        with Root(root) as below:
            descriptor = below.open_read(path.relative_to(root).as_posix())
    except (Blocked, ValueError) as error:
        raise _error(request, str(error), Cause.REFUSED) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _error(request, "no such file", Cause.GONE) from error
    except OSError as error:
        raise _error(request, f"cannot read: {error.strerror}", Cause.DENIED) from error
    found = os.fstat(descriptor).st_size
    if found != size:
        os.close(descriptor)
        raise _error(request, f"has {found} bytes, not {size}", Cause.LYING)
    return descriptor


def _read(descriptor: int, at: int, count: int, request: Request) -> bytes:
    """Read exactly `count` bytes. Raises TransferError."""
    pieces = []
    while count:
        try:
            piece = os.pread(descriptor, count, at)
        except OSError as error:
            reason = f"cannot read: {error.strerror}"
            raise _error(request, reason, Cause.TRANSIENT) from error
        if not piece:
            raise _error(request, "became shorter while it was read", Cause.LYING)
        pieces.append(piece)
        at += len(piece)
        count -= len(piece)
    return b"".join(pieces)


def _error(request: Request, reason: str, cause: Cause) -> TransferError:
    return TransferError(request.source, reason, cause)
