"""The check that runs before any ref moves finds what a wrong rewrite would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import migrating
from support.repo import Repo

from gitassets.errors import HistoryError
from gitassets.gitpipes import Pipes
from gitassets.history import verify
from gitassets.history.check import Checker, _between

if TYPE_CHECKING:
    import io
    from collections.abc import Callable
    from pathlib import Path

    from gitassets.history.migration import Outcome

ABOVE = 1000


def large(seed: str, size: int = 3000) -> bytes:
    return (seed.encode() * size)[:size]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo.init(tmp_path / "repo")
    repo.commit("one", {"data/a.bin": large("a"), "x": "x\n", ".gitignore": "*.log\n"})
    (repo.path / "data/run.bin").write_bytes(large("r"))
    (repo.path / "data/run.bin").chmod(0o755)
    repo.commit("two")
    return repo


def edit(repo: Repo, tree: str, change: Callable[[Repo], None]) -> str:
    """Give `tree` with changes made by hand in a work tree."""
    repo.git("read-tree", "-u", "--reset", tree)
    change(repo)
    repo.git("add", "-A", "-f")
    return repo.git("write-tree")


def substitute(path: str, old: str, new: str) -> Callable[[Repo], None]:
    def change(repo: Repo) -> None:
        text = repo.read(path).decode()
        assert old in text
        repo.write(path, text.replace(old, new, 1))

    return change


WRONG = {
    "size": substitute("assets.lock.toml", "size = 3000", "size = 3001"),
    "digest": substitute("assets.lock.toml", 'sha256 = "', 'sha256 = "0'),
    "mode": substitute("assets.lock.toml", "executable = true\n", ""),
    "ignored": substitute(".gitignore", "/data/a.bin\n", ""),
    "ignored too much": substitute(".gitignore", "/data/a.bin\n", "/data/a.bin\n/x\n"),
    "lost a line": substitute(".gitignore", "*.log\n", ""),
    "kept file": lambda repo: repo.write("x", "y\n"),
    "kept file gone": lambda repo: (repo.path / "x").unlink(),
    "file more": lambda repo: repo.write("z", "z\n"),
    "asset back": lambda repo: repo.write("data/a.bin", large("a")),
    "no lockfile": lambda repo: (repo.path / "assets.lock.toml").unlink(),
    "kept mode": lambda repo: (repo.path / "x").chmod(0o755),
}  # fmt: skip


def outcome(repo: Repo, tmp_path: Path) -> tuple[Outcome, str, str]:
    old = repo.git("rev-parse", "HEAD^{tree}")
    done = migrating.migrate(repo.path / ".git", repo.path, migrating.above(ABOVE), tmp_path / "c")
    return done, old, repo.git("rev-parse", "HEAD^{tree}")


def check(repo: Repo, done: Outcome, pairs: dict[str, str]) -> int:
    pipes = Pipes(repo.path / ".git")
    raw = {bytes.fromhex(old): bytes.fromhex(new) for old, new in pairs.items()}
    with pipes.reader() as read:
        checker = Checker(pipes, read, done.study.spec, done.contents, algorithm="sha1")
        assert checker.roots(raw) == len(raw)
    return checker.leaves


def test_the_right_pair_passes(repo: Repo, tmp_path: Path) -> None:
    done, old, new = outcome(repo, tmp_path)
    assert check(repo, done, {old: new}) == 2
    assert check(repo, done, {}) == 0


@pytest.mark.parametrize("what", WRONG)
def test_every_wrong_pair_is_found(repo: Repo, tmp_path: Path, what: str) -> None:
    done, old, new = outcome(repo, tmp_path)
    wrong = edit(repo, new, WRONG[what])
    assert wrong != new
    with pytest.raises(HistoryError, match="check"):
        check(repo, done, {old: wrong})


def test_a_wrong_pair_behind_a_right_one_is_found(repo: Repo, tmp_path: Path) -> None:
    first = repo.git("rev-parse", "HEAD~1^{tree}")
    done, old, new = outcome(repo, tmp_path)
    good = repo.git("rev-parse", "HEAD~1^{tree}")
    wrong = edit(repo, new, WRONG["kept file"])
    with pytest.raises(HistoryError):
        check(repo, done, {first: good, old: wrong})


def test_verify_compares_commits_too(repo: Repo, tmp_path: Path) -> None:
    done, _, _ = outcome(repo, tmp_path)
    assert done.run
    pipes = Pipes(repo.path / ".git")
    found = verify.verify(pipes, done.run)
    assert (found.commits, found.changed, found.roots, found.leaves) == (3, 2, 2, 3)
    # The same tree and parent, another message: a migration never does that.
    new = repo.git("rev-parse", "HEAD")
    other = repo.git("commit-tree", "HEAD^{tree}", "-p", "HEAD~1", "-m", "other")
    text = (done.run / "commit-map").read_text()
    (done.run / "commit-map").write_text(text.replace(new, other))
    with pytest.raises(HistoryError, match="differ"):
        verify.verify(pipes, done.run)


def test_text_between_marks_is_found_across_reads() -> None:
    class Slow:
        """Gives a byte at a time."""

        def __init__(self, data: bytes) -> None:
            self.data = data

        def read(self, _: int = -1) -> bytes:
            piece, self.data = self.data[:1], self.data[1:]
            return piece

    stream: io.BytesIO = Slow(b"<1>ab<2><3>c")  # type: ignore[assignment]
    assert list(_between(stream, [b"<1>", b"<2>", b"<3>"]))[:3] == [b"", b"ab", b""]
    with pytest.raises(HistoryError):
        list(_between(Slow(b"<1>ab"), [b"<1>", b"<2>"]))  # type: ignore[arg-type]
