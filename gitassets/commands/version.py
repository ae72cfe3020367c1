"""`git assets version`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets import __version__

if TYPE_CHECKING:
    import argparse

    from gitassets.context import Context

EXAMPLES = """examples:
  git assets version
  git assets version --json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""
    del parser


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Print the version."""
    if arguments.json:
        context.console.json("version", {"gitassets": __version__})
    else:
        context.console.answer(f"git assets {__version__}")
    return 0
