"""`git assets resolve`: a lockfile that a merge left in conflict is put together by meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets import gitstate, lockfile
from gitassets.console import human, plural
from gitassets.errors import AssetsError, ConflictedLockfile
from gitassets.git import LOCKFILE
from gitassets.lockfile import Lockfile
from gitassets.merge import merge, with_markers
from gitassets.model import Asset

if TYPE_CHECKING:
    import argparse

    from gitassets.context import Context
    from gitassets.merge import Favour, Merged

EXAMPLES = """examples:
  git assets resolve               what both sides agree about is merged, the rest is listed
  git assets resolve --theirs      their bytes where both sides have pinned different ones
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    sides = parser.add_mutually_exclusive_group()
    for side in ("ours", "theirs"):
        sides.add_argument(
            f"--{side}", action="store_const", const=side, dest="favour",
            help=f"{side}, as git names the sides, where one path has different bytes",
        )  # fmt: skip


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Resolve. 0 when the lockfile is whole, 1 when somebody has to decide.

    Raises AssetsError when there is no merge whose sides could be read.
    """
    tree = context.tree
    unmerged = gitstate.is_unmerged(LOCKFILE, context.place.top)
    try:
        _ = tree.lockfile()
    except ConflictedLockfile:
        pass
    else:
        if not unmerged:
            if arguments.json:
                context.console.json("resolve", {"conflicts": [], "taken": []})
            else:
                context.console.answer(f"{LOCKFILE} is not in conflict; nothing to do")
            return 0
    merged = _merged(arguments.favour)
    if merged.conflicts:
        text = with_markers(merged)
        tree.root.write_atomic(LOCKFILE, text.encode())
    else:
        tree.save_lockfile(merged.lockfile)
        gitstate.stage(LOCKFILE, context.place.top)
    _tell(context, merged, as_json=arguments.json)
    return 1 if merged.conflicts else 0


def _merged(favour: Favour) -> Merged:
    sides = gitstate.merge_sides()
    if sides is None:
        raise AssetsError(
            f"{LOCKFILE} is in conflict, but there is no merge to take its sides from",
            hint=f"git checkout HEAD -- {LOCKFILE}",
        )
    if sides.ours is None or sides.theirs is None:
        raise AssetsError(
            f"one side has deleted {LOCKFILE}: keep it or delete it",
            hint=f"git add {LOCKFILE} (or: git rm {LOCKFILE})",
        )
    base = Lockfile() if sides.base is None else lockfile.load(sides.base)
    return merge(base, lockfile.load(sides.ours), lockfile.load(sides.theirs), favour=favour)


def _tell(context: Context, merged: Merged, *, as_json: bool) -> None:
    console = context.console
    conflicts = merged.conflicts
    if as_json:
        rows = [
            {
                "kind": row.kind,
                "name": row.name,
                "ours": _said(row.ours),
                "theirs": _said(row.theirs),
            }
            for row in conflicts
        ]
        console.json("resolve", {"conflicts": rows, "taken": list(merged.taken)})
        return
    for line in merged.taken:
        console.answer(line)
    for row in conflicts:
        console.error(f"'{row.name}': ours is {_said(row.ours)}, theirs is {_said(row.theirs)}")
    if conflicts:
        console.say(f"{plural(len(conflicts), 'conflict')} left, marked in {LOCKFILE}")
        console.say("next: git assets resolve --ours, or --theirs")
    else:
        console.say(f"{LOCKFILE} is whole and staged")
        console.say("next: git commit, or git rebase --continue")


def _said(side: object) -> str:
    if side is None:
        return "deleted"
    if isinstance(side, Asset):
        return f"{human(side.size)} with sha256 {side.sha256.short}"
    return str(getattr(side, "resolved", None) or getattr(side, "url", None) or side)
