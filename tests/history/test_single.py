"""`--no-rewrite`: one commit more, and nothing else changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.repo import Repo

from gitassets import lockfile

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Cli

COMMAND = ("migrate", "--above", "1kB", "--no-rewrite", "--yes")


def large(seed: str, size: int = 3000) -> bytes:
    return (seed.encode() * size)[:size]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo.init(tmp_path / "repo")
    repo.commit("one", {"data/a.bin": large("a"), "x": "x\n", "tool.bin": large("t")})
    (repo.path / "tool.bin").chmod(0o755)
    repo.commit("two")
    repo.git("tag", "v1")
    return repo


def test_one_commit_moves_the_files_of_head(repo: Repo, cli: Cli) -> None:
    old = repo.git("rev-parse", "HEAD")
    mtime = (repo.path / "data/a.bin").stat().st_mtime_ns
    repo.write("x", "staged\n")
    repo.git("add", "x")
    repo.write("x", "dirty\n")
    cli(*COMMAND, cwd=repo.path)
    assert repo.git("rev-parse", "HEAD~1", "v1").split() == [old, old]
    assert repo.git("ls-tree", "-r", "--name-only", "HEAD").split() == [
        ".gitignore", "assets.lock.toml", "x",
    ]  # fmt: skip
    found = lockfile.load(repo.git("show", "HEAD:assets.lock.toml").encode() + b"\n")
    assert {path: asset.executable for path, asset in found.assets.items()} == {
        "data/a.bin": False, "tool.bin": True,
    }  # fmt: skip
    assert found.extra == {}, "nothing was rewritten, so there is no spec to follow"
    assert repo.status == "MM x"
    assert repo.read("x") == b"dirty\n"
    assert (repo.path / "data/a.bin").stat().st_mtime_ns == mtime
    repo.git("fsck", "--strict")
    head = repo.git("rev-parse", "HEAD")
    assert "nothing to do" in cli(*COMMAND, cwd=repo.path).stderr
    assert repo.git("rev-parse", "HEAD") == head


def test_a_detached_head_moves_and_no_branch(repo: Repo, cli: Cli) -> None:
    main = repo.git("rev-parse", "main")
    repo.git("checkout", "-q", "--detach")
    cli(*COMMAND, cwd=repo.path)
    assert repo.git("rev-parse", "main", "HEAD~1").split() == [main, main]
    assert repo.status == ""


def test_a_fresh_clone_gets_the_files_by_pull(repo: Repo, cli: Cli, tmp_path: Path) -> None:
    cli(*COMMAND, cwd=repo.path)
    clone = repo.clone(tmp_path / "clone")
    cli("pull", cwd=clone.path)
    assert clone.read("tool.bin") == large("t")
    assert (clone.path / "tool.bin").stat().st_mode & 0o111


def test_an_unborn_branch_says_why(tmp_path: Path, cli: Cli) -> None:
    repo = Repo(tmp_path / "empty")
    repo.path.mkdir()
    repo.git("init", "-q")
    assert "no commit yet" in cli(*COMMAND, cwd=repo.path, check=128).stderr
