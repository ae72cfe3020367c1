"""A small repository that holds whatever a history may hold.

Files of ABOVE bytes and more are what a migration takes out. Everything else of the issue's list is
in it: merges, evil merges, an octopus, renames, paths that change their kind, odd names, headers,
dates and encodings, signatures, every kind of tag, notes, stash, replace refs and work trees.
"""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING

from support.odb import Objects
from support.repo import Repo

if TYPE_CHECKING:
    from pathlib import Path

    from support.odb import Entry

ABOVE = 2000
"""Bytes; what is smaller stays in git. A symlink may be as long on every file system."""

SIGNATURE = (
    b"-----BEGIN PGP SIGNATURE-----\n\niQEzBAABCAAdFiEE\n=abcd\n-----END PGP SIGNATURE-----\n"
)
GPGSIG = b"gpgsig " + SIGNATURE.replace(b"\n", b"\n ")[:-1]
Files = dict[bytes, "Entry"]


def generated(seed: str, size: int) -> bytes:
    """Give bytes that do not compress, the same for one seed."""
    return random.Random(seed).randbytes(size)


ODD_NAMES = (
    b"sp ace.bin", b"[x]?.txt", b"[br].bin", b"#hash.bin", b"!bang.bin", b"-dash.bin", b"'q'.bin",
    b"\xf0\x9f\x98\x80.bin", "Ü.bin".encode(), b"a..b.bin", b" lead.bin", b"~.bin", b"$(x).bin",
)  # fmt: skip
"""Names that a lockfile takes."""
REFUSED = (
    b"\xe9.bin", b"tab\t.bin", b"new\nline.bin", b'"dq".bin', b"st*r.bin", b"back\\slash.bin",
    b"trailing ", b"dot.", b"con.bin", b"aux", b"co:lon.bin", b"git~1", b"Case/M.bin", b"case/m.bin",
    "tw\u00efn.bin".encode(), "twi\u0308n.bin".encode(), (b"p" * 200 + b"/") * 6 + b"long.bin",
    b"x/.gitattributes/in.bin",
)  # fmt: skip
"""Names that no lockfile takes (design §3): such files stay in git, whatever their size."""


class Torture(Repo):
    """The repository; `ids` are its objects by a name for tests."""

    def __init__(self, path: Path, git_dir: Path, ids: dict[str, str]) -> None:
        super().__init__(path)
        self.git_dir = git_dir
        self.ids = ids


class _Maker:
    def __init__(self, git_dir: Path, algorithm: str) -> None:
        self.odb = Objects(git_dir, algorithm)
        self.ids: dict[str, str] = {}
        self.refs: dict[str, str] = {}
        self.files: Files = {}

    def put(self, path: bytes | str, data: bytes | str, mode: str = "100644") -> None:
        """Write a file, in place of whatever has the path or a part of it."""
        path = path.encode() if isinstance(path, str) else path
        for other in list(self.files):
            if other.startswith(path + b"/") or path.startswith(other + b"/"):
                del self.files[other]
        self.files[path] = (mode, self.odb.blob(data))

    def big(self, path: bytes | str, seed: str, size: int = ABOVE, mode: str = "100644") -> None:
        self.put(path, generated(seed, size), mode)

    def link(self, path: str, target: str) -> None:
        self.put(path, target, "120000")

    def module(self, path: bytes) -> None:
        self.put(path, b"")
        width = {"sha1": 40, "sha256": 64}[self.odb.algorithm]
        self.files[path] = ("160000", "5" * width)

    def commit(self, name: str, *parents: str, message: bytes | None = None, **more: bytes) -> str:
        """Commit the present files on top of named commits."""
        text = message if message is not None else name.encode() + b"\n"
        tree = self.odb.tree(self.files)
        self.ids[name] = self.odb.commit(
            tree, *(self.ids[p] for p in parents), message=text, **more
        )
        self.ids[name + "^{tree}"] = tree
        return self.ids[name]


