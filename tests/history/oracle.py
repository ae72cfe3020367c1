"""What a migration must have kept, asked of git alone, commit by commit and path by path.

Written to be obvious, not fast: one git process a question, no memo that a mistake could hide in,
and nothing of `gitassets.history`. Paths are bytes.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import tomli

from gitassets.errors import UnsafePath
from gitassets.paths import AssetPath, fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOCKFILE = b"assets.lock.toml"
PATHS_FILE = b"assets.migration.paths"
CONTROL = {b".gitignore", b".gitattributes", b".gitmodules", b".lfsconfig", LOCKFILE, PATHS_FILE}
BEGIN, END = b"# git assets: begin (managed, do not edit)\n", b"# git assets: end\n"
DROPPED = {b"gpgsig", b"gpgsig-sha256", b"mergetag"}
SIGNED = re.compile(rb"-----BEGIN (?:PGP SIGNATURE|PGP MESSAGE|SIGNED MESSAGE|SSH SIGNATURE)-----")


class Entry(NamedTuple):
    mode: str
    kind: str
    id: str


class Pin(NamedTuple):
    sha256: str
    size: int
    executable: bool


class History:
    """A repository, read naively."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blob = lru_cache(maxsize=None)(self._blob)
        self.entries = lru_cache(maxsize=None)(self._entries)

    def git(
        self, *arguments: str, data: bytes = b"", cwd: Path | None = None, check: bool = True
    ) -> bytes:
        done = subprocess.run(
            ["git", "-c", "core.quotePath=false", *arguments],
            cwd=cwd or self.path,
            input=data,
            capture_output=True,
            check=False,
            env={**os.environ, "GIT_NO_REPLACE_OBJECTS": "1"},
        )
        assert not check or done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    def raw(self, name: str) -> bytes:
        return self.git("cat-file", self.kind(name), name)

    def kind(self, name: str) -> str:
        return self.git("cat-file", "-t", name).decode().strip()

    def id(self, name: str) -> str:
        return self.git("rev-parse", "--verify", name).decode().strip()

    def commits(self, *more: str) -> list[str]:
        """List the commits that branches, tags and the like reach, or one of `more`.

        Not those of notes, nor what other programs keep; the stash is looked at on its own.
        """
        aside = ("notes/*", "stash", "replace/*", "original/*")
        excluded = [f"--exclude=refs/{name}" for name in aside]
        return self.git("rev-list", *excluded, "--all", *more).decode().split()

    def refs(self) -> dict[str, str]:
        rows = self.git("for-each-ref", "--format=%(refname) %(objectname)").decode().splitlines()
        return dict(row.split(" ") for row in rows)

    def symrefs(self) -> dict[str, str]:
        rows = self.git("for-each-ref", "--format=%(refname) %(symref)").decode().splitlines()
        return {name: to for name, _, to in (row.partition(" ") for row in rows) if to}

    def _entries(self, tree: str) -> dict[bytes, Entry]:
        found = {}
        for row in self.git("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")[:-1]:
            head, _, path = row.partition(b"\t")
            found[path] = Entry(*head.decode().split())
        return found

    def _blob(self, name: str) -> bytes:
        return self.git("cat-file", "blob", name)

    def pins(self, tree: str) -> dict[bytes, Pin]:
        """Read what the lockfile of a tree pins, with the plain TOML reader."""
        entry = self.entries(tree).get(LOCKFILE)
        if entry is None:
            return {}
        table: dict[str, Any] = tomli.loads(self.blob(entry.id).decode())
        assert "urls" not in str(table.get("migration", {}))
        return {
            path.encode(): Pin(row["sha256"], row["size"], row.get("executable", False))
            for path, row in table.get("asset", {}).items()
        }

    def ignored(self, tree: str, paths: Iterable[bytes]) -> set[bytes]:
        """Ask git which of `paths` it ignores, in a work tree that has only the .gitignore files."""
        with tempfile.TemporaryDirectory() as directory:
            top = os.fsencode(directory) + b"/top"
            self.git("init", "-q", os.fsdecode(top))
            for path in paths:
                _write(top + b"/" + path, b"")
            for path, entry in self.entries(tree).items():
                if path.rpartition(b"/")[2] == b".gitignore" and entry.kind == "blob":
                    _write(top + b"/" + path, self.blob(entry.id), link=entry.mode == "120000")
            said = self.git(
                "check-ignore", "--no-index", "--stdin", "-z",
                data=b"".join(path + b"\0" for path in paths), cwd=Path(os.fsdecode(top)), check=False,
            )  # fmt: skip
        return set(said.split(b"\0")[:-1])


