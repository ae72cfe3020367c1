"""`git assets fetch`: the cache gets what revisions pin; the work tree stays as it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gitassets import git, lockfile, options, report, teamcache
from gitassets.errors import AssetsError, UsageError
from gitassets.model import Status

if TYPE_CHECKING:
    import argparse

    from gitassets.context import Context
    from gitassets.lockfile import Lockfile
    from gitassets.model import Asset, Digest

EXAMPLES = """examples:
  git assets fetch                what HEAD pins
  git assets fetch v1.0 v2.0      what two tags pin
  git assets fetch --all          what any ref pins
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("rev", nargs="*", metavar="REV", help="revisions (default: HEAD)")
    parser.add_argument("--all", action="store_true", help="every ref's tip")
    options.transfer(parser)
    options.dry_run(parser)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Fetch. 0 when the cache has everything, 1 when some failed."""
    begun = time.monotonic()
    wanted = _wanted(context, arguments)
    sync = context.sync
    todo = sync.plan_fetch([asset for _, asset in wanted.values()])
    if arguments.dry_run:
        free = context.store.free_space()
        if arguments.json:
            context.console.json("fetch", report.plan_json(todo, free=free, where={}))
        else:
            place = str(context.store.root)
            report.plan(context.console, todo, free=free, place=place, where={})
        return 0
    transfer = context.transfer_for(todo)
    try:
        outcomes = list(sync.fill(todo, {key: row[0] for key, row in wanted.items()}, transfer))
    finally:
        context.end_progress()
    teamcache.fill(context, outcomes)
    context.announce(record=True)
    if arguments.json:
        document = {"assets": report.rows(outcomes), "summary": report.summary(outcomes)}
        context.console.json("fetch", document)
    else:
        report.finish(context.console, outcomes, time.monotonic() - begun)
    return 1 if any(each.status is Status.FAILED for each in outcomes) else 0


def _wanted(
    context: Context, arguments: argparse.Namespace
) -> dict[Digest, tuple[Lockfile, Asset]]:
    """One asset for each content, with the lockfile that pins it."""
    if not context.place.git_dir:
        raise UsageError("there is no repository here, so there are no revisions")
    # By commit: `:/words` is a revision, too, but not when a path is put behind it.
    revisions = (
        {ref: ref for ref in git.refs()}
        if arguments.all
        else {_commit(revision): revision for revision in arguments.rev or ["HEAD"]}
    )
    found: dict[Digest, tuple[Lockfile, Asset]] = {}
    texts = git.lockfiles(revisions)
    for revision, text in texts.items():
        try:
            locked = lockfile.load(text)
        except AssetsError as error:
            context.console.warning(f"{revisions[revision]}: {error}")
            continue
        for asset in locked.assets.values():
            found.setdefault(asset.sha256, (locked, asset))
    if not texts and not arguments.all:
        names = ", ".join(revisions.values())
        raise UsageError(f"no assets.lock.toml in {names}", hint="git assets init")
    return found


def _commit(revision: str) -> str:
    commit = git.commit_of(revision)
    if commit is None:
        raise UsageError(f"'{revision}' is not a revision of this repository")
    return commit
