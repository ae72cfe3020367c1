"""Migrations started as the command starts them, without the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets.gitpipes import Pipes
from gitassets.history import migration
from gitassets.history.spec import Rule, Spec
from gitassets.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from gitassets.history.migration import Outcome


def job(git_dir: Path, top: Path | None, spec: Spec) -> migration.Job:
    return migration.Job(Pipes(git_dir), top, spec)


def migrate(git_dir: Path, top: Path | None, spec: Spec, cache: Path) -> Outcome:
    """Migrate a repository; LFS pointers are taken at their word."""
    todo = job(git_dir, top, spec)
    store = Store.open(cache, fsync=False)
    try:
        with migration.exclusive(todo.state):
            return migration.migrate(
                todo,
                store,
                lambda found: {
                    blob: migration.Content(pointer.sha256, pointer.size)
                    for blob, pointer in found.inventory.pointers.items()
                    if blob in found.survey.blobs
                },
            )
    finally:
        store.close()


def above(size: int) -> Spec:
    return Spec((Rule(above=size),))


def lfs() -> Spec:
    return Spec((Rule(lfs=True),))
