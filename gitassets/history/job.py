"""What is asked of a migration, and what came of it."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from gitassets.beneath import Root
from gitassets.errors import HistoryError
from gitassets.history import debris, switch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from gitassets.gitpipes import Pipes
    from gitassets.history.commits import Rewritten
    from gitassets.history.harvest import Content
    from gitassets.history.refs import Update
    from gitassets.history.spec import Spec
    from gitassets.history.study import Study

Keeper: TypeAlias = "Callable[[dict[bytes, Content]], None]"


@dataclass(slots=True)
class Job:
    """What is asked for."""

    pipes: Pipes
    main: Path | None
    """The top of the main work tree; None: bare."""
    spec: Spec
    refs: Sequence[str] = ()
    """Full names; none: all."""
    say: Callable[[str], None] = lambda _: None
    hashed: Callable[[int], None] = lambda _: None
    """Told of bytes that were hashed."""
    lfs_store: tuple[str, str] | None = None
    """ID and URL of the LFS server: named by the new lockfiles when pointers leave."""
    keep_elsewhere: Keeper = lambda _: None
    """Called with everything that leaves, once it is in the cache and before any ref moves."""
    approve: Callable[[Rewritten], None] = lambda _: None
    """Called with the new commits when they are verified; raises to stop before any ref moves."""

    @property
    def state(self) -> Path:
        """The directory of migrations."""
        return self.pipes.git_dir / "assets" / "migrate"


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    study: Study
    done: Rewritten
    updates: list[Update] = field(default_factory=list)
    contents: dict[bytes, Content] = field(default_factory=dict)
    missing: list[bytes] = field(default_factory=list)
    """Pointers of which nobody here has the bytes."""
    tag_signatures: int = 0
    holders: int = 0
    """Refs and tags that name trees or blobs, and stay."""
    objects: int = 0
    """Written."""
    checked: tuple[int, int] = (0, 0)
    """Pairs of roots, and assets in them."""
    run: Path | None = None
    """The directory of this migration: backup and maps; None when nothing changed."""
    pushes: dict[str, str] = field(default_factory=dict)
    left_alone: list[str] = field(default_factory=list)
    """Files that somebody changed meanwhile."""


@contextmanager
def exclusive(state: Path) -> Iterator[None]:
    """Be the only migration of this repository. Raises HistoryError."""
    state.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise HistoryError("another git assets migrate is running here") from error
    try:
        for directory in (state, *state.glob("runs/*")):
            debris.clear(directory)
        yield
    finally:
        if not switch.pending(state):
            # Copies of indexes that nobody is going to need.
            for copy in state.glob("index-*"):
                copy.unlink()
        os.close(descriptor)


def record(outcome: Outcome) -> None:
    """Leave the facts that later commands and people ask for; nothing when nothing changed."""
    if outcome.run is None:
        return
    done, survey = outcome.done, outcome.study.survey
    missing = set(outcome.missing)
    page = {
        "version": 1,
        "time": int(time.time()),
        "commits": len(done.order),
        "changed": len(done.ids),
        "signatures": done.signatures + outcome.tag_signatures,
        "mergetags": done.mergetags,
        "mentions": done.mentions,
        "objects": outcome.objects,
        "pushes": outcome.pushes,
        "missing": [
            {
                "path": path.decode("utf-8", "surrogateescape"),
                "sha256": outcome.contents[blob].sha256,
                "size": outcome.contents[blob].size,
                "newest": outcome.study.newest(number).hex(),
            }
            for path, blobs in sorted(survey.versions.items())
            for blob, number in blobs.items()
            if blob in missing
        ],
    }
    with Root(outcome.run) as root:
        root.write_atomic("summary.json", json.dumps(page, indent=1).encode())


def push(job: Job, command: str) -> None:
    """Run one of the push lines, with the user's own hooks. Raises GitError."""
    _, *words = shlex.split(command)
    job.pipes.run("-c", "core.hooksPath=", *words)
