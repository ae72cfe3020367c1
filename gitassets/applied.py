"""What was last put into this work tree: for each asset its digest, and how the file looked then.

Like git's index it answers "is this file as we left it?" with one lstat a file and no hashing. It
is a cache of facts: without it everything is hashed once more, nothing is lost. One file below
`git rev-parse --git-path assets`, written whole and renamed into place.

Format: a header line of JSON, the paths joined by NUL, then the digests and the numbers (size,
mtime_ns, inode as int64) as plain arrays. They are kept like that in memory, and a record is made
when it is asked for: 100,000 assets load in a few milliseconds and a few megabytes.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterator, MutableMapping
from typing import NamedTuple

from gitassets.model import Digest, Signature

NAME = "applied"
_FORMAT = 1
_DIGEST = 32
"""Bytes of a sha256."""


class Record(NamedTuple):
    """One file as it was when its bytes were last known."""

    sha256: Digest
    signature: Signature


class Applied(MutableMapping[str, Record]):
    """The records by path: those that were read, and over them those that changed since."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._digests = b""
        self._numbers = array("q")
        self._changed: dict[str, Record] = {}
        self.dirty = False
        """Something changed since it was read."""

    @classmethod
    def load(cls, data: bytes) -> Applied:
        """Read what `dump` wrote; anything else, a torn file included, is "nothing known"."""
        new = cls()
        try:
            line, _, body = data.partition(b"\n")
            header = json.loads(line)
            count, names = header["count"], header["names"]
            right = header["format"] == _FORMAT and header["order"] == sys.byteorder
            if not right or len(body) != names + count * (_DIGEST + 24) or not count:
                return new
            paths = body[:names].decode("utf-8", "surrogateescape").split("\0")
            numbers = array("q")
            numbers.frombytes(body[names + count * _DIGEST :])
        except (ValueError, KeyError, TypeError, AttributeError):
            return new
        if len(paths) == count:
            new._places = {path: at for at, path in enumerate(paths)}
            new._digests = body[names : names + count * _DIGEST]
            new._numbers = numbers
        return new

    def dump(self) -> bytes:
        """Give the file's content."""
        paths = sorted(self)
        records = [self[path] for path in paths]
        numbers = array("q", (number for record in records for number in record.signature))
        names = "\0".join(paths).encode("utf-8", "surrogateescape")
        digests = bytes.fromhex("".join(record.sha256 for record in records))
        header = {
            "format": _FORMAT, "count": len(paths), "names": len(names), "order": sys.byteorder,
        }  # fmt: skip
        return b"".join((json.dumps(header).encode(), b"\n", names, digests, numbers.tobytes()))

    @property
    def newest(self) -> int:
        """The latest modification time of any file, in nanoseconds."""
        changed = (record.signature.mtime_ns for record in self._changed.values())
        return max((*self._numbers[1::3], *changed), default=0)

    def __getitem__(self, path: str) -> Record:
        if path in self._changed:
            return self._changed[path]
        at = self._places[path]
        digest = self._digests[at * _DIGEST : (at + 1) * _DIGEST].hex()
        return Record(str.__new__(Digest, digest), Signature(*self._numbers[3 * at : 3 * at + 3]))

    def __setitem__(self, path: str, record: Record) -> None:
        if self.get(path) == record:
            return
        self._changed[path] = record
        self._places.pop(path, None)
        self.dirty = True

    def __delitem__(self, path: str) -> None:
        if self._changed.pop(path, None) is None:
            del self._places[path]
        self.dirty = True

    def __iter__(self) -> Iterator[str]:
        yield from self._places
        yield from self._changed

    def __len__(self) -> int:
        return len(self._places) + len(self._changed)
