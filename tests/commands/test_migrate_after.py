"""`git assets migrate adopt`, `undo` and `finalize` as a person and a script meet them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from history.oracle import History
from history.test_undo import everything
from support import lfs_repo, torture
from support.repo import Repo

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Cli


@pytest.fixture
def remote(tmp_path: Path) -> Repo:
    """A bare repository with a large file in its history."""
    repo = Repo.init(tmp_path / "first")
    repo.commit("small", {"README": "one\n"})
    repo.commit("one", {"a.bin": torture.generated("1", 40_000)})
    repo.commit("two", {"a.bin": torture.generated("2", 50_000)})
    repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "remote"))
    return Repo(tmp_path / "remote")


def test_the_whole_story(cli: Cli, remote: Repo, tmp_path: Path) -> None:
    maintainer = remote.clone(tmp_path / "maintainer")
    stale = remote.clone(tmp_path / "stale")
    stale.commit("mine", {"mine.txt": "mine\n"})
    done = cli("migrate", "--above", "10kB", "--yes", "--push", cwd=maintainer.path)
    assert "git assets migrate adopt origin" in done.stderr
    assert "git rev-list HEAD | grep -qxF -e" in done.stderr
    assert remote.git("log", "--format=%s", "main").split() == ["two", "one", "small", "Begin"]
    assert remote.git("ls-tree", "--name-only", "main").split() == [
        ".gitignore", "README", "assets.lock.toml",
    ]  # fmt: skip

    said = cli("migrate", "adopt", cwd=stale.path)
    assert "main: 1 commit of your own on top" in said.stdout
    assert stale.git("rev-parse", "main~") == remote.git("rev-parse", "main")
    assert stale.status == ""
    assert "nothing to do" in cli("migrate", "adopt", "origin", cwd=stale.path).stderr
    assert cli("migrate", "adopt", "--json", cwd=stale.path).json()["adoption"]["run"] is None
    stale.git("push", "-q", "origin", "main")
    old = stale.git("rev-parse", "main@{1}")
    assert "before the migration" in _push_error(stale, f"{old}:refs/heads/back")

    before = cli("migrate", "finalize", "--dry-run", "--json", cwd=maintainer.path).json()[
        "finalize"
    ]
    assert before["holders"]
    assert not before["done"]
    cli("migrate", "finalize", cwd=maintainer.path, check=129)
    after = cli("migrate", "finalize", "--yes", "--json", cwd=maintainer.path).json()["finalize"]
    assert after["holders"] == []
    assert after["bytes_after"] < 20_000 < 90_000 < after["bytes_before"]
    assert "no migration here" in cli("migrate", "undo", cwd=maintainer.path, check=128).stderr
    assert "before the migration" in _push_error(stale, f"{old}:refs/heads/back")


def _push_error(repo: Repo, spec: str) -> str:
    with pytest.raises(AssertionError) as caught:
        repo.git("push", "-q", "origin", spec)
    return str(caught.value)


def test_undo(cli: Cli, remote: Repo, tmp_path: Path) -> None:
    clone = remote.clone(tmp_path / "clone")
    before = everything(clone)
    cli("migrate", "--above", "10kB", "--yes", cwd=clone.path)
    (clone.path / "sub").mkdir()
    shown = cli("migrate", "undo", "--dry-run", cwd=clone.path)
    assert "would go back to the old history" in shown.stdout
    assert everything(clone) != before
    said = cli("migrate", "undo", cwd=clone.path / "sub")
    assert said.stdout == "1 ref went back to the old history\n"
    assert everything(clone) == before
    assert cli("migrate", "undo", cwd=clone.path, check=128).stdout == ""


def test_undo_refuses_new_work(cli: Cli, remote: Repo, tmp_path: Path) -> None:
    clone = remote.clone(tmp_path / "clone")
    cli("migrate", "--above", "10kB", "--yes", cwd=clone.path)
    clone.commit("new", {"x": "1"})
    said = cli("migrate", "undo", cwd=clone.path, check=128)
    assert "'main' has commits that are newer than the migration" in said.stderr
    assert "hint: git rebase --onto" in said.stderr


def test_off_lfs_and_back(cli: Cli, tmp_path: Path) -> None:
    repo = lfs_repo.make(tmp_path / "l")
    before = everything(repo)
    said = cli("migrate", "--lfs", "--yes", cwd=repo.path)
    assert "LFS's hooks and settings were taken out of this clone" in said.stderr
    assert not repo.git("config", "--local", "--get-regexp", "lfs", check=False)
    assert not (repo.path / ".git/hooks/post-merge").exists()
    assert repo.read(".git/hooks/pre-push").endswith(b"echo mine >> pushed\n")
    cli("migrate", "undo", cwd=repo.path)
    after = everything(repo)
    assert {key for key in before if after[key] != before[key]} == set()


def test_bare(cli: Cli, tmp_path: Path) -> None:
    repo = torture.make(tmp_path / "t", bare=True)
    before = History(repo.path).refs()
    cli("migrate", "--above", "2000", "--yes", cwd=repo.path)
    assert History(repo.path).refs() != before
    cli("migrate", "undo", cwd=repo.path)
    assert History(repo.path).refs() == before


def test_usage(cli: Cli, remote: Repo, tmp_path: Path) -> None:
    clone = remote.clone(tmp_path / "clone")
    said = cli("migrate", "undo", "origin", cwd=clone.path, check=129)
    assert "migrate undo takes no remote" in said.stderr
    said = cli("migrate", "adopt", cwd=clone.path, check=129)
    assert "no branch of 'origin' holds a lockfile that a migration wrote" in said.stderr
    said = cli("migrate", "adopt", "nobody", cwd=clone.path, check=128)
    assert "nobody" in said.stderr
