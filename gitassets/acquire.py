"""Bring a file that nobody has pinned yet into the cache, through the same engines as a pull."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gitassets.errors import AssetsError, Cause, TransferError
from gitassets.model import Digest
from gitassets.transfer import Want

if TYPE_CHECKING:
    from gitassets.context import Context
    from gitassets.model import Url


def download(context: Context, url: Url, name: str, expected: Digest | None) -> tuple[Digest, int]:
    """Fetch `url` into the cache; gives its sha256 and size.

    Raises TransferError, also when it is not what `expected` says.
    """
    size = _size(context, url)
    # Nothing but the place and the size is known: the staging file is named after them, so that an
    # interrupted `add` is resumed by the next one.
    key = expected or Digest(hashlib.sha256(f"add\0{url}\0{size}".encode()).hexdigest())
    want = Want(key, size, name, (url,), pinned=expected is not None)
    for delivery in context.transfer(total=size, files=1).bring([want]):
        context.end_progress()
        if not delivery.ok:
            reason = "; ".join(delivery.errors).removeprefix(f"{url}: ")
            raise TransferError(url, f"cannot fetch '{url}': {reason}", hint=delivery.hint)
        return delivery.digest, size
    raise AssetsError(f"cannot fetch '{url}'")


def _size(context: Context, url: Url) -> int:
    try:
        request = context.resolver.resolve(url)
        if request.root is not None:
            from gitassets.beneath import Root  # noqa: PLC0415 - local files only

            with Root(Path(request.root)) as root:
                path = unquote(request.url.removeprefix("file://"))
                facts = root.stat(path[len(request.root) :].strip("/"))
            if facts is None:
                raise TransferError(url, "no such file", Cause.GONE)
            return facts.st_size
        from gitassets.sources import remote  # noqa: PLC0415 - loads requests

        return remote.ask(request, context.policy, context.tuning).size
    except TransferError as error:
        raise TransferError(
            url, f"cannot fetch '{url}': {error.reason}", error.cause, hint=error.hint
        ) from error
