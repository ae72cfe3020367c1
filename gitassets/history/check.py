"""Every pair of old and new root, compared by git's own tree code before any ref moves.

What git reports as different must be: an asset gone, and named by the new lockfile, whose whole
text is computed here a second time from those differences; an ignore or attribute file that a
second computation makes equal; nothing else.
"""

from __future__ import annotations

import hashlib
from typing import IO, TYPE_CHECKING, Final

from gitassets import ignore, lockfile
from gitassets.errors import HistoryError
from gitassets.git import LOCKFILE
from gitassets.gitpipes import CHUNK
from gitassets.history import attributes
from gitassets.history.indexes import changes
from gitassets.history.spec import PATHS_FILE
from gitassets.paths import ignore_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gitassets.gitpipes import Pipes
    from gitassets.history.harvest import Content
    from gitassets.history.indexes import Change
    from gitassets.history.spec import Spec

_LOCKFILE: Final = LOCKFILE.encode()
_PATHS: Final = PATHS_FILE.encode()
_ASSET_MODES: Final = frozenset({b"100644", b"100755", b"100664"})


class Checker:
    """Compares pairs of roots; `pipes` and `read` see the new objects."""

    def __init__(
        self,
        pipes: Pipes,
        read: Callable[[bytes], bytes],
        spec: Spec,
        contents: Mapping[bytes, Content],
        *,
        algorithm: str,
    ) -> None:
        self.leaves = 0
        """Assets compared so far, each in each pair."""
        self._pipes = pipes
        self._read = read
        self._spec = spec
        self._head = spec.head()
        self._algorithm = algorithm
        self._contents = {blob.hex().encode(): content for blob, content in contents.items()}
        self._tails = {blob: content.tail for blob, content in self._contents.items()}
        self._known: dict[bytes, int] = {}
        self._looked_further = False
        """The last verdict rests on more than the differences."""

    def roots(self, pairs: Mapping[bytes, bytes]) -> int:
        """Compare old with new roots; gives how many. Raises HistoryError at the first wrong."""
        count = 0
        for heading, raw in self._differences(pairs):
            count += 1
            # Trees that differ in the same way are judged once: the text says all that is judged.
            digest = hashlib.sha256(raw).digest()
            leaves = self._known.get(digest)
            if leaves is None:
                self._looked_further = False
                leaves = self._pair(heading.split(), changes(raw))
                if not self._looked_further:
                    self._known[digest] = leaves
            self.leaves += leaves
        return count

    def _differences(self, pairs: Mapping[bytes, bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Give for each pair its heading, both ids, and what `diff-tree -z` said of it."""
        headings = [
            b"%s %s\n" % (old.hex().encode(), new.hex().encode()) for old, new in pairs.items()
        ]
        arguments = ("-r", "-z", "--no-renames", "--no-abbrev", "--no-ext-diff")
        with self._pipes.reading("diff-tree", "--stdin", *arguments, stdin=headings) as out:
            texts = _between(out, headings)
            next(texts)
            yield from zip(headings, texts, strict=True)

    def _pair(self, ids: list[bytes], found: list[Change]) -> int:
        """Judge one pair; gives how many assets left. Raises HistoryError."""
        old, new = ids
        blocks: list[bytes] = [self._head]
        gone: list[Change] = []
        special: dict[bytes, Change] = {}
        for change in found:
            if change.removed and change.old in self._tails and change.old_mode in _ASSET_MODES:
                flag = b"executable = true\n" if change.old_mode == b"100755" else b""
                blocks.append(
                    b'\n[asset."%s"]\n%s%s' % (change.path, flag, self._tails[change.old])
                )
                gone.append(change)
            else:
                special[change.path] = change
        lock = special.pop(_LOCKFILE, None)
        if not self._locks(lock, b"".join(blocks), gone):
            raise _wrong(old, new, LOCKFILE, "does not name what left")
        self._ignores(new, gone, special)
        for change in special.values():
            if not self._other(change):
                raise _wrong(old, new, change.path.decode(errors="replace"), "differs")
        return len(gone)

    def _locks(self, change: Change | None, text: bytes, gone: list[Change]) -> bool:
        """Tell whether the new lockfile names exactly what left, and what it named before."""
        if change is None:
            return not gone
        if change.added:
            return change.new == self._id(text)
        return not change.removed and self._joins(change, gone)

    def _joins(self, change: Change, gone: list[Change]) -> bool:
        """Tell whether a lockfile became what it was and what left."""
        before = lockfile.load(self._read(bytes.fromhex(change.old.decode())))
        after = lockfile.load(self._read(bytes.fromhex(change.new.decode())))
        left = {each.path.decode(): each for each in gone}
        if set(after.assets) != set(before.assets) | set(left):
            return False
        for path, asset in after.assets.items():
            if path in left:
                content = self._contents[left[path].old]
                right = (content.sha256, content.size, left[path].old_mode == b"100755")
                if (asset.sha256, asset.size, asset.executable) != right:
                    return False
            elif asset != before.assets[path]:
                return False
        return True

    def _ignores(self, new: bytes, gone: list[Change], special: dict[bytes, Change]) -> None:
        """Take the ignore files out of `special`; raises HistoryError when one is wrong."""
        files = {
            path.rpartition(b"/")[0].decode(errors="surrogateescape"): special.pop(path)
            for path in list(special)
            if path.rpartition(b"/")[2] == b".gitignore" and not special[path].removed
        }
        homes: dict[str, list[str]] = {folder: [] for folder in files}
        astray: list[str] = []
        for change in gone:
            path = change.path.decode()
            home = ignore.home(path, files)
            homes[home].append(path) if home in files else astray.append(path)
        for folder, paths in homes.items():
            if not self._ignores_in(files[folder], folder, paths):
                astray += paths or [f"{folder}/.gitignore"]
        self._looked_further = bool(astray)
        for path in astray:
            if not self._is_named(new, path):
                raise _wrong(b"", new, path, "is not ignored")

    def _ignores_in(self, change: Change, folder: str, paths: list[str]) -> bool:
        before = b"" if change.added else self._read(bytes.fromhex(change.old.decode()))
        text = ignore.updated(before.decode("utf-8", "surrogateescape"), folder, add=paths, drop=())
        return self._id(text.encode("utf-8", "surrogateescape")) == change.new

    def _is_named(self, root: bytes, path: str) -> bool:
        """Look for the line in every ignore file above the path: it may have been there before."""
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            place = f"{root.decode()}:{folder + '/' if folder else ''}.gitignore"
            text = self._pipes.run("cat-file", "blob", place, ok=(0, 128))
            line = ignore_line(path[len(folder) + 1 if folder else 0 :])
            if line.encode() in text.split(b"\n"):
                return True
        return False

    def _other(self, change: Change) -> bool:
        """Tell whether a difference besides assets, lockfile and ignore files is meant."""
        name = change.path.rpartition(b"/")[2]
        if name == b".gitattributes" and not change.added and self._spec.leaves_lfs:
            text = attributes.without_lfs(self._read(bytes.fromhex(change.old.decode())))
            return change.removed if not text else self._id(text) == change.new
        if change.path == b".lfsconfig":
            return change.removed and self._spec.leaves_lfs
        return change.path == _PATHS and self._id(self._spec.paths_text) == change.new

    def _id(self, text: bytes) -> bytes:
        return hashlib.new(self._algorithm, b"blob %d\0%s" % (len(text), text)).hexdigest().encode()


def _between(out: IO[bytes], marks: Sequence[bytes]) -> Iterator[bytes]:
    """Cut a stream at `marks`, which it holds in this order: all before, between and behind them.

    Raises HistoryError when one does not come.
    """
    data, at = b"", 0
    for mark in marks:
        looked = at
        while (end := data.find(mark, looked)) < 0:
            piece = out.read(CHUNK)
            if not piece:
                raise HistoryError("git did not compare all the trees that it was asked for")
            data, at = data[at:] + piece, 0
            looked = max(0, len(data) - len(piece) - len(mark))
        yield data[at:end]
        at = end + len(mark)
    yield data[at:] + out.read()


def _wrong(old: bytes, new: bytes, path: str, why: str) -> HistoryError:
    pair = f"{old.decode()[:12]} to {new.decode()[:12]}".removeprefix(" to ")
    return HistoryError(
        f"the check of the new history failed (tree {pair}): '{path}' {why}; nothing was changed",
        hint="this is a bug of git assets: please report it",
    )
