"""`git assets hook EVENT`: what hook scripts call. Never stops git, unless somebody asked for it.

Without `--decided` the script of the event decides first: so does a hook manager's entry, and the
guards against acting twice stand in one place.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gitassets import config, hookscript, switch, terminal
from gitassets.console import human, plural
from gitassets.errors import AssetsError
from gitassets.urls import redacted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from gitassets.context import Context
    from gitassets.switch import Report

EXAMPLES = """examples:
  git assets hook post-checkout "$@"     in a hook script, or in a hook manager's configuration
"""
_SHOWN = 3
"""Names in one line."""
_EARLY = "post-index-change"
"""Before git has moved HEAD: nothing slow may happen here."""
_LATER = frozenset(
    {
        *("bisect", "checkout", "cherry-pick", "clone", "commit", "merge", "pull", "rebase"),
        *("revert", "switch", "worktree"),
    }
)
"""git commands that have another event after post-index-change."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--decided", action="store_true", help="the script has decided that there is work"
    )
    parser.add_argument("event", choices=hookscript.EVENTS + hookscript.GUARDS, metavar="EVENT")
    parser.add_argument("arguments", nargs="...", metavar="ARGUMENT", help="as git gives them")
    # In a hook every address is checked as it is dialled, which only this engine does.
    parser.set_defaults(engine="curl")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Act on the event: 0, or `hookscript.REFUSED` when git is to see a failure."""
    if not arguments.decided:
        given = arguments.arguments or _framework(arguments.event)
        hookscript.execute(arguments.event, given, context.place.top)
    if not sys.stderr.isatty():
        arguments.progress = "never"
    context.policy.explicit = False
    say = context.console.say
    try:
        if arguments.event in hookscript.GUARDS:
            return _guard(context, arguments.event)
        with terminal.foreground():
            return _follow(context, arguments.event)
    except KeyboardInterrupt:
        say("git assets: interrupted; 'git assets pull' goes on where this one stopped")
    except (AssetsError, OSError) as error:
        if arguments.event != _EARLY or not _more_to_come():
            hint = f" ({error.hint})" if isinstance(error, AssetsError) and error.hint else ""
            say(f"git assets: {redacted(str(error))}{hint}")
        return hookscript.REFUSED if _strict(context) else 0
    return 0


def _framework(event: str) -> list[str]:
    """What pre-commit says in the environment instead of arguments (pre-commit.com, "hooks")."""
    names = ("PRE_COMMIT_FROM_REF", "PRE_COMMIT_TO_REF", "PRE_COMMIT_CHECKOUT_TYPE")
    found = [os.environ.get(name, "") for name in names]
    return found if event == "post-checkout" and all(found) else []


def _follow(context: Context, event: str) -> int:
    mode = context.config.get(config.HOOK)
    if mode == "off":
        return 0
    early = event == _EARLY
    network = mode == "fetch" and not context.offline
    later = network and early and _more_to_come()
    report = switch.follow(context, network=network and not early, last=not (network and early))
    for line in _lines(report, missing=not later):
        context.console.say(f"git assets: {line}")
    failed = not report.complete and not later
    return hookscript.REFUSED if failed and _strict(context) else 0


def _lines(report: Report, *, missing: bool) -> list[str]:
    """At most three: what was done, what is the user's, what is left."""
    done = []
    if report.linked:
        done.append(f"{plural(len(report.linked), 'file')} from the cache")
    if report.fetched:
        done.append(f"{plural(len(report.fetched), 'file')} fetched ({human(report.moved)})")
    if report.removed:
        done.append(f"{plural(len(report.removed), 'file')} removed")
    lines = [", ".join(done)] if done else []
    if report.modified:
        names = ", ".join(f"'{path}'" for path in report.modified[:_SHOWN])
        more = len(report.modified) - _SHOWN
        lines.append(f"left as you changed it: {names}" + (f" and {more} more" if more > 0 else ""))
    if report.missing and missing:
        size = human(sum({asset.sha256: asset.size for asset in report.missing}.values()))
        count = plural(len(report.missing), "file")
        lines.append(f"{count} missing ({size}, {report.why}); to get them: git assets pull")
    return lines


def _more_to_come() -> bool:
    """Tell whether the git command that runs the script has a later event for the same change.

    Best effort, for what is said only: where it cannot be known the answer is no.
    """
    return bool(_LATER & set(_parent_words()))


def _parent_words() -> Sequence[str]:
    try:
        number = int(os.environ.get("GIT_ASSETS_PARENT", ""))
        words = Path(f"/proc/{number}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (OSError, ValueError):
        return ()
    return words[1:4]


def _guard(context: Context, event: str) -> int:
    from gitassets import guard  # noqa: PLC0415 - the other events need none of it

    if event == "pre-commit":
        objections = list(guard.commit(context.config.get(config.GUARD_ABOVE)))
    else:
        objections = list(guard.push(sys.stdin.read().splitlines()))
    for objection in objections:
        context.console.error(objection.text, hint=objection.hint)
    return hookscript.REFUSED if objections else 0


def _strict(context: Context) -> bool:
    try:
        return context.config.get(config.HOOK_STRICT)
    except AssetsError:  # it is the configuration that cannot be read
        return False
