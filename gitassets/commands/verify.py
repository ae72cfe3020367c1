"""`git assets verify`: hash for real, in parallel, and mend what is wrong when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets import audit, options, selection
from gitassets.console import plural
from gitassets.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from gitassets.audit import Finding
    from gitassets.context import Context
    from gitassets.model import Asset

EXAMPLES = """examples:
  git assets verify                 every asset of the work tree
  git assets verify --cache         every object of the shared cache
  git assets verify --repair        and fetch what is wrong or missing again
  git assets verify --remote        do URLs and stores still have every asset?
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    selection.configure(parser)
    options.transfer(parser)
    parser.add_argument("--cache", action="store_true", help="the cache instead of the work tree")
    parser.add_argument(
        "--remote", action="store_true", help="ask whether others can have every asset today"
    )
    parser.add_argument(
        "--repair", action="store_true", help="put what is wrong aside and fetch it again"
    )


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Verify. 1 when anything is wrong and could not be mended."""
    if arguments.remote:
        if arguments.cache or arguments.repair:
            raise UsageError("--remote goes with neither --cache nor --repair")
        from gitassets import availability  # noqa: PLC0415 - it needs engines, the others do not

        chosen = selection.select(context.lockfile, context.place, arguments)
        answers = availability.check(context, chosen)
        return availability.tell(context, "verify", answers, as_json=arguments.json)
    if arguments.cache:
        found, key, noun = _cache(context, repair=arguments.repair), "sha256", "object"
    else:
        assets = selection.select(context.lockfile, context.place, arguments)
        found, key, noun = _tree(context, assets, repair=arguments.repair), "path", "asset"
    wrong = [row for row in found if row.state != "ok"]
    if arguments.json:
        rows = [{key: row.name, "state": row.state, "error": row.error} for row in found]
        context.console.json("verify", {f"{noun}s": rows})
    else:
        for row in wrong:
            why = f": {row.error}" if row.error else ""
            context.console.error(f"'{row.name}' is {row.state}{why}")
        context.console.answer(f"{plural(len(found), noun)} verified, {len(wrong)} wrong")
    return 1 if wrong else 0


def _tree(context: Context, assets: Sequence[Asset], *, repair: bool) -> list[Finding]:
    found = list(audit.tree(context.tree, assets, context.store))
    names = {row.name for row in found if row.state != "ok"}
    wrong = [asset for asset in assets if asset.path in names]
    if repair and wrong:
        # The object may be the same file (a hard link), or have rotted as well.
        _drop_corrupt(context, audit.cache(context.store, {asset.sha256 for asset in wrong}))
        context.sync.set_aside(wrong)
        todo = context.sync.plan(wrong)
        transfer = context.transfer_for(todo)
        for outcome in context.sync.apply(todo, context.lockfile, transfer):
            context.console.complain(outcome.asset.path, outcome.errors, outcome.hint)
        again = {row.name: row for row in audit.tree(context.tree, wrong, context.store)}
        found = [again.get(row.name, row) for row in found]
    context.sync.remember(context.lockfile)
    return found


def _cache(context: Context, *, repair: bool) -> list[Finding]:
    found = list(audit.cache(context.store))
    wrong = {row.digest for row in found if row.state != "ok"}
    if repair and wrong:
        _drop_corrupt(context, [row for row in found if row.state == "corrupt"])
        lockfile = context.lockfile
        assets = [asset for asset in lockfile.assets.values() if asset.sha256 in wrong]
        todo = context.sync.plan_fetch(assets)
        transfer = context.transfer_for(todo)
        for outcome in context.sync.fill(todo, dict.fromkeys(wrong, lockfile), transfer):
            context.console.complain(outcome.asset.path, outcome.errors, outcome.hint)
        again = {row.name: row for row in audit.cache(context.store, wrong)}
        found = [again.get(row.name, row) for row in found]
    return found


def _drop_corrupt(context: Context, found: Sequence[Finding]) -> None:
    for row in found:
        if row.state == "corrupt":
            context.store.quarantine(row.digest)
