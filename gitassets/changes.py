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
    head, *after = new.split(_HEADER)
    before = old.split(_HEADER)[1:]
    try:
        changed, gone = _same_names(before, after) or _other_names(before, after)
        read = lockfile.read_canonical(_HEADER.join((head, *changed)))
    except (AssetsError, ValueError):
        return None
    if read is None:
        return None
    digests = tuple(str.__new__(Digest, found.decode()) for found in _SHA256.findall(new))
    return Change(read, gone, digests)


def _same_names(
    before: list[bytes], after: list[bytes]
) -> tuple[list[bytes], tuple[str, ...]] | None:
    """Compare two texts with the same paths; None when they have not."""
    pairs = [(one, two) for one, two in zip(before, after, strict=False) if one != two]
    if len(before) != len(after) or any(_name(one) != _name(two) for one, two in pairs):
        return None
    return [two for _, two in pairs], ()


def _other_names(before: list[bytes], after: list[bytes]) -> tuple[list[bytes], tuple[str, ...]]:
    """Compare any two texts. Raises UnsafePath, ValueError when the new paths break a rule."""
    names = [_name(block) for block in after]
    if len(names) > MAX_ASSETS or any(one >= two for one, two in pairwise(names)):
        raise ValueError("too many, or not in the order of canonical text")
    check_together(dict.fromkeys(name.decode() for name in names))
    known, kept = set(before), set(names)
    gone = (name for block in before if (name := _name(block)) not in kept)
    return [block for block in after if block not in known], tuple(name.decode() for name in gone)


def _name(block: bytes) -> bytes:
    return block.partition(_NAME_END)[0]
