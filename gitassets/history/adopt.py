"""Following somebody else's migration: unpushed work ends up on top of the new history.

The new lockfiles say what was done, and a rewritten tree is a function of the old one and of that:
the same thing done here gives the same ids for all that was shared, and new ones for what was not.
So nothing is cloned again, and branches, stash, work trees and indexes move as in a migration.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gitassets import git, lockfile
from gitassets.errors import GitError, HistoryError, UsageError
from gitassets.git import LOCKFILE
from gitassets.history import migration, refs
from gitassets.history.spec import PATHS_FILE, Spec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gitassets.gitpipes import Pipes
    from gitassets.history.commits import Rewritten
    from gitassets.history.harvest import Content
    from gitassets.history.migration import Job, Outcome
    from gitassets.history.study import Study
    from gitassets.store import Store

__all__ = ["Frozen", "adopt", "ahead", "fetch", "spec_of"]


class Frozen(Spec):
    """A spec that another clone made: whatever is found here adds nothing to it."""

    __slots__ = ()

    def with_paths(self, paths: object) -> Frozen:  # noqa: ARG002 - Spec's
        """Stay as it is: a path that only this clone's branches have is not in anybody's ids."""
        return self

    def with_stores(self, stores: object) -> Frozen:  # noqa: ARG002 - Spec's
        """Stay as it is."""
        return self

    def joined(self, earlier: object) -> Frozen:  # noqa: ARG002 - Spec's
        """Stay as it is: whoever made it has joined it with what was earlier."""
        return self


def fetch(pipes: Pipes, remote: str) -> None:
    """Bring the new history. Raises GitError."""
    # With git's own environment: how to reach a remote is the user's business.
    git.run(
        "-c", "gc.auto=0", "-c", "maintenance.auto=false", "fetch", "--quiet", "--", remote,
        cwd=pipes.git_dir,
    )  # fmt: skip


def spec_of(pipes: Pipes, remote: str) -> Frozen:
    """Read the spec from what was fetched of a remote's branches, the default one first.

    Raises UsageError when none of them was migrated, AssetsError when the spec cannot be read.
    """
    prefix = f"{refs.REMOTES}{remote}/"
    names = [ref.name for ref in refs.listed(pipes) if ref.name.startswith(prefix)]
    first = [f"{prefix}HEAD", f"{prefix}main", f"{prefix}master"]
    for name in sorted(names, key=lambda name: (name not in first, name)):
        text = _blob(pipes, f"{name}:{LOCKFILE}")
        if text is None:
            continue
        spec = Spec.read(lockfile.load(text), _blob(pipes, f"{name}:{PATHS_FILE}") or b"")
        if spec:
            return Frozen(spec.rules, spec.paths, spec.stores)
    raise UsageError(
        f"no branch of '{remote}' holds a lockfile that a migration wrote",
        hint=f"git ls-remote {remote}",
    )


def adopt(
    job: Job, remote: str, store: Store, keep_bytes: Callable[[Study], dict[bytes, Content]]
) -> Outcome:
    """Do here what was done at `remote`, which was fetched; the caller holds `exclusive`.

    Raises HistoryError, and changes nothing, when the result does not meet what is there.
    """
    theirs = _commits(job.pipes, remote)

    def approve(done: Rewritten) -> None:
        if theirs.isdisjoint(new.hex() for new in done.ids.values()):
            raise HistoryError(
                f"nothing of the new history here would be in '{remote}', so it has another origin "
                "or was changed by something else, too; nothing was changed",
                hint=f"git clone $(git remote get-url {remote}), and bring your work there",
            )

    todo = replace(job, spec=spec_of(job.pipes, remote), lfs_store=None, approve=approve)
    return migration.migrate(todo, store, keep_bytes)


def ahead(pipes: Pipes, remote: str, outcome: Outcome) -> Mapping[str, int]:
    """Say how many commits of each branch that was moved are not at `remote`. Raises GitError."""
    found = {}
    for update in outcome.updates:
        if update.name.startswith("refs/heads/"):
            asked = ("--count", update.name, "--not", f"--remotes={remote}")
            found[update.name] = int(pipes.run("rev-list", *asked))
    return found


def _commits(pipes: Pipes, remote: str) -> set[str]:
    return set(pipes.run("rev-list", f"--remotes={remote}").decode().split())


def _blob(pipes: Pipes, name: str) -> bytes | None:
    try:
        return pipes.run("cat-file", "blob", name)
    except GitError:
        return None
