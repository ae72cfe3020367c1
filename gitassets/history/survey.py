"""Which files leave, with all their versions: the plan's facts, and the paths that need every one.

Every version of a file was brought by some commit, so git's own comparison of each commit with its
parents shows them all, in C; the trees are not walked a second time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, NamedTuple

from gitassets.gitpipes import CHUNK
from gitassets.history import entries
from gitassets.history.choice import DIRECTORY, REGULAR

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from gitassets.gitpipes import Pipes
    from gitassets.history.choice import Choice
    from gitassets.history.inventory import Inventory


@dataclass(slots=True)
class Survey:
    """What was found. A commit's number is its place in the order, parents first."""

    versions: dict[bytes, dict[bytes, int]] = field(default_factory=dict)
    """By path, then by blob: the number of the newest known commit that has it there."""
    refused: dict[bytes, str] = field(default_factory=dict)
    """Chosen files whose path no lockfile may name, and why; they stay in git."""
    mixed: set[bytes] = field(default_factory=set)
    """Paths of which some versions are chosen by themselves and others are not."""

    @property
    def blobs(self) -> set[bytes]:
        """Every blob that leaves."""
        return {blob for blobs in self.versions.values() for blob in blobs}


class History(NamedTuple):
    """What is surveyed."""

    order: Sequence[bytes]
    """Commits, parents first."""
    parents: Mapping[bytes, bytes]
    """The first parent of each commit that has one."""
    untouched: AbstractSet[bytes] = frozenset()
    """Commits that stay as they are."""
    trees: Sequence[bytes] = ()
    """Roots without a commit, those of indexes."""


def take(pipes: Pipes, history: History, choice: Choice, inventory: Inventory) -> Survey:
    """Find what leaves. Raises GitError."""
    everything = _everything(pipes, history, inventory.width)
    found = _chosen(everything, choice, inventory)
    for path in choice.paths | found.versions.keys():
        if path not in everything or _refusal(choice, path):
            continue
        known = found.versions.setdefault(path, {})
        if len(known) < len(everything[path]):
            found.mixed.add(path)
            known.update(everything[path])
    return found


def chosen(pipes: Pipes, history: History, choice: Choice, inventory: Inventory) -> Survey:
    """Find only what is chosen by itself, whatever else stood at its path. Raises GitError."""
    return _chosen(_everything(pipes, history, inventory.width), choice, inventory)


def locate(pipes: Pipes, survey: Survey, tips: Mapping[bytes, int], width: int) -> None:
    """Let what is in the roots `tips` be known there: root by the number of its commit."""
    folders = {
        path[: at + 1] for path in survey.versions for at, byte in enumerate(path) if byte == 0x2F
    }
    for path, blob, number in _below(pipes, tips, width, folders):
        blobs = survey.versions.get(path, {})
        if blob in blobs:
            blobs[blob] = max(number, blobs[blob])


def _chosen(
    everything: Mapping[bytes, dict[bytes, int]], choice: Choice, inventory: Inventory
) -> Survey:
    found = Survey()
    candidates = inventory.large.keys() | inventory.pointers.keys()
    for path, blobs in everything.items():
        for blob, number in blobs.items():
            if blob not in candidates:
                continue
            pointer = blob in inventory.pointers
            if not choice.takes(path, size=inventory.size(blob), pointer=pointer):
                continue
            if why := _refusal(choice, path):
                if path.rpartition(b"/")[2] not in _CONTROL:
                    found.refused[path] = why
                break
            found.versions.setdefault(path, {})[blob] = number
    return found


_CONTROL = frozenset(
    {b"assets.lock.toml", b".gitignore", b".gitattributes", b".gitmodules", b".lfsconfig"}
)
"""They never leave, and nobody needs to be told."""


def _refusal(choice: Choice, path: bytes) -> str | None:
    for name in path.split(b"/"):
        if why := choice.refusal(name):
            return why
    return None


def _everything(pipes: Pipes, history: History, width: int) -> dict[bytes, dict[bytes, int]]:
    """Give every file that any commit has: by path and blob the newest commit known to have it."""
    found: dict[bytes, dict[bytes, int]] = {}
    numbers = {commit: number for number, commit in enumerate(history.order)}
    for commit, path, blob, is_old in _changes(pipes, history):
        # What a commit takes away, its parent had.
        number = numbers[history.parents[commit] if is_old else commit]
        blobs = found.setdefault(path, {})
        blobs[blob] = max(number, blobs.get(blob, -1))
    for path, blob, number in _below(
        pipes, dict.fromkeys(history.trees, len(history.order)), width, None
    ):
        blobs = found.setdefault(path, {})
        blobs[blob] = max(number, blobs.get(blob, -1))
    return found


def _changes(pipes: Pipes, history: History) -> Iterator[tuple[bytes, bytes, bytes, bool]]:
    """Give commit, path and blob of all that a commit has and no parent, or the reverse (True)."""
    arguments = ("--stdin", "-r", "-c", "--root", "-z", "--no-renames", "--no-abbrev")
    rows = (
        commit.hex().encode() + b"\n" for commit in history.order if commit not in history.untouched
    )
    with pipes.reading("diff-tree", *arguments, "--no-ext-diff", stdin=rows) as out:
        commit = b""
        fields = _fields(out)
        for row in fields:
            if not row.startswith(b":"):
                commit = bytes.fromhex(row.decode())
                continue
            parents = len(row) - len(row.lstrip(b":"))
            words = row[parents:].split(b" ")
            path = next(fields)
            for side in range(parents + 1):
                if words[side] in REGULAR:
                    blob = bytes.fromhex(words[parents + 1 + side].decode())
                    yield commit, path, blob, side < parents


def _below(
    pipes: Pipes, roots: Mapping[bytes, int], width: int, folders: AbstractSet[bytes] | None
) -> Iterator[tuple[bytes, bytes, int]]:
    """Give path, blob and number of the files in trees; `folders` are entered, None: all."""
    parse = entries.parser(width)
    level = {root: {b"": number} for root, number in roots.items()}
    while level:
        below: dict[bytes, dict[bytes, int]] = {}
        for tree in pipes.objects(level):
            for mode, name, blob in parse(tree.data):
                for prefix, number in level[tree.id].items():
                    place = prefix + name + b"/"
                    if mode in REGULAR:
                        yield prefix + name, blob, number
                    elif mode in DIRECTORY and (folders is None or place in folders):
                        places = below.setdefault(blob, {})
                        places[place] = max(number, places.get(place, -1))
        level = below


def _fields(out: IO[bytes]) -> Iterator[bytes]:
    """Cut at NUL."""
    rest = b""
    while piece := out.read(CHUNK):
        *whole, rest = (rest + piece).split(b"\0")
        yield from whole
