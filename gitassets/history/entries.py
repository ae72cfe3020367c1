"""The raw bytes of tree objects: `<mode> <name> NUL <id>`, cut and joined without reordering."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Entry: TypeAlias = "tuple[bytes, bytes, bytes]"
"""Mode, name, raw id."""

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


def joined(entries: Sequence[Entry]) -> bytes:
    """Give the content of a tree object."""
    return b"".join([b"%s %s\0%s" % entry for entry in entries])


def edited(entries: Sequence[Entry], edits: Mapping[bytes, Entry | None]) -> list[Entry]:
    """Replace, remove (None) and insert entries by name; all others stay where they were.

    A name that git itself would not write twice may stand twice in an old tree; then each of its
    entries is replaced, as each is what git may read.
    """
    rest = dict(edits)
    kept: list[Entry] = []
    seen: set[bytes] = set()
    for entry in entries:
        name = entry[1]
        if name not in rest:
            kept.append(entry)
        elif (new := rest[name]) is not None:
            seen.add(name)
            kept.append(new)
    for name, new in rest.items():
        if new is None or name in seen:
            continue
        wanted = key(new)
        at = next((n for n, entry in enumerate(kept) if key(entry) > wanted), len(kept))
        kept.insert(at, new)
    return kept
