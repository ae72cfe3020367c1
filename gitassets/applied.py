"""What was last put into this work tree: for each asset its digest, and how the file looked then.

Like git's index it answers "is this file as we left it?" with one lstat a file and no hashing. It
is a cache of facts: without it everything is hashed once more, nothing is lost. One file below
`git rev-parse --git-path assets`, written whole and renamed into place.

Format: a header line of JSON, the paths joined by NUL, then the digests and the numbers (size,
mtime_ns, inode as int64) as plain arrays, because 100,000 assets must load in a few milliseconds.
"""

from __future__ import annotations

import json
import sys
from array import array
from typing import TYPE_CHECKING, NamedTuple

from gitassets.model import Digest, Signature

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "applied"
_FORMAT = 1
_DIGEST = 32
"""Bytes of a sha256."""


class Record(NamedTuple):
    """One file as it was when its bytes were last known."""

    sha256: Digest
    signature: Signature


def dump(records: Mapping[str, Record]) -> bytes:
    """Give the file's content."""
    paths = sorted(records)
    numbers = array("q", (n for path in paths for n in records[path].signature))
    names = "\0".join(paths).encode("utf-8", "surrogateescape")
    header = {"format": _FORMAT, "count": len(paths), "names": len(names), "order": sys.byteorder}
    digests = bytes.fromhex("".join(records[path].sha256 for path in paths))
    return b"".join((json.dumps(header).encode(), b"\n", names, digests, numbers.tobytes()))


def load(data: bytes) -> dict[str, Record]:
    """Read what `dump` wrote; anything else, a torn file included, is "nothing known"."""
    try:
        line, _, body = data.partition(b"\n")
        header = json.loads(line)
        count, names = header["count"], header["names"]
        right = header["format"] == _FORMAT and header["order"] == sys.byteorder
        if not right or len(body) != names + count * (_DIGEST + 24) or not count:
            return {}
        paths = body[:names].decode("utf-8", "surrogateescape").split("\0")
        digests = body[names : names + count * _DIGEST].hex()
        numbers = array("q")
        numbers.frombytes(body[names + count * _DIGEST :])
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    width = 2 * _DIGEST
    return {
        path: Record(
            str.__new__(Digest, digests[i * width : (i + 1) * width]),
            Signature(numbers[3 * i], numbers[3 * i + 1], numbers[3 * i + 2]),
        )
        for i, path in enumerate(paths)
    }
