"""`git assets migrate`: off LFS, or large files out of history; every old commit still works."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gitassets import config, migration_after, migration_report
from gitassets.errors import HistoryError, UsageError
from gitassets.history import (
    backup,
    destination,
    info,
    lfs_objects,
    lfs_server,
    migration,
    place,
    plan,
    single,
    verify,
)  # fmt: skip
from gitassets.history.spec import DEFAULT_ABOVE, Rule, Spec

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from gitassets.context import Context
    from gitassets.history.harvest import Content
    from gitassets.history.study import Study

EXAMPLES = """examples:
  git assets migrate info                        the largest files in history
  git assets migrate --dry-run                   what would leave, what would change
  git assets migrate                             what is in LFS, and files from 5 MiB on
  git assets migrate --above 500kB --to /srv/assets --yes
  git assets migrate verify                      compare old and new history once more
  git assets migrate adopt origin                follow somebody else's migration
  git assets migrate undo                        take it back
  git assets migrate finalize                    free the space; nothing can be undone then
"""

ACTIONS = ("info", "verify", "adopt", "undo", "finalize")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("action", nargs="?", choices=ACTIONS, help="something else than to migrate")
    parser.add_argument(
        "remote", nargs="?", help="adopt: the remote that has the new history (origin)"
    )
    parser.add_argument("--lfs", action="store_true", help="what is in Git LFS")
    parser.add_argument(
        "--above", metavar="SIZE", help="files that were this large, or larger, in any version"
    )
    parser.add_argument(
        "--include", action="append", default=[], metavar="GLOB", help="only paths that match"
    )
    parser.add_argument(
        "--exclude", action="append", default=[], metavar="GLOB", help="no paths that match"
    )
    parser.add_argument("--paths-from", metavar="FILE", help="these paths, one a line")
    parser.add_argument(
        "--refs", action="append", default=[], metavar="REF", help="only these branches and tags"
    )
    parser.add_argument("--to", metavar="DIR", help="copy what leaves to a directory, as a store")
    parser.add_argument(
        "--store", action="append", default=[], metavar="ID=URL",
        help="a [store.ID] for every lockfile; `lfs=` leaves the LFS server out",
    )  # fmt: skip
    parser.add_argument(
        "--no-rewrite", action="store_true", help="keep all ids: one new commit moves HEAD's files"
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="show the plan, write nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--push", action="store_true", help="push the new history when it is made")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Migrate, or do what the action says."""
    if arguments.remote and arguments.action != "adopt":
        raise UsageError(f"migrate {arguments.action} takes no remote")
    pipes, main = place.find()
    job = migration.Job(pipes, main, Spec(()), say=context.console.say)
    actions = {
        "info": _info,
        "verify": _verify,
        "adopt": _adopt,
        "undo": migration_after.take_back,
        "finalize": migration_after.end,
    }
    if arguments.action:
        return actions[arguments.action](context, job, arguments)
    job.spec = _spec(arguments)
    job.refs = _refs(job, arguments.refs)
    job.lfs_store = lfs_server.table(pipes) if "lfs" not in _stores(arguments) else None
    if arguments.dry_run:
        return _plan(context, job, arguments)
    return _migrate(context, job, arguments)


def _info(context: Context, job: migration.Job, arguments: argparse.Namespace) -> int:
    above = config.size(arguments.above) if arguments.above else 100 * 1024
    found = info.take(job.pipes, job.main, above)
    migration_report.info(context.console, found, as_json=arguments.json)
    return 0


def _adopt(context: Context, job: migration.Job, arguments: argparse.Namespace) -> int:
    return migration_after.follow(context, job, arguments, _keeper(context, job, set()))


def _plan(context: Context, job: migration.Job, arguments: argparse.Namespace) -> int:
    state, study = migration.plan(job)
    made = plan.make(job.pipes, state, study, context.config.cache_dir())
    migration_report.plan(context.console, made, state, study, as_json=arguments.json)
    return 1 if state.blockers else 0


