"""`git assets verify`: hash for real, in parallel, and mend what is wrong when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets import options, selection
from gitassets.console import plural

if TYPE_CHECKING:
    import argparse

    from gitassets.audit import Finding
    from gitassets.context import Context

EXAMPLES = """examples:
  git assets verify                 every asset of the work tree
  git assets verify --cache         every object of the shared cache
  git assets verify --repair        and fetch what is wrong or missing again
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    selection.configure(parser)
    options.transfer(parser)
    parser.add_argument("--cache", action="store_true", help="the cache instead of the work tree")
    parser.add_argument(
        "--repair", action="store_true", help="put what is wrong aside and fetch it again"
    )


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Verify. 1 when anything is wrong and was not repaired."""
    from gitassets import audit  # noqa: PLC0415 - threads

    if arguments.cache:
        found = list(audit.cache(context.store))
    else:
        assets = selection.select(context.lockfile, context.place, arguments)
        found = list(audit.tree(context.tree, assets))
    wrong = [row for row in found if row.state != "ok"]
    if arguments.repair and wrong:
        found = _repaired(context, found, arguments)
        wrong = [row for row in found if row.state != "ok"]
    key = "sha256" if arguments.cache else "path"
    if arguments.json:
        rows = [{key: row.name, "state": row.state, "error": row.error} for row in found]
        context.console.json("verify", {"assets": rows})
    else:
        for row in wrong:
            context.console.error(
                f"'{row.name}' is {row.state}" + (f": {row.error}" if row.error else "")
            )
        noun = "object" if arguments.cache else "asset"
        context.console.answer(f"{plural(len(found), noun)} verified, {len(wrong)} wrong")
    return 1 if wrong else 0


def _repaired(
    context: Context, found: list[Finding], arguments: argparse.Namespace
) -> list[Finding]:
    """Put aside what is corrupt, bring what can be had, and look again at what was wrong."""
    from gitassets import audit  # noqa: PLC0415 - as above

    wrong = [row for row in found if row.state != "ok"]
    if arguments.cache:
        for row in wrong:
            context.store.quarantine(row.digest)
        digests = {row.digest for row in wrong}
        assets = [asset for asset in context.lockfile.assets.values() if asset.sha256 in digests]
    else:
        names = {row.name for row in wrong}
        assets = [asset for asset in context.lockfile.assets.values() if asset.path in names]
        context.sync.set_aside(assets)
    todo = context.sync.plan_fetch(assets) if arguments.cache else context.sync.plan(assets)
    transfer = None
    if todo.fetch and not context.offline:
        context.sync.check_space(todo)
        transfer = context.transfer(total=todo.bytes_to_fetch, files=len(todo.fetch))
    owners = {asset.sha256: context.lockfile for asset in assets}
    if arguments.cache:
        outcomes = list(context.sync.fill(todo, owners, transfer))
    else:
        outcomes = list(context.sync.apply(todo, context.lockfile, transfer))
        context.sync.remember(context.lockfile)
    context.end_progress()
    for outcome in outcomes:
        for line in outcome.errors:
            context.console.error(f"'{outcome.asset.path}': {line}", hint=outcome.hint)
    if arguments.cache:
        again = {row.name: row for row in audit.cache(context.store, digests)}
    else:
        again = {row.name: row for row in audit.tree(context.tree, assets)}
    return [again.get(row.name, row) for row in found]
