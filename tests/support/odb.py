"""Objects of any shape for a test repository, written one file each: git is never asked whether it likes them."""

from __future__ import annotations

import hashlib
import os
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Entry = tuple[str, str]
"""Mode, as it is written in a tree, and object id."""
WHO = "A U Thor <author@example.com> {time} +0000"


class Objects:
    """The object directory of a repository."""

    def __init__(self, git_dir: Path, algorithm: str = "sha1") -> None:
        self.path = git_dir / "objects"
        self.algorithm = algorithm
        self._clock = 1_600_000_000

    def add(self, kind: str, data: bytes) -> str:
        """Write an object; gives its id."""
        whole = b"%s %d\0%s" % (kind.encode(), len(data), data)
        name = hashlib.new(self.algorithm, whole).hexdigest()
        place = self.path / name[:2] / name[2:]
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(zlib.compress(whole, 1))
        return name

    def blob(self, data: bytes | str) -> str:
        return self.add("blob", os.fsencode(data) if isinstance(data, str) else data)

    def tree(self, files: Mapping[bytes, Entry]) -> str:
        """Write the tree of full paths, and the trees below it."""
        here: dict[bytes, Entry] = {}
        below: dict[bytes, dict[bytes, Entry]] = {}
        for path, entry in files.items():
            name, slash, rest = path.partition(b"/")
            if slash:
                below.setdefault(name, {})[rest] = entry
            else:
                here[name] = entry
        assert not here.keys() & below.keys()
        for name, inside in below.items():
            here[name] = ("40000", self.tree(inside))
        order = sorted(here, key=lambda name: name + b"/" * (here[name][0] == "40000"))
        return self.add(
            "tree",
            b"".join(
                here[name][0].encode() + b" " + name + b"\0" + bytes.fromhex(here[name][1])
                for name in order
            ),
        )

    def who(self) -> bytes:
        """Give a person and a time that was not given before."""
        self._clock += 60
        return WHO.format(time=self._clock).encode()

    def commit(
        self,
        tree: str,
        *parents: str,
        message: bytes = b"Change\n",
        extra: bytes = b"",
        people: bytes | None = None,
    ) -> str:
        """Write a commit; `extra` are header lines, `people` the author and committer lines."""
        who = self.who()
        people = people or b"author %s\ncommitter %s\n" % (who, who)
        head = b"tree %s\n" % tree.encode()
        head += b"".join(b"parent %s\n" % parent.encode() for parent in parents)
        return self.add("commit", head + people + extra + b"\n" + message)

    def tag(
        self, target: str, kind: str, name: str, message: bytes = b"Tag\n", *, tagger: bool = True
    ) -> str:
        """Write an annotated tag."""
        head = f"object {target}\ntype {kind}\ntag {name}\n".encode()
        return self.add(
            "tag", head + (b"tagger %s\n" % self.who() if tagger else b"") + b"\n" + message
        )
