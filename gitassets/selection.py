"""Which assets a command is about: git's own pathspecs, groups, and globs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitassets import gitpaths
from gitassets.errors import GitError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from gitassets.git import Place
    from gitassets.lockfile import Lockfile
    from gitassets.model import Asset


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose assets."""
    parser.add_argument("pathspec", nargs="*", metavar="PATHSPEC", help="as git's own pathspecs")
    parser.add_argument(
        "--group", action="append", default=[], metavar="G", help="only assets of this group"
    )
    parser.add_argument(
        "--include", action="append", default=[], metavar="GLOB", help="only paths that match"
    )
    parser.add_argument(
        "--exclude", action="append", default=[], metavar="GLOB", help="no paths that match"
    )


def select(lockfile: Lockfile, place: Place, arguments: argparse.Namespace) -> list[Asset]:
    """Give the chosen assets in the lockfile's order: all, when nothing was asked for.

    Raises UsageError for a pathspec or a group that matches nothing.
    """
    assets = list(lockfile.assets.values())
    if arguments.pathspec:
        chosen = _by_pathspec(arguments.pathspec, [asset.path for asset in assets], place)
        assets = [asset for asset in assets if asset.path in chosen]
    if groups := set(arguments.group):
        known = {group for asset in lockfile.assets.values() for group in asset.groups}
        if missing := sorted(groups - known):
            raise UsageError(f"no asset is in group '{missing[0]}'", hint="git assets list --json")
        assets = [asset for asset in assets if groups.intersection(asset.groups)]
    if arguments.include:
        matches = globs(arguments.include)
        assets = [asset for asset in assets if matches(asset.path)]
    if arguments.exclude:
        matches = globs(arguments.exclude)
        assets = [asset for asset in assets if not matches(asset.path)]
    return assets


def _by_pathspec(pathspecs: Sequence[str], paths: list[str], place: Place) -> set[str]:
    try:
        return gitpaths.matching(pathspecs, paths, place)
    except GitError as error:
        found = re.search(r"pathspec '(.*)' did not match", error.stderr)
        what = f"pathspec '{found[1]}' matches no asset" if found else str(error)
        raise UsageError(what, hint="git assets list") from error


class globs:  # noqa: N801 - used as a function: a set of patterns that answers for a path
    """Patterns as in `.gitignore`: without a slash for a name, with one from the top; `**`."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = [_translate(pattern) for pattern in patterns]

    def __call__(self, path: str) -> bool:
        """Tell whether any pattern matches."""
        return any(pattern.fullmatch(path) for pattern in self._patterns)


_TOKEN = re.compile(r"(\*+|\?|\[[!^]?\]?[^]]*\])")


def _translate(pattern: str) -> re.Pattern[str]:
    """Make the regular expression of a pattern (gitignore(5)): what is below a match matches."""
    anchored = "/" in pattern.rstrip("/")
    only_below = pattern.endswith("/")
    names = pattern.strip("/").split("/")
    found = "" if anchored else "(?:.*/)?"
    for index, name in enumerate(names):
        last = index == len(names) - 1
        if name == "**" and not last:
            found += "(?:.*/)?"
        elif name == "**" and index > 0:
            found += ".+"
        else:
            found += "".join(map(_part, _TOKEN.split(name))) + ("" if last else "/")
    return re.compile(found + ("/.+" if only_below else "(?:/.+)?"), re.DOTALL)


def _part(token: str) -> str:
    if token.startswith("*"):
        return "[^/]*"
    if token == "?":  # noqa: S105 - of a pattern
        return "[^/]"
    if _TOKEN.fullmatch(token):
        inside = token[1:-1]
        negated = "^" if inside[0] in "!^" else ""
        members = re.sub(r"([\\\[\]^&~|])", r"\\\1", inside[len(negated) :])
        return f"(?!/)[{negated}{members}]"
    return re.escape(token)
