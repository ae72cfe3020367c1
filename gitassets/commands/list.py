"""`git assets list [REV]`: what a lockfile pins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets import git, lockfile
from gitassets.console import human, quoted
from gitassets.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from gitassets.context import Context
    from gitassets.lockfile import Lockfile

EXAMPLES = """examples:
  git assets list               sizes and paths
  git assets list v1.0 --json   what a tag pins, everything
  git assets list -z            paths only, for scripts
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("rev", nargs="?", metavar="REV", help="a revision (default: work tree)")
    parser.add_argument(
        "-z", action="store_true", dest="zero", help="paths only, each ended by NUL"
    )


def run(context: Context, arguments: argparse.Namespace) -> int:
    """List."""
    locked = _of(arguments.rev) if arguments.rev else context.lockfile
    assets = list(locked.assets.values())
    if arguments.json:
        rows = [
            {
                "path": asset.path,
                "size": asset.size,
                "sha256": asset.sha256,
                "urls": [str(url) for url in locked.urls_of(asset)],
                "groups": list(asset.groups),
            }
            for asset in assets
        ]
        context.console.json("list", {"assets": rows})
    elif arguments.zero:
        context.console.records([asset.path for asset in assets], zero=True)
    else:
        for asset in assets:
            context.console.answer(
                f"{asset.sha256.short}  {human(asset.size):>10}  {quoted(asset.path)}"
            )
    return 0


def _of(revision: str) -> Lockfile:
    # `:/words` is a revision, too, but not when a path is put behind it.
    commit = git.commit_of(revision)
    if commit is None:
        raise UsageError(f"'{revision}' is not a revision of this repository")
    text = git.lockfiles([commit]).get(commit)
    if text is None:
        raise UsageError(f"there is no assets.lock.toml in '{revision}'")
    return lockfile.load(text)
