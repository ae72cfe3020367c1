"""What `doctor` finds in the cache: does it open, is its journal whole, what lies around in it."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from gitassets.checkup import Finding
from gitassets.checkup_places import CACHE_ELSEWHERE
from gitassets.console import plural
from gitassets.errors import StoreError
from gitassets.progress import human

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gitassets.store import Store


def health(opening: Callable[[], Store]) -> list[Finding]:
    """Open the cache and look into each of its rooms."""
    try:
        store = opening()
    except StoreError as error:
        return [Finding("cache", "problem", str(error), error.hint or CACHE_ELSEWHERE)]
    root = store.root
    opened = Finding("cache", "ok", f"'{root}'")
    return [opened, *journal(store), *quarantine(root / "quarantine"), unfinished(root / "staging")]


def journal(store: Store) -> list[Finding]:
    """Tell whether the journal can be read, and whether it had to be begun anew."""
    broken = store.root / "journal.db.broken"
    try:
        clones = store.journal.clones()
    except StoreError as error:
        hint = shlex.join(["ls", "-l", str(store.root / "journal.db")])
        return [Finding("journal", "warning", str(error), hint)]
    if broken.exists():
        text = f"was broken and begun anew; the broken one is '{broken}'"
        return [Finding("journal", "warning", text, shlex.join(["rm", "-f", str(broken)]))]
    return [Finding("journal", "ok", f"{plural(len(clones), 'work tree')} registered")]


def quarantine(directory: Path) -> list[Finding]:
    """Tell how many corrupt objects were taken out of use."""
    count, size = _holds(directory)
    if not count:
        return []
    text = f"{plural(count, 'corrupt object')} kept, {human(size)}: a disk or a program is at fault"
    return [Finding("quarantine", "warning", text, shlex.join(["rm", "-r", str(directory)]))]


def unfinished(directory: Path) -> Finding:
    """Tell what downloads have left; the next pull goes on with it."""
    count, size = _holds(directory)
    return Finding("unfinished", "ok", f"{plural(count, 'download')}, {human(size)}")


def _holds(directory: Path) -> tuple[int, int]:
    """Count the files of a directory, and the bytes that they use on disk."""
    try:
        with os.scandir(directory) as entries:
            sizes = [
                entry.stat(follow_symlinks=False).st_blocks * 512
                for entry in entries
                if entry.is_file(follow_symlinks=False)
            ]
    except FileNotFoundError:
        return 0, 0
    return len(sizes), sum(sizes)
