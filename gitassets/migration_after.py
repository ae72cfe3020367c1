"""What follows a migration: LFS leaves the clone, a guard comes; adopt, undo and finalize."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gitassets.console import human, plural
from gitassets.errors import HistoryError, UsageError
from gitassets.history import (
    adopt,
    finalize,
    guard,
    holders,
    lfs_leftovers,
    migration,
    recovery,
    stubs,
    undo,
    worktrees,
)  # fmt: skip

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from gitassets.context import Context
    from gitassets.history.harvest import Content
    from gitassets.history.migration import Job, Outcome
    from gitassets.history.study import Study

    Keep = Callable[[Study], dict[bytes, Content]]


def resume(context: Context, job: Job) -> None:
    """Finish what a killed command began; the caller holds `exclusive`."""
    for line in recovery.roll_forward(job.pipes, job.state, job.main):
        context.console.say(line)


def settle(context: Context, job: Job, outcome: Outcome) -> None:
    """Take LFS out of the clone and put the guard in front of pushes; the caller holds `exclusive`.

    May be repeated: what a killed run left undone is done by the next one.
    """
    runs = finalize.backups(job.state)
    if not runs:
        return
    if outcome.study.spec.leaves_lfs and not job.refs:
        found = lfs_leftovers.find(job.pipes, job.main)
        for name in lfs_leftovers.remove(job.pipes, found):
            context.console.warning(f"the hook '{name}' was changed meanwhile, and stays as it is")
        if found:
            context.console.say("LFS's hooks and settings were taken out of this clone")
        for text in found.left:
            context.console.warning(text)
    if any(rule.lfs for rule in outcome.study.spec.rules):
        count = stubs.remove(runs[-1], worktrees.listed(job.pipes, job.main))
        if count:
            text = f"{plural(count, 'LFS pointer')} stood in for files that were never fetched"
            context.console.say(f"{text}: git assets pull")
    advice = guard.install(job.pipes, job.main)
    if advice:
        context.console.warning(f"old history can be pushed from here: {advice}")


def advise(context: Context, job: Job) -> None:
    """Print what others need: the words for collaborators, and the lines for CI."""
    say = context.console.say
    say("For everybody who has a clone: git assets migrate adopt origin")
    say("  (unpushed work ends up on the new history; nothing has to be cloned again)")
    say("For CI, in a clone that is not shallow:")
    for line in guard.ci(holders.first_changed(job.state)).splitlines():
        say(f"  {line}")
    say("When the new history is pushed and everybody is well: git assets migrate finalize")


def follow(context: Context, job: Job, arguments: argparse.Namespace, keep: Keep) -> int:
    """`adopt REMOTE`."""
    remote = arguments.remote or "origin"
    adopt.fetch(job.pipes, remote)
    with migration.exclusive(job.state):
        resume(context, job)
        outcome = adopt.adopt(job, remote, context.store, keep)
        settle(context, job, outcome)
    ahead = adopt.ahead(job.pipes, remote, outcome)
    if arguments.json:
        document = {
            "remote": remote, "refs": len(outcome.updates),
            "commits": len(outcome.done.ids), "ahead": ahead,
            "run": str(outcome.run) if outcome.run else None,
        }  # fmt: skip
        context.console.json("migrate adopt", {"adoption": document})
        return 0
    if outcome.run is None:
        context.console.say(f"nothing to do: everything here is on the history of '{remote}'")
        return 0
    _left_alone(context, outcome.left_alone)
    context.console.answer(
        f"{plural(len(outcome.updates), 'ref')} moved to the history of '{remote}', "
        f"{plural(len(outcome.done.ids), 'commit')} rewritten"
    )
    for name, count in ahead.items():
        if count:
            branch = name.removeprefix("refs/heads/")
            context.console.answer(f"  {branch}: {plural(count, 'commit')} of your own on top")
    return 0


def take_back(context: Context, job: Job, arguments: argparse.Namespace) -> int:
    """`undo`."""
    with migration.exclusive(job.state):
        resume(context, job)
        todo = undo.plan(job.pipes, job.state, job.main)
        count = len(todo.switch.updates)
        if arguments.dry_run:
            undo.discard(todo)
        else:
            _left_alone(context, undo.undo(job.pipes, job.state, job.main, todo))
    if arguments.json:
        document = {"refs": count, "remotes": todo.remotes, "done": not arguments.dry_run}
        context.console.json("migrate undo", {"undo": document})
        return 0
    verb = "would go" if arguments.dry_run else "went"
    context.console.answer(f"{plural(count, 'ref')} {verb} back to the old history")
    for name in todo.remotes:
        context.console.say(f"note: '{name}' shows the new history, which was pushed")
    return 0


def end(context: Context, job: Job, arguments: argparse.Namespace) -> int:
    """`finalize`."""
    console = context.console
    if arguments.dry_run:
        planned = finalize.plan(job.pipes, job.state, job.main)
        return _ended(context, planned, arguments, done=False)
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise UsageError(
                "this deletes the old history for good: look at the plan, then say --yes",
                hint="git assets migrate finalize --dry-run",
            )
        _ended(context, finalize.plan(job.pipes, job.state, job.main), arguments, done=False)
        sys.stderr.write("Delete the old history, and all that no ref reaches? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise HistoryError("nothing was changed")
    with migration.exclusive(job.state):
        resume(context, job)
        outcome = finalize.run(job.pipes, job.state, job.main, console.say)
    return _ended(context, outcome, arguments, done=True)


def _ended(
    context: Context, outcome: finalize.Outcome, arguments: argparse.Namespace, *, done: bool
) -> int:
    if arguments.json:
        document = {
            "done": done,
            "bytes_before": outcome.before.bytes, "bytes_after": outcome.after.bytes,
            "objects_before": outcome.before.objects, "objects_after": outcome.after.objects,
            "holders": [{"text": each.text, "hint": each.hint} for each in outcome.holders],
        }  # fmt: skip
        context.console.json("migrate finalize", {"finalize": document})
        return 0
    say = context.console.answer
    before, after = outcome.before, outcome.after
    sizes = f"{human(before.bytes)} in {before.objects:,} objects"
    if done:
        sizes += f" -> {human(after.bytes)} in {after.objects:,}"
    say(sizes)
    if outcome.holders:
        say("Old objects are still held by:")
    for each in outcome.holders:
        say(f"  {each.text}" + (f"  ({each.hint})" if each.hint else ""))
    if done:
        context.console.say(
            "note: the host frees nothing by a push; its own page says how old objects are purged"
        )
    return 0


def _left_alone(context: Context, names: list[str]) -> None:
    for name in names:
        context.console.warning(f"'{name}' was changed meanwhile, and stays as it is")