def _migrate(context: Context, job: migration.Job, arguments: argparse.Namespace) -> int:
    with migration.exclusive(job.state):
        migration_after.resume(context, job)
        if not arguments.yes:
            _ask(context, job)
        missing: set[str] = set()
        job.keep_elsewhere = _uploader(context, arguments)
        begin = single.commit if arguments.no_rewrite else migration.migrate
        outcome = begin(job, context.store, _keeper(context, job, missing))
        migration_after.settle(context, job, outcome)
    outcome.missing = [
        blob for blob, content in outcome.contents.items() if content.sha256 in missing
    ]
    migration.record(outcome)
    migration_report.outcome(context.console, outcome, as_json=arguments.json)
    if outcome.run:
        migration_after.advise(context, job)
    if arguments.push:
        for command in outcome.pushes.values():
            context.console.say(f"note: {command}")
            migration.push(job, command)
    return 0


def _keeper(
    context: Context, job: migration.Job, missing: set[str]
) -> Callable[[Study], dict[bytes, Content]]:
    """Take what LFS pointers stand for into the cache; add to `missing` what is not here."""

    def keep(study: Study) -> dict[bytes, Content]:
        found = lfs_objects.contents(study)
        objects = lfs_objects.directory(job.pipes)
        wanted = lfs_objects.wanted(study)
        missing.update(lfs_objects.take(objects, wanted, context.store, lambda _: None))
        return found

    return keep


def _uploader(context: Context, arguments: argparse.Namespace) -> migration.Keeper:
    """Copy what leaves to the place of `--to`, before any ref moves."""
    if not arguments.to:
        return lambda _: None
    target = destination.directory(arguments.to)

    def keep(contents: dict[bytes, Content]) -> None:
        todo = {content.sha256: content.size for content in contents.values()}
        here = context.store.present(todo)
        have = {digest: size for digest, size in todo.items() if digest in here}
        count = destination.upload(context.store, target, have, lambda _: None)
        context.console.say(f"{count} files copied to '{target}'")

    return keep


def _ask(context: Context, job: migration.Job) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            "a migration rewrites history: look at the plan, then say --yes",
            hint="git assets migrate --dry-run",
        )
    state, study = migration.plan(job)
    made = plan.make(job.pipes, state, study, context.config.cache_dir())
    migration_report.plan(context.console, made, state, study, as_json=False)
    sys.stderr.write("Rewrite history like this? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise HistoryError("nothing was changed")


def _verify(context: Context, job: migration.Job, arguments: argparse.Namespace) -> int:
    latest = backup.latest(job.state)
    if latest is None:
        raise UsageError("nothing was migrated here", hint="git assets migrate --dry-run")
    found = verify.verify(job.pipes, latest)
    migration_report.verdict(context.console, found, as_json=arguments.json)
    return 0


def _spec(arguments: argparse.Namespace) -> Spec:
    """Give what the options choose; without any, LFS and files from 5 MiB on."""
    above = config.size(arguments.above) if arguments.above else None
    lfs = arguments.lfs
    paths: list[str] = []
    if arguments.paths_from:
        text = Path(arguments.paths_from).read_text(encoding="utf-8")
        paths = [line for line in text.splitlines() if line]
    if not (lfs or above is not None or arguments.include or paths):
        above, lfs = DEFAULT_ABOVE, True
    rules = [Rule(above, lfs, tuple(arguments.include), tuple(arguments.exclude))]
    if paths and above is None and not lfs and not arguments.include:
        rules = []
    spec = Spec(tuple(rules)).with_paths(paths)
    stores = {name: url for name, url in _stores(arguments).items() if url}
    if arguments.to:
        name, url = destination.store_table(destination.directory(arguments.to))
        stores.setdefault(name, url)
    return spec.with_stores(stores)


def _stores(arguments: argparse.Namespace) -> dict[str, str]:
    found = {}
    for text in arguments.store:
        name, equals, url = text.partition("=")
        if not equals:
            raise UsageError(f"--store takes ID=URL, not '{text}'")
        found[name] = url
    return found


def _refs(job: migration.Job, names: list[str]) -> list[str]:
    found = []
    for name in names:
        full = job.pipes.run("rev-parse", "--symbolic-full-name", name, ok=(0, 128)).decode()
        if not full.startswith("refs/"):
            raise UsageError(f"'{name}' is not a branch or a tag here", hint="git for-each-ref")
        found.append(full.strip())
    return found