def _write(path: bytes, data: bytes, *, link: bool = False) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path):
        os.unlink(path)
    if link:
        os.symlink(data, path)
        return
    with open(path, "wb") as file:
        file.write(data)


@dataclass
class Selection:
    """What a migration was asked to take out."""

    above: int | None = None
    """Bytes."""
    lfs: bool = False
    sticky: set[bytes] = field(default_factory=set)
    """Paths of which every version goes."""

    @classmethod
    def sticking(
        cls, old: History, *more: str, above: int | None = None, lfs: bool = False
    ) -> Selection:
        """Make the selection with every path that is chosen in any commit."""
        selection = cls(above, lfs)
        for commit in old.commits(*more):
            for path, entry in old.entries(commit).items():
                if selection._chosen(old, path, entry):
                    selection.sticky.add(path)
        return selection

    def _chosen(self, old: History, path: bytes, entry: Entry) -> bool:
        if entry.mode not in {"100644", "100755", "100664"} or _refused(path):
            return False
        data = old.blob(entry.id)
        by_size = self.above is not None and len(data) >= self.above
        return path in self.sticky or by_size or (self.lfs and _pointer(data) is not None)

    def pins(self, old: History, tree: str) -> dict[bytes, Pin]:
        """Say what the lockfile of the rewritten `tree` has to pin."""
        earlier = old.pins(tree)
        found = {p: e for p, e in old.entries(tree).items() if self._chosen(old, p, e)}
        folded: dict[str, set[bytes]] = {}
        for path in found.keys() | earlier.keys():
            folded.setdefault(fold(path.decode()), set()).add(path)
        pins = dict(earlier)
        for path, entry in found.items():
            if len(folded[fold(path.decode())]) > 1:
                continue
            data = old.blob(entry.id)
            sha, size = (_pointer(data) if self.lfs else None) or (
                sha256(data).hexdigest(),
                len(data),
            )
            pins[path] = Pin(sha, size, entry.mode == "100755")
        return pins


def _refused(path: bytes) -> bool:
    if path.rpartition(b"/")[2] in CONTROL:
        return True
    try:
        AssetPath(path.decode())
    except (UnicodeDecodeError, UnsafePath):
        return True
    return False


def _pointer(data: bytes) -> tuple[str, int] | None:
    """Read the pointers that the test repositories hold; not a judge of odd ones."""
    found = re.fullmatch(
        rb"\s*version https://\S+/spec/v1\r?\n(?:ext\S+ \S+\r?\n)*oid sha256:([0-9a-f]{64})\r?\nsize (\d+)\s*",
        data,
    )
    return (found[1].decode(), int(found[2])) if found and len(data) < 1024 else None


def read_map(path: Path) -> dict[str, str]:
    """Read a commit map or ref map in git-filter-repo's format, without its headline."""
    rows = [row.split() for row in path.read_text().splitlines()]
    assert rows[0][:2] == ["old", "new"], rows[0]
    return {row[0]: row[1] for row in rows[1:]}


