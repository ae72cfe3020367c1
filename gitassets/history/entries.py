"""The raw bytes of tree objects: `<mode> <name> NUL <id>`, cut and joined without reordering."""

from __future__ import annotations

import bisect
import re
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Entry: TypeAlias = "tuple[bytes, bytes, bytes]"
"""Mode, name, raw id."""
Edit: TypeAlias = "tuple[Entry | None, Entry | None]"
"""What an entry was and what it becomes; None: it is not there."""

_ENTRY: Final = {
    width: re.compile(rb"([0-7]+) ([^\0]+)\0(.{%d})" % width, re.DOTALL) for width in (20, 32)
}
_ID: Final = {width: re.compile(rb"[^\0]+\0(.{%d})" % width, re.DOTALL) for width in (20, 32)}


def parser(width: int) -> Callable[[bytes], list[Entry]]:
    """Give what cuts a tree into its entries, for ids of `width` bytes."""
    return _ENTRY[width].findall


def ids(width: int) -> Callable[[bytes], list[bytes]]:
    """Give what finds the ids alone in a tree, in half the time."""
    return _ID[width].findall


def key(entry: Entry) -> bytes:
    """Give what git sorts entries by: a directory's name ends in a slash."""
    mode, name, _ = entry
    return name + b"/" if mode in (b"40000", b"040000") else name


def joined(entries: Iterable[Entry]) -> bytes:
    """Give the content of a tree object."""
    return b"".join([b"%s %s\0%s" % entry for entry in entries])


def named(data: bytes, entries: Sequence[Entry], name: bytes) -> Entry | None:
    """Give the first entry of a name, or None."""
    if b" %s\0" % name not in data:
        return None
    return next((entry for entry in entries if entry[1] == name), None)


def edited(data: bytes, entries: Sequence[Entry], edits: Mapping[bytes, Edit]) -> bytes:
    """Replace, remove and insert entries by name; all other bytes stay where they were.

    A name that git itself would not write twice may stand twice in an old tree; then each of its
    entries is replaced, as each is what git may read.
    """
    splices: list[tuple[int, int, bytes, bytes]] = []
    for old, new in edits.values():
        before = b"" if old is None else b"%s %s\0%s" % old
        if old is None:
            assert new is not None  # noqa: S101 - an edit has a side
            at = bisect.bisect_left(entries, key(new), key=key)
            mark = b"%s %s\0%s" % entries[at] if at < len(entries) else b""
        else:
            mark = before
        # The bytes of an entry could stand in a name, too: then the slow way decides.
        if mark and (data.count(mark) != 1 or (old and data.count(b" %s\0" % old[1]) != 1)):
            return _edited_slowly(entries, edits)
        start = data.index(mark) if mark else len(data)
        after = b"" if new is None else b"%s %s\0%s" % new
        # What is inserted at one place is in the order of its names.
        order = key(new) if new and not old else b""
        splices.append((start, start + len(before), order, after))
    parts: list[bytes] = []
    at = 0
    for start, end, _, text in sorted(splices):
        parts += (data[at:start], text)
        at = end
    parts.append(data[at:])
    return b"".join(parts)


def _edited_slowly(entries: Sequence[Entry], edits: Mapping[bytes, Edit]) -> bytes:
    kept: list[Entry] = []
    for entry in entries:
        if entry[1] not in edits:
            kept.append(entry)
        elif (new := edits[entry[1]][1]) is not None:
            kept.append(new)
    for old, new in edits.values():
        if old is None and new is not None:
            kept.insert(bisect.bisect_left(kept, key(new), key=key), new)
    return joined(kept)
