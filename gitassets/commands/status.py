"""`git assets status`: one lstat a file; what is as it was left is not hashed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gitassets import selection
from gitassets.console import human, plural, quoted
from gitassets.plan import State

if TYPE_CHECKING:
    import argparse

    from gitassets.context import Context
    from gitassets.model import Asset

EXAMPLES = """examples:
  git assets status                       what is absent or modified, and what to type
  git assets status --porcelain           for scripts: one letter, a space, the path
  git assets status --exit-code           1 when something is absent or modified
"""

LETTERS = {"ok": ".", "absent": "A", "cached": "C", "modified": "M"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    selection.configure(parser)
    parser.add_argument("--porcelain", action="store_true", help="stable lines for scripts")
    parser.add_argument("-z", action="store_true", dest="zero", help="NUL ends each record")
    parser.add_argument("--exit-code", action="store_true", help="exit 1 when anything is not ok")
    parser.add_argument("--all", action="store_true", help="show what is ok, too")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Look and tell."""
    assets = selection.select(context.lockfile, context.place, arguments)
    states = _states(context, assets)
    wrong = [(asset, state) for asset, state in states if state != "ok"]
    if arguments.json:
        _json(context, states)
    elif arguments.porcelain or arguments.zero:
        rows = states if arguments.all else wrong
        name = str if arguments.zero else quoted
        lines = [f"{LETTERS[state]} {name(asset.path)}" for asset, state in rows]
        context.console.records(lines, zero=arguments.zero)
    else:
        _people(context, states if arguments.all else wrong, len(states))
    return 1 if wrong and arguments.exit_code else 0


def _states(context: Context, assets: list[Asset]) -> list[tuple[Asset, str]]:
    """The state of each asset, in the words of the contract."""
    rows, cached = context.sync.states(assets)
    context.tree.save_records()  # what had to be hashed need not be hashed again
    words = []
    for row in rows:
        in_cache = row.asset.sha256 in cached
        if row.state is State.RIGHT:
            words.append((row.asset, "ok"))
        elif row.state is State.FOREIGN:
            words.append((row.asset, "modified"))
        else:
            words.append((row.asset, "cached" if in_cache else "absent"))
    return words


def _json(context: Context, states: list[tuple[Asset, str]]) -> None:
    counts = Counter(state for _, state in states)
    context.console.json(
        "status",
        {
            "assets": [
                {
                    "path": asset.path,
                    "size": asset.size,
                    "sha256": asset.sha256,
                    "state": state,
                    "groups": list(asset.groups),
                }
                for asset, state in states
            ],
            "summary": {state: counts[state] for state in LETTERS},
        },
    )


def _people(context: Context, rows: list[tuple[Asset, str]], count: int) -> None:
    console = context.console
    for asset, state in rows:
        console.answer(f"  {state:<9}{human(asset.size):>10}  {asset.path}")
    missing = [asset for asset, state in rows if state in {"absent", "cached"}]
    modified = [asset for asset, state in rows if state == "modified"]
    if missing:
        size = human(sum(asset.size for asset in missing))
        console.answer(f'{plural(len(missing), "asset")} to bring, {size} (use "git assets pull")')
    if modified:
        console.answer(
            f'{plural(len(modified), "asset")} modified (use "git assets add PATH" to pin the new '
            'bytes, "git assets pull --force PATH" to go back)'
        )
    if not missing and not modified:
        console.answer(f"{plural(count, 'asset')}, all as pinned")
