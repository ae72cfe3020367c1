"""`git assets pull`: the work tree gets what the lockfile pins."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from gitassets import options, report, selection
from gitassets.config import TEAM_CACHE
from gitassets.model import Status

if TYPE_CHECKING:
    import argparse

    from gitassets.context import Context
    from gitassets.model import Outcome
    from gitassets.plan import Plan

EXAMPLES = """examples:
  git assets pull                            everything that is missing or changed
  git assets pull models/ --group eval       some of it, by git's own pathspecs and by group
  git assets pull --dry-run                  what would be done: files, bytes, hosts, free space
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    selection.configure(parser)
    options.transfer(parser)
    options.dry_run(parser)
    parser.add_argument(
        "--frozen", action="store_true",
        help="for CI: write nothing but assets, neither configuration nor ignore lines",
    )  # fmt: skip
    parser.add_argument(
        "-f", "--force", action="store_true",
        help="replace files that are not the previous pin; they go to .git/assets/rescued/ first",
    )  # fmt: skip


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Pull. 0 when every chosen asset is right, 1 when some failed."""
    begun = time.monotonic()
    if arguments.engine:
        _ = context.fleet  # an engine that was asked for by name and is not there is told now
    lockfile = context.lockfile
    assets = selection.select(lockfile, context.place, arguments)
    todo = context.sync.plan(assets, force=arguments.force)
    if arguments.dry_run:
        return _show(context, todo, as_json=arguments.json)
    outcomes = _apply(context, todo)
    if context.config.get(TEAM_CACHE) and todo.fetch:
        from gitassets import teamcache  # noqa: PLC0415 - few have one

        teamcache.fill(context, outcomes)
    context.announce(record=not arguments.frozen)
    if arguments.json:
        document = {"assets": report.rows(outcomes), "summary": report.summary(outcomes)}
        context.console.json("pull", document)
    else:
        report.finish(context.console, outcomes, time.monotonic() - begun)
    _notice_hooks(context)
    return 1 if any(each.status is Status.FAILED for each in outcomes) else 0


def _notice_hooks(context: Context) -> None:
    """Say so when hooks that were installed here do not run any more."""
    if context.config.values("assets.hookDirectory"):
        from gitassets import installation  # noqa: PLC0415 - most clones need none of it

        if why := installation.asleep(context.config, context.place):
            context.console.warning(why, hint="git assets install")


def _apply(context: Context, todo: Plan) -> list[Outcome]:
    sync = context.sync
    transfer = context.transfer_for(todo)
    try:
        return list(sync.apply(todo, context.lockfile, transfer))
    finally:
        context.end_progress()
        sync.remember(context.lockfile)


def _show(context: Context, todo: Plan, *, as_json: bool) -> int:
    where: Counter[str] = Counter()
    for asset in todo.fetch:
        stores = context.lockfile.store_urls(asset.sha256, asset.size)
        urls = (*context.lockfile.urls_of(asset), *stores)
        where[(urls[0].host or urls[0].scheme) if urls else "nowhere known"] += 1
    store = context.store
    free = store.free_space()
    if as_json:
        context.console.json("pull", report.plan_json(todo, free=free, where=dict(where)))
    else:
        report.plan(context.console, todo, free=free, place=str(store.root), where=dict(where))
    return 0
