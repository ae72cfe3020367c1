"""What forbids a rewrite, each with what to type, and what the user should know before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitassets.git import LOCKFILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitassets.gitpipes import Pipes
    from gitassets.history.refs import Ref
    from gitassets.history.worktrees import Worktree


@dataclass(frozen=True, slots=True)
class Remark:
    """One fact in a line, and a command."""

    text: str
    hint: str | None = None


def blockers(pipes: Pipes, trees: Sequence[Worktree]) -> list[Remark]:
    """Give what has to be put right first. Raises GitError."""
    found = []
    if pipes.run("rev-parse", "--is-shallow-repository").strip() == b"true":
        found.append(Remark("this clone is shallow: its oldest commits would become roots",
                            "git fetch --unshallow"))  # fmt: skip
    if (pipes.git_dir / "info" / "grafts").exists():
        found.append(Remark("info/grafts changes history for this clone only",
                            "git replace --convert-graft-file"))  # fmt: skip
    for tree in trees:
        found += _of(pipes, tree)
    return found


def warnings(pipes: Pipes, trees: Sequence[Worktree], refs: Sequence[Ref]) -> list[Remark]:
    """Give what does not stop a rewrite. Raises GitError."""
    found = []
    replaced = sum(ref.name.startswith("refs/replace/") for ref in refs)
    if replaced:
        found.append(Remark(f"{replaced} replace refs are not followed, and stay as they are",
                            "git replace -l"))  # fmt: skip
    if pipes.run("config", "--get-regexp", r"^remote\..*\.promisor$", ok=(0, 1)):
        found.append(Remark("this is a partial clone: what leaves must be here to be hashed",
                            "git fetch --refetch --no-filter"))  # fmt: skip
    if (pipes.git_dir / "objects" / "info" / "alternates").exists():
        found.append(Remark("objects are borrowed from another repository; they cannot be freed"))
    if len(trees) > 1:
        found.append(Remark(f"{len(trees) - 1} linked work trees are moved with it"))
    found += [
        Remark(f"the work tree of {tree.head} is gone; its HEAD moves all the same",
               "git worktree prune")
        for tree in trees[1:] if not tree.top
    ]  # fmt: skip
    if any((tree.git_dir / "info" / "sparse-checkout").exists() for tree in trees):
        found.append(Remark("a sparse checkout stays sparse"))
    return found


def _of(pipes: Pipes, tree: Worktree) -> Iterator[Remark]:
    where = f" in '{tree.top}'" if tree.head != "HEAD" else ""
    if words := tree.operation:
        yield Remark(f"{words} has not ended{where}", "git status")
    if tree.index.with_name("index.lock").exists():
        yield Remark(f"another git uses the index{where} (index.lock exists)",
                     f"rm '{tree.index}.lock', when no git is running")  # fmt: skip
    if not tree.top or not tree.index.exists():
        return
    here = pipes.within(tree.git_dir, tree.top, tree.index)
    if here.run("ls-files", "-z", "--unmerged"):
        yield Remark(f"the index{where} holds conflicts", "git status")
    on_disk = (tree.top / LOCKFILE).is_symlink() or (tree.top / LOCKFILE).exists()
    if on_disk and not here.run("ls-files", "-z", "--", f":(top,literal){LOCKFILE}"):
        yield Remark(f"'{LOCKFILE}'{where} is not tracked", f"git add {LOCKFILE}")
