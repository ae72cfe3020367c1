"""Notes, re-keyed: a note is found by the id of what it is about, so a new id needs a new name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitassets.history import entries
from gitassets.history.choice import DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gitassets.history.entries import Entry
    from gitassets.history.trees import Sink


class NotesRewriter:
    """Gives for the tree of a notes commit the one with new keys, in the same fan-out."""

    def __init__(
        self, read: Callable[[bytes], bytes], ids: Mapping[bytes, bytes], sink: Sink, width: int
    ) -> None:
        self._read = read
        self._ids = ids
        self._sink = sink
        self._parse = entries.parser(width)
        self._key = re.compile(rb"[0-9a-f]{%d}" % (2 * width))
        self._done: dict[bytes, bytes] = {}

    def __call__(self, tree: bytes) -> bytes:
        """Give the new id of a notes tree, or the old one. Raises GitError."""
        if tree not in self._done:
            leaves: dict[bytes, Entry] = {}
            changed = self._gather(tree, b"", leaves)
            self._done[tree] = self._write(leaves) if changed else tree
        return self._done[tree]

    def _gather(self, tree: bytes, prefix: bytes, leaves: dict[bytes, Entry]) -> bool:
        """Collect all files under their new paths; tells whether any has a new one."""
        changed = False
        for entry in self._parse(self._read(tree)):
            mode, name, blob = entry
            path = prefix + name
            if mode in DIRECTORY:
                changed = self._gather(blob, path + b"/", leaves) or changed
                continue
            joined = path.replace(b"/", b"")
            new = (
                self._ids.get(bytes.fromhex(joined.decode()))
                if self._key.fullmatch(joined)
                else None
            )
            if new is not None:
                changed = True
                path = _like(path, new.hex().encode())
            leaves[path] = entry
        return changed

    def _write(self, leaves: Mapping[bytes, Entry]) -> bytes:
        here: list[Entry] = []
        below: dict[bytes, dict[bytes, Entry]] = {}
        for path, (mode, _, blob) in leaves.items():
            folder, slash, rest = path.partition(b"/")
            if slash:
                below.setdefault(folder, {})[rest] = (mode, rest, blob)
            else:
                here.append((mode, path, blob))
        here += [(b"40000", name, self._write(inner)) for name, inner in below.items()]
        return self._sink.add(b"tree", entries.joined(sorted(here, key=entries.key)), b"")


def _like(path: bytes, digits: bytes) -> bytes:
    """Put slashes where `path` has them."""
    parts = []
    for part in path.split(b"/"):
        parts.append(digits[: len(part)])
        digits = digits[len(part) :]
    return b"/".join(parts)
