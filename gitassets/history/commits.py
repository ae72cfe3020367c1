"""Commits, rewritten: the lines `tree` and `parent`, ids of ancestors in the message, and no more.

A commit whose tree and parents stay keeps its id, and with it its signature. In one that changes, a
signature could only be wrong, and a `mergetag` would embed a tag of a commit that is not a parent
any more: both go. Every other byte stays, also of what git itself would not write.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from gitassets.history.mentions import Mentions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet

    from gitassets.gitpipes import Pipes
    from gitassets.history.trees import Sink

_DROPPED: Final = (b"gpgsig ", b"gpgsig-sha256 ", b"mergetag ")


class Parts(NamedTuple):
    """A commit, cut."""

    tree: bytes
    parents: list[bytes]
    lines: list[bytes]
    """The rest of the header."""
    message: bytes
    """With the empty line before it."""


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
    return read(pipes, commits).roots


class Shape(NamedTuple):
    """What a history looks like."""

    roots: dict[bytes, bytes]
    """Root tree by commit."""
    parents: dict[bytes, bytes]
    """First parent by commit."""


def read(pipes: Pipes, commits: Iterable[bytes]) -> Shape:
    """Read roots and first parents of commits, in order. Raises GitError."""
    found = Shape({}, {})
    for commit in pipes.objects(commits):
        tree, _, rest = commit.data.partition(b"\n")
        found.roots[commit.id] = bytes.fromhex(tree[5:].decode())
        if rest.startswith(b"parent "):
            found.parents[commit.id] = bytes.fromhex(rest[7 : rest.index(b"\n")].decode())
    return found


def rewrite(
    pipes: Pipes,
    order: list[bytes],
    root: Callable[[bytes], bytes],
    sink: Sink,
    untouched: AbstractSet[bytes] = frozenset(),
) -> Rewritten:
    """Rewrite commits, given parents first; `untouched` ones stay.

    Raises GitError, HistoryError.
    """
    done = Rewritten(order=order)
    mentions = Mentions(len(order[0]) if order else 20)
    for commit in pipes.objects(order):
        old = parts(commit.data)
        mentions.record(commit.id, old.parents)
        if commit.id in untouched:
            continue
        tree = root(old.tree)
        moved = any(parent in done.ids for parent in old.parents)
        if tree == old.tree and not moved:
            continue
        message = old.message
        if moved:
            message, count = mentions.replaced(message, commit.id, done.ids)
            done.mentions += count
        else:
            done.first.append(commit.id)
        done.signatures += sum(line.startswith(_DROPPED[:2]) for line in old.lines)
        done.mergetags += sum(line.startswith(_DROPPED[2]) for line in old.lines)
        parents = [done.ids.get(parent, parent) for parent in old.parents]
        data = _joined(tree, parents, kept(old.lines)) + message
        done.ids[commit.id] = sink.add(b"commit", data, b"")
    return done


def parts(data: bytes) -> Parts:
    """Cut a commit; some old ones have no empty line behind the header, and so no message."""
    at = data.find(b"\n\n")
    header, message = (data, b"") if at < 0 else (data[:at], data[at:])
    lines = header.split(b"\n")
    end = 1
    while end < len(lines) and lines[end].startswith(b"parent "):
        end += 1
    return Parts(
        bytes.fromhex(lines[0][5:].decode()),
        [bytes.fromhex(line[7:].decode()) for line in lines[1:end]],
        lines[end:],
        message,
    )


def kept(lines: list[bytes]) -> list[bytes]:
    """Give the header lines behind the parents that stay when a commit changes."""
    found: list[bytes] = []
    dropping = False
    for line in lines:
        # A line that begins with a blank goes on with the header above it.
        if not line.startswith(b" "):
            dropping = line.startswith(_DROPPED)
        if not dropping:
            found.append(line)
    return found


def _joined(tree: bytes, parents: Iterable[bytes], lines: list[bytes]) -> bytes:
    first = [b"tree " + tree.hex().encode()]
    return b"\n".join([*first, *(b"parent " + each.hex().encode() for each in parents), *lines])
