"""`git assets mirror`: from wherever assets are to a remote of one's own, through the cache."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from gitassets import options, publish, selection, shard
from gitassets.push_report import Speaker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitassets.context import Context
    from gitassets.model import Asset

EXAMPLES = """examples:
  git assets mirror --to team                  everything that the remote lacks
  git assets mirror --to team --shard 3/8      the third of eight machines' part of it
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    selection.configure(parser)
    parser.add_argument("--to", metavar="REMOTE", help="a name that `git assets remote` knows")
    parser.add_argument(
        "--shard", type=_shard, default=shard.Shard(1, 1), metavar="I/N",
        help="only part I of N, by size; every machine works out the same parts",
    )  # fmt: skip
    options.transfer(parser)
    options.dry_run(parser)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Mirror. 0 when the remote has every chosen asset, 1 when some failed."""
    begun = time.monotonic()
    speaker = Speaker(context.console, "mirror", arguments.json)
    chosen = selection.select(context.lockfile, context.place, arguments)
    assets = _part(chosen, arguments.shard)
    with publish.connected(context, arguments.to) as remote:
        todo = publish.plan(context, remote, assets)
        if arguments.dry_run:
            speaker.plan(remote, todo)
            return 0
        failures = publish.fetch(context, assets, todo)
        sent = publish.send(context, remote, assets, todo, failures)
    context.announce(record=True)
    return publish.finish(context, remote, sent, speaker, time.monotonic() - begun)


def _part(assets: Sequence[Asset], part: shard.Shard) -> list[Asset]:
    mine = part.of({asset.sha256: asset.size for asset in assets})
    return [asset for asset in assets if asset.sha256 in mine]


def _shard(text: str) -> shard.Shard:
    try:
        return shard.read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
