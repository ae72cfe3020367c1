"""`git assets set PATH`: edit an entry."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from gitassets import advice
from gitassets.errors import Blocked, UsageError
from gitassets.model import AssetPath, Url

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from gitassets.context import Context
    from gitassets.model import Asset

EXAMPLES = """examples:
  git assets set data/faces.tar --url https://new.example.org/faces.tar
  git assets set data/faces.tar --group train --group eval
  git assets set data/faces.tar --move data/v2/faces.tar
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("path", metavar="PATH", help="an asset's path")
    parser.add_argument("--url", action="append", metavar="URL", help="all URLs, best first")
    parser.add_argument("--group", action="append", metavar="G", help="all groups")
    parser.add_argument("--move", metavar="NEWPATH", help="another place in the work tree")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Edit. Raises UsageError when there is nothing to edit."""
    if arguments.url is None and arguments.group is None and arguments.move is None:
        raise UsageError("what is to be set? give --url, --group or --move")
    tree, old = context.tree, context.lockfile
    path = tree.relative(arguments.path)
    asset = old.assets.get(path)
    if asset is None:
        raise UsageError(f"'{path}' is not in assets.lock.toml", hint="git assets list")
    edited = _edited(asset, arguments)
    written: list[str] = []
    if arguments.move:
        edited = replace(edited, path=AssetPath(tree.relative(arguments.move)))
        if edited.path in old.assets or tree.root.stat(edited.path):
            raise Blocked(edited.path, "is there already")
    new = old.without([path]).with_asset(edited)
    if arguments.move:
        with _moved(context, path, edited.path):
            tree.save_lockfile(new)
        written = tree.update_ignores(add=[edited.path], drop=[path])
    else:
        tree.save_lockfile(new)
    if arguments.json:
        context.console.json("set", {"path": edited.path, "was": path})
    else:
        context.console.answer(f"'{edited.path}' is set")
        context.console.say(advice.commit(written, f"Set {edited.path}"))
    return 0


def _edited(asset: Asset, arguments: argparse.Namespace) -> Asset:
    try:
        if arguments.url is not None:
            urls = tuple(dict.fromkeys(Url(text) for text in arguments.url if text))
            asset = replace(asset, urls=urls)
    except ValueError as error:
        raise UsageError(f"--url: {error}") from error
    if arguments.group is not None:
        asset = replace(asset, groups=tuple(dict.fromkeys(g for g in arguments.group if g)))
    return asset


@contextmanager
def _moved(context: Context, old: str, new: str) -> Iterator[None]:
    """Move the file for what is done meanwhile, and for good when that succeeds."""
    tree = context.tree
    there = tree.root.stat(old) is not None
    if there:
        tree.root.rename(old, new)
    try:
        yield
    except BaseException:
        if there:
            tree.root.rename(new, old)
        raise
    if record := tree.records.pop(old, None):
        tree.records[new] = record
    tree.save_records()
