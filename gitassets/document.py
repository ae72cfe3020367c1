"""Bytes that somebody else wrote, read as TOML: every failure is a LockfileError with its line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitassets.errors import ConflictedLockfile, LockfileError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["line_of", "parse"]

# git-merge-file(1); the labels behind the markers are optional.
_MARKER = re.compile(rb"^(?:<{7}|\|{7}|={7}|>{7})(?:[ \n]|$)", re.MULTILINE)
_HEADER = re.compile(
    r'^[ \t]*\[[ \t]*(\w+)[ \t]*\.[ \t]*("(?:[^"\\\n]|\\.)*"|[A-Za-z0-9_-]+)[ \t]*\]', re.MULTILINE
)
_SHA256 = re.compile(r'^sha256 = "([0-9a-f]{12})', re.MULTILINE)
_LONG_NUMBER = re.compile(r"[0-9_]{32}")


def parse(data: bytes) -> tuple[str, Mapping[str, object]]:
    """Give the text and its tables.

    Raises ConflictedLockfile when a merge has left it unfinished, LockfileError for anything else.
    """
    if found := _MARKER.search(data):
        raise ConflictedLockfile(_line(data, found.start()), "a merge left conflict markers here")
    if data.startswith(b"\xef\xbb\xbf"):
        raise LockfileError(1, "begins with a byte order mark: save it as UTF-8 without one")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise LockfileError(_line(data, error.start), "not UTF-8") from error
    return text, _tables(text)


def _tables(text: str) -> Mapping[str, object]:
    import tomli  # noqa: PLC0415 - canonical text never needs it

    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        _refuse_doubled(text)
        if "overwrite" in error.msg:
            raise ConflictedLockfile(error.lineno, "this key stands here a second time") from error
        raise LockfileError(error.lineno, _sentence(error.msg)) from error
    except ValueError as error:
        # Python itself refuses to convert thousands of digits.
        found = _LONG_NUMBER.search(text)
        line = _line(text, found.start()) if found else None
        raise LockfileError(line, "a number that is too long") from error
    except RecursionError as error:
        raise LockfileError(None, "nested too deeply") from error
    except MemoryError as error:
        raise LockfileError(None, "more than the memory holds") from error


def _refuse_doubled(text: str) -> None:
    """Say so when a merge that was clean for git took one table from both sides."""
    seen: dict[tuple[str, str], int] = {}
    for found in _HEADER.finditer(text):
        kind, name = found.groups()
        first = seen.setdefault((kind, name), found.end())
        if first == found.end():
            continue
        digests = [_SHA256.search(text, place) for place in (first, found.end())]
        values = " and ".join(digest[1] for digest in digests if digest)
        raise ConflictedLockfile(
            _line(text, found.start()),
            f"[{kind}.{name}] stands here a second time"
            + (f" (sha256 {values})" if values else ""),
        )


def line_of(text: str, keys: tuple[str, ...]) -> int | None:
    """Find the line of a key, or else of the header of its table; None when spelled otherwise."""
    first, *inner = map(re.escape, keys)
    if not inner or first not in {"asset", "store", "source"}:
        found = re.search(rf"""^[ \t]*\[*[ \t]*["']?{first}\b""", text, re.MULTILINE)
        return _line(text, found.start()) if found else None
    name = rf"""["']?{inner[0]}["']?"""
    header = re.search(rf"^[ \t]*\[[ \t]*{first}[ \t]*\.[ \t]*{name}[ \t]*\]", text, re.MULTILINE)
    if not header:
        return None
    if len(inner) > 1:
        end = text.find("\n[", header.end())
        key = re.compile(rf"^[ \t]*{inner[1]}[ \t]*=", re.MULTILINE)
        if found := key.search(text, header.end(), len(text) if end < 0 else end):
            return _line(text, found.start())
    return _line(text, header.start())


def _line(text: str | bytes, position: int) -> int:
    newline = "\n" if isinstance(text, str) else b"\n"
    return text.count(newline, 0, position) + 1  # type: ignore[arg-type]


def _sentence(message: str) -> str:
    """Begin as our own messages do."""
    return message[:1].lower() + message[1:]