def make(
    path: Path, *, algorithm: str = "sha1", bare: bool = False, replace: bool = False
) -> Torture:
    """Build it at `path`, which does not exist yet; takes a second or two."""
    subprocess.run(
        [
            "git",
            "init",
            "-q",
            f"--object-format={algorithm}",
            *(["--bare"] if bare else []),
            str(path),
        ],
        check=True,
    )
    git_dir = path if bare else path / ".git"
    maker = _Maker(git_dir, algorithm)
    _begin(maker)
    _merges(maker)
    _kinds(maker)
    _names(maker)
    _headers(maker)
    _tags(maker)
    repo = Torture(path, git_dir, maker.ids)
    maker.refs |= {
        "refs/heads/main": maker.ids["last"],
        "refs/heads/side": maker.ids["side"],
        "refs/heads/names": maker.ids["names"],
        "refs/heads/orphan": maker.ids["orphan"],
        "refs/heads/early": maker.ids["second"],
        "refs/heads/feature/deep": maker.ids["kinds back"],
        "refs/remotes/origin/main": maker.ids["last"],
        "refs/pull/1/head": maker.ids["headers"],
        "refs/original/refs/heads/main": maker.ids["merge"],
    }
    _update(repo, maker.refs)
    repo.git("pack-refs", "--all")
    repo.git("symbolic-ref", "HEAD", "refs/heads/main")
    repo.git("symbolic-ref", "refs/heads/alias", "refs/heads/side")
    repo.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    _notes(repo)
    if replace:
        repo.git("replace", maker.ids["octopus"], maker.ids["merge"])
    if not bare:
        repo.git("reset", "-q", "--hard")
        _stash(repo)
        _worktrees(repo)
    return repo


def _update(repo: Repo, refs: dict[str, str]) -> None:
    repo.git(
        "update-ref", "--stdin", data="".join(f"create {ref} {to}\n" for ref, to in refs.items())
    )


def _begin(m: _Maker) -> None:
    """Two commits before the first large file (they keep their ids), then the first ones."""
    m.put("README", "Read me\n")
    m.put(".gitignore", "*.o\n/build/\n*.bin\n")
    m.commit("root", extra=GPGSIG)
    m.put("src/main.c", "int main(void) { return 0; }\n")
    m.put(".gitattributes", "[attr]big -diff\n*.c text\n*.bin big\n")
    m.commit("second", "root", extra=b"HG:rename-source hg\n")
    m.big("models/a.bin", "a1", 5000)
    m.big("models/exact.bin", "exact")
    m.big("models/below.bin", "below", ABOVE - 1)
    m.big("bin/tool", "tool", 3000, "100755")
    m.put("bin/small", "#!/bin/sh\n", "100755")
    m.put("data/.gitignore", "# keep\r\n!*.bin\r\n!/*.dat")
    m.big("data/b.bin", "b1")
    m.big("data/deep/c.dat", "c1")
    m.put("data/deep/.gitignore", "!*")
    m.big("build/kept.bin", "built")
    m.put("build/kept.txt", "tracked though ignored\n")
    m.commit("first assets", "second", extra=GPGSIG)


