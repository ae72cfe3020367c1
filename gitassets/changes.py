"""What differs between two texts of a lockfile, without reading what does not. Pure.

Two commits mostly share their blocks byte for byte. Canonical text can be cut at the headers of
assets, and only blocks that the other text does not have need a parser: one asset of ten thousand
costs as much as one of ten.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from gitassets import lockfile
from gitassets.errors import AssetsError
from gitassets.model import Digest
from gitassets.paths import check_together
from gitassets.tables import MAX_ASSETS

if TYPE_CHECKING:
    from gitassets.lockfile import Lockfile

_HEADER = b'\n[asset."'
_NAME_END = b'"]\n'
_SHA256 = re.compile(rb'\nsha256 = "([0-9a-f]{64})"\n')


class Change(NamedTuple):
    """The way from one lockfile to another."""

    lockfile: Lockfile
    """The new one's tables, and of its assets those that are new or not as they were."""
    gone: tuple[str, ...]
    """Paths that only the old one pins."""
    digests: tuple[Digest, ...]
    """Every content that the new one pins."""


def between(old: bytes, new: bytes) -> Change | None:
    """Compare; None when the texts cannot be compared block by block.

    `old` must have been a valid lockfile, or empty: what it shares with `new` is not looked at.
    """
    # Without strings of several lines, a line that looks like a header is one (TOML 1.0).
    if b"'''" in old or b'"""' in old:
        return None
    head, *blocks = new.split(_HEADER)
    before = old.split(_HEADER)[1:]
    known = set(before)
    names = [block.partition(_NAME_END)[0] for block in blocks]
    ascending = all(one < two for one, two in pairwise(names))
    changed = [block for block in blocks if block not in known]
    try:
        part = _HEADER.join((head, *changed))
        read = lockfile.read_canonical(part) if ascending and len(blocks) <= MAX_ASSETS else None
        if read is None:
            return None
        missing = dict.fromkeys(block.partition(_NAME_END)[0] for block in before)
        check_together(dict.fromkeys(name.decode() for name in names))
        gone = tuple(name.decode() for name in missing.keys() - set(names))
    except (AssetsError, UnicodeDecodeError):
        return None
    digests = tuple(str.__new__(Digest, found.decode()) for found in _SHA256.findall(new))
    return Change(read, tuple(sorted(gone)), digests)
