"""Every ref, decided one by one: which move, which stay and only have to be walked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitassets.gitpipes import Pipes
    from gitassets.history.worktrees import Worktree

NOTES: Final = "refs/notes/"
REMOTES: Final = "refs/remotes/"
STASH: Final = "refs/stash"
_STAYING: Final = (
    "refs/replace/", "refs/original/", "refs/bisect/", "refs/prefetch/", "refs/rewritten/",
)  # fmt: skip
"""Other programs' records of old history: neither walked nor moved."""


@dataclass(frozen=True, slots=True)
class Ref:
    """One ref, as `for-each-ref` shows it."""

    name: str
    id: bytes
    kind: bytes
    """Of the object: commit, tag, tree or blob."""
    peeled: bytes
    """What is behind all tags: an id, the same for other objects."""
    peeled_kind: bytes
    symbolic: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """One ref of the transaction; ids are raw."""

    name: str
    old: bytes
    new: bytes


def listed(pipes: Pipes) -> list[Ref]:
    """Give all refs. Raises GitError."""
    fields = (
        "%(refname)%00%(objectname)%00%(objecttype)%00%(*objectname)%00%(*objecttype)%00%(symref)"
    )
    out = pipes.run("for-each-ref", f"--format={fields}")
    found = []
    for row in out.split(b"\n")[:-1]:
        name, object_id, kind, peeled, peeled_kind, symref = row.split(b"\0")
        found.append(
            Ref(
                name.decode("utf-8", "surrogateescape"),
                bytes.fromhex(object_id.decode()),
                kind,
                bytes.fromhex((peeled or object_id).decode()),
                peeled_kind or kind,
                bool(symref),
            )
        )
    return [_peeled(pipes, ref) for ref in found]


def moving(refs: Iterable[Ref]) -> list[Ref]:
    """Give the refs that a rewrite moves with what they name: not notes, whose keys change."""
    return [
        ref
        for ref in refs
        if not ref.symbolic
        and ref.name != STASH
        and not ref.name.startswith((NOTES, REMOTES, *_STAYING))
    ]


def notes(refs: Iterable[Ref]) -> list[Ref]:
    """Give the refs of notes."""
    return [ref for ref in refs if ref.name.startswith(NOTES) and ref.kind == b"commit"]


def tips(refs: Iterable[Ref], worktrees: Iterable[Worktree]) -> list[bytes]:
    """Give the commits from which everything that may move, or be pushed again, is reached."""
    found = [
        ref.peeled
        for ref in refs
        if ref.peeled_kind == b"commit" and not ref.name.startswith((NOTES, *_STAYING))
    ]
    found += [tree.detached for tree in worktrees if tree.detached]
    return list(dict.fromkeys(found))


def staying(refs: Iterable[Ref]) -> list[Ref]:
    """Give the refs that keep old history alive."""
    return [ref for ref in refs if ref.name.startswith((REMOTES, *_STAYING)) and not ref.symbolic]


def transact(pipes: Pipes, updates: Sequence[Update]) -> None:
    """Move all refs in one transaction, each only from its old value. Raises GitError.

    It is whole for every reader that git serves, but with refs in files a kill in its middle is
    not: whoever calls this has written down what it is about to do.
    """
    if not updates:
        return
    rows = [b"start"]
    for update in updates:
        name = update.name.encode("utf-8", "surrogateescape")
        rows.append(b"update %s\0%s\0%s" % (
            name, update.new.hex().encode(), update.old.hex().encode()
        ))  # fmt: skip
    rows += [b"prepare", b"commit"]
    text = b"".join(row + b"\0" for row in rows)
    pipes.run("update-ref", "--no-deref", "-m", "git assets migrate", "--stdin", "-z", stdin=text)


def _peeled(pipes: Pipes, ref: Ref) -> Ref:
    """Peel tags of tags to the end: before git 2.45 `*` stops at the first object."""
    if ref.peeled_kind != b"tag":
        return ref
    name = pipes.run("rev-parse", f"{ref.id.hex()}^{{}}").decode().strip()
    kind = pipes.run("cat-file", "-t", name).strip()
    return Ref(ref.name, ref.id, ref.kind, bytes.fromhex(name), kind, ref.symbolic)
