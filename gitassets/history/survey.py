"""Which files leave, with all their versions: the plan's facts, and the paths that need every one.

Trees are read level by level, each once for each place it stands at, through one buffered pipe.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from gitassets.history import entries
from gitassets.history.choice import DIRECTORY, REGULAR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from gitassets.gitpipes import Pipes
    from gitassets.history.choice import Choice
    from gitassets.history.entries import Entry
    from gitassets.history.inventory import Inventory

_Level: TypeAlias = "dict[bytes, dict[bytes, int]]"
"""By tree, then by its place: the newest root that has it there."""


@dataclass(slots=True)
class Survey:
    """What was found. A root's number is its place in the list of roots: later ones are newer."""

    versions: dict[bytes, dict[bytes, int]] = field(default_factory=dict)
    """By path, then by blob: the number of the newest root that has it there."""
    refused: dict[bytes, str] = field(default_factory=dict)
    """Chosen files whose path no lockfile may name, and why; they stay in git."""
    mixed: set[bytes] = field(default_factory=set)
    """Paths of which some versions are chosen by themselves and others are not."""

    @property
    def blobs(self) -> set[bytes]:
        """Every blob that leaves."""
        return {blob for blobs in self.versions.values() for blob in blobs}


def take(
    pipes: Pipes,
    roots: Sequence[bytes],
    *,
    hot: AbstractSet[bytes],
    choice: Choice,
    inventory: Inventory,
) -> Survey:
    """Look at `roots`, distinct and oldest first. Raises GitError."""
    found = Survey()
    walk = _Walk(pipes, inventory.width)
    candidates = {**inventory.large, **inventory.pointers}

    def chosen(path: bytes, blob: bytes) -> bool:
        return choice.takes(path, size=inventory.size(blob), pointer=blob in inventory.pointers)

    numbered = {root: number for number, root in enumerate(roots)}
    first = {root: number for root, number in numbered.items() if root in hot}
    for prefix, newest, (mode, name, blob) in walk.down(
        first, lambda place, entry: entry[2] in hot and _may_enter(found, choice, place, entry)
    ):
        if blob in candidates and mode in REGULAR and chosen(path := prefix + name, blob):
            if why := choice.refusal(name):
                if name not in _CONTROL:
                    found.refused[path] = why
                continue
            blobs = found.versions.setdefault(path, {})
            blobs[blob] = max(newest, blobs.get(blob, -1))
    _complete(found, walk, numbered, choice)
    return found


_CONTROL = frozenset(
    {b"assets.lock.toml", b".gitignore", b".gitattributes", b".gitmodules", b".lfsconfig"}
)
"""They never leave, and nobody needs to be told."""


def _may_enter(found: Survey, choice: Choice, prefix: bytes, entry: Entry) -> bool:
    why = choice.refusal(entry[1])
    if why:
        found.refused.setdefault(prefix + entry[1] + b"/", why)
    return why is None


def _complete(found: Survey, walk: _Walk, roots: Mapping[bytes, int], choice: Choice) -> None:
    """Find the versions that are not chosen by themselves, at paths where others are."""
    paths = choice.paths | found.versions.keys()
    folders = {
        path[: at + 1] for path in paths for at, byte in enumerate(path) if byte == 0x2F
    }
    if not paths:
        return
    for prefix, newest, (mode, name, blob) in walk.down(
        roots, lambda place, entry: place + entry[1] + b"/" in folders
    ):
        path = prefix + name
        if path not in paths or mode not in REGULAR or choice.refusal(name):
            continue
        blobs = found.versions.setdefault(path, {})
        if blob not in blobs:
            found.mixed.add(path)
        blobs[blob] = max(newest, blobs.get(blob, -1))


class _Walk:
    """Goes down many trees at once."""

    def __init__(self, pipes: Pipes, width: int) -> None:
        self._pipes = pipes
        self._parse = entries.parser(width)

    def down(
        self, roots: Mapping[bytes, int], enter: Callable[[bytes, Entry], bool]
    ) -> Iterator[tuple[bytes, int, Entry]]:
        """Give place, newest root and entry of everything in the directories that `enter` lets in."""
        level: _Level = {root: {b"": number} for root, number in roots.items()}
        while level:
            below: _Level = {}
            for tree in self._pipes.objects(level):
                parsed = self._parse(tree.data)
                for prefix, newest in level[tree.id].items():
                    for entry in parsed:
                        if entry[0] not in DIRECTORY:
                            yield prefix, newest, entry
                        elif enter(prefix, entry):
                            places = below.setdefault(entry[2], {})
                            place = prefix + entry[1] + b"/"
                            places[place] = max(newest, places.get(place, -1))
            level = below
