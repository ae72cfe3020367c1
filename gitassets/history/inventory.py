"""What is stored: every object's kind and size from the pack index, and the LFS pointers.

Nothing is inflated but blobs that are small enough to be pointers. Unreachable objects are among
them; whoever walks the history meets only the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitassets.history import pointers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitassets.gitpipes import Pipes
    from gitassets.history.choice import Choice
    from gitassets.history.pointers import Pointer


@dataclass(slots=True)
class Inventory:
    """Ids are raw bytes, sizes are bytes."""

    width: int
    """Bytes of an id: 20 or 32."""
    trees: list[bytes] = field(default_factory=list)
    commits: int = 0
    blobs: int = 0
    large: dict[bytes, int] = field(default_factory=dict)
    """Blobs that some rule's threshold reaches; all of them when names alone may choose."""
    pointers: dict[bytes, Pointer] = field(default_factory=dict)
    resembling: list[bytes] = field(default_factory=list)
    """Blobs that begin as pointers do, and are none."""

    @property
    def algorithm(self) -> str:
        """The hash of the object format."""
        return "sha1" if self.width == 20 else "sha256"

    def size(self, blob: bytes) -> int:
        """Give the size, or 0 for a blob below every threshold."""
        return self.large.get(blob, 0)


def take(pipes: Pipes, choice: Choice) -> Inventory:
    """Look at every object once. Raises GitError."""
    form = pipes.run("rev-parse", "--show-object-format").strip()
    found = Inventory(32 if form == b"sha256" else 20)
    least = 0 if choice.any_size else choice.least
    perhaps: list[bytes] = []
    for name, kind, size in pipes.all_objects():
        if kind == b"tree":
            found.trees.append(bytes.fromhex(name.decode()))
        elif kind == b"commit":
            found.commits += 1
        elif kind == b"blob":
            found.blobs += 1
            if least is not None and size >= least:
                found.large[bytes.fromhex(name.decode())] = size
            if choice.lfs and pointers.MIN_SIZE <= size <= pointers.MAX_SIZE:
                perhaps.append(bytes.fromhex(name.decode()))
    _read(pipes, found, perhaps)
    return found


def read_pointers(pipes: Pipes, found: Inventory, blobs: Iterable[bytes]) -> None:
    """Add those of `blobs` that are pointers and were not looked at before. Raises GitError."""
    rest = sorted(set(blobs) - found.pointers.keys())
    sizes = pipes.sizes(rest) if rest else ()
    _read(
        pipes,
        found,
        [row[0] for row in sizes if row and pointers.MIN_SIZE <= row[2] <= pointers.MAX_SIZE],
    )


def _read(pipes: Pipes, found: Inventory, blobs: Sequence[bytes]) -> None:
    for blob in pipes.objects(blobs):
        if pointer := pointers.parse(blob.data):
            found.pointers[blob.id] = pointer
        elif pointers.resembles(blob.data):
            found.resembling.append(blob.id)
