"""`git assets install`: from now on git brings the assets, after every switch, merge and rebase."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets import config, gitstate, hooks, installation, switch
from gitassets.hookscript import EARLIER, EVENTS, GUARDS, SHARED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from gitassets.context import Context
    from gitassets.installation import Target

EXAMPLES = """examples:
  git assets install                   this clone: fetch what a switch needs, up to 1 GiB
  git assets install --hook verify     relink from the cache and report, no network
  git assets install --global          every clone from now on
  git assets install --guard           also refuse to commit what belongs into the lockfile
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--hook", choices=("fetch", "verify", "off"),
        help="what a switch does (assets.hook): fetch, verify (no network), off; default fetch",
    )  # fmt: skip
    parser.add_argument(
        "--guard", action="store_true", help="also guard commits and pushes (pre-commit, pre-push)"
    )
    parser.add_argument("--global", action="store_true", dest="everywhere", help="every new clone")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be done")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Install. 1 when a hook belongs to somebody else; nothing is changed then."""
    events = EVENTS + GUARDS if arguments.guard else EVENTS
    mode = arguments.hook or (None if _chosen(everywhere=arguments.everywhere) else "fetch")
    if arguments.everywhere:
        target = installation.everywhere(mode, events)
    else:
        target = installation.local(context.place, mode, events)
    todo = target.plan(events)
    changes = not todo.empty or _unset(target)
    if not todo.obstacles and not arguments.dry_run:
        hooks.install(todo)
        gitstate.configure(target.settings, target.scope)
        if not arguments.everywhere:
            switch.begin(context.tree)
    _tell(context, arguments, todo, changes=changes, events=events)
    return 1 if todo.obstacles else 0


def _chosen(*, everywhere: bool) -> bool:
    return gitstate.value(config.HOOK.key, "--global" if everywhere else "--local") is not None


def _unset(target: Target) -> bool:
    return any(gitstate.value(key, target.scope) != text for key, text in target.settings)


def _tell(
    context: Context,
    arguments: argparse.Namespace,
    todo: hooks.Plan,
    *,
    changes: bool,
    events: Sequence[str],
) -> None:
    console = context.console
    if arguments.json:
        rows = [{"name": step.name, "action": step.action} for step in todo.steps]
        conflicts = [
            {"path": row.path, "owner": row.owner.name, "snippet": row.owner.snippet}
            for row in todo.obstacles
        ]
        document = {"directory": str(todo.directory), "hooks": rows, "conflicts": conflicts}
        console.json("install", {**document, "changed": changes and not todo.obstacles})
        return
    for row in todo.obstacles:
        console.error(f"'{row.path}' belongs to {row.owner.name}; nothing was changed")
        console.say(f"to let it call git assets, put this into {row.owner.place}:")
        for line in row.owner.snippet.splitlines():
            console.say(f"    {line}")
    if todo.obstacles:
        return
    if not changes:
        console.answer(f"the hooks are in place in '{todo.directory}'; nothing to do")
        return
    verb = "would put" if arguments.dry_run else "put"
    console.answer(f"{verb} {len(events)} hooks into '{todo.directory}': {', '.join(events)}")
    for step in todo.steps:
        if step.action == "chain":
            console.answer(f"your own {step.name} still runs first, as {step.name}{EARLIER}")
        elif arguments.dry_run and step.name != SHARED:
            console.answer(f"{step.action:8} {step.name}")
    if not arguments.dry_run and not arguments.everywhere:
        console.say("next: git assets pull")
