"""Hash the work tree or the cache for real, on all cores (hashlib lets go of the GIL)."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from gitassets.applied import Record
from gitassets.errors import Blocked
from gitassets.observe import hashed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gitassets.model import Asset, Digest
    from gitassets.store import Store
    from gitassets.worktree import WorkTree


class Finding(NamedTuple):
    """What one hash said."""

    name: str
    """A path, or a digest of the cache."""
    digest: Digest
    state: str
    """ok, absent or corrupt."""
    error: str | None


def tree(worktree: WorkTree, assets: Sequence[Asset]) -> Iterator[Finding]:
    """Hash each asset's file; what proves right is recorded, so `status` need not look again."""

    def check(asset: Asset) -> Finding:
        path, digest = asset.path, asset.sha256
        try:
            got, signature = hashed(worktree, path)
        except (FileNotFoundError, NotADirectoryError):
            return Finding(path, digest, "absent", None)
        except (OSError, Blocked) as error:
            return Finding(path, digest, "corrupt", str(error))
        if got != digest:
            return Finding(path, digest, "corrupt", f"sha256 {got[:12]}, pinned {digest.short}")
        worktree.records[path] = Record(digest, signature)
        return Finding(path, digest, "ok", None)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield from pool.map(check, assets)


def cache(store: Store, digests: Iterable[Digest] | None = None) -> Iterator[Finding]:
    """Hash these objects of the cache, or all of them."""
    chosen = list(digests) if digests is not None else [row[0] for row in store.objects()]
    for digest, state, error in store.verify(chosen, os.cpu_count() or 1):
        yield Finding(digest, digest, state, error)
