"""The verbs: one file each, with `EXAMPLES`, `configure(parser)` and `run(context, arguments)`.

This page is the list of them and what their command lines have in common. A verb's module is
imported when the verb is named: nobody waits for the others.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from gitassets.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType

VERBS = {
    "init": "begin: write an empty lockfile",
    "add": "pin a file: download or take it, hash it, lock it",
    "remove": "unpin files; they stay on disk",
    "set": "change an entry: URLs, groups, place",
    "pull": "bring the work tree's assets: verified, from the cache or the network",
    "fetch": "fill the cache for one or all revisions; the work tree stays as it is",
    "checkout": "bring the work tree's assets from the cache, without network",
    "status": "show which assets are there, absent or modified",
    "list": "list what the lockfile pins",
    "verify": "hash everything and compare with the pins",
    "install": "let git bring the assets after every switch, merge and rebase",
    "uninstall": "take the hooks away again",
    "resolve": "merge a conflicted lockfile by meaning",
    "diff": "show what changed between two lockfiles: paths, sizes, hosts",
    "push": "upload what the lockfile pins; others can pull it from there",
    "mirror": "copy assets from wherever they are to a remote of your own",
    "remote": "name the places that are pushed to: add, list, remove",
    "migrate": "take LFS or large files out of history; every old commit still works",
    "cache": "look at the shared cache, check it, free space",
    "doctor": "find what would stop a pull, and the command that mends it",
    "version": "print the version",
    "help": "explain a verb",
}

PLUMBING = {
    "hook": "what the hook scripts call",
    "merge-driver": "what git calls to merge two lockfiles",
}
"""Verbs for programs: `git assets -h` does not list them."""


def module_of(verb: str) -> ModuleType:
    """Import a verb's module."""
    return import_module(f"gitassets.commands.{verb.replace('-', '_')}")


class Parser(argparse.ArgumentParser):
    """argparse with git's manners: no abbreviations, usage errors are 129."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **options)

    def error(self, message: str) -> NoReturn:
        """Raise instead of exiting."""
        raise UsageError(message, hint=f"{self.prog} -h")


def parser_of(verb: str) -> Parser:
    """Make the whole parser of one verb, the options that all have included."""
    module = module_of(verb)
    about = {**VERBS, **PLUMBING}[verb]
    parser = Parser(prog=f"git assets {verb}", description=about, epilog=module.EXAMPLES)
    module.configure(parser)
    shared = parser.add_argument_group("on every command")
    shared.add_argument("--json", action="store_true", help="one JSON document on stdout")
    shared.add_argument("-q", "--quiet", action="store_true", help="errors only")
    shared.add_argument("-v", "--verbose", action="store_true", help="say what is done and why")
    shared.add_argument(
        "--progress", nargs="?", const="always", choices=("auto", "always", "never", "json"),
        metavar="MODE", help="auto, always, never or json",
    )  # fmt: skip
    shared.add_argument(
        "--no-progress", dest="progress", action="store_const", const="never",
        help="the same as --progress=never",
    )  # fmt: skip
    return parser


def overview() -> str:
    """The text of `git assets -h`."""
    width = max(map(len, VERBS))
    rows = "\n".join(f"  {verb.ljust(width)}  {about}" for verb, about in VERBS.items())
    return (
        "usage: git assets VERB [OPTION...]\n\n"
        "Large files for git without LFS: pinned in assets.lock.toml, kept out of git.\n\n"
        f"{rows}\n\n"
        "examples:\n"
        "  git assets pull                                  bring what the lockfile pins\n"
        "  git assets add https://example.org/faces.tar     pin a file\n\n"
        "git assets VERB -h explains a verb.\n"
    )
