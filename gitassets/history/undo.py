"""A migration taken back: every ref, stash entry, note, index, setting and hook as it was.

Nothing that came since is lost. A ref that was moved to another migrated commit goes to the image
of that one; new commits on the new history have no image, so they are refused, with the line that
carries them over. The assets on disk stay where they are.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gitassets.errors import HistoryError
from gitassets.history import (
    finalize,
    maps,
    refs,
    restore,
    reversal,
    stash,
    stubs,
    switch,
    verify,
    worktrees,
)  # fmt: skip
from gitassets.history.refs import Update
from gitassets.history.reversal import Saved
from gitassets.history.stash import Entry
from gitassets.history.switch import Switch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gitassets.gitpipes import Pipes
    from gitassets.history.refs import Ref
    from gitassets.history.worktrees import Worktree

_MARK: Final = "undoing"
"""In the directory of a migration while it is taken back."""


@dataclass(slots=True)
class Plan:
    """What will be done."""

    run: Path
    """The migration's directory."""
    switch: Switch
    remotes: list[str] = field(default_factory=list)
    """Remote-tracking refs that show the new history: it was pushed, or fetched."""


def plan(pipes: Pipes, state: Path, main: Path | None) -> Plan:
    """Decide everything; writes nothing but copies of indexes below `state`.

    Raises HistoryError when there is nothing to undo, or new work that would have no place.
    """
    runs = finalize.backups(state)
    if not runs:
        raise HistoryError("there is no migration here that could be undone")
    record: dict[str, Any] = json.loads((runs[-1] / "before.json").read_bytes())
    facts = _Facts.read(pipes, runs[-1], main)
    todo = Switch(updates=[*_updates(facts)])
    _refuse_new_work(facts, todo.updates)
    wanted = [Entry(**row) for row in record["stash"]]
    old = {entry.id: facts.images.get(bytes.fromhex(entry.id)) for entry in wanted}
    todo.stash_before = [
        Entry(**{**row, "id": image.hex()})
        for row in record["stash"]
        if (image := old[row["id"]]) is not None
    ]
    todo.stash_after = wanted
    _indexes(facts, runs[-1], record, todo)
    found = Plan(runs[-1], todo)
    found.remotes = [
        ref.name
        for ref in facts.refs.values()
        if ref.name.startswith(refs.REMOTES) and ref.id in facts.old
    ]
    return found


def undo(pipes: Pipes, state: Path, main: Path | None, todo: Plan) -> list[str]:
    """Do it; gives what was changed meanwhile and so was left alone.

    The caller holds `exclusive`. Raises HistoryError, GitError, OSError; then nothing was changed
    that `complete` does not finish.
    """
    mark = todo.run / _MARK
    mark.touch()
    try:
        left = switch.perform(pipes, state, todo.switch)
    except HistoryError:
        mark.unlink()
        raise
    return left + _restore(pipes, todo.run, main)


def discard(todo: Plan) -> None:
    """Leave nothing of a plan that is not carried out."""
    for swap in todo.switch.indexes:
        swap.prepared.unlink(missing_ok=True)


def complete(pipes: Pipes, state: Path, main: Path | None) -> list[str] | None:
    """Finish an undo that was killed, after `switch.resume`; None when there was none.

    The caller holds `exclusive`. Raises GitError, OSError.
    """
    for run in finalize.backups(state):
        mark = run / _MARK
        if not mark.exists():
            continue
        facts = _Facts.read(pipes, run, main)
        now = {ref.name: ref.id for ref in facts.refs.values()}
        if any(now.get(name) == new for name, (_, new) in facts.moved.items()):
            mark.unlink()  # it had not begun
            continue
        return _restore(pipes, run, main)
    return None


def sweep(pipes: Pipes, state: Path, main: Path | None) -> None:
    """Delete the records of migrations that were killed before any ref moved.

    After `switch.resume`; the caller holds `exclusive`. Raises GitError, OSError.
    """
    for run in (state / "runs").glob("*"):
        if not run.name.isdecimal():
            shutil.rmtree(run)  # one that was forgotten
        elif not (run / maps.FIRST).exists():
            restore.forget(run)
        elif not (run / "summary.json").exists():
            facts = _Facts.read(pipes, run, main)
            names = {ref.name: ref.id for ref in facts.refs.values()}
            names |= {tree.head: tree.detached for tree in facts.trees if tree.detached}
            if not any(names.get(name) == new for name, (_, new) in facts.moved.items()):
                restore.forget(run)


def _restore(pipes: Pipes, run: Path, main: Path | None) -> list[str]:
    stubs.give_back(run)
    restore.settings(pipes, run / "config")
    left = restore.hooks(pipes, run / "hooks", main)
    restore.forget(run)
    return left


