"""`git assets help [VERB]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets.commands import VERBS, overview, parser_of
from gitassets.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from gitassets.context import Context

EXAMPLES = """examples:
  git assets help
  git assets help pull
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb."""
    parser.add_argument("verb", nargs="?", metavar="VERB")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Print the text of `git assets VERB -h`. Raises UsageError for an unknown verb."""
    if arguments.verb and arguments.verb not in VERBS:
        raise UsageError(f"'{arguments.verb}' is not a git assets command", hint="git assets -h")
    text = parser_of(arguments.verb).format_help() if arguments.verb else overview()
    if arguments.json:
        context.console.json("help", {"verb": arguments.verb, "text": text})
    else:
        context.console.page(text)
    return 0