def check_tree(old: History, new: History, before: str, after: str, selection: Selection) -> None:
    """Property 1: every path of one commit, and that git ignores exactly the assets besides."""
    was, now, pins = old.entries(before), new.entries(after), new.pins(after)
    assert pins == selection.pins(old, before), before
    for path, entry in was.items():
        name = path.rpartition(b"/")[2]
        if path in pins:
            assert path not in now, (before, path)
        elif name in CONTROL - {b".gitmodules"} and entry.mode != "120000":
            _check_control(old, new, path, entry, now.get(path), lfs=selection.lfs)
        else:
            assert now.get(path) == entry, (before, path)
    for path in now.keys() - was.keys():
        assert path in {LOCKFILE, PATHS_FILE} or path.rpartition(b"/")[2] == b".gitignore", path
    assert all(entry.kind != "tree" for entry in now.values())
    paths = sorted(was)
    assert new.ignored(after, paths) == old.ignored(before, paths) | (pins.keys() & was.keys()), (
        before
    )


def _check_control(
    old: History, new: History, path: bytes, was: Entry, now: Entry | None, *, lfs: bool
) -> None:
    name, text = path.rpartition(b"/")[2], old.blob(was.id)
    if path in {LOCKFILE, PATHS_FILE}:
        return
    if name == b".gitignore":
        assert now is not None
        assert now.mode == was.mode
        left = _without_block(new.blob(now.id))
        assert left in {_without_block(text), _without_block(text) + b"\n"}, path
    elif not lfs or (name == b".lfsconfig" and path != name):
        assert now == was, path
    elif name == b".lfsconfig":
        assert now is None
    elif now is not None:
        assert now.mode == was.mode
        mine = [row for row in text.splitlines(keepends=True) if b"lfs" not in row]
        kept = new.blob(now.id)
        assert b"=lfs" not in kept
        assert [row for row in kept.splitlines(keepends=True) if row in mine] == mine
    else:
        assert not [row for row in text.splitlines() if row.strip() and b"lfs" not in row], path


def _without_block(text: bytes) -> bytes:
    if BEGIN not in text:
        return text
    before, _, rest = text.partition(BEGIN)
    return before + rest.partition(END)[2]


def check_commit(old: History, new: History, commit: str, mapping: Mapping[str, str]) -> None:
    """Parents in order, every header byte for byte, the message after the map of ancestors' ids."""
    target = mapping.get(commit, commit)
    if target == commit:
        assert new.raw(commit) == old.raw(commit)
        return
    (was, said), (now, says) = _cut(old.raw(commit)), _cut(new.raw(target))
    parents = [
        (b"parent", mapping.get(p.decode(), p.decode()).encode()) for k, p in was if k == b"parent"
    ]
    assert [row for row in now if row[0] == b"parent"] == parents, commit
    moving = {b"tree", b"parent"}
    kept = [row for row in was if row[0] not in moving | DROPPED]
    assert [row for row in now if row[0] not in moving | {b"mergetag"}] == kept, commit
    assert says == _mapped(old, commit, said, mapping), commit


def _cut(raw: bytes) -> tuple[list[tuple[bytes, bytes]], bytes | None]:
    """Cut a commit or tag into its header lines, continued ones joined, and its message."""
    head, blank, message = raw.partition(b"\n\n")
    rows = re.split(rb"\n(?! )", head.removesuffix(b"\n"))
    pairs = [row.partition(b" ") for row in rows]
    return [(key, value) for key, _, value in pairs], message if blank else None


def _mapped(
    old: History, commit: str, text: bytes | None, mapping: Mapping[str, str]
) -> bytes | None:
    if text is None:
        return None
    ancestors = old.git("rev-list", commit).decode().split()[1:]

    def replaced(found: re.Match[bytes]) -> bytes:
        word = found[0].decode()
        named = [name for name in ancestors if name.startswith(word)]
        return (
            mapping.get(named[0], named[0])[: len(word)].encode() if len(named) == 1 else found[0]
        )

    return re.sub(rb"(?<![0-9A-Za-z])[0-9a-f]{7,64}(?![0-9A-Za-z])", replaced, text)