@dataclass(slots=True)
class _Facts:
    """What there is now, and what became of what."""

    pipes: Pipes
    refs: dict[str, Ref]
    trees: list[Worktree]
    images: dict[bytes, bytes]
    """New commit by old one, of those that changed."""
    old: dict[bytes, bytes]
    """Old commit by new one."""
    moved: dict[str, tuple[bytes, bytes]]
    """Old and new id by ref, HEADs included, as the migration moved them."""

    @classmethod
    def read(cls, pipes: Pipes, run: Path, main: Path | None) -> _Facts:
        ids = verify.read_map(run)
        images = {old: new for old, new in ids.items() if old != new}
        rows = (run / maps.REFS).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        moved = {}
        for old, new, name in (row.split(" ", 2) for row in rows[1:]):
            if old != new:
                moved[name] = (bytes.fromhex(old), bytes.fromhex(new))
        return cls(
            pipes,
            {ref.name: ref for ref in refs.listed(pipes)},
            worktrees.listed(pipes, main),
            images,
            {new: old for old, new in images.items()},
            moved,
        )


def _indexes(facts: _Facts, run: Path, record: dict[str, Any], todo: Switch) -> None:
    """Decide about the index and the files of each work tree."""
    kept = {row["git_dir"]: row for row in record["worktrees"]}
    for tree in facts.trees:
        asked = ("rev-parse", "--verify", "--quiet", f"{tree.head}^{{commit}}")
        out = facts.pipes.run(*asked, ok=(0, 1)).strip()
        if not out or tree.top is None:
            continue
        head = bytes.fromhex(out.decode())
        saved = None
        row = kept.get(str(tree.git_dir))
        if row and row["index"] and (name := _saved_head(row, record["refs"])):
            saved = Saved(bytes.fromhex(name), run / row["index"])
        copy = run.parent.parent / f"index-{tree.git_dir.name}"
        reversal.add(facts.pipes, copy, tree, (facts.old.get(head, head), saved), todo)


def _saved_head(row: dict[str, str], names: dict[str, str]) -> str | None:
    """Give the commit that a HEAD named, in hex; None for an unborn branch."""
    text = row["HEAD"].strip()
    return names.get(text[5:]) if text.startswith("ref: ") else text or None


def _updates(facts: _Facts) -> Iterator[Update]:
    """Say where each ref goes that is at a place which the migration made."""
    heads = {tree.head: tree.detached for tree in facts.trees if tree.detached}
    now = {ref.name: ref.id for ref in facts.refs.values() if not ref.symbolic} | heads
    for name, (old, new) in facts.moved.items():
        if name not in now and name.startswith("refs/"):
            yield Update(name, bytes(len(old)), old)
        elif now.get(name) == new:
            yield Update(name, new, old)
    movable = {ref.name for ref in refs.moving(facts.refs.values())} | heads.keys()
    for name in sorted(movable):
        if now[name] in facts.old and now[name] != facts.moved.get(name, (b"", b""))[1]:
            yield Update(name, now[name], facts.old[now[name]])


def _refuse_new_work(facts: _Facts, updates: list[Update]) -> None:
    """Refuse when a ref that stays where it is reaches the new history. Raises HistoryError."""
    going = {update.name for update in updates}
    stash_ids = {bytes.fromhex(entry.id) for entry in stash.listed(facts.pipes)}
    candidates = {
        ref.name: ref.peeled
        for ref in (*refs.moving(facts.refs.values()), *refs.notes(facts.refs.values()))
        if ref.name not in going and ref.peeled_kind == b"commit" and ref.peeled not in stash_ids
    }
    for tree in facts.trees:
        if tree.detached and tree.head not in going:
            candidates[tree.head] = tree.detached
    for name, tip in sorted(candidates.items()):
        base = facts.moved.get(name, (b"", b""))[1]
        if base == tip:
            continue
        if name.startswith(refs.NOTES):
            if base and tip != facts.moved[name][0]:
                _refuse_notes(name, base)
            continue
        out = facts.pipes.run("rev-list", tip.hex(), "--not", *_old_tips(facts))
        reached = [row for row in out.decode().split() if bytes.fromhex(row) in facts.old]
        if reached:
            onto = facts.old[bytes.fromhex(reached[0])].hex()
            branch = name.removeprefix("refs/heads/")
            raise HistoryError(
                f"'{branch}' has commits that are newer than the migration: {reached[0]}..{branch}",
                hint=f"git rebase --onto {onto} {reached[0]} {branch}",
            )


def _refuse_notes(name: str, base: bytes) -> None:
    raise HistoryError(
        f"'{name}' has notes that are newer than the migration",
        hint=f"git diff {base.hex()} {name}, then git update-ref {name} {base.hex()}",
    )


def _old_tips(facts: _Facts) -> list[str]:
    return list(dict.fromkeys(old.hex() for old, _ in facts.moved.values() if old in facts.images))
