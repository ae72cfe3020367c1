"""`--no-rewrite`: one new commit moves the large files of HEAD out, and every old id stays.

Older commits still track what this one ignores, so git itself overwrites and deletes those files on
a switch across it; nothing gets smaller either. It is for those who cannot have new ids.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

from gitassets.errors import HistoryError
from gitassets.history import (
    backup,
    harvest,
    indexes,
    inventory,
    maps,
    migration,
    refs,
    scan,
    study,
    survey,
    switch,
)
from gitassets.history.check import Checker
from gitassets.history.choice import Choice
from gitassets.history.commits import Rewritten
from gitassets.history.job import Outcome, record
from gitassets.history.quarantine import Quarantine
from gitassets.history.refs import Update
from gitassets.history.roots import RootRewriter
from gitassets.history.study import Study
from gitassets.history.trees import Facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitassets.gitpipes import Pipes
    from gitassets.history.harvest import Content
    from gitassets.history.job import Job
    from gitassets.history.study import State
    from gitassets.store import Store

MESSAGE = b"Keep large files outside of git\n\nThey are pinned in assets.lock.toml now.\n"


def commit(job: Job, store: Store, keep_bytes: Callable[[Study], dict[bytes, Content]]) -> Outcome:
    """Make the commit on the main work tree's branch; the caller holds `exclusive`.

    Raises HistoryError, GitError, StoreError.
    """
    state = study.look(job.pipes, job.main)
    state.worktrees = state.worktrees[:1]
    if state.blockers:
        raise HistoryError(state.blockers[0].text, hint=state.blockers[0].hint)
    out = job.pipes.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}", ok=(0, 1)).strip()
    if not out:
        raise HistoryError("HEAD has no commit yet, so nothing has to move out of git")
    head = bytes.fromhex(out.decode())
    form = job.pipes.run("rev-parse", "--show-object-format").decode().strip()
    algorithm = cast("Literal['sha1', 'sha256']", form)
    objects = (job.pipes.git_dir / "objects").resolve()
    with Quarantine(job.pipes, job.state / "quarantine", objects, algorithm) as quarantine:
        trees = migration.index_trees(job, quarantine.pipes, state)
        found = _study(job, quarantine.pipes, head, trees)
        contents = keep_bytes(found)
        wanted = [blob for blob in migration.ordered(found) if blob not in contents]
        contents |= harvest.contents(quarantine.pipes, wanted, store, job.hashed)
        job.keep_elsewhere(contents)
        return _Single(job, state, found, contents).make(quarantine, head, trees)


def _study(job: Job, pipes: Pipes, head: bytes, trees: dict[str, bytes]) -> Study:
    """Read HEAD and the index alone."""
    root = bytes.fromhex(pipes.run("rev-parse", f"{head.hex()}^{{tree}}").decode().strip())
    spec = replace(job.spec, stands_in_lockfiles=False)
    choice = Choice(spec)
    have = inventory.take(pipes, choice)
    roots = list(dict.fromkeys([root, *trees.values()]))
    surveyed = survey.take(pipes, survey.History([], {}, trees=roots), choice, have)
    if job.lfs_store and not have.pointers.keys().isdisjoint(surveyed.blobs):
        choice = Choice(spec.with_stores(dict([job.lfs_store])))
    blobs = have.large.keys() | have.pointers.keys()
    attributes = study.changing_attributes(pipes) if choice.spec.leaves_lfs else None
    hot = scan.hot(pipes, have.trees, scan.Wanted(blobs, attributes), have.width)
    return Study(choice.spec, choice, have, [head], {head: root}, hot, surveyed)


class _Single:
    """The pieces of one commit."""

    def __init__(
        self, job: Job, state: State, found: Study, contents: dict[bytes, Content]
    ) -> None:
        self._job = job
        self._state = state
        self._found = found
        self._contents = contents

    def make(self, quarantine: Quarantine, head: bytes, trees: dict[str, bytes]) -> Outcome:
        """Rewrite, verify and switch, as a whole migration does."""
        found, contents = self._found, self._contents
        tails = {blob: content.tail for blob, content in contents.items()}
        facts = Facts(found.choice, found.inventory, found.hot, tails)
        with quarantine.pipes.reader() as read:
            roots = RootRewriter(facts, read, quarantine)
            new_tree = roots(found.roots[head])
            moved = {name: (tree, roots(tree)) for name, tree in trees.items()}
        outcome = Outcome(found, Rewritten(order=[head]), contents=contents)
        if new_tree == found.roots[head]:
            return outcome
        new = quarantine.add(b"commit", self._text(head, new_tree), b"")
        outcome.updates = [Update(self._branch(), head, new)]
        outcome.objects = len(quarantine)
        quarantine.seal()
        with quarantine.pipes.reader() as read:
            algorithm = found.inventory.algorithm
            checker = Checker(quarantine.pipes, read, found.spec, contents, algorithm=algorithm)
            outcome.checked = (checker.roots(roots.changed), checker.leaves)
            changes = {
                name: indexes.difference(quarantine.pipes, *pair) for name, pair in moved.items()
            }
            todo = migration.prepared(self._job, self._state, quarantine.pipes, read, changes)
        quarantine.deltify()
        todo.updates = outcome.updates
        outcome.run = backup.new_run(self._job.state)
        backup.make(
            self._job.pipes, outcome.run, refs=self._state.refs, worktrees=self._state.worktrees
        )
        maps.write(outcome.run, outcome.done, outcome.updates, refs.staying(self._state.refs))
        todo.keep = quarantine.publish()
        outcome.left_alone = switch.perform(self._job.pipes, self._job.state, todo)
        record(outcome)
        return outcome

    def _text(self, head: bytes, tree: bytes) -> bytes:
        pipes = self._job.pipes
        author = pipes.run("var", "GIT_AUTHOR_IDENT").strip()
        committer = pipes.run("var", "GIT_COMMITTER_IDENT").strip()
        return b"tree %s\nparent %s\nauthor %s\ncommitter %s\n\n%s" % (
            tree.hex().encode(), head.hex().encode(), author, committer, MESSAGE,
        )  # fmt: skip

    def _branch(self) -> str:
        """Give the branch that HEAD names, or HEAD itself."""
        out = self._job.pipes.run("symbolic-ref", "--quiet", "HEAD", ok=(0, 1)).strip()
        return out.decode("utf-8", "surrogateescape") or "HEAD"
