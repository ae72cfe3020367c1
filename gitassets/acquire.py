"""Bring a file that nobody has pinned yet into the cache, through the same engines as a pull."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gitassets.beneath import Root
from gitassets.errors import Cause, TransferError
from gitassets.model import Digest
from gitassets.transfer import Want

if TYPE_CHECKING:
    from gitassets.model import Request, Url
    from gitassets.sources import Resolver
    from gitassets.transfer import Transfer


def size_of(url: Url, resolver: Resolver) -> int:
    """Ask how many bytes `url` has. Raises TransferError."""
    request = resolver.resolve(url)
    if request.root is not None:
        return _local_size(url, request, request.root)
    from gitassets.sources import remote  # noqa: PLC0415 - loads requests

    try:
        return remote.ask(request, resolver.control).size
    except TransferError as error:
        raise resolver.explain(url, error) from error


def _local_size(url: Url, request: Request, directory: str) -> int:
    path = unquote(request.url.removeprefix("file://"))
    with Root(Path(directory)) as root:
        facts = root.stat(path[len(directory) :].strip("/"))
    if facts is None:
        raise TransferError(url, "no such file", Cause.GONE)
    return facts.st_size


def download(
    transfer: Transfer, url: Url, *, size: int, name: str, expected: Digest | None
) -> Digest:
    """Fetch `url` into the cache and give its sha256.

    Raises TransferError, also when it is not what `expected` says.
    """
    # Nothing but the place and the size is known: the staging file is named after them, so that an
    # interrupted `add` is resumed by the next one.
    key = expected or Digest(hashlib.sha256(f"add\0{url}\0{size}".encode()).hexdigest())
    want = Want(key, size, name, (url,), pinned=expected is not None)
    [delivery] = transfer.bring([want])
    if not delivery.ok:
        reason = "; ".join(delivery.errors).removeprefix(f"{url}: ")
        raise TransferError(url, reason, hint=delivery.hint)
    return delivery.digest
