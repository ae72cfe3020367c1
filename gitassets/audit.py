"""Hash the work tree or the cache for real, on all cores (hashlib lets go of the GIL)."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from gitassets.applied import Record
from gitassets.errors import Blocked
from gitassets.observe import hashed, link_target

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


def tree(worktree: WorkTree, assets: Sequence[Asset], store: Store) -> Iterator[Finding]:
    """Hash each asset's file; what proves right is recorded, so `status` need not look again.

    A symlink to the asset's object in the cache is as good as the object.
    """

    def check(asset: Asset) -> Finding:
        path, digest = asset.path, asset.sha256
        if _is_linked(worktree, asset, store):
            [(_, state, error)] = store.verify([digest], 1)
            return Finding(path, digest, state, error)
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


def _is_linked(worktree: WorkTree, asset: Asset, store: Store) -> bool:
    try:
        return link_target(worktree, asset.path) == str(store.object_path(asset.sha256))
    except (OSError, Blocked):
        return False


def cache(store: Store, digests: Iterable[Digest] | None = None) -> list[Finding]:
    """Hash these objects of the cache, or all of them."""
    chosen = list(digests) if digests is not None else [row[0] for row in store.objects()]
    return [Finding(row[0], *row) for row in store.verify(chosen, os.cpu_count() or 1)]
