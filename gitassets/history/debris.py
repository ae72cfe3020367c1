"""Temporary files that a killed run left beside what it was writing; `beneath` names them."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gitassets.history.generated import Write

_NAME: Final = re.compile(r"\.git-assets-[0-9a-f]{16}")


def clear(directory: Path) -> None:
    """Delete them in a directory that only migrations write, or that nobody else writes now."""
    for path in _in(directory):
        path.unlink()


def beside(top: Path, writes: Iterable[Write]) -> None:
    """Delete in a work tree what a killed run had begun to write of `writes`, and nothing else.

    Another command of ours may be at work there: its files hold other bytes.
    """
    texts: dict[Path, list[bytes]] = {}
    for write in writes:
        if write.after is not None:
            texts.setdefault((top / write.path).parent, []).append(write.after)
    for directory, wanted in texts.items():
        for path in _in(directory):
            begun = path.read_bytes()
            if any(text.startswith(begun) for text in wanted):
                path.unlink()


def _in(directory: Path) -> list[Path]:
    names: list[str] = []
    with suppress(FileNotFoundError, NotADirectoryError):
        names = [name for name in os.listdir(directory) if _NAME.fullmatch(name)]  # noqa: PTH208
    paths = [directory / name for name in names]
    return [path for path in paths if path.is_file() and not path.is_symlink()]
