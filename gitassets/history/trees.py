"""One tree, rewritten: assets out, ignore lines in, LFS attributes off. A pure function, memoised.

What a tree becomes depends on its bytes, on the spec, and, only where the spec names places, on
where it stands. Entries that do not change are copied as they are, whatever their mode or order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from gitassets import ignore
from gitassets.history import attributes, entries
from gitassets.history.choice import DIRECTORY, REGULAR
from gitassets.history.ropes import MARK, Joiner, Rope
from gitassets.paths import fold, ignore_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from gitassets.history.choice import Choice
    from gitassets.history.entries import Entry
    from gitassets.history.inventory import Inventory

IGNORE: Final = b".gitignore"
ATTRIBUTES: Final = b".gitattributes"
_ESCAPED = re.compile(r"\\(.)")


class Sink(Protocol):
    """Takes new objects; `path` is a hint for finding a delta base."""

    def add(self, kind: bytes, data: bytes, path: bytes) -> bytes:
        """Keep an object, and give its raw id."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the objects before any tree is rewritten."""

    choice: Choice
    inventory: Inventory
    hot: AbstractSet[bytes]
    """Trees that may change."""
    tails: Mapping[bytes, bytes]
    """By blob: the last two lines of its lockfile entry, size and sha256."""


class Node(NamedTuple):
    """What became of a tree."""

    id: bytes | None
    """None when nothing is left in it."""
    lock: Rope | None = None
    """The lockfile's blocks for the assets in it."""
    pending: Rope | None = None
    """Ignore lines for which no `.gitignore` was found yet."""
    count: int = 0
    """Assets."""
    longest: int = 0
    """Bytes of the longest asset path from here."""
    twins: bool = False
    """Somewhere in it two names with assets are equal where case or form is ignored."""


class Content(NamedTuple):
    """A directory's entries after the walk, before they are written."""

    entries: list[Entry]
    edits: dict[bytes, Entry | None]
    node: Node
    """Without an id."""


