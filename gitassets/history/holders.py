"""What still keeps old history alive in a repository, each with what to type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gitassets.history import maps, refs, stash
from gitassets.history.preflight import Remark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from gitassets.gitpipes import Pipes
    from gitassets.history.worktrees import Worktree

_PSEUDO: Final = (
    "ORIG_HEAD", "FETCH_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "AUTO_MERGE",
)  # fmt: skip
"""Names that git writes beside HEAD (gitrevisions(7)); each may hold several ids."""


def first_changed(state: Path) -> list[str]:
    """Give the first changed commits of all migrations that are recorded here, in hex."""
    files = sorted((state / "runs").glob(f"*/{maps.FIRST}"))
    rows = (row for file in files for row in file.read_text(encoding="ascii").splitlines())
    return list(dict.fromkeys(rows))


def listed(pipes: Pipes, state: Path, worktrees: Sequence[Worktree]) -> list[Remark]:
    """Name everything that holds an old object, or that git never deletes. Raises GitError."""
    first = _present(pipes, first_changed(state))
    found = [*_backups(state)]
    if first:
        names = [*_refs(pipes, first), *_heads(pipes, worktrees, first)]
        # As long as a name holds them, reflogs are kept for it.
        found += names or _reflogs(pipes, first)
    found += _objects(pipes)
    untracked = len(stash.untracked(pipes, stash.listed(pipes)))
    if untracked:
        found.append(
            Remark(f"the untracked files of {untracked} stash entries are in git", "git stash list")
        )
    return found + _packs(pipes)


def _present(pipes: Pipes, names: Sequence[str]) -> list[str]:
    ids = [bytes.fromhex(name) for name in names]
    return [row[0].hex() for row in pipes.sizes(ids) if row] if ids else []


def _backups(state: Path) -> Iterator[Remark]:
    for run in sorted((state / "runs").glob("*/*.git")):
        yield Remark(f"the backup '{run}'", "git assets migrate finalize")


def _refs(pipes: Pipes, first: Sequence[str]) -> Iterator[Remark]:
    arguments = [f"--contains={name}" for name in first]
    out = pipes.run("for-each-ref", "--format=%(refname)", *arguments)
    for name in out.decode("utf-8", "surrogateescape").splitlines():
        if name.startswith(refs.REMOTES):
            remote = name[len(refs.REMOTES) :].partition("/")[0]
            yield Remark(f"'{name}' is still the old history", f"git fetch --prune {remote}")
        else:
            yield Remark(f"'{name}' reaches the old history", f"git update-ref -d {name}")


def _heads(pipes: Pipes, trees: Sequence[Worktree], first: Sequence[str]) -> Iterator[Remark]:
    """Look at what is no ref for `for-each-ref`: detached HEADs and git's notes to itself."""
    for tree in trees:
        if tree.detached and _reaches(pipes, [tree.detached.hex()], first):
            yield Remark(f"{tree.head} is detached at an old commit", "git switch BRANCH")
        for name in _PSEUDO:
            file = tree.git_dir / name
            if file.exists():
                words = file.read_text(encoding="utf-8", errors="replace").split()
                ids = [word for word in words if len(word) == len(first[0]) and word.isalnum()]
                if _reaches(pipes, _present(pipes, ids), first):
                    yield Remark(f"{name} in '{tree.git_dir}' is an old commit", f"rm '{file}'")


def _reaches(pipes: Pipes, tips: Iterable[str], first: Iterable[str]) -> bool:
    """Tell whether one of `first` is among the ancestors of `tips`."""
    rows = "".join(f"{tip}\n" for tip in tips).encode()
    return bool(rows) and not set(first).isdisjoint(
        pipes.run("rev-list", "--stdin", stdin=rows).decode().split()
    )


def _reflogs(pipes: Pipes, first: Sequence[str]) -> Iterator[Remark]:
    if not set(first).isdisjoint(pipes.run("rev-list", "--reflog").decode().split()):
        yield Remark("reflogs name old commits", "git assets migrate finalize")


def _objects(pipes: Pipes) -> Iterator[Remark]:
    for ref in refs.listed(pipes):
        if ref.peeled_kind in (b"blob", b"tree"):
            words = f"'{ref.name}' names a {ref.peeled_kind.decode()}, and everything in it"
            yield Remark(words, f"git update-ref -d {ref.name}")


def _packs(pipes: Pipes) -> list[Remark]:
    found = []
    for suffix in ("keep", "promisor"):
        names = sorted(
            path.name for path in (pipes.git_dir / "objects" / "pack").glob(f"*.{suffix}")
        )
        if names:
            found.append(
                Remark(f"git never deletes from a pack with .{suffix}: {', '.join(names)}")
            )
    alternates = pipes.git_dir / "objects" / "info" / "alternates"
    if alternates.exists():
        found.append(Remark(f"objects are borrowed ('{alternates}'), and not freed there"))
    return found
