"""Find a program the way a shell does, but never in the current directory."""

from __future__ import annotations

import os
from pathlib import Path


def find(name: str) -> str | None:
    """Give the absolute path of the program `name`, or None.

    Empty and relative entries of PATH mean the current directory, which may be a work tree that
    somebody else filled: they are skipped.
    """
    for entry in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = Path(entry, name)
        if path.is_absolute() and os.access(path, os.X_OK) and path.is_file():
            return str(path)
    return None
