"""Random small histories for Hypothesis: few paths that are in each other's way, few contents."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from support.odb import Objects
from support.repo import Repo
from support.torture import ABOVE, generated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILES = (
    "a", "a/b", "a/b/c.bin", "a/b.bin", "d.bin", "D.bin", "e/f/g/h.dat", "e/f.dat", "é.bin",
    "e\u0301.bin", "sp ace.bin", "con.bin", "e/x.bin", ".gitmodules",
)  # fmt: skip
DIRECTORIES = ("", "a/", "a/b/", "e/", "e/f/")
RULES = (b"*.bin\n", b"!*.bin\n", b"/b\n", b"*", b"f/\n!f.dat\r\n", b"# only a comment")
LFS = b"filter=lfs diff=lfs merge=lfs -text"
ATTRIBUTES = (
    b"*.bin " + LFS + b"\n",
    b"*.bin " + LFS + b"\n*.dat text\n",
    b"[attr]big " + LFS + b"\n*.bin big\n",
    b"*.dat eol=lf\r\n",
)
SIZES = (0, 5, ABOVE - 1, ABOVE, ABOVE + 1)


@dataclass(frozen=True)
class Step:
    """A commit: its parents by their numbers, and all its files as (mode, content)."""

    parents: tuple[int, ...]
    files: Mapping[str, tuple[str, bytes]]
    message: str


History = tuple[Step, ...]
"""In the order of topology; every step that nobody has for a parent is a branch."""


def pointer(content: bytes) -> bytes:
    """Write what git-lfs keeps in the tree for `content`."""
    sha = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha}\nsize {len(content)}\n".encode()


@st.composite
def histories(draw: st.DrawFn, *, lfs: bool = False) -> History:
    """Draw a history of one to eight commits; with `lfs` some large files are pointers."""
    steps: list[Step] = []
    for number in range(draw(st.integers(1, 8))):
        limit = max(0, min(2, number))
        parents = draw(st.lists(st.integers(0, number - 1), max_size=limit)) if number else []
        files = dict(steps[parents[0]].files) if parents else {}
        for parent in parents[1:]:
            for path, entry in steps[parent].files.items():
                _put(files, path, entry)
        for _ in range(draw(st.integers(0, 3))):
            _edit(draw, files, lfs=lfs)
        message = draw(st.sampled_from(["plain\n", "", "see {}\n", "no newline {}"]))
        steps.append(Step(tuple(parents), files, message))
    return tuple(steps)


def _edit(draw: st.DrawFn, files: dict[str, tuple[str, bytes]], *, lfs: bool) -> None:
    what = draw(st.sampled_from(["file", "file", "file", "rules", "attributes", "remove"]))
    if what == "remove":
        if files:
            del files[draw(st.sampled_from(sorted(files)))]
    elif what == "file":
        content = generated(str(draw(st.integers(0, 2))), draw(st.sampled_from(SIZES)))
        mode = draw(st.sampled_from(["100644", "100644", "100755", "120000"]))
        if lfs and draw(st.booleans()):
            content = pointer(content)
        if mode == "120000":
            content = content.hex().encode() or b"x"  # what a symlink may say on a disk
        path = draw(st.sampled_from(FILES))
        if path == ".gitmodules":
            mode = "100644"  # git checks out no symlink of this name
        _put(files, path, (mode, content))
    else:
        name, texts = (".gitignore", RULES) if what == "rules" else (".gitattributes", ATTRIBUTES)
        _put(
            files,
            draw(st.sampled_from(DIRECTORIES)) + name,
            ("100644", draw(st.sampled_from(texts))),
        )


def _put(files: dict[str, tuple[str, bytes]], path: str, entry: tuple[str, bytes]) -> None:
    for other in list(files):
        if other.startswith(path + "/") or path.startswith(other + "/"):
            del files[other]
    files[path] = entry


def build(path: Path, history: History, *, algorithm: str = "sha1", bare: bool = False) -> Repo:
    """Make the repository at `path`: a branch `b<n>` for each tip, HEAD at the last one."""
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
    odb = Objects(path if bare else path / ".git", algorithm)
    ids: list[str] = []
    for step in history:
        tree = odb.tree(
            {name.encode(): (mode, odb.blob(data)) for name, (mode, data) in step.files.items()}
        )
        first = ids[step.parents[0]][:12] if step.parents else "nothing"
        message = step.message.format(first).encode()
        ids.append(odb.commit(tree, *(ids[number] for number in step.parents), message=message))
    inner = {number for step in history for number in step.parents}
    repo = Repo(path)
    tips = [number for number in range(len(history)) if number not in inner]
    repo.git(
        "update-ref", "--stdin", data="".join(f"create refs/heads/b{n} {ids[n]}\n" for n in tips)
    )
    repo.git("symbolic-ref", "HEAD", f"refs/heads/b{tips[-1]}")
    if not bare:
        repo.git("reset", "-q", "--hard")
    return repo
