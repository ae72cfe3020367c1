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
from gitassets.model import Status, StoreTable
from gitassets.plan import Plan, State
from gitassets.push_report import Sent
from gitassets.remotes.base import Surroundings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gitassets.context import Context
    from gitassets.model import Asset, Digest, Outcome
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


def fetch(context: Context, assets: Sequence[Asset], todo: upload.Plan) -> dict[Digest, Outcome]:
    """Bring what the plan lacks into the cache; gives what could not be had. Raises NoSpace."""
    first = _by_content(assets)
    lacking = [first[digest] for digest in todo.lacking]
    have = gather(context, lacking)
    missing = tuple(asset for asset in lacking if asset.sha256 not in have)
    fetching = Plan(fetch=missing)
    transfer = context.transfer_for(fetching)
    lockfiles = dict.fromkeys(first, context.lockfile)
    try:
        outcomes = list(context.sync.fill(fetching, lockfiles, transfer))
    finally:
        context.end_progress()
    return {each.asset.sha256: each for each in outcomes if each.status is Status.FAILED}


def send(
    context: Context,
    remote: Remote,
    assets: Sequence[Asset],
    todo: upload.Plan,
    failures: Mapping[Digest, Outcome] | None = None,
) -> list[Sent]:
    """Upload what the plan lacks and the cache has; one result for each asset.

    `failures` says of contents why the cache has them not.
    """
    first = _by_content(assets)
    have = gather(context, [first[digest] for digest in todo.lacking])
    ready = {digest: size for digest, size in todo.lacking.items() if digest in have}
    doing = upload.Plan(todo.there, ready, todo.wrong)
    manner = _manner(context, doing, {digest: first[digest].path for digest in ready})
    try:
        results = {each.digest: each for each in upload.apply(context.store, remote, doing, manner)}
    finally:
        context.end_progress()
    sent = []
    for asset in assets:
        if asset.sha256 in todo.there:
            sent.append(Sent(asset, "present"))
        elif found := results.get(asset.sha256):
            sent.append(_sent(asset, found, counted=first[asset.sha256] is asset))
        else:
            sent.append(_absent(asset, remote, (failures or {}).get(asset.sha256)))
    return sent


def _by_content(assets: Sequence[Asset]) -> dict[Digest, Asset]:
    """The first asset of each content."""
    return {asset.sha256: asset for asset in reversed(assets)}


def _sent(asset: Asset, found: upload.Uploaded, *, counted: bool) -> Sent:
    status = "failed" if found.error else "uploaded"
    return Sent(asset, status, found.count if counted else 0, found.error, found.hint)


def _absent(asset: Asset, remote: Remote, failure: Outcome | None) -> Sent:
    if failure:
        return Sent(asset, "failed", 0, "; ".join(failure.errors), failure.hint)
    why = f"neither this machine nor remote '{remote.name}' has it"
    return Sent(asset, "failed", 0, why, f"git assets pull {asset.path}")


def _manner(
    context: Context, todo: upload.Plan | None = None, names: dict[Digest, str] | None = None
) -> upload.Manner:
    cap = context.config.get(RETRY_CAP)
    if todo is None or not todo.lacking:
        return upload.Manner(context.tuning.jobs, cap)
    shown = context.progress(total=todo.bytes, files=len(todo.lacking), word="pushing")
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
