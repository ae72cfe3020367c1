"""What is not committed survives a migration: staged, dirty, untracked, sparse, stashed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import migrating
from support.repo import Repo

from gitassets import lockfile
from gitassets.errors import HistoryError
from gitassets.gitpipes import Pipes
from gitassets.history import stash

if TYPE_CHECKING:
    from pathlib import Path

ABOVE = 1000


def large(seed: str, size: int = 3000) -> bytes:
    return (seed.encode() * size)[:size]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo.init(tmp_path / "repo")
    repo.commit(
        "one",
        {
            "data/a.bin": large("a"),
            "data/.gitignore": "!*.bin\n",
            "x": "x\n",
            ".gitignore": "*.log\n",
        },
    )
    return repo


def migrate(repo: Repo, tmp_path: Path) -> None:
    migrating.migrate(repo.path / ".git", repo.path, migrating.above(ABOVE), tmp_path / "cache")


def test_a_clean_work_tree_stays_clean_and_assets_are_not_touched(
    repo: Repo, tmp_path: Path
) -> None:
    before = (repo.path / "data/a.bin").stat()
    migrate(repo, tmp_path)
    after = (repo.path / "data/a.bin").stat()
    assert repo.status == ""
    assert (before.st_mtime_ns, before.st_ino, before.st_mode) == (
        after.st_mtime_ns, after.st_ino, after.st_mode,
    )  # fmt: skip
    assert repo.git("ls-files").splitlines() == [
        ".gitignore", "assets.lock.toml", "data/.gitignore", "x",
    ]  # fmt: skip
    # A root line would lose against the nested `!*.bin`.
    assert "/a.bin" in repo.read("data/.gitignore").decode()
    assert repo.read(".gitignore") == b"*.log\n"


def test_staged_and_unstaged_edits_of_an_ignore_file_both_stay(repo: Repo, tmp_path: Path) -> None:
    repo.write("data/.gitignore", "!*.bin\n# staged\n")
    repo.git("add", "data/.gitignore")
    repo.write("data/.gitignore", "# mine\n!*.bin\n# staged\n")
    migrate(repo, tmp_path)
    assert repo.git("show", ":data/.gitignore").startswith("!*.bin\n# staged\n# git assets: begin")
    assert (
        repo.read("data/.gitignore").decode().startswith("# mine\n!*.bin\n# staged\n# git assets")
    )
    assert "/a.bin" in repo.git("show", "HEAD:data/.gitignore")
    assert "# staged" not in repo.git("show", "HEAD:data/.gitignore")
    assert repo.status == "MM data/.gitignore"
    assert repo.git("check-ignore", "data/a.bin") == "data/a.bin"


def test_a_staged_version_of_an_asset_becomes_the_staged_entry(repo: Repo, tmp_path: Path) -> None:
    repo.write("data/a.bin", large("new", 4000))
    repo.write("data/b.bin", large("b"))
    repo.git("add", "-f", "data")
    migrate(repo, tmp_path)
    staged = lockfile.load(repo.git("show", ":assets.lock.toml").encode() + b"\n").assets
    head = lockfile.load(repo.git("show", "HEAD:assets.lock.toml").encode() + b"\n").assets
    assert {path: asset.size for path, asset in staged.items()} == {
        "data/a.bin": 4000, "data/b.bin": 3000,
    }  # fmt: skip
    assert {path: asset.size for path, asset in head.items()} == {"data/a.bin": 3000}
    assert repo.read("data/a.bin") == large("new", 4000)
    assert repo.status == "M  assets.lock.toml\nM  data/.gitignore"


def test_bits_of_the_index_survive(repo: Repo, tmp_path: Path) -> None:
    repo.write("later", "later\n")
    repo.git("add", "-N", "later")
    repo.git("update-index", "--assume-unchanged", "x")
    repo.git("update-index", "--skip-worktree", "data/.gitignore")
    migrate(repo, tmp_path)
    rows = repo.git("ls-files", "-v").splitlines()
    assert "h x" in rows
    assert "S data/.gitignore" in rows, "update-index alone would clear it"
    assert repo.git("diff", "--name-only") == "later"


def test_a_sparse_checkout_gets_no_file_outside_its_cone(repo: Repo, tmp_path: Path) -> None:
    repo.commit("more", {"other/y": "y\n"})
    repo.git("sparse-checkout", "set", "other")
    assert not (repo.path / "data").exists()
    migrate(repo, tmp_path)
    assert not (repo.path / "data").exists()
    assert (repo.path / "assets.lock.toml").exists()
    assert repo.status == ""


def test_a_deleted_control_file_stays_deleted(repo: Repo, tmp_path: Path) -> None:
    (repo.path / "data/.gitignore").unlink()
    migrate(repo, tmp_path)
    assert not (repo.path / "data/.gitignore").exists()
    # The index has the line, so it is ignored again as soon as the file is back.
    assert repo.status == " D data/.gitignore\n?? data/a.bin"
    repo.git("checkout", "--", "data/.gitignore")
    assert repo.status == ""


def test_an_untracked_lockfile_is_in_the_way(repo: Repo, tmp_path: Path) -> None:
    repo.write("assets.lock.toml", "mine")
    head = repo.git("rev-parse", "HEAD")
    with pytest.raises(HistoryError, match="not tracked"):
        migrate(repo, tmp_path)
    assert repo.git("rev-parse", "HEAD") == head
    assert repo.read("assets.lock.toml") == b"mine"


def test_conflicts_in_an_index_are_in_the_way(repo: Repo, tmp_path: Path) -> None:
    blob = repo.git("rev-parse", "HEAD:x")
    rows = "".join(f"100644 {blob} {stage}\tx\n" for stage in (1, 2, 3))
    repo.git("update-index", "--index-info", data=f"0 {'0' * 40}\tx\n{rows}")
    with pytest.raises(HistoryError, match="conflicts"):
        migrate(repo, tmp_path)


def test_an_operation_in_progress_is_in_the_way(repo: Repo, tmp_path: Path) -> None:
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("side", {"x": "side\n"})
    repo.git("checkout", "-q", "main")
    repo.commit("main", {"x": "main\n"})
    repo.git("merge", "side", check=False)
    with pytest.raises(HistoryError, match="a merge has not ended"):
        migrate(repo, tmp_path)


def test_a_stash_keeps_its_order_dates_and_words(repo: Repo, tmp_path: Path) -> None:
    for number in range(3):
        repo.write("x", f"{number}\n")
        repo.write("untracked", large("u"))
        repo.git("-c", f"user.name=N{number}", "stash", "push", "-q", "-u", "-m", f"entry {number}")
    form = "--format=%gn %ge %gd %gs"
    before = repo.git("stash", "list", "--date=raw", form)
    migrate(repo, tmp_path)
    assert repo.git("stash", "list", "--date=raw", form) == before
    entries = stash.listed(Pipes(repo.path / ".git"))
    assert len(entries) == 3
    repo.git("stash", "pop", "-q")
    assert repo.read("x") == b"2\n"
    assert repo.read("untracked") == large("u"), "untracked files come back as they were"
    assert len(repo.git("stash", "list").splitlines()) == 2


def test_linked_work_trees_move_too(repo: Repo, tmp_path: Path) -> None:
    linked = repo.worktree(tmp_path / "linked")
    branch = tmp_path / "branch"
    repo.git("worktree", "add", "-q", "-b", "topic", str(branch))
    linked.write("x", "dirty\n")
    Repo(branch).write("n", "n\n")
    Repo(branch).git("add", "n")
    migrate(repo, tmp_path)
    assert linked.status == " M x"
    assert Repo(branch).status == "A  n"
    for tree in (linked, Repo(branch)):
        assert tree.git("show", "HEAD:assets.lock.toml")
        assert "data/a.bin" not in tree.git("ls-files").splitlines()
        assert tree.read("data/a.bin") == large("a")


def test_a_bare_repository(repo: Repo, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    repo.git("clone", "-q", "--bare", str(repo.path), str(bare))
    migrating.migrate(bare, None, migrating.above(ABOVE), tmp_path / "cache")
    migrate(repo, tmp_path)
    assert Repo(bare).git("rev-parse", "main") == repo.git("rev-parse", "main")
