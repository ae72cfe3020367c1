"""`git assets checkout`: the work tree gets what the cache has; no network."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gitassets import report, selection
from gitassets.model import Status

if TYPE_CHECKING:
    import argparse

    from gitassets.context import Context

EXAMPLES = """examples:
  git assets checkout                  everything that the cache has
  git assets checkout models/a.pt      one file, after it was deleted
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    selection.configure(parser)
    parser.add_argument(
        "-f", "--force", action="store_true",
        help="replace files that are not the previous pin; they go to .git/assets/rescued/ first",
    )  # fmt: skip


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Link. 0 when every chosen asset is right, 1 when some failed or are not in the cache."""
    begun = time.monotonic()
    lockfile = context.lockfile
    assets = selection.select(lockfile, context.place, arguments)
    sync = context.sync
    try:
        todo = sync.plan(assets, force=arguments.force)
        outcomes = list(sync.apply(todo, lockfile, None))
    finally:
        sync.remember(lockfile)
    if arguments.json:
        document = {"assets": report.rows(outcomes), "summary": report.summary(outcomes)}
        context.console.json("checkout", document)
    else:
        report.finish(context.console, outcomes, time.monotonic() - begun)
    return 1 if any(each.status is Status.FAILED for each in outcomes) else 0
