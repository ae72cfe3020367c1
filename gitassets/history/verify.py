"""A finished migration, verified again from its maps: every commit and every pair of roots.

Nothing is taken from the run that wrote them but the commit map: what left is hashed anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitassets import lockfile
from gitassets.errors import HistoryError
from gitassets.git import LOCKFILE
from gitassets.history import commits, generated, harvest, indexes, maps, pointers
from gitassets.history.check import Checker
from gitassets.history.harvest import Content
from gitassets.history.mentions import Mentions
from gitassets.history.spec import PATHS_FILE, Spec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gitassets.gitpipes import Pipes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was compared; a difference is an error, not a number."""

    commits: int
    changed: int
    roots: int
    leaves: int


def read_map(run: Path) -> dict[bytes, bytes]:
    """Read a commit map, parents first as it was written. Raises OSError."""
    rows = (run / maps.COMMITS).read_text(encoding="ascii").splitlines()[1:]
    pairs = (row.split() for row in rows)
    return {bytes.fromhex(old): bytes.fromhex(new) for old, new in pairs}


def verify(pipes: Pipes, run: Path) -> Verdict:
    """Compare old and new history. Raises HistoryError at the first difference, GitError."""
    ids = read_map(run)
    changed = {old: new for old, new in ids.items() if old != new}
    spec = _spec(pipes, changed)
    old_roots = commits.roots(pipes, changed)
    new_roots = commits.roots(pipes, changed.values())
    pairs: dict[bytes, bytes] = {}
    for old, new in changed.items():
        was, now = old_roots[old], new_roots[new]
        if pairs.setdefault(was, now) != now:
            raise HistoryError(f"the tree {was.hex()} became two different ones")
    pairs = {was: now for was, now in pairs.items() if was != now}
    _compare(pipes, ids)
    form = pipes.run("rev-parse", "--show-object-format").decode().strip()
    with pipes.reader() as read:
        checker = Checker(pipes, read, spec, _contents(pipes, pairs), algorithm=form)
        count = checker.roots(pairs)
    return Verdict(len(ids), len(changed), count, checker.leaves)


def _spec(pipes: Pipes, changed: Mapping[bytes, bytes]) -> Spec:
    """Read the spec from the new history itself: it is the same in every lockfile."""
    with pipes.reader() as read:
        for new in reversed(list(changed.values())):
            listing = pipes.run("ls-tree", "-z", new.hex(), "--", LOCKFILE, PATHS_FILE)
            rows = [row.split(b"\t") for row in listing.split(b"\0") if row]
            blobs = {name.decode(): bytes.fromhex(row.split()[2].decode()) for row, name in rows}
            if LOCKFILE not in blobs:
                continue
            paths = read(blobs[PATHS_FILE]) if PATHS_FILE in blobs else b""
            spec = Spec.read(lockfile.load(read(blobs[LOCKFILE])), paths)
            if spec:
                return spec
    raise HistoryError("no rewritten commit holds a lockfile with a [migration] table")


def _contents(pipes: Pipes, pairs: Mapping[bytes, bytes]) -> dict[bytes, Content]:
    """Hash every blob that is in an old root and not in the new one."""
    gone: set[bytes] = set()
    rows = [b"%s %s\n" % (old.hex().encode(), new.hex().encode()) for old, new in pairs.items()]
    arguments = ("-r", "-z", "--no-renames", "--no-abbrev", "--diff-filter=D")
    with pipes.reading("diff-tree", "--stdin", *arguments, stdin=rows) as out:
        text = out.read()
    # A heading before a difference ends in a newline; what follows is the difference.
    fields = [
        field.rpartition(b"\n")[2] if b"\n:" in field else field for field in text.split(b"\0")
    ]
    for change in indexes.changes(b"\0".join(fields)):
        if not generated.is_generated(change.path):
            gone.add(bytes.fromhex(change.old.decode()))
    found: dict[bytes, Content] = {}
    small = [got[0] for got in pipes.sizes(sorted(gone)) if got and got[2] <= pointers.MAX_SIZE]
    for blob in pipes.objects(small):
        if pointer := pointers.parse(blob.data):
            found[blob.id] = Content(pointer.sha256, pointer.size)
    rest = sorted(gone - found.keys())
    return found | harvest.contents(pipes, rest, None, lambda _: None)


def _compare(pipes: Pipes, ids: Mapping[bytes, bytes]) -> None:
    """Compare commits byte by byte, but for what a rewrite may change."""
    mentions = Mentions(len(next(iter(ids), b"")) or 20)
    new_ones = pipes.objects(ids.values())
    for old in pipes.objects(ids):
        new = next(new_ones)
        before, after = commits.parts(old.data), commits.parts(new.data)
        mentions.record(old.id, before.parents)
        if old.id == new.id:
            continue
        message, _ = mentions.replaced(before.message, old.id, ids)
        if (
            [ids.get(parent, parent) for parent in before.parents] != after.parents
            or commits.kept(before.lines) != after.lines
            or message != after.message
        ):
            raise HistoryError(f"commit {old.id.hex()} and its new {new.id.hex()} differ")
    for _ in new_ones:
        raise HistoryError("there are more new commits than old ones")
