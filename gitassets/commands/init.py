"""`git assets init`: the empty lockfile, and the line that keeps its line endings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets.git import LOCKFILE
from gitassets.lockfile import Lockfile

if TYPE_CHECKING:
    import argparse

    from gitassets.context import Context

EXAMPLES = """examples:
  git assets init
  git assets init --json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""
    del parser


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Write what is missing; what is there stays."""
    tree = context.tree
    created = not tree.has_lockfile()
    if created:
        tree.save_lockfile(Lockfile())
    else:
        _ = context.lockfile  # a broken one is told now
    attributes = tree.add_attributes()
    if arguments.json:
        context.console.json("init", {"lockfile": LOCKFILE, "created": created})
    elif created or attributes:
        context.console.answer(f"wrote {LOCKFILE}" if created else "wrote .gitattributes")
        context.console.say(f"next: git add {LOCKFILE} .gitattributes && git commit")
        context.console.say("and: git assets install, so that git brings the assets of a branch")
    else:
        context.console.answer(f"{LOCKFILE} is there already; nothing to do")
    return 0
