"""How the text of a setting becomes a value: sizes, times, flags, lists, places. No I/O.

Every reader raises ValueError with what it expects.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from gitassets.urls import Url

if TYPE_CHECKING:
    from collections.abc import Callable

_UNITS = {
    "": 1, "b": 1,
    "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40,  # git's own suffixes are binary
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
}  # fmt: skip
_NUMBER = re.compile(r"([0-9]{1,18})(\.[0-9]{1,6})? ?([a-z]{0,3})")


def size(text: str) -> int:
    """Bytes from `1500`, `16 MiB`, `10GB`, `8k`. Raises ValueError."""
    found = _NUMBER.fullmatch(text.strip().lower())
    if not found or found[3] not in _UNITS:
        raise ValueError("not a size such as 500MB or 16MiB")
    return (
        int(float(found[1] + (found[2] or "")) * _UNITS[found[3]])
        if found[2]
        else int(found[1]) * _UNITS[found[3]]
    )


def flag(text: str) -> bool:
    """Git's booleans. Raises ValueError."""
    word = text.strip().lower()
    if word in {"true", "yes", "on", "1"}:
        return True
    if word in {"false", "no", "off", "0", ""}:
        return False
    raise ValueError("not a boolean")


def count(text: str) -> int:
    """A positive number. Raises ValueError."""
    if not text.strip().isdecimal() or not 0 < int(text) <= 1024:
        raise ValueError("not a number between 1 and 1024")
    return int(text)


def seconds(text: str) -> float:
    """Seconds from `90`, `15m`, `12h`, `30d`, `2w`. Raises ValueError."""
    found = re.fullmatch(r"([0-9]{1,9})(s|m|h|d|w)?", text.strip().lower())
    if not found:
        raise ValueError("not a duration such as 12h or 30d")
    return (
        float(found[1]) * {None: 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[found[2]]
    )


def speed(text: str) -> tuple[int, float]:
    """Bytes a second, and for how long below them is too slow: `1KiB/30s`. Raises ValueError."""
    rate, _, time = text.partition("/")
    return size(rate), seconds(time or "30")


def one_of(*words: str) -> Callable[[str], str]:
    """Make a reader that takes only these words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"not one of {', '.join(words)}")
        return text

    return read


def link_modes(text: str) -> tuple[str, ...]:
    """A comma-separated list of link modes. Raises ValueError."""
    modes = tuple(part.strip() for part in text.split(","))
    read = one_of("reflink", "hardlink", "symlink", "copy")
    return tuple(read(mode) for mode in modes)


def remote_name(text: str) -> str:
    """Read a name that a remote may have. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", text):
        raise ValueError("a name has letters, digits, '-' and '_'")
    return text


def place(text: str) -> Url:
    """Read the URL of a place that holds objects, or an absolute directory. Raises ValueError."""
    if text.startswith(("/", "~/")):
        return Url("file://" + quote(os.path.abspath(os.path.expanduser(text))))  # noqa: PTH100, PTH111 - no symlink is resolved
    return Url(text)


def hub_mirror(text: str) -> str:
    """Read auto, locale, never, or the URL of a mirror of the Hub. Raises ValueError."""
    if text in {"auto", "locale", "never"}:
        return text
    url = Url(text.rstrip("/"))
    if url.scheme not in {"http", "https"}:
        raise ValueError("neither auto, locale nor never, nor the address of a web server")
    return str(url)
