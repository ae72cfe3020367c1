"""Look at the work tree: what stands at each asset's path, with one lstat a file.

A file is hashed only when nothing is known about it, or when it no longer looks as it did.
"""

from __future__ import annotations

import hashlib
import os
import stat
from itertools import groupby
from typing import TYPE_CHECKING

from gitassets.applied import Record
from gitassets.errors import Blocked
from gitassets.model import Digest, Signature
from gitassets.plan import Observation, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gitassets.model import Asset
    from gitassets.worktree import WorkTree

_PIECE = 2**20
"""Bytes hashed at a time."""


def observe(tree: WorkTree, assets: Iterable[Asset], objects: Path) -> list[Observation]:
    """Tell for each asset what its path holds; `objects` is where the cache keeps its objects.

    What had to be hashed is recorded in `tree.records`.
    """
    found: list[Observation] = []
    for directory, group in groupby(assets, key=lambda asset: asset.path.rpartition("/")[0]):
        members = list(group)
        found += _directory(tree, directory, members, objects)
    return found


def _directory(
    tree: WorkTree, directory: str, assets: list[Asset], objects: Path
) -> Iterator[Observation]:
    cut = len(directory) + 1 if directory else 0
    try:
        seen = tree.root.scan(directory, [asset.path[cut:] for asset in assets])
    except Blocked as error:
        why = str(error)
        return (Observation(asset, State.FOREIGN, why=why) for asset in assets)
    records = tree.records
    rows = []
    for asset in assets:
        facts = seen.get(asset.path[cut:])
        if facts is None:
            rows.append(Observation(asset, State.ABSENT))
            continue
        record = records.get(asset.path)
        signature = Signature(facts.st_size, facts.st_mtime_ns, facts.st_ino)
        if record and record.signature == signature and stat.S_ISREG(facts.st_mode):
            rows.append(_recorded(asset, record, facts.st_mode))
        else:
            rows.append(_unknown(tree, asset, facts, objects))
    return iter(rows)


def _recorded(asset: Asset, record: Record, mode: int) -> Observation:
    same = record.sha256 == asset.sha256 and bool(mode & 0o100) == asset.executable
    return Observation(asset, State.RIGHT if same else State.PREVIOUS)


def _unknown(tree: WorkTree, asset: Asset, facts: os.stat_result, objects: Path) -> Observation:
    """Look closer at a file that is not as it was recorded."""
    if stat.S_ISLNK(facts.st_mode):
        return _symlink(tree, asset, objects)
    if not stat.S_ISREG(facts.st_mode):
        kind = "a directory" if stat.S_ISDIR(facts.st_mode) else "not a regular file"
        return Observation(asset, State.FOREIGN, why=f"is {kind}")
    record = tree.records.get(asset.path)
    sizes = {asset.size, record.signature.size if record else asset.size}
    if facts.st_size not in sizes:
        return Observation(asset, State.FOREIGN, why=_modified(record))
    digest, signature = hashed(tree, asset.path)
    if digest != asset.sha256 and not (record and digest == record.sha256):
        return Observation(asset, State.FOREIGN, why=_modified(record))
    tree.records[asset.path] = Record(digest, signature)
    return _recorded(asset, tree.records[asset.path], facts.st_mode)


def _modified(record: Record | None) -> str:
    return "was modified" if record else "holds other bytes than the pin"


def _symlink(tree: WorkTree, asset: Asset, objects: Path) -> Observation:
    """A link into the cache is ours: the bytes are where it points."""
    target = link_target(tree, asset.path)
    if target == str(objects / asset.sha256[:2] / asset.sha256[2:]) and os.path.exists(target):  # noqa: PTH110
        return Observation(asset, State.RIGHT)
    if target.startswith(f"{objects}/"):
        return Observation(asset, State.PREVIOUS)
    return Observation(asset, State.FOREIGN, why="is a symlink")


def link_target(tree: WorkTree, path: str) -> str:
    """Where the symlink at `path` points. Raises OSError when it is none, Blocked on the way."""
    return tree.root.read_link(path)


def hashed(tree: WorkTree, path: str) -> tuple[Digest, Signature]:
    """Hash a file of the work tree; gives the digest, and how the file looked before.

    Raises OSError, and Blocked for what is not a regular file.
    """
    digest = hashlib.sha256()
    with os.fdopen(tree.root.open_read(path), "rb", buffering=0) as file:
        facts = os.fstat(file.fileno())
        piece = bytearray(min(_PIECE, max(1, facts.st_size)))
        view = memoryview(piece)
        while count := file.readinto(piece):
            digest.update(view[:count])
    signature = Signature(facts.st_size, facts.st_mtime_ns, facts.st_ino)
    return Digest(digest.hexdigest()), signature
