"""`git assets remote`: the places that this clone pushes to, kept in git config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gitassets import git, remotes
from gitassets.errors import UsageError
from gitassets.model import Url
from gitassets.urls import redacted
from gitassets.values import remote_name

if TYPE_CHECKING:
    import argparse

    from gitassets.context import Context

EXAMPLES = """examples:
  git assets remote add team https://assets.example.org/by-sha256
  git assets remote add disk /srv/assets --public https://files.example.org/assets
  git assets remote list
  git assets remote remove disk
"""

_WORDS = {"add": 2, "list": 0, "remove": 1}
"""How many words follow each action."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("action", choices=_WORDS, metavar="|".join(_WORDS))
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument(
        "url", nargs="?", metavar="URL", help="https://, s3://, gs://, az://, file:, or a directory"
    )
    parser.add_argument(
        "--public", metavar="URL", help="where others read it, when that is another address"
    )


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Change or show the remotes. Raises UsageError."""
    given = sum(word is not None for word in (arguments.name, arguments.url))
    if given != _WORDS[arguments.action]:
        raise UsageError("add NAME URL, list, or remove NAME", hint="git assets remote -h")
    known = remotes.configured(context.config)
    if arguments.action == "add":
        _add(context, arguments, known)
    elif arguments.action == "remove":
        if arguments.name not in known:
            raise UsageError(
                f"there is no remote '{arguments.name}'", hint="git assets remote list"
            )
        git.drop_config(f"assets.remote.{arguments.name}")
        known.pop(arguments.name)
    if arguments.json:
        rows = [
            {"name": each.name, "url": each.url, "public": each.public} for each in known.values()
        ]
        context.console.json("remote", {"remotes": rows})
    elif arguments.action == "list":
        for each in known.values():
            read = f"  (read at {each.public})" if each.public else ""
            context.console.answer(f"{each.name}  {each.url}{read}")
    return 0


def _add(context: Context, arguments: argparse.Namespace, known: dict[str, remotes.Named]) -> None:
    if not context.place.git_dir:
        raise UsageError("there is no repository here, so there is no configuration to write")
    try:
        name = remote_name(arguments.name)
        url = remotes.address(arguments.url, Path.cwd())
        public = Url(arguments.public) if arguments.public else None
    except ValueError as error:
        raise UsageError(f"cannot add '{redacted(arguments.url)}': {error}") from error
    if name in known:
        raise UsageError(
            f"there is a remote '{name}' already", hint=f"git assets remote remove {name}"
        )
    git.set_config(f"assets.remote.{name}.url", url)
    if public:
        git.set_config(f"assets.remote.{name}.publicUrl", public)
    known[name] = remotes.Named(name, url, public)
