"""Pin what a Hugging Face repository lists: one source, one line for where each file comes from.

Large files are pinned by what the Hub says of them, with no byte moved. Small ones, of which it
knows only git's sha1, are fetched, compared with it, and hashed.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from gitassets import tables
from gitassets.errors import AssetsError, TransferError, UsageError
from gitassets.hub import HubPlace, parse
from gitassets.model import Asset, AssetPath, Digest, SourceTable
from gitassets.sources.hf import Hub, RemoteFile
from gitassets.transfer import Want

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitassets.context import Context
    from gitassets.lockfile import Lockfile

_GITS = frozenset({".gitattributes", ".gitignore", ".gitmodules", ".lfsconfig"})
"""Files by which the Hub's repository rules itself; here git would act on them."""
_EMPTY = Digest(hashlib.sha256().hexdigest())


@dataclass(frozen=True, slots=True)
class Choice:
    """What is wanted of a listing, and where it goes."""

    include: tuple[str, ...] = ()
    """Globs over whole paths, `*` also for `/`, as in the Hub's own client; none: everything."""
    to: str | None = None
    groups: tuple[str, ...] = ()


def pin(
    context: Context, known: Lockfile, place: HubPlace, choice: Choice
) -> tuple[Lockfile, list[Asset]]:
    """List `place`; gives `known` with the source, and the assets. Raises AssetsError."""
    client = context.resolver.source(place.url)
    if not isinstance(client, Hub):
        raise TypeError(client)
    try:
        resolved = parse(client.pinned(place.url))
        files = _chosen(list(client.list(resolved.url)), choice.include)
        if not files:
            raise UsageError(f"nothing in '{place.url}' matches --include")
        source = source_for(known, place.top(), resolved.top())
        digests = _small(context, source, [file for file in files if file.sha256 is None])
    except TransferError as error:
        raise AssetsError(f"cannot add '{place.url}': {error.reason}", hint=error.hint) from error
    finally:
        context.end_progress()
    assets = [
        Asset(
            _target(context, place.path, file.path, choice.to), file.size,
            file.sha256 or digests[file.path],
            origin=f"{source.id}:{file.path}", groups=choice.groups,
        )
        for file in files
    ]  # fmt: skip
    return known.with_source(source), assets


def source_for(known: Lockfile, original: HubPlace, resolved: HubPlace) -> SourceTable:
    """Give the table of a repository at a commit: the one that exists, or one with a new ID.

    Another commit of a repository that is pinned already is another source: what others pin
    stays where it is until `git assets update`.
    """
    name = original.repository.partition("/")[2].lower()
    base = re.sub(r"[^a-z0-9]+", "-", name).strip("-") or "hub"
    names = [base, *(f"{base}-{number}" for number in range(2, len(known.sources) + 3))]
    for each in names:
        table = known.sources.get(each)
        if table is None:
            return SourceTable(each, original.url, resolved.url)
        if (table.original, table.resolved) == (original.url, resolved.url):
            return table
    raise AssertionError  # pragma: no cover - there are more names than sources


def _chosen(files: Sequence[RemoteFile], globs: Sequence[str]) -> list[RemoteFile]:
    return [
        file
        for file in files
        if file.path.rpartition("/")[2] not in _GITS
        and (not globs or any(fnmatchcase(file.path, glob) for glob in globs))
    ]


def _target(context: Context, base: str, path: str, to: str | None) -> AssetPath:
    """Where a file goes: under its path below what was listed, or where --to says for one."""
    if path != base:
        inside = path[len(base) :].lstrip("/")
    elif to and not to.endswith("/") and not Path(to).is_dir():
        return AssetPath(context.tree.relative(to))
    else:
        inside = path.rpartition("/")[2]
    return AssetPath(context.tree.relative(os.path.join(to or "", inside)))  # noqa: PTH118 - text


def _small(
    context: Context, source: SourceTable, files: Iterable[RemoteFile]
) -> Mapping[str, Digest]:
    """Fetch files into the cache and give their sha256 by path.

    Raises TransferError, also when one is not what git's sha1 says.
    """
    by_path = {file.path: file for file in files}
    found = {path: _EMPTY for path, file in by_path.items() if file.size == 0}
    wants = []
    for path, file in by_path.items():
        if path in found:
            continue
        url = tables.url_of(f"{source.id}:{path}", {source.id: source})
        key = Digest(hashlib.sha256(f"add\0{url}\0{file.size}".encode()).hexdigest())
        wants.append(Want(key, file.size, path, (url,), pinned=False))
    if not wants:
        return found
    transfer = context.transfer(total=sum(want.size for want in wants), files=len(wants))
    for delivery in transfer.bring(wants):
        [url] = delivery.want.urls
        if not delivery.ok:
            raise TransferError(url, "; ".join(delivery.errors), hint=delivery.hint)
        object_path = context.store.object_path(delivery.digest)
        if _blob_id(object_path, delivery.want.size) != by_path[delivery.want.name].blob_id:
            raise TransferError(url, f"'{delivery.want.name}' is not what the Hub lists")
        found[delivery.want.name] = delivery.digest
    return found


def _blob_id(path: Path, size: int) -> str:
    """Git's name for a file (gitformat-pack(5)): a sha1 over its kind, its size and its bytes."""
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()