class TreeRewriter:
    """Rewrites trees into `sink`; `excluded` are paths that stay in git though they are chosen."""

    def __init__(
        self,
        facts: Facts,
        read: Callable[[bytes], bytes],
        sink: Sink,
        excluded: AbstractSet[bytes] = frozenset(),
    ) -> None:
        self.joiner = Joiner()
        self._facts = facts
        self._read = read
        self._sink = sink
        self._excluded = excluded
        self._excluded_folders = {
            path[: at + 1] for path in excluded for at, byte in enumerate(path) if byte == 0x2F
        } | ({b""} if excluded else set())
        self._parse = entries.parser(facts.inventory.width)
        self._nodes: dict[tuple[bytes, bytes | None], Node] = {}
        self._attributes: dict[bytes, bytes | None] = {}

    def root(self, tree: bytes) -> Content:
        """Walk a root tree."""
        return self.content(tree, self._context(b""))

    def content(self, tree: bytes, prefix: bytes | None) -> Content:
        """Walk one directory and everything below it."""
        data = self._read(tree)
        found = self._parse(data)
        edits: dict[bytes, Entry | None] = {}
        lock: list[bytes | tuple[bytes, Rope]] = []
        pending: list[bytes | tuple[bytes, Rope]] = []
        names: list[bytes] = []
        count = longest = 0
        twins = False
        hot, candidates = self._facts.hot, self._facts.tails
        # Where the place matters, names do; elsewhere an id tells all.
        placed = prefix is not None
        for entry in found:
            mode, name, blob = entry
            if not (placed or blob in hot or blob in candidates):
                continue
            if mode in DIRECTORY:
                node = self._below(blob, name, prefix)
                if node is None:
                    continue
                if node.id != blob:
                    edits[name] = None if node.id is None else (mode, name, node.id)
                if not node.lock:
                    continue
                lock.append((name + b"/", node.lock))
                if node.pending:
                    pending.append((_escaped(name) + b"/", node.pending))
                count += node.count
                longest = max(longest, len(name) + 1 + node.longest)
                twins = twins or node.twins
            elif mode in REGULAR and self._takes(prefix, name, blob):
                edits[name] = None
                flag = b"executable = true\n" if mode == b"100755" else b""
                lock.append(
                    b'\n[asset."%s%s"]\n%s%s' % (MARK, name, flag, self._facts.tails[blob])
                )
                pending.append(b"/%s%s\n" % (MARK, _escaped(name)))
                count += 1
                longest = max(longest, len(name))
            else:
                continue
            names.append(name)
        if self._facts.choice.spec.leaves_lfs and b" .gitattributes\0" in data:
            self._clean(found, edits)
        node = Node(
            None,
            Rope(tuple(lock)) if lock else None,
            Rope(tuple(pending)) if pending else None,
            count,
            longest,
            twins or _has_twins(names),
        )
        return Content(found, edits, node)

    def node(self, tree: bytes, prefix: bytes | None) -> Node:
        """Rewrite a directory below the root; `prefix` is its path, or None where it is not known."""
        key = (tree, prefix)
        if key in self._nodes:
            return self._nodes[key]
        content = self.content(tree, prefix)
        node = content.node
        if node.pending and (target := self._ignore_file(content.entries)):
            new = self.with_lines(self._read(target[2]), node.pending)
            blob = self._sink.add(b"blob", new, IGNORE)
            content.edits[IGNORE] = (target[0], IGNORE, blob)
            node = node._replace(pending=None)
        node = node._replace(id=self.write(tree, content, prefix or b""))
        self._nodes[key] = node
        return node

    def write(self, tree: bytes, content: Content, path: bytes) -> bytes | None:
        """Write the tree of `content`, and give its id; None when it is empty."""
        if not content.edits:
            return tree
        kept = entries.edited(content.entries, content.edits)
        return self._sink.add(b"tree", entries.joined(kept), path) if kept else None

    def with_lines(self, data: bytes, pending: Rope) -> bytes:
        """Give a `.gitignore` with the pending lines, exactly as `ignore.updated` writes it."""
        lines = self.joiner.text(pending).split(b"\n")[:-1]
        begin = ignore.BEGIN.encode()
        if begin in data:
            paths = [_ESCAPED.sub(r"\1", line.decode()[1:]) for line in lines]
            text = data.decode("utf-8", "surrogateescape")
            return ignore.updated(text, "", add=paths, drop=()).encode("utf-8", "surrogateescape")
        if data and not data.endswith(b"\n"):
            data += b"\n"
        return b"%s%s\n%s\n%s\n" % (data, begin, b"\n".join(sorted(lines)), ignore.END.encode())

    def _below(self, tree: bytes, name: bytes, prefix: bytes | None) -> Node | None:
        """Rewrite a subdirectory; None when nothing in it can change."""
        place = None if prefix is None else prefix + name + b"/"
        choice = self._facts.choice
        if tree not in self._facts.hot and place not in choice.folders:
            return None
        if choice.refusal(name):
            return None
        return self.node(tree, None if place is None else self._context(place))

    def _context(self, place: bytes) -> bytes | None:
        return place if place in self._excluded_folders else self._facts.choice.context(place)

    def _takes(self, prefix: bytes | None, name: bytes, blob: bytes) -> bool:
        path = name if prefix is None else prefix + name
        inventory = self._facts.inventory
        return (
            self._facts.choice.takes(
                path, size=inventory.size(blob), pointer=blob in inventory.pointers
            )
            and not self._facts.choice.refusal(name)
            and path not in self._excluded
        )

    def _clean(self, found: list[Entry], edits: dict[bytes, Entry | None]) -> None:
        """Take LFS out of the `.gitattributes` of one directory."""
        for mode, name, blob in found:
            if name != ATTRIBUTES or mode not in REGULAR:
                continue
            if blob not in self._attributes:
                data = self._read(blob)
                new = attributes.without_lfs(data)
                self._attributes[blob] = (
                    blob if new == data else self._sink.add(b"blob", new, ATTRIBUTES) if new else None
                )
            after = self._attributes[blob]
            if after != blob:
                edits[name] = None if after is None else (mode, name, after)

    @staticmethod
    def _ignore_file(found: list[Entry]) -> Entry | None:
        """Give the `.gitignore` that git reads: not a symlink, which it does not follow."""
        for entry in found:
            if entry[1] == IGNORE and entry[0] in REGULAR:
                return entry
        return None


def _escaped(name: bytes) -> bytes:
    return ignore_line(name.decode())[1:].encode() if _SPECIAL.search(name) else name


_SPECIAL = re.compile(rb"[\\*?\[ ]")


def _has_twins(names: list[bytes]) -> bool:
    if len(names) < 2:
        return False
    folded = {fold(name.decode()) for name in names}
    return len(folded) < len(names)
