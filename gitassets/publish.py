"""What `push` and `mirror` share: chosen assets become objects at a remote, and a line says so.

The lockfile changes last, and only when the remote has everything that was asked for.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gitassets import remotes, upload
from gitassets.config import RETRY_CAP
from gitassets.errors import AssetsError, TransferError, UsageError
from gitassets.model import StoreTable
from gitassets.plan import State
from gitassets.push_report import Sent
from gitassets.remotes.base import Surroundings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gitassets.context import Context
    from gitassets.model import Asset, Digest
    from gitassets.push_report import Speaker
    from gitassets.remotes.base import Remote

_ATTEMPTS = 5
"""Writers of one lockfile that may come in between: shards of one machine end together."""


@contextmanager
def connected(context: Context, name: str | None) -> Iterator[Remote]:
    """Hold the remote of that name open. Raises UsageError, AssetsError."""
    named = remotes.chosen(context.config, name)
    if context.offline and not named.url.startswith(("/", "file:")):
        raise UsageError(f"remote '{named.name}' needs the network, and assets.offline is set")
    surroundings = Surroundings(context.place.top, context.tuning, context.policy)
    remote = remotes.connect(named, surroundings)
    try:
        yield remote
    except TransferError as error:
        why = f"cannot use remote '{named.name}' ({named.url}): {error.reason}"
        raise AssetsError(why, hint=error.hint) from error
    finally:
        remote.close()


def plan(context: Context, remote: Remote, assets: Iterable[Asset]) -> upload.Plan:
    """Ask the remote what it lacks. Raises TransferError."""
    contents = {asset.sha256: asset.size for asset in assets}
    return upload.plan(remote, contents, _manner(context))


def gather(context: Context, assets: Sequence[Asset]) -> set[Digest]:
    """Give the contents that the cache holds, having taken in what stands in the work tree."""
    have = {asset.sha256 for asset in context.sync.plan_fetch(assets).keep}
    absent = [asset for asset in assets if asset.sha256 not in have]
    if absent:
        seen, _ = context.sync.states(absent)
        for row in seen:
            asset = row.asset
            right = row.state is State.RIGHT and asset.sha256 not in have
            path = context.place.top / asset.path
            if right and context.store.adopt(path, asset.sha256, asset.size):
                have.add(asset.sha256)
    return have


def send(
    context: Context, remote: Remote, assets: Sequence[Asset], todo: upload.Plan
) -> list[Sent]:
    """Upload what the plan lacks and the cache has; one result for each asset."""
    first = {asset.sha256: asset for asset in reversed(assets)}
    lacking = [first[digest] for digest in todo.lacking]
    have = gather(context, lacking)
    ready = {digest: size for digest, size in todo.lacking.items() if digest in have}
    doing = upload.Plan(todo.there, ready, todo.wrong)
    manner = _manner(context, doing, {digest: first[digest].path for digest in ready})
    try:
        results = {each.digest: each for each in upload.apply(context.store, remote, doing, manner)}
    finally:
        context.end_progress()
    return [_sent(asset, remote, todo, results, first) for asset in assets]


def _sent(
    asset: Asset,
    remote: Remote,
    todo: upload.Plan,
    results: dict[Digest, upload.Uploaded],
    first: dict[Digest, Asset],
) -> Sent:
    digest = asset.sha256
    if digest in todo.there:
        return Sent(asset, "present")
    found = results.get(digest)
    if found is None:
        why = f"neither this machine nor remote '{remote.name}' has it"
        return Sent(asset, "failed", error=why, hint=f"git assets pull {asset.path}")
    if found.error:
        return Sent(asset, "failed", found.count, found.error, found.hint)
    return Sent(asset, "uploaded", found.count if first[digest] is asset else 0)


def _manner(
    context: Context, todo: upload.Plan | None = None, names: dict[Digest, str] | None = None
) -> upload.Manner:
    cap = context.config.get(RETRY_CAP)
    if todo is None or not todo.lacking:
        return upload.Manner(context.tuning.jobs, cap)
    shown = context.progress(total=todo.bytes, files=len(todo.lacking))
    return upload.Manner(context.tuning.jobs, cap, shown, names or {})


def _named_in_lockfile(context: Context, remote: Remote) -> StoreTable | None:
    """Let the lockfile name the remote, once, when others can read there; None: nothing to say.

    Raises AssetsError when other writers never leave a moment for it.
    """
    url = remote.public_url()
    if url is None:
        return None
    for attempt in range(_ATTEMPTS):
        lockfile = context.tree.lockfile()  # anew: uploads take long, and shards end together
        known = {store.url.rstrip("/") for store in lockfile.stores.values()}
        if url.rstrip("/") in known:
            return None
        table = StoreTable(_id(remote.name, lockfile.stores), url)
        try:
            context.tree.save_lockfile(lockfile.with_store(table))
        except AssetsError:
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        return table
    return None


def _id(name: str, taken: Iterable[str]) -> str:
    """Give a bare key like the remote's name that no other store has."""
    base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    found, number = base, 1
    while found in taken:
        number += 1
        found = f"{base}-{number}"
    return found


def finish(
    context: Context, remote: Remote, sent: Sequence[Sent], speaker: Speaker, seconds: float
) -> int:
    """Write the lockfile's line when nothing failed, report, and give the exit status."""
    failed = any(each.error for each in sent)
    table = None if failed else _named_in_lockfile(context, remote)
    context.sync.remember(context.lockfile)
    speaker.result(remote, sent, table, seconds)
    return 1 if failed else 0
