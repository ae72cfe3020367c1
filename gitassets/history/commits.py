"""Commits, rewritten: the lines `tree` and `parent`, ids of ancestors in the message, and no more.

A commit whose tree and parents stay keeps its id, and with it its signature. In one that changes, a
signature could only be wrong, and a `mergetag` would embed a tag of a commit that is not a parent
any more: both go. Every other byte stays, also of what git itself would not write.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gitassets.history.mentions import Mentions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet

    from gitassets.gitpipes import Pipes
    from gitassets.history.trees import Sink

_DROPPED: Final = (b"gpgsig ", b"gpgsig-sha256 ", b"mergetag ")


@dataclass(slots=True)
class Rewritten:
    """What became of the commits."""

    ids: dict[bytes, bytes] = field(default_factory=dict)
    """New id by old id, of those that changed."""
    order: list[bytes] = field(default_factory=list)
    """All of them, parents first."""
    first: list[bytes] = field(default_factory=list)
    """Changed commits of which no parent changed: who has one of these has the old history."""
    signatures: int = 0
    """Removed."""
    mergetags: int = 0
    """Removed."""
    mentions: int = 0
    """Ids of ancestors in messages that were replaced."""


def listed(pipes: Pipes, tips: Iterable[bytes]) -> list[bytes]:
    """Give every commit that `tips` reach, parents first. Raises GitError."""
    rows = b"".join(tip.hex().encode() + b"\n" for tip in tips)
    if not rows:
        return []
    out = pipes.run("rev-list", "--topo-order", "--reverse", "--stdin", stdin=rows)
    return [bytes.fromhex(row.decode()) for row in out.split()]


def roots(pipes: Pipes, commits: Iterable[bytes]) -> dict[bytes, bytes]:
    """Give the root tree of each commit, in order. Raises GitError."""
    return {
        commit.id: bytes.fromhex(commit.data[5 : commit.data.index(b"\n")].decode())
        for commit in pipes.objects(commits)
    }


def rewrite(
    pipes: Pipes,
    order: list[bytes],
    root: Callable[[bytes], bytes],
    sink: Sink,
    untouched: AbstractSet[bytes] = frozenset(),
) -> Rewritten:
    """Rewrite commits, given parents first; `untouched` ones stay. Raises GitError, HistoryError."""
    done = Rewritten(order=order)
    mentions = Mentions(len(order[0]) if order else 20)
    for commit in pipes.objects(order):
        header, message = _cut(commit.data)
        lines = header.split(b"\n")
        tree, parents = _links(lines)
        mentions.record(commit.id, parents)
        if commit.id in untouched:
            continue
        new_tree = root(tree)
        moved = any(parent in done.ids for parent in parents)
        if new_tree == tree and not moved:
            continue
        if not moved:
            done.first.append(commit.id)
        kept = _kept(lines, done)
        text = message
        if moved:
            text, count = mentions.replaced(message, commit.id, done.ids)
            done.mentions += count
        data = _joined(kept, new_tree, [done.ids.get(parent, parent) for parent in parents]) + text
        done.ids[commit.id] = sink.add(b"commit", data, b"")
    return done


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """Cut a commit behind its header; some old ones have no empty line, and so no message."""
    at = data.find(b"\n\n")
    return (data, b"") if at < 0 else (data[:at], data[at:])


def _links(lines: list[bytes]) -> tuple[bytes, list[bytes]]:
    tree = bytes.fromhex(lines[0][5:].decode())
    parents = []
    for line in lines[1:]:
        if not line.startswith(b"parent "):
            break
        parents.append(bytes.fromhex(line[7:].decode()))
    return tree, parents


def _kept(lines: list[bytes], done: Rewritten) -> list[bytes]:
    """Give the header lines behind tree and parents that stay."""
    kept: list[bytes] = []
    at = 1
    while at < len(lines) and lines[at].startswith(b"parent "):
        at += 1
    dropping = False
    for line in lines[at:]:
        if not line.startswith(b" "):
            dropping = line.startswith(_DROPPED)
            done.signatures += line.startswith(b"gpgsig")
            done.mergetags += line.startswith(b"mergetag ")
        if not dropping:
            kept.append(line)
    return kept


def _joined(lines: list[bytes], tree: bytes, parents: Iterable[bytes]) -> bytes:
    first = [b"tree " + tree.hex().encode()]
    return b"\n".join([*first, *(b"parent " + each.hex().encode() for each in parents), *lines])
