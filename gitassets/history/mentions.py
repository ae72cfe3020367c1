"""Ids of commits in the messages of later ones ("Revert …", "cherry picked from …").

A word is replaced only when it names exactly one *ancestor*: those are the same in every clone,
whatever branches it has, so the new message is, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SHORTEST: Final = 7
"""Digits of the shortest abbreviation that counts as one, git's own default."""


class Mentions:
    """Knows every commit that was recorded, parents first."""

    def __init__(self, width: int) -> None:
        self._word = re.compile(
            rb"(?<![0-9A-Za-z_])[0-9a-f]{%d,%d}(?![0-9A-Za-z_])" % (_SHORTEST, 2 * width)
        )
        self._number: dict[bytes, int] = {}
        self._ids: list[bytes] = []
        self._parents: list[tuple[int, ...]] = []
        self._by_start: dict[bytes, int | list[int]] = {}

    def record(self, commit: bytes, parents: Sequence[bytes]) -> None:
        """Take note of a commit; its parents were recorded before."""
        number = len(self._ids)
        self._number[commit] = number
        self._ids.append(commit)
        self._parents.append(
            tuple(self._number[parent] for parent in parents if parent in self._number)
        )
        # Three bytes are six digits: the whole word is compared afterwards.
        start = commit[:3]
        known = self._by_start.setdefault(start, number)
        if isinstance(known, list):
            known.append(number)
        elif known != number:
            self._by_start[start] = [known, number]

    def replaced(
        self, message: bytes, commit: bytes, ids: Mapping[bytes, bytes]
    ) -> tuple[bytes, int]:
        """Give the message of `commit` with new ids of its ancestors, and how many there are."""
        count = 0

        def new(found: re.Match[bytes]) -> bytes:
            nonlocal count
            word: bytes = found[0]
            near = self._by_start.get(bytes.fromhex(word[:6].decode()), [])
            named = [
                self._ids[number]
                for number in ([near] if isinstance(near, int) else near)
                if self._ids[number].hex().encode().startswith(word)
                and self._is_ancestor(number, commit)
            ]
            if len(named) != 1 or named[0] not in ids:
                return word
            count += 1
            return ids[named[0]].hex().encode()[: len(word)]

        return self._word.sub(new, message), count

    def _is_ancestor(self, wanted: int, commit: bytes) -> bool:
        """Walk back from `commit`; parents have smaller numbers, so it ends early."""
        start = self._number[commit]
        if wanted >= start:
            return False
        todo, seen = [start], {start}
        while todo:
            for parent in self._parents[todo.pop()]:
                if parent == wanted:
                    return True
                if parent > wanted and parent not in seen:
                    seen.add(parent)
                    todo.append(parent)
        return False
