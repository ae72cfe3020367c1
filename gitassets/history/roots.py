"""A root tree, rewritten: what `trees` does, and the lockfile that names what left.

Here the two rules apply that no subtree can see: no path longer than a lockfile takes, and no two
that are one file where case or form is ignored. Paths that break them stay in git, in this root.
"""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gitassets import lockfile
from gitassets.errors import HistoryError, LockfileError
from gitassets.git import LOCKFILE
from gitassets.history.choice import REGULAR
from gitassets.history.spec import PATHS_FILE, TABLE
from gitassets.history.trees import IGNORE, TreeRewriter
from gitassets.model import StoreTable, Url
from gitassets.paths import MAX_PATH, fold
from gitassets.tables import MAX_ASSETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gitassets.gitpipes import Pipes
    from gitassets.history.entries import Entry
    from gitassets.history.trees import Content, Facts, Sink
    from gitassets.lockfile import Lockfile

_LOCKFILE: Final = LOCKFILE.encode()
_LFSCONFIG: Final = b".lfsconfig"
_PATHS: Final = PATHS_FILE.encode()
_BLOCK = re.compile(rb'^\[asset\."([^"]+)"\]$', re.MULTILINE)


_FRAMES: Final = 20_000
"""Python's own limit would end at trees that are nested 300 deep; git's is 4,096 (git-config(1),
core.maxTreeDepth), and a directory takes three frames here."""


@contextmanager
def _deep() -> Iterator[None]:
    """Let functions call themselves as often as directories may be nested."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


class RootRewriter:
    """Gives for every root tree the new one; equal trees are rewritten once."""

    def __init__(self, facts: Facts, read: Callable[[bytes], bytes], sink: Sink) -> None:
        self.changed: dict[bytes, bytes] = {}
        """New id by old id, without those that stayed."""
        self._facts = facts
        self._reader = read
        self._sink = sink
        self._head = facts.choice.spec.head()
        self._ahead = (b"", b"")
        self._plain = TreeRewriter(facts, self._read, sink)
        self._others: dict[frozenset[bytes], TreeRewriter] = {}
        self._kept: set[bytes] = set()

    def __call__(self, root: bytes) -> bytes:
        """Give the new id of a root tree, the old one when it stays. Raises HistoryError."""
        if not self._may_change(root) or root in self._kept:
            return root
        known = self.changed.get(root)
        if known is None:
            with _deep():
                known = self._rewrite(root)
            if known == root:
                self._kept.add(root)
            else:
                self.changed[root] = known
        return known

    def all(self, pipes: Pipes, roots: Iterable[bytes]) -> None:
        """Rewrite many, which are read in one go instead of by question and answer."""
        for tree in pipes.objects(root for root in roots if self._may_change(root)):
            self._ahead = (tree.id, tree.data)
            self(tree.id)

    def _may_change(self, root: bytes) -> bool:
        return root in self._facts.hot or bool(self._facts.choice.folders)

    def _read(self, name: bytes) -> bytes:
        return self._ahead[1] if name == self._ahead[0] else self._reader(name)

    def _rewrite(self, root: bytes) -> bytes:
        trees, content = self._plain, self._plain.root(root)
        before = self._lockfile(root, content.entry(_LOCKFILE))
        node = content.node
        if node.lock and (node.twins or node.longest > MAX_PATH or before):
            paths = _BLOCK.findall(trees.joiner.text(node.lock))
            if excluded := conflicts(paths, before.assets if before else ()):
                trees = self._excluding(excluded)
                content = trees.root(root)
        self._edit_specials(root, trees, content)
        if _outdated(before, self._facts) or content.node.lock:
            self._write_lockfile(trees, content, before)
        elif not content.edits:
            return root
        # Even with nothing left a root is a tree: git's empty one.
        return trees.write(root, content, b"") or self._sink.add(b"tree", b"", b"")

    def _edit_specials(self, root: bytes, trees: TreeRewriter, content: Content) -> None:
        """Write the root's `.gitignore`, and drop `.lfsconfig`."""
        if content.node.pending:
            mode, _, blob = content.entry(IGNORE) or (b"100644", IGNORE, b"")
            if mode not in REGULAR:
                raise _no_file(root, ".gitignore")
            data = trees.with_lines(self._read(blob) if blob else b"", content.node.pending)
            content.put(mode, IGNORE, self._sink.add(b"blob", data, IGNORE))
        config = content.entry(_LFSCONFIG) if self._facts.choice.spec.leaves_lfs else None
        if config and config[0] in REGULAR:
            content.edits[_LFSCONFIG] = (config, None)

    def _write_lockfile(
        self, trees: TreeRewriter, content: Content, before: Lockfile | None
    ) -> None:
        text = self._head + (trees.joiner.text(content.node.lock) if content.node.lock else b"")
        if before:
            text = self._merged(before, lockfile.load(text))
        if len(text) > lockfile.MAX_BYTES or content.node.count > MAX_ASSETS:
            raise HistoryError(
                f"a lockfile would hold {content.node.count:,} files and {len(text):,} bytes",
                hint="git assets migrate --exclude GLOB",
            )
        blob = self._sink.add(b"blob", text, _LOCKFILE)
        content.put(b"100644", _LOCKFILE, blob)
        if paths := self._facts.choice.spec.paths_text:
            blob = self._sink.add(b"blob", paths, _PATHS)
            content.put(b"100644", _PATHS, blob)

    def _merged(self, before: Lockfile, now: Lockfile) -> bytes:
        """Add what leaves this tree to what it pinned before; equal bytes keep their URLs."""
        assets = []
        for path, asset in now.assets.items():
            old = before.assets.get(path)
            same = old is not None and (old.sha256, old.size) == (asset.sha256, asset.size)
            assets.append(replace(old, executable=asset.executable) if old and same else asset)
        spec = self._facts.choice.spec
        merged = replace(before.with_assets(assets), extra={**before.extra, **spec.extra()})
        for name, url in spec.stores:
            merged = merged.with_store(StoreTable(name, Url(url)))
        return lockfile.dump(merged).encode()

    def _lockfile(self, root: bytes, entry: Entry | None) -> Lockfile | None:
        if entry is None:
            return None
        if entry[0] not in REGULAR:
            raise _no_file(root, LOCKFILE)
        try:
            return lockfile.load(self._read(entry[2]))
        except LockfileError as error:
            raise HistoryError(
                f"the tree {root.hex()} holds a lockfile that cannot be read: {error.why}",
                hint=f"git log --all --format=%H%x20%T | grep {root.hex()}",
            ) from error

    def _excluding(self, paths: frozenset[bytes]) -> TreeRewriter:
        if paths not in self._others:
            self._others[paths] = TreeRewriter(self._facts, self._read, self._sink, paths)
        return self._others[paths]