def _merges(m: _Maker) -> None:
    start = dict(m.files)
    m.big("models/a.bin", "a2", 6000)
    m.link("link", "models/a.bin")
    m.link("long-link", "x/" * (ABOVE // 2 + 10))
    m.commit(
        "ours",
        "first assets",
        message="\xc9t\xe9 dernier\n".encode("latin-1"),
        extra=b"encoding ISO-8859-1\n",
    )
    ours, m.files = m.files, start
    m.files[b"models/renamed.bin"] = m.files.pop(b"models/a.bin")
    m.files[b"copy/of/tool"] = ("100644", m.files[b"bin/tool"][1])
    del m.files[b"data/b.bin"]
    m.commit("theirs", "first assets")
    m.files[b"copy/of/tool"] = ("100755", m.files[b"bin/tool"][1])
    m.commit("side", "theirs", message=b"")
    m.files = {**ours, **m.files}
    m.commit("merge", "ours", "theirs", message=b"Merge\n\nSee %s and %s.\n" % (
        m.ids["ours"].encode(), m.ids["theirs"][:10].encode()))  # fmt: skip
    m.big("evil.bin", "evil")
    m.put("README", "Neither of them\n")
    m.commit("evil merge", "merge", "side")
    m.files = {b"other.txt": ("100644", m.odb.blob("unrelated\n"))}
    m.big("other.bin", "other")
    m.commit("orphan")
    m.files = {**ours, **m.files}
    m.commit("octopus", "evil merge", "side", "orphan", "second", extra=GPGSIG)
    m.commit("same parents", "octopus", "octopus", message=b"No final newline")
    m.commit("empty", "same parents", message=b"decade2001 %s 1234567 %s\n" % (
        m.ids["root"][:7].encode(), m.ids["merge"][:6].encode() + b"zz"))  # fmt: skip


def _kinds(m: _Maker) -> None:
    """One path is in turn a directory, a small file, a symlink, a submodule and a large file."""
    m.put("models/a.bin/note.txt", "a directory now\n")
    m.big("models/a.bin/inner.bin", "inner")
    m.commit("kinds directory", "empty")
    m.put("models/a.bin", "small\n")
    m.commit("kinds small", "kinds directory")
    m.link("models/a.bin", "exact.bin")
    m.commit("kinds symlink", "kinds small")
    m.put(".gitmodules", '[submodule "m"]\n\tpath = models/a.bin\n\turl = ../m\n')
    m.module(b"models/a.bin")
    m.commit("kinds module", "kinds symlink")
    del m.files[b".gitmodules"]
    m.big("models/a.bin", "a1", 5000, "100755")
    m.commit("kinds back", "kinds module")
    m.big("only/assets/here.bin", "here")
    m.put("big/.gitignore", "# " + "x" * ABOVE + "\n")
    m.big("big/with-rules.dat", "rules")
    m.link("odd/.gitignore", "../data/.gitignore")
    m.big("odd/behind-a-link.bin", "behind")
    m.put("crlf/.gitignore", b"one\r\n!two.bin")
    m.big("crlf/two.bin", "two")
    m.put("empty.txt", "")
    m.commit("kinds rules", "kinds back")


def _names(m: _Maker) -> None:
    """A branch of its own: some of these names cannot be checked out everywhere."""
    kept = dict(m.files)
    for name in (*ODD_NAMES, *REFUSED):
        m.big(name, name.hex()[:20])
    m.big("modes/padded.bin", "padded", mode="100664")
    m.put(b"small/\xff.txt", "not UTF-8\n")
    m.commit("names", "kinds rules")
    m.files = kept


def _headers(m: _Maker) -> None:
    head = "kinds rules"
    m.put("n", "1\n")
    people = (
        (b"zone", b"A <a@b> 1600000000 +051800"),
        (b"past", b"A <a@b> -86400 +0000"),
        (b"no name", b" <a@b> 1600000000 +0000"),
        (b"no mail", b"A <> 1600000000 -0730"),
        (b"latin", "J\xfcrgen <j@b> 1600000000 +0100".encode("latin-1")),
        (b"no space", b"A<a@b> 1600000000 +0000"),
    )
    for name, who in people:
        m.put("n", name)
        m.commit(name.decode(), head, people=b"author %s\ncommitter %s\n" % (who, who))
        head = name.decode()
    tag = m.odb.tag(m.ids["side"], "commit", "merged", b"Merged\n" + SIGNATURE)
    raw = b"object %s\ntype commit\ntag merged\n\nMerged\n" % m.ids["side"].encode()
    m.ids["mergetag"] = tag
    odd = {
        "mergetag": {"extra": b"mergetag " + raw.rstrip(b"\n").replace(b"\n", b"\n ") + b"\n"},
        "sig256": {"extra": GPGSIG.replace(b"gpgsig", b"gpgsig-sha256") + b"HG:extra a:b\n"},
        "unknown": {"extra": b"x-odd one\n two\n three\nx-odd again\n" + GPGSIG},
        "nul": {"message": b"before\0after\n"},
        "huge": {"message": b"word " * 40_000},
        "crlf message": {"message": b"one\r\ntwo\r\n\r\n\n"},
        "blank message": {"message": b"\n\n"},
    }
    for name, more in odd.items():
        m.put("n", name)
        m.commit(f"odd {name}", head, **more)  # type: ignore[arg-type]
        head = f"odd {name}"
    m.put("n", "no blank line")
    bare = (
        b"tree %s\nparent %s\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\nencoding latin1\n"
    )
    m.ids["bare header"] = m.odb.add(
        "commit", bare % (m.odb.tree(m.files).encode(), m.ids[head].encode())
    )
    m.commit("headers", "bare header")
    del m.files[b"only/assets/here.bin"]
    m.big("data/b.bin", "b2")
    m.commit("last", "headers", message=b"Fixes %s, breaks %s, not %s\n" % (
        m.ids["first assets"].encode(), m.ids["merge"][:12].encode(), m.ids["names"].encode()))  # fmt: skip


def _tags(m: _Maker) -> None:
    ids, tag = m.ids, m.odb.tag
    m.files[b"lost.bin"] = m.files[b"data/b.bin"]
    m.commit("lost", "last")
    quoted = b"As they say:\n" + SIGNATURE + b"\nbut no.\n"
    annotated = tag(ids["merge"], "commit", "v1", b"No final newline")
    nested = tag(annotated, "tag", "v1-nested")
    subtree = m.odb.tree({b"x.txt": ("100644", m.odb.blob("only in a tag\n"))})
    tags = {
        "light": ids["first assets"],
        "early": tag(ids["second"], "commit", "early", b"Signed\n" + SIGNATURE),
        "v1": annotated,
        "v2-signed": tag(ids["last"], "commit", "v2-signed", b"Signed\n" + SIGNATURE),
        "v2-quoting": tag(ids["last"], "commit", "v2-quoting", quoted),
        "v2-both": tag(ids["last"], "commit", "v2-both", quoted + SIGNATURE),
        "v1-nested": nested,
        "v1-nested-more": tag(nested, "tag", "v1-nested-more", b"Signed\n" + SIGNATURE),
        "no-tagger": tag(ids["ours"], "commit", "no-tagger", tagger=False),
        "lost": tag(ids["lost"], "commit", "lost"),
        "a-tree": ids["merge^{tree}"],
        "a-tree-annotated": tag(ids["merge^{tree}"], "tree", "a-tree-annotated"),
        "foreign-tree": tag(subtree, "tree", "foreign-tree"),
        "a-blob": tag(m.odb.blob("small blob\n"), "blob", "a-blob"),
        "an-asset": m.files[b"data/b.bin"][1],
    }
    m.refs |= {f"refs/tags/{name}": to for name, to in tags.items()}
    m.refs["refs/custom/annotated"] = tag(ids["side"], "commit", "custom", b"CR\r\n")
    m.ids |= {f"tag {name}": to for name, to in tags.items()}


def _notes(repo: Torture) -> None:
    for name in ("root", "merge", "last", "names", "odd nul"):
        repo.git("notes", "add", "-m", f"note on {name}", repo.ids[name])
    repo.git("notes", "--ref", "build", "add", "-m", "built", repo.ids["last"])
    blob = repo.git("rev-parse", "refs/heads/main:README")
    repo.git("notes", "add", "-m", "note on a blob", blob)


def _stash(repo: Torture) -> None:
    """Two entries: one with the index, one with an untracked large file and an edited asset."""
    repo.write("README", "stashed\n")
    repo.git("add", "README")
    repo.write("src/main.c", "int x;\n")
    repo.git("stash", "push", "-q", "-m", "first entry")
    repo.write("data/b.bin", generated("stashed", ABOVE + 10))
    repo.write("untracked.dat", generated("untracked", ABOVE + 20))
    repo.git("stash", "push", "-q", "--include-untracked", "-m", "second: entry")


def _worktrees(repo: Torture) -> None:
    """Three beside the main one: on a branch, detached with a staged edit, and locked; and a dead one."""
    beside = repo.path.parent
    name = repo.path.name
    for suffix, where in (("branch", "side"), ("locked", "orphan"), ("gone", "early")):
        repo.git("worktree", "add", "-q", str(beside / f"{name}-{suffix}"), where)
    detached = repo.worktree(beside / f"{name}-detached", repo.ids["kinds rules"])
    detached.write("README", "staged\n")
    detached.write("models/exact.bin", generated("staged", ABOVE + 1))
    detached.git("add", "README", "models/exact.bin")
    detached.write("src/main.c", "dirty\n")
    repo.git("worktree", "lock", str(beside / f"{name}-locked"))
    (beside / f"{name}-gone").rename(beside / f"{name}-moved-away")


def disturb(repo: Repo) -> None:
    """Leave a work tree as people do: staged, dirty, untracked and ignored files."""
    repo.write("README", "staged\n")
    repo.git("add", "README")
    repo.write("README", "staged, then edited\n")
    repo.write("data/.gitignore", "# keep\r\n!*.bin\r\n!/*.dat\nmine\n")
    repo.write(".gitattributes", "[attr]big -diff\n*.c text\n*.bin big\n*.x text\n")
    repo.git("add", ".gitattributes")
    repo.write("untracked.txt", "untracked\n")
    repo.write("src/ignored.o", "ignored\n")
    (repo.path / "bin/small").unlink()
