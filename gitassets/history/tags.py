"""Annotated tags, rewritten by object id: tags of tags, of trees, without tagger, signed or not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gitassets.history.trees import Sink

_SIGNATURE: Final = re.compile(
    rb"^-----BEGIN (?:PGP SIGNATURE|PGP MESSAGE|SIGNED MESSAGE|SSH SIGNATURE)-----", re.MULTILINE
)
"""The first line of a signature (git's gpg-interface.c); the last one in the text begins it."""


class TagRewriter:
    """Gives the new id of whatever a ref points at."""

    def __init__(
        self,
        read: Callable[[bytes], tuple[bytes, bytes]],
        commits: Mapping[bytes, bytes],
        roots: Mapping[bytes, bytes],
        sink: Sink,
    ) -> None:
        """`read` gives kind and content; `commits` and `roots` are new ids by old ones."""
        self.ids: dict[bytes, bytes] = {}
        """New id by old id, of the tags that changed."""
        self.signatures = 0
        """Removed."""
        self.holders: set[bytes] = set()
        """Trees and blobs that stay though a tag or a ref names them alone."""
        self._read = read
        self._commits = commits
        self._roots = roots
        self._sink = sink

    def __call__(self, name: bytes, kind: bytes) -> bytes:
        """Give the new id of an object. Raises GitError."""
        if kind == b"commit":
            return self._commits.get(name, name)
        if kind == b"tree" and name in self._roots:
            return self._roots[name]
        if kind != b"tag":
            self.holders.add(name)
            return name
        if name not in self.ids:
            new = self._rewrite(name)
            if new == name:
                return name
            self.ids[name] = new
        return self.ids[name]

    def _rewrite(self, name: bytes) -> bytes:
        data = self._read(name)[1]
        header, newline, message = data.partition(b"\n\n")
        lines = header.split(b"\n")
        target = bytes.fromhex(lines[0].removeprefix(b"object ").decode())
        kind = next(
            (line[5:] for line in lines[1:] if line.startswith(b"type ")), self._read(target)[0]
        )
        new = self(target, kind)
        if new == target:
            return name
        lines[0] = b"object " + new.hex().encode()
        kept = self._without_signature(lines)
        begins = [found.start() for found in _SIGNATURE.finditer(message)]
        if begins:
            self.signatures += 1
            message = message[: begins[-1]]
        return self._sink.add(b"tag", b"\n".join(kept) + newline + message, b"")

    def _without_signature(self, lines: list[bytes]) -> list[bytes]:
        """Drop `gpgsig` headers, which SHA-256 tags have."""
        kept: list[bytes] = []
        dropping = False
        for line in lines:
            if not line.startswith(b" "):
                dropping = line.startswith((b"gpgsig ", b"gpgsig-sha256 "))
                self.signatures += dropping
            if not dropping:
                kept.append(line)
        return kept
