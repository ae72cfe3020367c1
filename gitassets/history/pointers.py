"""Git LFS pointers as they are found in histories: read as git-lfs itself reads them.

Bytes in, data out; what is not a pointer is content, never an error. The grammar is that of git-lfs
3.x (`lfs/pointer.go`), which takes more than its specification says, because histories hold it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from gitassets.model import Digest

__all__ = ["MAX_SIZE", "MIN_SIZE", "Pointer", "parse", "resembles"]

MIN_SIZE: Final = 100
"""Bytes; the shortest text with three keys has 113."""
MAX_SIZE: Final = 1023
"""Bytes; git-lfs takes no blob of 1,024 or more for a pointer (`blobSizeCutoff`)."""

_CANONICAL_VERSION: Final = "https://git-lfs.github.com/spec/v1"
_VERSIONS: Final = frozenset(
    {_CANONICAL_VERSION, "https://hawser.github.com/spec/v1", "http://git-media.io/v/2"}
)
_KEYS: Final = ("version", "oid", "size")
_OID: Final = re.compile(r"sha256:([0-9a-f]{64})")
_SIZE: Final = re.compile(r"[+]?[0-9]{1,1000}|-0{1,1000}")
_MAX_OBJECT: Final = 2**63 - 1
_EXTENSION: Final = re.compile(r"ext-([0-9])-[A-Za-z0-9_]")
# What Go's unicode.IsSpace takes for white space; str.strip() also takes U+001C to U+001F.
_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
)


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a pointer says of the object that it stands for."""

    sha256: Digest
    """Of the stored bytes: with extensions these are not what the work tree had (git-lfs#747)."""
    size: int
    """Bytes that are stored."""
    extensions: bool
    """There are `ext-` lines: a program made the stored bytes from those of the work tree."""
    canonical: bool
    """`git lfs pointer --check --strict` would accept the text."""


def parse(data: bytes) -> Pointer | None:
    """Read a pointer; None when `data` is content. Never raises."""
    if not MIN_SIZE <= len(data) <= MAX_SIZE:
        return None
    text = data.decode("utf-8", "surrogateescape").strip(_SPACE)
    values: list[str] = []
    extensions: dict[str, str] = {}
    for row in text.split("\n"):
        line = row.removesuffix("\r")
        if not line:
            continue
        key, blank, value = line.partition(" ")
        if not blank or len(values) == len(_KEYS):
            return None
        if key == _KEYS[len(values)]:
            values.append(value)
        elif _EXTENSION.match(key):
            extensions[key] = value
        else:
            return None
    if len(values) != len(_KEYS) or values[0] not in _VERSIONS or not _sound(extensions):
        return None
    oid, size = _OID.fullmatch(values[1]), _SIZE.fullmatch(values[2])
    if not oid or not size or (count := int(size[0])) > _MAX_OBJECT:
        return None
    # git-lfs writes nothing for an empty file.
    canonical = count > 0 and data == _written(extensions, oid[0], count)
    return Pointer(Digest(oid[1]), count, bool(extensions), canonical)


def resembles(data: bytes) -> bool:
    """Tell whether somebody meant this for a pointer, whether or not `parse` takes it."""
    return len(data) <= MAX_SIZE and data.startswith(b"version https://git-lfs")


def _sound(extensions: dict[str, str]) -> bool:
    """Tell whether every extension names a digest, and no two have one priority."""
    return all(map(_OID.fullmatch, extensions.values())) and len(extensions) == len(
        {key[4] for key in extensions}
    )


def _written(extensions: dict[str, str], oid: str, size: int) -> bytes:
    """Give the text that git-lfs writes for this object."""
    rows = [f"version {_CANONICAL_VERSION}"]
    rows += [f"{key} {extensions[key]}" for key in sorted(extensions)]
    rows += [f"oid {oid}", f"size {size}", ""]
    return "\n".join(rows).encode("utf-8", "surrogateescape")
