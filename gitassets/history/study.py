"""All that is known before anything is written: what `--dry-run` shows and a migration uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitassets import lockfile
from gitassets.errors import GitError, LockfileError
from gitassets.git import LOCKFILE
from gitassets.history import attributes, commits, inventory, preflight, refs, scan, stash, survey
from gitassets.history import worktrees as worktrees_of
from gitassets.history.choice import Choice
from gitassets.history.roots import outdated
from gitassets.history.spec import PATHS_FILE, TABLE, Spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from gitassets.gitpipes import Pipes
    from gitassets.history.inventory import Inventory
    from gitassets.history.preflight import Remark
    from gitassets.history.refs import Ref
    from gitassets.history.survey import Survey
    from gitassets.history.worktrees import Worktree


@dataclass(slots=True)
class State:
    """What can move: refs, work trees, the stash."""

    refs: list[Ref]
    moving: list[Ref]
    worktrees: list[Worktree]
    stash: list[stash.Entry]
    untracked: set[bytes]
    """Commits of the stash that hold untracked files; they stay."""
    blockers: list[Remark]
    warnings: list[Remark]


@dataclass(slots=True)
class Study:
    """The history, read once."""

    spec: Spec
    choice: Choice
    inventory: Inventory
    order: list[bytes]
    """Commits, parents first."""
    roots: dict[bytes, bytes]
    """Root tree by commit."""
    hot: set[bytes]
    survey: Survey

    @property
    def distinct_roots(self) -> list[bytes]:
        """Every root tree once, oldest first."""
        return list(dict.fromkeys(self.roots.values()))

    def newest(self, number: int) -> bytes:
        """Give the commit of this number; what only an index has, has none."""
        return self.order[number] if number < len(self.order) else b""

    def locate(self, pipes: Pipes, state: State) -> None:
        """Let the survey know what the tips still have. Raises GitError."""
        numbers = {commit: number for number, commit in enumerate(self.order)}
        tips = refs.tips(state.refs, state.worktrees)
        at_tips = sorted((numbers[tip], self.roots[tip]) for tip in tips if tip in numbers)
        roots = {root: number for number, root in at_tips}
        survey.locate(pipes, self.survey, roots, self.inventory.width)


def look(pipes: Pipes, main: Path | None, chosen: Sequence[str] = ()) -> State:
    """Look at what can move; `chosen` are full names of refs, none: all. Raises GitError."""
    found = refs.listed(pipes)
    trees = worktrees_of.listed(pipes, main)
    blockers = preflight.blockers(pipes, trees)
    entries = stash.listed(pipes)
    moving = [ref for ref in refs.moving(found) if not chosen or ref.name in chosen]
    if chosen:
        entries = []
        trees = [tree for tree in trees if not tree.detached]
    return State(
        found,
        moving,
        trees,
        entries,
        stash.untracked(pipes, entries),
        blockers,
        preflight.warnings(pipes, trees, found),
    )


def take(  # noqa: PLR0913 - each says what is read, in a word
    pipes: Pipes,
    state: State,
    wanted: Spec,
    *,
    extra_roots: Iterable[bytes] = (),
    whole: bool = True,
    lfs_store: tuple[str, str] | None = None,
) -> Study:
    """Read the history that `state` reaches. Raises GitError, AssetsError.

    `extra_roots` are trees of indexes. Without `whole` only the moving refs are followed, not
    what remotes have. `lfs_store`, ID and URL, joins the spec when LFS pointers leave.
    """
    tips = refs.tips(state.refs if whole else state.moving, state.worktrees)
    tips += [bytes.fromhex(entry.id) for entry in state.stash]
    order = commits.listed(pipes, tips)
    shape = commits.read(pipes, order)
    roots = shape.roots
    distinct = list(
        dict.fromkeys(
            [*(roots[each] for each in order if each not in state.untracked), *extra_roots]
        )
    )
    spec = wanted
    for earlier in earlier_specs(pipes, [*state.moving, *state.refs]):
        spec = spec.joined(earlier)
    choice = Choice(spec)
    found = inventory.take(pipes, choice)
    hot = _hot(pipes, choice, found, distinct)
    history = survey.History(order, shape.parents, state.untracked, list(extra_roots))
    surveyed = survey.take(pipes, history, choice, found)
    # Without an LFS rule, too: a path that was once too large may have been in LFS at other times.
    inventory.read_pointers(pipes, found, surveyed.blobs)
    final = spec.with_paths(path.decode() for path in surveyed.mixed)
    if lfs_store and not found.pointers.keys().isdisjoint(surveyed.blobs):
        final = final.with_stores({**dict([lfs_store]), **dict(final.stores)})
    if final != spec:
        spec, choice = final, Choice(final)
        hot = _hot(pipes, choice, found, distinct)
    return Study(spec, choice, found, order, roots, hot, surveyed)


def earlier_specs(pipes: Pipes, moving: Iterable[Ref]) -> list[Spec]:
    """Give the specs in the lockfiles at the tips, each once. Raises GitError, AssetsError."""
    found: dict[str, Spec] = {}
    tips = dict.fromkeys(ref.peeled for ref in moving if ref.peeled_kind == b"commit")
    for tip in tips:
        text = _blob(pipes, f"{tip.hex()}:{LOCKFILE}")
        if text is None or f"[{TABLE}".encode() not in text:
            continue
        try:
            parsed = lockfile.load(text)
        except LockfileError:
            continue
        spec = Spec.read(parsed, _blob(pipes, f"{tip.hex()}:{PATHS_FILE}") or b"")
        if spec:
            found[repr(spec)] = spec
    return list(found.values())


def _blob(pipes: Pipes, name: str) -> bytes | None:
    try:
        return pipes.run("cat-file", "blob", name)
    except GitError:
        return None


def changing_attributes(pipes: Pipes) -> Callable[[Iterable[bytes]], set[bytes]]:
    """Give what tells which `.gitattributes` and `.lfsconfig` blobs change when LFS is left."""

    def judge(blobs: Iterable[bytes]) -> set[bytes]:
        return {
            blob.id
            for blob in pipes.objects(list(blobs))
            if attributes.has_lfs(blob.data) or b"[lfs" in blob.data
        }

    return judge


def _hot(pipes: Pipes, choice: Choice, found: Inventory, roots: Sequence[bytes]) -> set[bytes]:
    table = choice.spec.table()

    def changing_lockfiles(blobs: Iterable[bytes]) -> set[bytes]:
        return {blob.id for blob in pipes.objects(list(blobs)) if outdated(blob.data, table)}

    wanted = scan.Wanted(
        found.large.keys() | found.pointers.keys(),
        changing_attributes(pipes) if choice.spec.leaves_lfs else None,
        frozenset(roots),
        changing_lockfiles,
    )
    return scan.hot(pipes, found.trees, wanted, found.width)
