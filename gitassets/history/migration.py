"""The order of a migration: read, hash, rewrite, verify, keep the old, switch.

Until the switch nothing is visible to anybody, and an error leaves only files in the cache.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

from gitassets.errors import HistoryError
from gitassets.history import (
    backup,
    commits,
    generated,
    harvest,
    indexes,
    maps,
    refs,
    study,
    switch,
)  # fmt: skip
from gitassets.history.check import Checker
from gitassets.history.harvest import Content
from gitassets.history.job import Job, Keeper, Outcome, exclusive, push, record
from gitassets.history.notes import NotesRewriter
from gitassets.history.quarantine import Quarantine
from gitassets.history.refs import Update
from gitassets.history.roots import RootRewriter
from gitassets.history.tags import TagRewriter
from gitassets.history.trees import Facts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gitassets.gitpipes import Pipes
    from gitassets.history.commits import Rewritten
    from gitassets.history.indexes import Change
    from gitassets.history.study import State, Study
    from gitassets.history.worktrees import Worktree
    from gitassets.store import Store

__all__ = [
    "Content", "Job", "Keeper", "Outcome", "exclusive", "migrate", "plan", "push", "record",
]  # fmt: skip


def plan(job: Job) -> tuple[State, Study]:
    """Read everything and write nothing. Raises GitError, AssetsError."""
    state = study.look(job.pipes, job.main, job.refs)
    return state, study.take(
        job.pipes, state, job.spec, whole=not job.refs, lfs_store=job.lfs_store
    )


def migrate(job: Job, store: Store, keep_bytes: Callable[[Study], dict[bytes, Content]]) -> Outcome:
    """Rewrite history; the caller holds `exclusive`, and resumed what was interrupted.

    `keep_bytes` gives what the LFS pointers stand for. Raises HistoryError, GitError, StoreError.
    """
    state = study.look(job.pipes, job.main, job.refs)
    if state.blockers:
        raise HistoryError(state.blockers[0].text, hint=state.blockers[0].hint)
    objects = job.pipes.git_dir / "objects"
    form = job.pipes.run("rev-parse", "--show-object-format").decode().strip()
    algorithm = cast("Literal['sha1', 'sha256']", form)
    with Quarantine(
        job.pipes, job.state / "quarantine", objects.resolve(), algorithm
    ) as quarantine:
        trees = index_trees(job, quarantine.pipes, state)
        found = study.take(
            quarantine.pipes, state, job.spec,
            extra_roots=trees.values(), whole=not job.refs, lfs_store=job.lfs_store,
        )  # fmt: skip
        contents = keep_bytes(found)
        wanted = [blob for blob in ordered(found) if blob not in contents]
        contents |= harvest.contents(quarantine.pipes, wanted, store, job.hashed)
        job.keep_elsewhere(contents)
        return _rewrite(job, state, found, contents, _Work(quarantine, trees, algorithm))


@dataclass(slots=True)
class _Work:
    quarantine: Quarantine
    trees: dict[str, bytes]
    """The tree of each index, by the name of the work tree's HEAD."""
    algorithm: str


def _rewrite(
    job: Job, state: State, found: Study, contents: dict[bytes, Content], work: _Work
) -> Outcome:
    quarantine = work.quarantine
    facts = Facts(
        found.choice,
        found.inventory,
        found.hot,
        {blob: content.tail for blob, content in contents.items()},
    )
    with quarantine.pipes.reader() as read:
        roots = RootRewriter(facts, read, quarantine)
        roots.all(quarantine.pipes, found.distinct_roots)
        done = commits.rewrite(quarantine.pipes, found.order, roots, quarantine, state.untracked)
        new_trees = {head: roots(tree) for head, tree in work.trees.items()}
        tags = TagRewriter(read.named, done.ids, roots.changed, quarantine)
        updates = _updates(state, done, tags)
        ids = {**done.ids, **tags.ids}
        updates += _notes(
            job, state, ids, NotesRewriter(read, ids, quarantine, found.inventory.width), quarantine
        )
    outcome = Outcome(
        found, done, updates, contents,
        tag_signatures=tags.signatures, holders=len(tags.holders), objects=len(quarantine),
    )  # fmt: skip
    moved = {head: tree for head, tree in work.trees.items() if new_trees[head] != tree}
    if not updates and not moved:
        return outcome
    quarantine.seal()
    # Deltas are made while the check runs: it only reads, and a pack that no ref needs is nothing.
    with ThreadPoolExecutor(1) as pool:
        packing = pool.submit(quarantine.deltify)
        with quarantine.pipes.reader() as read:
            checker = Checker(
                quarantine.pipes, read, found.spec, contents, algorithm=work.algorithm
            )
            _check_commits(quarantine.pipes, done)
            job.approve(done)
            outcome.checked = (checker.roots(roots.changed), checker.leaves)
            changes = {
                head: indexes.difference(quarantine.pipes, tree, new_trees[head])
                for head, tree in moved.items()
            }
            todo = prepared(job, state, quarantine.pipes, read, changes)
        packing.result()
    todo.updates = updates
    _stash(state, done, todo)
    outcome.run = backup.new_run(job.state)
    backup.make(job.pipes, outcome.run, refs=state.refs, worktrees=state.worktrees)
    maps.write(outcome.run, done, updates, refs.staying(state.refs))
    todo.keep = quarantine.publish()
    outcome.left_alone = switch.perform(job.pipes, job.state, todo)
    outcome.pushes = maps.pushes(state.refs, updates, done.ids)
    record(outcome)
    return outcome


