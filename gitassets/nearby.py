"""Bytes that are on this disk already: git-lfs's objects, and a Hugging Face cache.

Both name files by sha256. A name is only a hint: the store hashes what it adopts.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gitassets.model import Digest
    from gitassets.store import Store


def adopt(store: Store, wanted: Mapping[Digest, int], common_dir: Path | None) -> set[Digest]:
    """Take into the store what lies about; gives the digests that it has now."""
    found = set()
    for digest, path in _candidates(wanted, common_dir):
        if digest not in found and store.adopt(path, digest, wanted[digest]):
            found.add(digest)
    return found


def _candidates(wanted: Iterable[Digest], common_dir: Path | None) -> Iterator[tuple[Digest, Path]]:
    digests = set(wanted)
    if common_dir and (objects := common_dir / "lfs" / "objects").is_dir():
        for digest in digests:
            path = objects / digest[:2] / digest[2:4] / digest
            if path.is_file():
                yield digest, path
    for blobs in _hub_blobs():
        try:
            names = set(os.listdir(blobs))  # noqa: PTH208 - a set of names is all that is needed
        except OSError:
            continue
        for digest in digests.intersection(names):
            # In huggingface_hub 2.x a blob may be a symlink; it must not lead out of the cache.
            path = (blobs / digest).resolve()
            if path.is_relative_to(blobs.parent.parent.resolve()):
                yield digest, path


def _hub_blobs() -> Iterator[Path]:
    """Each repository's `blobs` directory in the Hub cache (HF_HUB_CACHE, HF_HOME, XDG)."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    home = Path(os.environ.get("HF_HOME") or base)
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    try:
        repositories = list(os.scandir(cache))
    except OSError:
        return
    for repository in repositories:
        if repository.name.startswith(("models--", "datasets--", "spaces--")):
            yield Path(repository.path) / "blobs"
