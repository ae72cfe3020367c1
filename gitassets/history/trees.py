"""One tree, rewritten: assets out, ignore lines in, LFS attributes off. A pure function, memoised.

What a tree becomes depends on its bytes, on the spec, and, only where the spec names places, on
where it stands. Entries that do not change are copied as they are, whatever their mode or order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
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
    from gitassets.history.entries import Edit, Entry
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


@dataclass(frozen=True, slots=True)
class Node:
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
    """A directory after the walk, before it is written."""

    data: bytes
    """As it was."""
    entries: list[Entry]
    edits: dict[bytes, Edit]
    node: Node
    """Without an id."""

    def entry(self, name: bytes) -> Entry | None:
        """Give the first entry of a name as it was, or None."""
        return entries.named(self.data, self.entries, name)

    def put(self, mode: bytes, name: bytes, blob: bytes) -> None:
        """Let a file be in it."""
        self.edits[name] = (self.entry(name), (mode, name, blob))


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
        self._ids = facts.hot | facts.tails.keys()
        self._names = _names_below(facts.choice.paths | excluded)
        self._nodes: dict[tuple[bytes, bytes | None], Node] = {}
        self._attributes: dict[bytes, bytes | None] = {}

    def root(self, tree: bytes) -> Content:
        """Walk a root tree."""
        return self.content(tree, self._context(b""))

    def content(self, tree: bytes, prefix: bytes | None) -> Content:
        """Walk one directory and everything below it."""
        data = self._read(tree)
        found = self._parse(data)
        walk = _Walk()
        for entry in self._interesting(found, prefix):
            mode, name, blob = entry
            if mode in DIRECTORY:
                node = self._below(blob, name, prefix)
                if node is not None:
                    walk.directory(entry, node)
            elif mode in REGULAR and self._takes(prefix, name, blob):
                walk.asset(entry, self._facts.tails[blob])
        if self._facts.choice.spec.leaves_lfs and b" .gitattributes\0" in data:
            self._clean(found, walk.edits)
        return Content(data, found, walk.edits, walk.node())

    def node(self, tree: bytes, prefix: bytes | None) -> Node:
        """Rewrite a directory below the root; `prefix` is its path, None where none is known."""
        key = (tree, prefix)
        if key in self._nodes:
            return self._nodes[key]
        content = self.content(tree, prefix)
        node = content.node
        target = content.entry(IGNORE) if node.pending else None
        # git does not follow a symlink of this name.
        if node.pending and target and target[0] in REGULAR:
            new = self.with_lines(self._read(target[2]), node.pending)
            content.put(target[0], IGNORE, self._sink.add(b"blob", new, IGNORE))
            node = replace(node, pending=None)
        node = replace(node, id=self.write(tree, content, prefix or b""))
        self._nodes[key] = node
        return node

    def write(self, tree: bytes, content: Content, path: bytes) -> bytes | None:
        """Write the tree of `content`, and give its id; None when it is empty."""
        if not content.edits:
            return tree
        data = entries.edited(content.data, content.entries, content.edits)
        return self._sink.add(b"tree", data, path) if data else None

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

    def _interesting(self, found: list[Entry], prefix: bytes | None) -> list[Entry]:
        """Give the entries that may change: by id, and by name where the spec names places."""
        ids = self._ids
        if not (names := self._names.get(prefix)):
            return [entry for entry in found if entry[2] in ids]
        return [entry for entry in found if entry[2] in ids or entry[1] in names]

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

    def _clean(self, found: list[Entry], edits: dict[bytes, Edit]) -> None:
        """Take LFS out of the `.gitattributes` of one directory."""
        for mode, name, blob in found:
            if name != ATTRIBUTES or mode not in REGULAR:
                continue
            if blob not in self._attributes:
                data = self._read(blob)
                new = attributes.without_lfs(data)
                self._attributes[blob] = (
                    blob
                    if new == data
                    else self._sink.add(b"blob", new, ATTRIBUTES)
                    if new
                    else None
                )
            after = self._attributes[blob]
            if after != blob:
                edits[name] = (
                    (mode, name, blob),
                    None if after is None else (mode, name, after),
                )


class _Walk:
    """Gathers what a directory's entries become."""

    def __init__(self) -> None:
        self.edits: dict[bytes, Edit] = {}
        self._lock: list[bytes | tuple[bytes, Rope]] = []
        self._pending: list[bytes | tuple[bytes, Rope]] = []
        self._names: list[bytes] = []
        self._count = self._longest = 0
        self._twins = False

    def directory(self, entry: Entry, node: Node) -> None:
        """Take a subdirectory that was rewritten."""
        mode, name, tree = entry
        if node.id != tree:
            self.edits[name] = (entry, None if node.id is None else (mode, name, node.id))
        if node.lock:
            self._lock.append((name + b"/", node.lock))
            self._names.append(name)
            self._count += node.count
            self._longest = max(self._longest, len(name) + 1 + node.longest)
            self._twins = self._twins or node.twins
        if node.pending:
            self._pending.append((_escaped(name) + b"/", node.pending))

    def asset(self, entry: Entry, tail: bytes) -> None:
        """Take a file that leaves."""
        mode, name, _ = entry
        self.edits[name] = (entry, None)
        flag = b"executable = true\n" if mode == b"100755" else b""
        self._lock.append(b'\n[asset."%s%s"]\n%s%s' % (MARK, name, flag, tail))
        self._pending.append(b"/%s%s\n" % (MARK, _escaped(name)))
        self._names.append(name)
        self._count += 1
        self._longest = max(self._longest, len(name))

    def node(self) -> Node:
        """Give what the directory is, without an id."""
        return Node(
            None,
            Rope(tuple(self._lock)) if self._lock else None,
            Rope(tuple(self._pending)) if self._pending else None,
            self._count,
            self._longest,
            self._twins or _has_twins(self._names),
        )


def _names_below(paths: AbstractSet[bytes]) -> dict[bytes | None, set[bytes]]:
    """Give for every directory on the way to `paths` the names that lead on."""
    found: dict[bytes | None, set[bytes]] = {}
    for path in paths:
        prefix = b""
        for name in path.split(b"/"):
            found.setdefault(prefix, set()).add(name)
            prefix += name + b"/"
    return found


def _escaped(name: bytes) -> bytes:
    return ignore_line(name.decode())[1:].encode() if _SPECIAL.search(name) else name


_SPECIAL = re.compile(rb"[\\*?\[ ]")


def _has_twins(names: list[bytes]) -> bool:
    if len(names) < 2:
        return False
    folded = {fold(name.decode()) for name in names}
    return len(folded) < len(names)
