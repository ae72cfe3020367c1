"""What hooks and merges ask git: where hooks are, what is configured, which sides a merge has."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from gitassets import git
from gitassets.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gitassets.git import Place

CONFIG_HOOKS = (2, 54)
"""From this version on git runs `hook.<name>.command` (RelNotes/2.54.0)."""


class Sides(NamedTuple):
    """The three texts of a merge; None where a side has no lockfile."""

    base: bytes | None
    ours: bytes | None
    theirs: bytes | None


def version() -> tuple[int, ...]:
    """The numbers of git's version: 2.39.5 is (2, 39, 5)."""
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", git.version())
    return tuple(map(int, found[0].split("."))) if found else ()


def hooks_path() -> tuple[str, str] | None:
    """The scope (local, worktree, global, ...) and the value of core.hooksPath; None when unset."""
    # Every command of ours sets it, too: the last value is ours.
    out = git.run("config", "--null", "--show-scope", "--type=path", "--get-all", "core.hooksPath")
    fields = os.fsdecode(out).split("\0")[:-3]
    return (fields[-2], fields[-1]) if fields else None


def hooks_directory(place: Place) -> Path:
    """Where git looks for this repository's hooks, absolute; symlinks are not resolved."""
    found = hooks_path()
    if found is None:
        return (place.common_dir or place.top) / "hooks"
    return place.top / found[1]


def value(key: str, scope: str = "") -> str | None:
    """One setting, the last one when it is repeated; `scope` is empty, --local or --global."""
    out = git.run("config", *([scope] if scope else []), "--null", "--get", key, ok=(0, 1))
    return os.fsdecode(out).split("\0")[0] if out else None


def configure(rows: Iterable[tuple[str, str]], scope: str) -> None:
    """Set each key; `scope` is --local or --global. Raises GitError."""
    for key, text in rows:
        git.run("config", scope, "--replace-all", key, text)


def unset(keys: Iterable[str], sections: Iterable[str], scope: str) -> None:
    """Remove settings and whole sections; what is not there is no error."""
    for key in keys:
        git.run("config", scope, "--unset-all", key, ok=(0, 5))
    for section in sections:
        # 128 is also "no such section", and a file that cannot be written fails above already.
        git.run("config", scope, "--remove-section", section, ok=(0, 128))


def merge_sides() -> Sides | None:
    """The sides of the merge that is going on here, or that HEAD is; None when there is none.

    Index stages, while git sees a conflict; else the two parents, since git may have finished a
    merge that took one path from both.
    """
    stages = Sides(*(git.show(f":{stage}", git.LOCKFILE) for stage in (1, 2, 3)))
    if stages.ours is not None or stages.theirs is not None:
        return stages
    for ours, theirs in (("HEAD", "MERGE_HEAD"), ("HEAD^1", "HEAD^2")):
        if git.commit_of(theirs):
            base = _merge_base(ours, theirs)
            texts = git.lockfiles([ours, theirs, *([base] if base else [])])
            return Sides(texts.get(base or ""), texts.get(ours), texts.get(theirs))
    return None


def is_unmerged(path: str, top: Path) -> bool:
    """Tell whether git's index holds a conflict for `path`."""
    return bool(git.run("ls-files", "-z", "--unmerged", "--", f":(top,literal){path}", cwd=top))


def _merge_base(ours: str, theirs: str) -> str | None:
    try:
        return git.run("merge-base", ours, theirs).decode().strip()
    except GitError:
        return None


def stage(path: str, top: Path) -> None:
    """Put a file of the work tree into the index: a conflict there is resolved."""
    git.run("add", "--", f":(top,literal){path}", cwd=top)


def staged_files() -> list[tuple[str, int]]:
    """Path and size of every file (no symlink, no submodule) that the next commit changes."""
    tree = "HEAD" if git.commit_of("HEAD") else git.run("hash-object", "-t", "tree", os.devnull)
    head = tree if isinstance(tree, str) else tree.decode().strip()
    out = git.run("diff-index", "--cached", "-z", "--no-renames", "--diff-filter=AMT", head)
    fields = os.fsdecode(out).split("\0")[:-1]
    rows = [(meta.split(" "), path) for meta, path in zip(fields[::2], fields[1::2], strict=True)]
    files = [(meta[3], path) for meta, path in rows if meta[1].startswith("100")]
    asked = "".join(f"{blob}\n" for blob, _ in files).encode()
    sizes = git.run("cat-file", "--batch-check=%(objectsize)", stdin=asked) if files else b""
    return [(path, int(size)) for (_, path), size in zip(files, sizes.split(b"\n"), strict=False)]
