"""One `.gitattributes` without Git LFS: tokens are cut out in place, all other bytes stay.

Lines are cut as git cuts them (attr.c, `parse_attr_line`): blanks are space, tab, CR; a pattern may
be C-quoted, and what follows the closing quote is the first attribute; a `#` begins a comment only
at the start of a line. Bytes in, bytes out, and a function of nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["has_lfs", "lfs_patterns", "without_lfs"]

_LFS: Final = frozenset({b"filter=lfs", b"diff=lfs", b"merge=lfs", b"lockable"})
_TRACKS: Final = b"filter=lfs"
_BOM: Final = b"\xef\xbb\xbf"
"""git skips it at the start of the file."""
_MACRO: Final = b"[attr]"
_PATTERN: Final = re.compile(rb"[ \t\r]*([^ \t\r]*)")
_QUOTED: Final = re.compile(rb'[ \t\r]*"((?:[^"\\]|\\(?:[abfnrtv"\\]|[0-3][0-7]{2}))*)"')
_ATTRIBUTE: Final = re.compile(rb"[ \t\r]*([^ \t\r]+)")
_ESCAPE: Final = re.compile(rb"\\([0-3][0-7]{2}|.)")
_ESCAPED: Final = {
    b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v",
}  # fmt: skip


class _Line(NamedTuple):
    """A line that git acts on."""

    pattern: bytes
    """Without its quotes; for a macro, its name behind `[attr]`."""
    head: bytes
    """The pattern as it is written, with the blanks before it."""
    attributes: list[tuple[bytes, bytes]]
    """Each with the blanks before it, and without them."""
    tail: bytes
    """The blanks at the end."""

    @property
    def is_macro(self) -> bool:
        return self.pattern.startswith(_MACRO) and len(self.pattern) > len(_MACRO)

    @property
    def names(self) -> set[bytes]:
        return {name for _, name in self.attributes}


def has_lfs(data: bytes) -> bool:
    """Tell whether `without_lfs` would change the file."""
    return _may_have(data) and any(
        line is not None and line.names & _LFS for line in map(_parse, _rows(data)[1])
    )


def lfs_patterns(data: bytes) -> list[bytes]:
    """Give the patterns whose files LFS stores, unquoted, in the order of the file; no macros."""
    found = [line for line in map(_parse, _rows(data)[1]) if line is not None]
    macros = {
        line.pattern[len(_MACRO) :] for line in found if line.is_macro and _TRACKS in line.names
    }
    wanted = {_TRACKS, *macros}
    return [line.pattern for line in found if not line.is_macro and line.names & wanted]


def without_lfs(data: bytes, *, drop_text: Callable[[bytes], bool] = lambda _: False) -> bytes:
    """Give the file without the attributes of LFS; empty when nothing is left to say.

    A line that has no attribute left goes; a macro keeps its name. `drop_text` is asked with the
    unquoted pattern of a line that has only `-text` left, which is what `git lfs track` adds:
    true takes the line away. That is safe only when the pattern matches no file that stays in git
    (it would be checked out with other line ends under core.autocrlf), so by default it stays.
    """
    if not _may_have(data):
        return data
    bom, rows = _rows(data)
    kept = [_edited(row, drop_text) for row in rows]
    if kept == rows:
        return data
    text = b"".join(kept)
    return bom + text if text.strip(b" \t\r\n") else b""


def _edited(row: bytes, drop_text: Callable[[bytes], bool]) -> bytes:
    """Give a line, with its end, as it is to be; empty when it goes."""
    line = _parse(row)
    if line is None or not line.names & _LFS:
        return row
    left = [pair for pair in line.attributes if pair[1] not in _LFS]
    if not line.is_macro:
        if not left:
            return b""
        if {name for _, name in left} == {b"-text"} and drop_text(line.pattern):
            return b""
    return line.head + b"".join(written for written, _ in left) + line.tail + row[_end(row) :]


def _parse(row: bytes) -> _Line | None:
    """Cut a line; None for a comment, an empty line, and one with a NUL, where git stops."""
    text = row[: _end(row)]
    start = text.lstrip(b" \t\r")[:1]
    if start in (b"", b"#") or b"\0" in text:
        return None
    head = _QUOTED.match(text)
    if head is not None:
        pattern = _ESCAPE.sub(_unescaped, head[1])
    else:
        head = _PATTERN.match(text)
        assert head is not None  # noqa: S101 - it matches everything
        pattern = head[1]
    attributes, at = [], head.end()
    while found := _ATTRIBUTE.match(text, at):
        attributes.append((found[0], found[1]))
        at = found.end()
    return _Line(pattern, head[0], attributes, text[at:])


def _unescaped(found: re.Match[bytes]) -> bytes:
    code: bytes = found[1]
    if len(code) == 3:
        return bytes([int(code, 8)])
    return _ESCAPED.get(code, code)


def _rows(data: bytes) -> tuple[bytes, list[bytes]]:
    """Cut the file into a byte order mark and its lines, which keep their newlines."""
    bom = _BOM if data.startswith(_BOM) else b""
    parts = data[len(bom) :].split(b"\n")
    rows = [part + b"\n" for part in parts[:-1]]
    return bom, [*rows, parts[-1]] if parts[-1] else rows


def _end(row: bytes) -> int:
    return len(row) - row.endswith(b"\n")


def _may_have(data: bytes) -> bool:
    """Tell it quickly for nearly all files."""
    return b"=lfs" in data or b"lockable" in data
