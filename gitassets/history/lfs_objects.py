"""What LFS pointers stand for: taken from this disk where it is, else recorded as missing.

A pointer needs no bytes to become an entry: it is the sha256 and the size.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gitassets.history.harvest import Content

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitassets.gitpipes import Pipes
    from gitassets.history.study import Study
    from gitassets.model import Digest
    from gitassets.store import Store


def directory(pipes: Pipes) -> Path:
    """Give where git-lfs keeps objects here: `lfs.storage`, as a rule `.git/lfs`."""
    found = pipes.run("config", "--null", "--get", "lfs.storage", ok=(0, 1)).rstrip(b"\0").decode()
    return (pipes.git_dir / Path(found or "lfs").expanduser()) / "objects"


def path(objects: Path, digest: Digest) -> Path:
    """Give where an object is, or would be."""
    return objects / digest[:2] / digest[2:4] / digest


def contents(study: Study) -> dict[bytes, Content]:
    """Give what the pointers that leave stand for, by blob."""
    known = study.inventory.pointers
    return {
        blob: Content(known[blob].sha256, known[blob].size)
        for blob in study.survey.blobs
        if blob in known
    }


def wanted(study: Study) -> dict[Digest, int]:
    """Give the objects behind them, each once: size in bytes by sha256."""
    return {content.sha256: content.size for content in contents(study).values()}


def take(
    objects: Path, todo: dict[Digest, int], store: Store, done: Callable[[int], None]
) -> set[Digest]:
    """Put objects into the cache, by link where it can be; gives those that nobody here has.

    Raises NoSpace, StoreError.
    """
    have = store.present(todo)
    missing = set()
    for digest, size in todo.items():
        if digest in have:
            continue
        if not store.adopt(path(objects, digest), digest, size):
            missing.add(digest)
        done(size)
    return missing


def look(objects: Path, todo: dict[Digest, int], cache: Path) -> dict[Digest, str]:
    """Say where each object is, without hashing or writing: cache, lfs, or nowhere."""
    found: dict[Digest, str] = {}
    for digest, size in todo.items():
        found[digest] = "nowhere"
        for place, file in (
            ("lfs", path(objects, digest)),
            ("cache", cache / "sha256" / digest[:2] / digest[2:]),
        ):
            if file.is_file() and file.stat().st_size == size:
                found[digest] = place
    return found
