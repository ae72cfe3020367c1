"""`git assets push`: a remote gets what the lockfile pins, and the lockfile a line that says so."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gitassets import availability, options, publish, selection
from gitassets.push_report import Speaker

if TYPE_CHECKING:
    import argparse

    from gitassets.context import Context

EXAMPLES = """examples:
  git assets push                       everything that the only remote lacks
  git assets push models/ --to team     some of it, to one of several remotes
  git assets push --dry-run             what would be uploaded
  git assets push --check               can others have every asset today?
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    selection.configure(parser)
    parser.add_argument("--to", metavar="REMOTE", help="a name that `git assets remote` knows")
    parser.add_argument("-j", "--jobs", type=options.number, metavar="N", help="files at once")
    parser.add_argument(
        "--check", action="store_true",
        help="push nothing: ask whether others can have every asset today (assets.minSources)",
    )  # fmt: skip
    options.dry_run(parser)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Push. 0 when the remote has every chosen asset, 1 when some failed."""
    begun = time.monotonic()
    speaker = Speaker(context.console, "push", arguments.json)
    assets = selection.select(context.lockfile, context.place, arguments)
    if arguments.check:
        found = availability.check(context, assets)
        return availability.tell(context, "push", found, as_json=arguments.json)
    with publish.connected(context, arguments.to) as remote:
        todo = publish.plan(context, remote, assets)
        if arguments.dry_run:
            speaker.plan(remote, todo)
            return 0
        sent = publish.send(context, remote, assets, todo)
    return publish.finish(context, remote, sent, speaker, time.monotonic() - begun)
