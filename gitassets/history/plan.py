"""The plan of a migration as data: what leaves, what changes, what it costs. Nothing is written."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitassets.history import commits, lfs_objects
from gitassets.history.harvest import Content
from gitassets.history.refs import NOTES
from gitassets.history.roots import RootRewriter
from gitassets.history.tags import TagRewriter
from gitassets.history.trees import Facts
from gitassets.model import Digest

if TYPE_CHECKING:
    from pathlib import Path

    from gitassets.gitpipes import Pipes
    from gitassets.history.commits import Rewritten
    from gitassets.history.study import State, Study

_ANY = Content(Digest("0" * 64), 0)
"""Stands for bytes that were not hashed: the new ids are not real ones, their number is."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """One path and its versions."""

    path: bytes
    versions: int
    bytes: int
    newest: str
    """The newest commit that has it, in hex."""
    pointers: int
    """How many of the versions are LFS pointers."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a migration would do."""

    leaving: list[Leaving]
    """The largest first."""
    unique_bytes: int
    """Every content counted once."""
    blobs: int
    """Distinct versions of plain files."""
    pointers: int
    """Distinct LFS pointers."""
    lfs: Counter[str]
    """Objects behind the pointers, by place: cache, lfs, nowhere."""
    missing: list[tuple[bytes, Digest, int]]
    """Path, sha256 and size of objects that nobody here has."""
    extensions: list[bytes]
    """Paths of pointers with extension lines: the bytes of the work tree came from a program."""
    refused: dict[bytes, str]
    commits: int
    changed: int
    signatures: int
    mergetags: int
    mentions: int
    refs: Counter[str]
    before: int
    """Bytes of all packs and loose objects."""
    after: int
    """About what will be left of them, once `finalize` has run."""


class _Counted:
    """Takes new objects and forgets them."""

    def __init__(self, algorithm: str) -> None:
        self._new = getattr(hashlib, algorithm)

    def add(self, kind: bytes, data: bytes, path: bytes) -> bytes:  # noqa: ARG002 - Sink's
        """Give the id."""
        name: bytes = self._new(b"%s %d\0%s" % (kind, len(data), data)).digest()
        return name


def make(pipes: Pipes, state: State, study: Study, cache: Path) -> Plan:
    """Make the plan. Raises GitError, HistoryError."""
    study.locate(pipes, state)
    survey, inventory = study.survey, study.inventory
    known = inventory.pointers
    pointers = lfs_objects.contents(study)
    places = lfs_objects.look(lfs_objects.directory(pipes), lfs_objects.wanted(study), cache)
    sizes = _sizes(pipes, study)
    rows = [
        Leaving(
            path,
            len(blobs),
            sum(pointers[each].size if each in pointers else sizes[each][0] for each in blobs),
            study.newest(max(blobs.values())).hex(),
            sum(each in known for each in blobs),
        )
        for path, blobs in survey.versions.items()
    ]
    done, signatures = _dry(pipes, state, study)
    plain = {blob: size for blob, (size, _) in sizes.items() if blob not in pointers}
    objects = {content.sha256: content.size for content in pointers.values()}
    before = _stored(pipes)
    return Plan(
        leaving=sorted(rows, key=lambda row: (-row.bytes, row.path)),
        unique_bytes=sum(plain.values()) + sum(objects.values()),
        blobs=len(plain),
        pointers=len(pointers),
        lfs=Counter(places.values()),
        missing=[
            (path, pointers[blob].sha256, pointers[blob].size)
            for path, blobs in sorted(survey.versions.items())
            for blob in blobs
            if blob in pointers and places[pointers[blob].sha256] == "nowhere"
        ],
        extensions=sorted(
            path
            for path, blobs in survey.versions.items()
            if any(blob in known and known[blob].extensions for blob in blobs)
        ),
        refused=survey.refused,
        commits=len(study.order),
        changed=len(done.ids),
        signatures=done.signatures + signatures,
        mergetags=done.mergetags,
        mentions=done.mentions,
        refs=_kinds(state),
        before=before,
        after=before - sum(disk for _, disk in sizes.values()),
    )


def _sizes(pipes: Pipes, study: Study) -> dict[bytes, tuple[int, int]]:
    """Give size and stored size of every blob that leaves."""
    form = "--batch-check=%(objectname) %(objectsize) %(objectsize:disk)"
    asked = [blob.hex().encode() + b"\n" for blob in sorted(study.survey.blobs)]
    if not asked:
        return {}
    with pipes.reading("cat-file", "--buffer", form, stdin=asked) as out:
        rows = [row.split() for row in out]
    return {bytes.fromhex(name.decode()): (int(size), int(disk)) for name, size, disk in rows}


def _dry(pipes: Pipes, state: State, study: Study) -> tuple[Rewritten, int]:
    """Rewrite into nothing, with any digests: how many commits change, and what they lose."""
    tail = _ANY.tail
    facts = Facts(study.choice, study.inventory, study.hot, dict.fromkeys(study.survey.blobs, tail))
    sink = _Counted(study.inventory.algorithm)
    with pipes.reader() as read:
        roots = RootRewriter(facts, read, sink)
        roots.all(pipes, study.distinct_roots)
        done = commits.rewrite(pipes, study.order, roots, sink, state.untracked)
        tags = TagRewriter(read.named, done.ids, roots.changed, sink)
        for ref in state.moving:
            tags(ref.id, ref.kind)
    return done, tags.signatures


def _kinds(state: State) -> Counter[str]:
    kinds: Counter[str] = Counter(stash=len(state.stash), worktrees=len(state.worktrees))
    for ref in state.refs:
        for prefix, kind in (
            ("refs/heads/", "branches"), ("refs/tags/", "tags"), (NOTES, "notes"),
        ):  # fmt: skip
            kinds[kind] += ref.name.startswith(prefix)
    return kinds


def _stored(pipes: Pipes) -> int:
    rows = dict(row.split(b": ") for row in pipes.run("count-objects", "-v").splitlines())
    return (int(rows[b"size"]) + int(rows[b"size-pack"])) * 1024
