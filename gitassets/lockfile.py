"""`assets.lock.toml`: text in, Lockfile out, and back, byte for byte (design §2).

A Lockfile that exists obeys every rule of the format. Nothing derived is stored.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from gitassets import canonical, document, tables
from gitassets.errors import LockfileError, UnsafePath
from gitassets.model import Asset, SourceTable, StoreTable, Url
from gitassets.paths import check_together

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gitassets.model import Digest

__all__ = ["MAX_BYTES", "REVISION", "VERSION", "Lockfile", "blocks", "dump", "load"]

VERSION: Final = 1
"""A greater one is not read."""
REVISION: Final = 0
"""A greater one is read, and what it adds is kept."""
MAX_BYTES: Final = 100 * 2**20
"""What is read by an explicit command; a hook gives `load` a smaller limit."""


@dataclass(frozen=True, slots=True)
class Lockfile:
    """What a repository pins. Every mapping is sorted by its keys; nothing changes in place."""

    version: int = VERSION
    revision: int = 0
    stores: Mapping[str, StoreTable] = field(default_factory=dict)
    """By ID."""
    sources: Mapping[str, SourceTable] = field(default_factory=dict)
    """By ID."""
    assets: Mapping[str, Asset] = field(default_factory=dict)
    """By path."""
    extra: Mapping[str, object] = field(default_factory=dict)
    """Unknown keys and tables of the top level, kept by a rewrite."""

    def with_asset(self, asset: Asset) -> Lockfile:
        """Add or replace one asset. Raises as `with_assets`."""
        return self.with_assets((asset,))

    def with_assets(self, assets: Iterable[Asset]) -> Lockfile:
        """Add or replace assets.

        Raises UnsafePath when a path does not go together with the others, LockfileError when an
        asset breaks another rule of the format.
        """
        changed = dict(self.assets)
        for asset in assets:
            try:
                tables.check_asset(asset, self.sources)
            except tables.Fault as fault:
                raise LockfileError(None, str(fault)) from fault
            changed[asset.path] = asset
        check_together(changed.keys())
        return replace(self, assets=dict(sorted(changed.items())))

    def without(self, paths: Iterable[str]) -> Lockfile:
        """Leave assets out; a path that is not pinned is ignored."""
        gone = set(paths)
        return replace(
            self, assets={path: asset for path, asset in self.assets.items() if path not in gone}
        )

    def with_source(self, source: SourceTable) -> Lockfile:
        """Add or replace a source."""
        return replace(self, sources=dict(sorted({**self.sources, source.id: source}.items())))

    def with_store(self, store: StoreTable) -> Lockfile:
        """Add or replace a store."""
        return replace(self, stores=dict(sorted({**self.stores, store.id: store}.items())))

    def urls_of(self, asset: Asset) -> tuple[Url, ...]:
        """Give the places that the entry itself names: its source, then its mirrors."""
        if asset.origin is None:
            return asset.urls
        return (tables.url_of(asset.origin, self.sources), *asset.urls)

    def store_urls(self, digest: Digest, size: int | None = None) -> tuple[Url, ...]:
        """Give where the stores have the object; an LFS server is asked by its size, too."""
        lfs = f"#{digest}:{size}"
        return tuple(
            Url(f"{store.url.rstrip('/')}/{digest[:2]}/{digest}")
            if not store.url.startswith("lfs+")
            else Url(store.url + lfs)
            for store in self.stores.values()
            if size is not None or not store.url.startswith("lfs+")
        )


def load(data: bytes, *, limit: int = MAX_BYTES) -> Lockfile:
    """Read a lockfile of at most `limit` bytes. Raises LockfileError and nothing else."""
    if len(data) > limit:
        raise LockfileError(None, f"{len(data)} bytes, more than the {limit} that are read")
    if b"\r\n" in data:  # core.autocrlf
        data = data.replace(b"\r\n", b"\n")
    # Everything made here stays: looking for garbage among it takes longer than making it.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return read_canonical(data) or read_toml(data)
    finally:
        if collecting:
            gc.enable()


def dump(lockfile: Lockfile) -> str:
    """Write the canonical text: `dump(load(text)) == text` for all text that this wrote."""
    return "".join(text for _, text in blocks(lockfile))


def blocks(lockfile: Lockfile) -> Iterator[tuple[tuple[int, str], str]]:
    """Give the parts of the canonical text in order, each with a key that sorts it."""
    versions = {"version": lockfile.version, "revision": lockfile.revision}
    head = [canonical.line(key, number) for key, number in versions.items()]
    yield (0, ""), canonical.HEADER + "".join(head)
    loose = sorted(key for key, value in lockfile.extra.items() if not isinstance(value, dict))
    for key in loose:
        yield (1, key), canonical.line(key, lockfile.extra[key])
    for name, store in lockfile.stores.items():
        table = {"url": store.url, **store.extra}
        yield (2, name), canonical.table_block(("store", name), table, "url")
    for name, source in lockfile.sources.items():
        table = {"original": source.original, "resolved": source.resolved, **source.extra}
        names = ("source", name)
        yield (3, name), canonical.table_block(names, table, "original", "resolved")
    for key in sorted(lockfile.extra.keys() - set(loose)):
        if isinstance(value := lockfile.extra[key], dict):
            yield (4, key), canonical.table_block((key,), value)
    for path, asset in lockfile.assets.items():
        yield (5, path), canonical.asset_block(asset)


def read_canonical(data: bytes) -> Lockfile | None:
    """Read what `dump` writes; None when `data` is anything else, or breaks a rule."""
    try:
        head = canonical.read_head(data)
        if head is None:
            return None
        found, position = head
        version, revision = tables.versions(found)
        stores, sources, extra = tables.sections(found)
        assets = canonical.read_assets(data, position, sources)
    except (ValueError, tables.Fault):
        return None
    if assets is None or version != VERSION:
        return None
    return Lockfile(version, revision, stores, sources, assets, extra)


def read_toml(data: bytes) -> Lockfile:
    """Read any TOML that follows the rules. Raises LockfileError and nothing else."""
    text, found = document.parse(data)
    try:
        version, revision = tables.versions(found)
        if version > VERSION:
            raise LockfileError(
                document.line_of(text, ("version",)),
                f"version {version} is newer than this git-assets, which reads {VERSION}",
                hint="python3 -m pip install --upgrade gitassets",
            )
        stores, sources, extra = tables.sections(found)
        assets = tables.assets_of(found.get("asset", {}), sources)
    except tables.Fault as fault:
        raise LockfileError(document.line_of(text, fault.keys), str(fault)) from fault
    except UnsafePath as error:
        line = document.line_of(text, ("asset", error.path))
        raise UnsafePath(error.path, error.rule, line=line) from error
    except RecursionError as error:
        raise LockfileError(None, "nested too deeply") from error
    return Lockfile(version, revision, stores, sources, assets, extra)