def check_history(
    old: History, new: History, mapping: Mapping[str, str], selection: Selection
) -> None:
    """Check every commit that old refs reach: count, trees, metadata."""
    before = old.commits()
    after = {mapping.get(name, name) for name in before}
    assert len(after) == len(before)
    for commit in before:
        target = mapping.get(commit, commit)
        if target == commit:
            assert not selection.pins(old, commit).keys() - old.pins(commit).keys(), commit
        else:
            check_tree(old, new, commit, target, selection)
        check_commit(old, new, commit, mapping)
    check_refs(old, new, mapping)
    check_notes(old, new, mapping)
    check_fsck(old, new)


def check_refs(old: History, new: History, mapping: Mapping[str, str]) -> None:
    """Every ref is there, and names the image of what it named; symrefs name the same ref."""
    roots = {
        old.id(f"{c}^{{tree}}"): new.id(f"{mapping.get(c, c)}^{{tree}}") for c in old.commits()
    }
    now = new.refs()
    assert new.symrefs() == old.symrefs()
    for ref, target in old.refs().items():
        if ref.startswith(("refs/notes/", "refs/stash", "refs/original/")):
            continue
        if ref.startswith(("refs/remotes/", "refs/replace/")):
            assert now[ref] == target, ref
        else:
            _check_object(old, new, target, now[ref], {**roots, **mapping})
    assert {ref for ref in now if not ref.startswith("refs/original/")} == {
        ref for ref in old.refs() if not ref.startswith("refs/original/")
    }


def _check_object(old: History, new: History, was: str, now: str, image: Mapping[str, str]) -> None:
    kind = old.kind(was)
    if kind != "tag":
        assert now == image.get(was, was), (kind, was)
        return
    (head, text), (heads, texts) = _cut(old.raw(was)), _cut(new.raw(now))
    assert heads[1:] == head[1:]
    _check_object(old, new, head[0][1].decode(), heads[0][1].decode(), image)
    if was == now:
        return
    assert text is not None
    starts = [found.start() for found in re.finditer(rb"(?m)^" + SIGNED.pattern, text)]
    allowed = {text[: starts[-1]]} if starts else {text}
    if starts and not text.rstrip().endswith(b"-----"):
        allowed.add(text)  # git takes it for a signature, people see that it only quotes one
    assert texts in allowed, was


def check_notes(old: History, new: History, mapping: Mapping[str, str]) -> None:
    """The image of each object has the notes that the object had."""
    refs = [ref for ref in old.refs() if ref.startswith("refs/notes/")]
    assert refs == [ref for ref in new.refs() if ref.startswith("refs/notes/")]
    for ref in refs:
        was, now = _notes(old, ref), _notes(new, ref)
        assert now == {mapping.get(name, name): text for name, text in was.items()}, ref


def _notes(history: History, ref: str) -> dict[str, bytes]:
    rows = history.git("notes", "--ref", ref, "list").decode().splitlines()
    return {name: history.blob(note) for note, name in (row.split() for row in rows)}


def check_fsck(old: History, new: History) -> None:
    """What the new refs reach has no kind of fault that the old objects had not."""
    assert _faults(new) <= _faults(old)


def _faults(history: History) -> set[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as directory:
        history.git("clone", "-q", "--mirror", "--no-local", str(history.path), directory + "/m")
        done = subprocess.run(
            ["git", "-C", directory + "/m", "fsck", "--strict", "--no-dangling", "--no-progress"],
            capture_output=True,
            check=False,
        )
    said = (done.stdout + done.stderr).decode(errors="replace").splitlines()
    found = [re.match(r"(?:error|warning) in (\w+) \w+: (\w+)", row) for row in said]
    return {(row[1], row[2]) for row in found if row} | {
        ("?", row) for row, match in zip(said, found, strict=True) if not match
    }
