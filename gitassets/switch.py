"""What a hook does: the work tree's assets become those of the lockfile that git has put there.

Only the difference to the lockfile that was last applied is looked at, so that what a user left out
or deleted stays so. What is not ours to judge (a lockfile in conflict, or none) changes nothing.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from gitassets import changes, config, git, gitpaths, lockfile
from gitassets.beneath import Root
from gitassets.changes import Change
from gitassets.errors import LockfileError
from gitassets.model import AssetPath, Digest, Signature, Status
from gitassets.observe import hashed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitassets.context import Context
    from gitassets.model import Asset, Outcome
    from gitassets.plan import Plan, Refusal
    from gitassets.worktree import WorkTree

MAX_BYTES: Final = 16 * 2**20
"""What a hook reads of a lockfile; nobody waits for a switch as for a pull."""
_TICK: Final = 10_000_000
"""Nanoseconds; files are stamped with the time of the last timer tick, at most so long ago."""
APPLIED: Final = "lockfile"
"""Below `git rev-parse --git-path assets`: the text that was last applied, which the hook scripts
compare with cmp(1)."""


@dataclass(slots=True)
class Report:
    """What came of it, for one line each."""

    linked: list[Asset] = field(default_factory=list)
    fetched: list[Asset] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    modified: list[str] = field(default_factory=list)
    """The user's files, which stay as they are."""
    missing: list[Asset] = field(default_factory=list)
    why: str = ""
    """Why the first one is missing."""
    moved: int = 0
    """Bytes that crossed the network."""

    @property
    def complete(self) -> bool:
        """The work tree holds what the lockfile pins."""
        return not (self.missing or self.modified)


class _Going(NamedTuple):
    """Paths that are not pinned any more."""

    remove: list[AssetPath]
    modified: list[str]


def follow(context: Context, *, network: bool, last: bool) -> Report:
    """Bring the assets that differ; `last` says that no other event comes for the same change.

    Raises LockfileError, with nothing changed, and whatever keeps the cache from being used.
    """
    tree, report = context.tree, Report()
    moment = time.time_ns()
    text, before = _lockfile(tree), _applied(tree)
    if text == before:
        return report
    change = (changes.between(before, text) if before else None) or _whole(tree, text)
    going = _going(context, change.gone)
    todo = context.sync.plan(list(change.lockfile.assets.values()), remove=going.remove)
    report.removed, report.modified = [*going.remove], going.modified
    report.modified += _left_alone(todo.blocked)
    limit = context.config.get(config.HOOK_LIMIT) if network else 0
    todo = _within(todo, limit, report)
    if report.missing:
        report.why = "larger than assets.hookLimit allows" if network else "not in the cache"
    try:
        _apply(context, todo, change, report)
    finally:
        tree.save_records()
    place = tree.place
    context.store.journal.register(str(place.common_dir), str(place.top), change.digests)
    if last or not report.missing:
        remember(tree, text, moment)
    return report


def remember(tree: WorkTree, text: bytes, moment: int) -> None:
    """Keep the lockfile's text, read after `moment`, as the one that was last applied.

    The hook scripts take a lockfile that is older than this note for the same one. So the note is
    dated before its text was read, by a tick of the kernel's clock for files more: what is written
    while a hook works is newer, however late the note.
    """
    if state := tree.place.state:
        state.mkdir(parents=True, exist_ok=True)
        with Root(state) as directory:
            directory.write_atomic(APPLIED, text, sync=False)
        os.utime(state / APPLIED, ns=(moment - _TICK, moment - _TICK))


def begin(tree: WorkTree) -> None:
    """Take the work tree as it stands for applied, unless something was applied already."""
    if tree.place.state is None or (tree.place.state / APPLIED).exists():
        return
    # One that cannot be read was never applied: what the next comes from is not known.
    moment = time.time_ns()
    with suppress(LockfileError):
        text = _lockfile(tree) if tree.has_lockfile() else b""
        if text:
            lockfile.load(text)
        remember(tree, text, moment)


def _lockfile(tree: WorkTree) -> bytes:
    found = tree.root.stat(git.LOCKFILE)
    if found is not None and found.st_size > MAX_BYTES:
        raise LockfileError(None, f"more than the {MAX_BYTES} bytes that a hook reads")
    try:
        with os.fdopen(tree.root.open_read(git.LOCKFILE), "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise LockfileError(None, "it is gone again") from None


def _applied(tree: WorkTree) -> bytes:
    if tree.place.state is None:
        return b""
    try:
        return (tree.place.state / APPLIED).read_bytes()
    except OSError:
        return b""


def _whole(tree: WorkTree, text: bytes) -> Change:
    """Read everything: the text is not canonical, or nothing is known to be applied."""
    found = lockfile.load(text, limit=MAX_BYTES)
    gone = tuple(path for path in tree.records if path not in found.assets)
    return Change(found, gone, tuple(asset.sha256 for asset in found.assets.values()))


def _going(context: Context, gone: Iterable[str]) -> _Going:
    """Decide what becomes of files that are not pinned any more.

    Removed is only what we put there, what nobody changed, what git does not track now, and what
    the cache can give back.
    """
    tree, found = context.tree, _Going([], [])
    known = [path for path in gone if path in tree.records]
    unmodified: dict[AssetPath, tuple[Digest, int]] = {}
    tracked = gitpaths.tracked([path for path in known if tree.root.stat(path)], tree.place)
    for path in known:
        facts, record = tree.root.stat(path), tree.records[path]
        if facts is None or path in tracked:
            del tree.records[path]
            continue
        same = Signature(facts.st_size, facts.st_mtime_ns, facts.st_ino) == record.signature
        if same or (facts.st_size == record.signature.size and _holds(tree, path, record.sha256)):
            unmodified[AssetPath(path)] = record.sha256, facts.st_size
        else:
            found.modified.append(path)
    have = context.store.present(dict(unmodified.values()))
    found.remove.extend(path for path, (digest, _) in unmodified.items() if digest in have)
    return found


def _holds(tree: WorkTree, path: str, digest: Digest) -> bool:
    try:
        return hashed(tree, path)[0] == digest
    except OSError:
        return False


def _left_alone(blocked: Iterable[Refusal]) -> list[str]:
    return [refusal.asset.path for refusal in blocked]


def _within(todo: Plan, limit: int, report: Report) -> Plan:
    """Fetch the smallest files, up to `limit` bytes in sum; the others are missing."""
    fetch: list[Asset] = []
    total, counted = 0, set()
    for asset in sorted(todo.fetch, key=lambda asset: (asset.size, asset.path)):
        more = 0 if asset.sha256 in counted else asset.size  # equal bytes are fetched once
        if total + more > limit or not limit:
            report.missing.append(asset)
            continue
        total += more
        counted.add(asset.sha256)
        fetch.append(asset)
    return replace(todo, fetch=tuple(fetch), keep=(), blocked=())


def _apply(context: Context, todo: Plan, change: Change, report: Report) -> None:
    transfer = None
    if todo.fetch:
        context.sync.check_space(todo)
        transfer = context.transfer(total=todo.bytes_to_fetch, files=len(todo.fetch))
    try:
        for outcome in context.sync.apply(todo, change.lockfile, transfer):
            _note(outcome, report)
    finally:
        context.end_progress()


def _note(outcome: Outcome, report: Report) -> None:
    report.moved += outcome.bytes
    if outcome.status is Status.LINKED:
        report.linked.append(outcome.asset)
    elif outcome.status is Status.FETCHED:
        report.fetched.append(outcome.asset)
    else:
        report.missing.append(outcome.asset)
        report.why = report.why or "; ".join(outcome.errors)
