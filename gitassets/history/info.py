"""`migrate info`: the largest paths and types in history, every content counted once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitassets.history import commits, inventory, refs, survey, worktrees
from gitassets.history.choice import Choice
from gitassets.history.spec import Rule, Spec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gitassets.gitpipes import Pipes


@dataclass(frozen=True, slots=True)
class Row:
    """A path, or a type of file."""

    name: str
    """A path, `*.<extension>`, or a file name without one."""
    versions: int
    """Distinct contents."""
    bytes: int
    """Of those, each counted once."""


@dataclass(frozen=True, slots=True)
class Info:
    """What history holds."""

    commits: int
    trees: int
    blobs: int
    unique: int
    """Bytes of all versions that were looked at."""
    paths: list[Row]
    """The largest first."""
    types: list[Row]


def take(pipes: Pipes, main: Path | None, above: int, *, lfs: bool = True) -> Info:
    """Look at files of at least `above` bytes, and at LFS pointers for what they stand for.

    Raises GitError.
    """
    choice = Choice(Spec((Rule(above=above, lfs=lfs),)))
    found = refs.listed(pipes)
    order = commits.listed(pipes, refs.tips(found, worktrees.listed(pipes, main)))
    have = inventory.take(pipes, choice)
    history = survey.History(order, commits.read(pipes, order).parents)
    seen = survey.chosen(pipes, history, choice, have)
    sizes = {
        blob: have.pointers[blob].size if blob in have.pointers else have.large[blob]
        for blob in seen.blobs
    }
    by_path = {path.decode(errors="replace"): set(each) for path, each in seen.versions.items()}
    by_type: dict[str, set[bytes]] = {}
    for path, each in by_path.items():
        by_type.setdefault(_type(path), set()).update(each)
    return Info(
        len(order),
        len(have.trees),
        have.blobs,
        sum(sizes.values()),
        _rows(by_path.items(), sizes),
        _rows(by_type.items(), sizes),
    )


def _rows(groups: Iterable[tuple[str, set[bytes]]], sizes: dict[bytes, int]) -> list[Row]:
    rows = [Row(name, len(blobs), sum(sizes[blob] for blob in blobs)) for name, blobs in groups]
    return sorted(rows, key=lambda row: (-row.bytes, row.name))


def _type(path: str) -> str:
    name = path.rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    return f"*.{extension}" if dot and stem else name