def ordered(found: Study) -> list[bytes]:
    """Give the blobs to hash, in the order of the packs as far as it is known."""
    todo = found.survey.blobs
    first = [blob for blob in found.inventory.large if blob in todo]
    return [*first, *sorted(todo.difference(first))]


def index_trees(job: Job, pipes: Pipes, state: State) -> dict[str, bytes]:
    """Write every index as a tree, and copy it; by the name of the work tree's HEAD."""
    trees = {}
    for worktree in state.worktrees:
        if worktree.top and (tree := indexes.tree_of(pipes, worktree, _copy(job, worktree))):
            trees[worktree.head] = tree
    return trees


def _copy(job: Job, worktree: Worktree) -> Path:
    return job.state / f"index-{worktree.git_dir.name}"


def _updates(state: State, done: Rewritten, tags: TagRewriter) -> list[Update]:
    found = [Update(ref.name, ref.id, tags(ref.id, ref.kind)) for ref in state.moving]
    found += [
        Update(tree.head, tree.detached, done.ids.get(tree.detached, tree.detached))
        for tree in state.worktrees
        if tree.detached
    ]
    return [update for update in found if update.new != update.old]


def _notes(
    job: Job, state: State, ids: dict[bytes, bytes], notes: NotesRewriter, quarantine: Quarantine
) -> list[Update]:
    """Re-key every commit of every notes ref."""
    if job.refs or not ids:
        return []
    found = refs.notes(state.refs)
    order = commits.listed(quarantine.pipes, [ref.id for ref in found])
    done = commits.rewrite(quarantine.pipes, order, notes, quarantine)
    return [Update(ref.name, ref.id, done.ids[ref.id]) for ref in found if ref.id in done.ids]


def prepared(
    job: Job,
    state: State,
    pipes: Pipes,
    read: Callable[[bytes], bytes],
    changes: dict[str, list[Change]],
) -> switch.Switch:
    """Make new indexes and the new texts of generated files, without touching the old ones."""
    todo = switch.Switch()
    for worktree in state.worktrees:
        found = changes.get(worktree.head)
        if not found or not worktree.top:
            continue
        copy = _copy(job, worktree)
        indexes.update(pipes, worktree, copy, found)
        todo.indexes.append(switch.IndexSwap(worktree.index, copy))
        todo.files[str(worktree.top)] = generated.prepare(worktree.top, found, read)
    return todo


def _stash(state: State, done: Rewritten, todo: switch.Switch) -> None:
    todo.stash_before = state.stash
    todo.stash_after = [
        replace(entry, id=done.ids.get(bytes.fromhex(entry.id), bytes.fromhex(entry.id)).hex())
        for entry in state.stash
    ]


def _check_commits(pipes: Pipes, done: Rewritten) -> None:
    """Every new commit exists, and there are as many as there were."""
    if len(set(done.ids.values())) != len(done.ids):
        raise HistoryError("two commits became one; nothing was changed")
    for found in pipes.sizes(done.ids.values()):
        if found is None or found[1] != b"commit":
            raise HistoryError("a new commit cannot be read; nothing was changed")
