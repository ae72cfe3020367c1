"""Where the bytes go that leave git: a directory that holds objects by content."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from gitassets.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gitassets.model import Digest
    from gitassets.store import Store

_CHUNK = 1 << 20


def directory(text: str) -> Path:
    """Read `--to`: a directory, or a `file:` URL of one. Raises UsageError."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", text):
        parts = urlsplit(text)
        if parts.scheme != "file":
            raise UsageError(f"--to takes a directory, not '{text}'")
        text = unquote(parts.path)
    return Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100 - no symlink is resolved


def store_table(place: Path) -> tuple[str, str]:
    """Give the ID and the URL under which lockfiles name the directory."""
    name = re.sub(r"[^a-z0-9]+", "-", place.name.lower()).strip("-") or "main"
    return name, "file://" + quote(str(place))


def upload(
    store: Store, place: Path, todo: Mapping[Digest, int], done: Callable[[int], None]
) -> int:
    """Copy objects that `place` lacks, each under its own name only when it is whole.

    Gives how many were copied. Raises StoreError.
    """
    count = 0
    for digest, size in todo.items():
        target = place / digest[:2] / digest
        try:
            if not (target.is_file() and target.stat().st_size == size):
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(store.object_path(digest), target)
                count += 1
        except OSError as error:
            raise StoreError(f"cannot write to '{place}': {error.strerror}") from error
        done(size)
    return count


def _copy(source: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        with source.open("rb") as reading, part.open("xb") as writing:
            while piece := reading.read(_CHUNK):
                writing.write(piece)
            writing.flush()
            os.fsync(writing.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
