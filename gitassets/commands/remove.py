"""`git assets remove PATH...`: out of the lockfile; the bytes stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets import advice, selection
from gitassets.console import plural
from gitassets.errors import UsageError
from gitassets.plan import State

if TYPE_CHECKING:
    import argparse

    from gitassets.context import Context

EXAMPLES = """examples:
  git assets remove data/faces.tar            the file stays where it is
  git assets remove --delete 'data/*.tar'     the unmodified files go, too
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    selection.configure(parser)
    parser.add_argument(
        "--delete", action="store_true", help="also delete the files, when they are unmodified"
    )


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Unpin. 1 when a file was to be deleted but is modified. Raises UsageError for nothing."""
    if not (arguments.pathspec or arguments.group or arguments.include):
        raise UsageError("which assets? name paths, a group or a pattern", hint="git assets list")
    tree = context.tree
    old = context.lockfile
    assets = selection.select(old, context.place, arguments)
    kept = []
    states = context.sync.states(assets)[0] if arguments.delete else []
    paths = [asset.path for asset in assets]
    tree.save_lockfile(old.without(paths))
    for row in states:
        if row.state is State.FOREIGN:
            kept.append(row.asset.path)
        else:
            tree.root.remove(row.asset.path)
    for path in paths:
        tree.records.pop(path, None)
    written = tree.update_ignores(drop=paths)
    tree.save_records()
    if arguments.json:
        context.console.json("remove", {"removed": paths, "kept": kept})
        return 1 if kept else 0
    for path in kept:
        context.console.error(f"'{path}' was modified and stays")
    context.console.answer(f"{plural(len(paths), 'asset')} removed from assets.lock.toml")
    context.console.say(advice.commit(written, f"Unpin {advice.names(paths)}"))
    return 1 if kept else 0
