"""The directory of a cache: made where it is missing, refused where others could plant objects."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from gitassets.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE = 0o700
SHARED = 0o777
"""Less umask: whoever shares a cache says with whom."""

_ELSEWHERE = "git config --global assets.cacheDir DIRECTORY"
_TAG = """Signature: 8a477f597d28d172789f06886806bc55
# This directory is a cache of git assets: see https://bford.info/cachedir/
"""


def prepare(root: Path, *, shared: bool) -> None:
    """Make what is missing of a cache; one that can only be read stays as it is.

    Unless `shared`, a directory that others own or may write is refused (cargo CVE-2023-38497).
    Raises StoreError.
    """
    mode = SHARED if shared else PRIVATE
    try:
        root.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(root, error) from error
    with suppress(OSError):
        for name in ("staging", "sha256"):
            (root / name).mkdir(mode=mode, exist_ok=True)
        if not (root / "CACHEDIR.TAG").exists():
            (root / "CACHEDIR.TAG").write_text(_TAG, encoding="ascii")
    if not shared:
        for directory in (root, root / "staging", root / "sha256"):
            _check(directory)


def unusable(root: Path, error: OSError) -> StoreError:
    """Say that a cache cannot be used, and where another one is chosen."""
    return StoreError(f"cannot use the cache '{root}': {error.strerror}", hint=_ELSEWHERE)


def _check(directory: Path) -> None:
    try:
        status = directory.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise unusable(directory, error) from error
    if status.st_uid != os.geteuid():
        raise StoreError(f"the cache '{directory}' belongs to another user", hint=_ELSEWHERE)
    if status.st_mode & 0o022:
        why = f"the cache '{directory}' can be written by others"
        raise StoreError(why, hint=f"chmod go-w '{directory}'")
