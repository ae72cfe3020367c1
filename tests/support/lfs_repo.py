"""A history made by the real git-lfs, with what people do to such histories besides."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from support.repo import Repo
from support.torture import generated

if TYPE_CHECKING:
    from pathlib import Path


class LfsRepo(Repo):
    """The repository, and the bytes behind its pointers."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.contents: dict[str, bytes] = {}
        """By sha256: everything that was ever stored with LFS."""
        self.missing: set[str] = set()
        """Of these, what this clone has no object of."""
        self.commits: dict[str, str] = {}

    def stored(self, path: str, seed: str, size: int = 3000) -> str:
        """Write a file that LFS is to store; gives its sha256."""
        data = generated(seed, size)
        self.write(path, data)
        sha = hashlib.sha256(data).hexdigest()
        self.contents[sha] = data
        return sha

    def step(self, name: str) -> None:
        self.commits[name] = self.commit(name)

    def object_of(self, sha: str) -> Path:
        """Say where git-lfs keeps an object."""
        return self.path / ".git/lfs/objects" / sha[:2] / sha[2:4] / sha


def make(path: Path) -> LfsRepo:
    """Build it at `path`; takes two or three seconds."""
    path.mkdir()
    repo = LfsRepo(path)
    repo.git("init", "-q", "-b", "main")
    repo.git("lfs", "install", "--local")
    hook = path / ".git/hooks/pre-push"
    hook.write_text(hook.read_text() + "echo mine >> pushed\n")
    repo.write("README", "text\n")
    repo.stored("early.bin", "early")  # at first a plain blob: LFS comes with the next commit
    repo.step("before")
    repo.git("lfs", "track", "*.bin")
    repo.git("lfs", "track", "a b/*.dat", "--lockable")
    repo.stored("model.bin", "m1")
    repo.stored("a b/c.dat", "c1")
    repo.stored("run.bin", "run")
    (path / "run.bin").chmod(0o755)
    repo.write(".lfsconfig", "[lfs]\n\turl = https://lfs.example.org/x\n")
    repo.step("tracked")
    repo.git("tag", "-a", "-m", "one", "v1")
    repo.write(
        "nested/.gitattributes",
        b"# mine\r\n*.pt filter=lfs diff=lfs merge=lfs -text\r\n*.txt text\r\n",
    )
    repo.stored("nested/weights.pt", "w1")
    repo.stored("nested/copy.pt", "m1")
    repo.stored("model.bin", "m2", 4000)
    repo.step("nested")
    repo.git("switch", "-q", "-c", "topic")
    repo.stored("topic.bin", "t1")
    repo.step("topic")
    repo.git("switch", "-q", "main")
    text = (path / ".gitattributes").read_text()
    repo.write(
        ".gitattributes", f"[attr]big filter=lfs diff=lfs merge=lfs -text\n{text}*.mac big\n"
    )
    repo.stored("macro.mac", "mac")
    repo.step("macro")
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "topic")
    repo.commits["merge"] = repo.git("rev-parse", "HEAD")
    _oddities(repo)
    _lose(repo)
    return repo


def _oddities(repo: LfsRepo) -> None:
    """Pointers that git-lfs did not write in this way, committed past its filter."""
    loose = generated("loose", 500)
    sha = hashlib.sha256(loose).hexdigest()
    repo.contents[sha] = loose
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha}\nsize {len(loose)}\n"
    forms = {
        "crlf.bin": text.replace("\n", "\r\n"),
        "newline.bin": text + "\n",
        "uncovered.ptr": text,
        "fixture.txt": text.replace(sha, sha.upper()),
    }
    place = repo.object_of(sha)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(loose)
    for name, form in forms.items():
        repo.write(name, form)
        blob = repo.git("hash-object", "-w", "--no-filters", name)
        repo.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
    raw = repo.write("raw.bin", generated("raw", 2500))  # covered by the filter, yet real bytes
    blob = repo.git("hash-object", "-w", "--no-filters", str(raw))
    repo.git("update-index", "--add", "--cacheinfo", f"100644,{blob},raw.bin")
    repo.git("commit", "-q", "-m", "oddities")
    repo.commits["oddities"] = repo.git("rev-parse", "HEAD")


def _lose(repo: LfsRepo) -> None:
    """Take the first model's object away, as on a machine that never fetched it."""
    sha = hashlib.sha256(generated("m1", 3000)).hexdigest()
    repo.object_of(sha).unlink()
    repo.missing.add(sha)
