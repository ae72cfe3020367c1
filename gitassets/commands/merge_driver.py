"""`git assets merge-driver`: git's own merges of the lockfile, by meaning (gitattributes(5))."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gitassets import git, lockfile
from gitassets.errors import LockfileError
from gitassets.lockfile import Lockfile
from gitassets.merge import merge, with_markers

if TYPE_CHECKING:
    import argparse

    from gitassets.context import Context

EXAMPLES = """examples:
  git config merge.gitassets.driver 'git-assets merge-driver %O %A %B %L %P'
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add what git gives."""
    parser.add_argument("base", type=Path, metavar="%O", help="the common ancestor's version")
    parser.add_argument("ours", type=Path, metavar="%A", help="our version, and the result's place")
    parser.add_argument("theirs", type=Path, metavar="%B", help="their version")
    parser.add_argument("marker", metavar="%L", help="length of a conflict marker")
    parser.add_argument("path", nargs="?", metavar="%P", help="where the result will be")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Merge; 0 when nothing is left to decide, 1 when conflicts are marked in the result."""
    places: tuple[Path, Path, Path] = (arguments.base, arguments.ours, arguments.theirs)
    try:
        base, ours, theirs = (_load(place) for place in places)
    except LockfileError as error:
        context.console.warning(f"merged line by line: {error}")
        return _by_line(*places, arguments.marker)
    merged = merge(base, ours, theirs)
    for conflict in merged.conflicts:
        context.console.warning(
            f"both sides have changed '{conflict.name}'", hint="git assets resolve --theirs"
        )
    if merged.conflicts:
        arguments.ours.write_text(with_markers(merged), encoding="utf-8", newline="")
        return 1
    arguments.ours.write_text(lockfile.dump(merged.lockfile), encoding="utf-8", newline="")
    return 0


def _load(place: Path) -> Lockfile:
    data = place.read_bytes()
    # git gives an empty file for a side that has none, such as the base of two new lockfiles.
    return lockfile.load(data) if data else Lockfile()


def _by_line(base: Path, ours: Path, theirs: Path, marker: str) -> int:
    """Do what git does without a driver: the status is the number of conflicts, up to 127."""
    sides = (str(ours), str(base), str(theirs))
    out = git.run("merge-file", "-p", f"--marker-size={int(marker)}", *sides, ok=range(128))
    ours.write_bytes(out)
    return 1 if b"<" * int(marker) in out else 0