def conflicts(paths: Iterable[bytes], pinned: Iterable[str] = ()) -> frozenset[bytes]:
    """Give those of `paths` that no lockfile may hold beside the others and beside `pinned`.

    Of two that are one where case or form is ignored, and of a file and what would lie in a
    directory of its name, both are given; `pinned` are in the lockfile already and stay.
    """
    texts = [path.decode() for path in paths]
    fixed = set(pinned) - set(texts)
    found = {text for text in texts if len(text.encode()) > MAX_PATH}
    users: dict[str, set[str]] = {}
    for text in (*texts, *fixed):
        users.setdefault(fold(text), set()).add(text)
    for name, same in users.items():
        if len(same) > 1:
            found |= same
        folder = name.rpartition("/")[0]
        while folder:
            if folder in users:
                found |= users[folder] | same
            folder = folder.rpartition("/")[0]
    return frozenset(text.encode() for text in found - fixed)


def outdated(text: bytes, table: dict[str, object]) -> bool:
    """Tell whether a lockfile holds the spec of another migration than `table`."""
    try:
        found = lockfile.load(text).extra.get(TABLE)
    except LockfileError:
        return False
    return found is not None and found != table


def _outdated(before: Lockfile | None, facts: Facts) -> bool:
    found = before.extra.get(TABLE) if before else None
    if not facts.choice.spec.stands_in_lockfiles:
        return False
    return found is not None and found != facts.choice.spec.table()


def _no_file(root: bytes, name: str) -> HistoryError:
    return HistoryError(
        f"'{name}' is not a regular file in the tree {root.hex()}, where assets would leave",
        hint=f"git log --all --format=%H%x20%T | grep {root.hex()}",
    )
