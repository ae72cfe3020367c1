"""Undo gives back every ref, HEAD, stash entry, note, index, hook and setting, and loses nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from history.oracle import History
from support import lfs_repo, migrating, torture

from gitassets.errors import HistoryError
from gitassets.gitpipes import Pipes
from gitassets.history import guard, lfs_leftovers, migration, undo

if TYPE_CHECKING:
    from support.repo import Repo

SPEC = migrating.above(torture.ABOVE)


def worktrees(repo: Repo) -> list[Path]:
    rows = repo.git("worktree", "list", "--porcelain").split("\n")
    found = [Path(row[9:]) for row in rows if row.startswith("worktree ")]
    return [path for path in found if path.exists()]


def files(top: Path) -> dict[str, tuple[bytes | str, int]]:
    """Every file of a work tree: bytes and mode, or a symlink's target."""
    found: dict[str, tuple[bytes | str, int]] = {}
    for directory, names, leaves in os.walk(top):
        if ".git" in names:
            names.remove(".git")
        for name in leaves:
            path = Path(directory, name)
            said = os.readlink(path) if path.is_symlink() else path.read_bytes()
            found[os.path.relpath(path, top)] = (said, path.lstat().st_mode)
    return found


def everything(repo: Repo) -> dict[str, object]:
    """All that a user could miss."""
    history = History(repo.path)
    git_dir = repo.path / ".git" if (repo.path / ".git").exists() else repo.path
    seen: dict[str, object] = {
        "refs": history.refs(),
        "symrefs": history.symrefs(),
        "stash": repo.git(
            "stash", "list", "--format=%H %gd %gn %ge %gs", "--date=raw", check=False
        ),
        "notes": {
            ref: history.git("notes", "--ref", ref, "list")
            for ref in history.refs()
            if "notes/" in ref
        },
        "config": (git_dir / "config").read_bytes(),
        "hooks": {
            path.name: (path.read_bytes(), path.stat().st_mode)
            for path in (git_dir / "hooks").iterdir()
        },
    }
    for top in [] if git_dir == repo.path else worktrees(repo):
        here = History(top)
        seen[f"{top} HEAD"] = here.git("symbolic-ref", "-q", "HEAD", check=False) or here.id("HEAD")
        seen[f"{top} index"] = here.git("ls-files", "--stage", "-z")
        seen[f"{top} status"] = here.git("status", "--porcelain", "-z")
        seen[f"{top} files"] = files(top)
    return seen


def take_back(repo: Repo, git_dir: Path, top: Path | None) -> undo.Plan:
    job = migrating.job(git_dir, top, SPEC)
    with migration.exclusive(job.state):
        todo = undo.plan(job.pipes, job.state, top)
        assert undo.undo(job.pipes, job.state, top, todo) == []
    assert not list((job.state / "runs").iterdir())
    assert not list(job.state.glob("index-*"))
    return todo


@pytest.mark.parametrize("disturbed", [False, True])
def test_torture(tmp_path: Path, disturbed: bool) -> None:
    repo = torture.make(tmp_path / "t")
    if disturbed:
        torture.disturb(repo)
    before = everything(repo)
    migrating.migrate(repo.git_dir, repo.path, SPEC, tmp_path / "cache")
    assert everything(repo)["refs"] != before["refs"]
    take_back(repo, repo.git_dir, repo.path)
    after = everything(repo)
    assert {key for key in before if after[key] != before[key]} == set()


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_bare(tmp_path: Path, algorithm: str) -> None:
    repo = torture.make(tmp_path / "t", algorithm=algorithm, bare=True)
    before = everything(repo)
    migrating.migrate(repo.path, None, SPEC, tmp_path / "cache")
    take_back(repo, repo.path, None)
    assert everything(repo) == before


def test_lfs(tmp_path: Path) -> None:
    """Hooks and settings come back with their bytes; the guard goes."""
    repo = lfs_repo.make(tmp_path / "l")
    git_dir = repo.path / ".git"
    pipes = Pipes(git_dir)
    before = everything(repo)
    migrating.migrate(git_dir, repo.path, migrating.lfs(), tmp_path / "cache")
    lfs_leftovers.remove(pipes, lfs_leftovers.find(pipes, repo.path))
    guard.install(pipes, repo.path)
    assert everything(repo)["config"] != before["config"]
    assert not repo.git("lfs", "ls-files")
    take_back(repo, git_dir, repo.path)
    after = everything(repo)
    assert {key for key in before if after[key] != before[key]} == set()
    assert not lfs_leftovers.find(pipes, repo.path).left


def test_what_others_changed_stays(tmp_path: Path) -> None:
    repo = lfs_repo.make(tmp_path / "l")
    git_dir = repo.path / ".git"
    pipes = Pipes(git_dir)
    repo.git("config", "lfs.x.y", "1")
    migrating.migrate(git_dir, repo.path, migrating.lfs(), tmp_path / "cache")
    lfs_leftovers.remove(pipes, lfs_leftovers.find(pipes, repo.path))
    repo.git("config", "user.nickname", "mine")
    repo.write(".git/hooks/post-merge", "#!/bin/sh\nnew\n")
    job = migrating.job(git_dir, repo.path, SPEC)
    todo = undo.plan(pipes, job.state, repo.path)
    assert undo.undo(pipes, job.state, repo.path, todo) == ["post-merge"]
    assert repo.git("config", "user.nickname") == "mine"
    assert repo.git("config", "lfs.x.y") == "1"
    assert repo.git("config", "filter.lfs.required") == "true"
    assert repo.read(".git/hooks/post-merge") == b"#!/bin/sh\nnew\n"
    assert b"git lfs" in repo.read(".git/hooks/post-commit")


@pytest.fixture
def migrated(repo: Repo, tmp_path: Path) -> Repo:
    """A little repository that was just migrated, its `old` tag being one with the old history."""
    repo.commit("small", {"README": "one\n", ".gitignore": "*.o\n"})
    repo.commit("big", {"big.bin": torture.generated("1", 5000)})
    repo.commit("bigger", {"big.bin": torture.generated("2", 5000)})
    repo.git("branch", "side", "HEAD~")
    shutil.copytree(repo.path, tmp_path / "before")
    migrating.migrate(repo.path / ".git", repo.path, SPEC, tmp_path / "cache")
    return repo


def refused(repo: Repo) -> HistoryError:
    job = migrating.job(repo.path / ".git", repo.path, SPEC)
    before = everything(repo)
    with pytest.raises(HistoryError) as caught:
        undo.plan(job.pipes, job.state, repo.path)
    assert everything(repo) == before
    return caught.value


def test_new_commits_are_carried_over_first(migrated: Repo) -> None:
    tip = migrated.git("rev-parse", "main")
    migrated.commit("new work", {"new.txt": "new\n"})
    error = refused(migrated)
    assert f"{tip}..main" in str(error)
    assert error.hint is not None
    migrated.git(*error.hint.split()[1:])
    take_back(migrated, migrated.path / ".git", migrated.path)
    assert migrated.git("log", "--format=%s", "main").split("\n")[:3] == [
        "new work",
        "bigger",
        "big",
    ]
    assert migrated.git("ls-tree", "--name-only", "main").split() == [
        ".gitignore", "README", "big.bin", "new.txt",
    ]  # fmt: skip
    assert migrated.status == ""


def test_new_branches_and_notes(migrated: Repo) -> None:
    migrated.git("branch", "fresh", "main~")
    migrated.git("tag", "fresh-tag", "main")
    migrated.git("switch", "-q", "side")
    migrated.write("big.bin", torture.generated("1", 5000))
    take_back(migrated, migrated.path / ".git", migrated.path)
    old = Path(migrated.path.parent / "before")
    for mine, theirs in (("fresh", "main~"), ("fresh-tag", "main"), ("HEAD", "side")):
        assert migrated.git("rev-parse", mine) == type(migrated)(old).git("rev-parse", theirs)
    assert migrated.status == ""


def test_a_new_branch_with_new_work_is_refused(migrated: Repo) -> None:
    migrated.git("switch", "-q", "-c", "fresh", "side")
    migrated.commit("new work", {"new.txt": "new\n"})
    assert "'fresh' has commits" in str(refused(migrated))
    migrated.git("checkout", "-q", "--detach")
    migrated.git("branch", "-D", "fresh")
    assert "'HEAD' has commits" in str(refused(migrated))


def test_what_was_edited_and_staged_since_stays(migrated: Repo) -> None:
    migrated.write("README", "staged\n")
    migrated.write(".gitignore", "*.o\n*.p\n" + migrated.read(".gitignore").decode()[4:])
    migrated.git("add", "README")
    migrated.write("README", "dirty\n")
    take_back(migrated, migrated.path / ".git", migrated.path)
    assert migrated.git("show", ":README") == "staged"
    assert migrated.read("README") == b"dirty\n"
    assert migrated.read(".gitignore") == b"*.o\n*.p\n"
    assert migrated.status == " M .gitignore\nMM README"


def test_an_edited_lockfile_is_new_work(migrated: Repo) -> None:
    text = migrated.read("assets.lock.toml").decode()
    migrated.write("assets.lock.toml", text + "# mine\n")
    error = refused(migrated)
    assert "edits of 'assets.lock.toml' cannot be carried over" in str(error)
    migrated.git("add", "assets.lock.toml")


def test_deleted_refs_and_stash_entries_come_back(migrated: Repo) -> None:
    migrated.write("README", "stashed\n")
    migrated.git("stash", "push", "-q", "-m", "newer")
    migrated.git("branch", "-q", "-D", "side")
    take_back(migrated, migrated.path / ".git", migrated.path)
    assert migrated.git("rev-parse", "side") == migrated.git("rev-parse", "main~")
    assert migrated.git("stash", "list") == "stash@{0}: On main: newer"
    migrated.git("stash", "pop", "-q")
    assert migrated.read("README") == b"stashed\n"


def test_twice_migrated_twice_undone(migrated: Repo, tmp_path: Path) -> None:
    first = everything(migrated)
    migrating.migrate(migrated.path / ".git", migrated.path, migrating.above(3), tmp_path / "cache")
    job = migrating.job(migrated.path / ".git", migrated.path, SPEC)
    todo = undo.plan(job.pipes, job.state, migrated.path)
    assert undo.undo(job.pipes, job.state, migrated.path, todo) == []
    assert everything(migrated) == first
    take_back(migrated, migrated.path / ".git", migrated.path)
    with pytest.raises(HistoryError, match="no migration"):
        undo.plan(job.pipes, job.state, migrated.path)


def test_a_killed_undo_is_completed(migrated: Repo) -> None:
    job = migrating.job(migrated.path / ".git", migrated.path, SPEC)
    assert undo.complete(job.pipes, job.state, migrated.path) is None
    run = job.state / "runs/1"
    (run / "undoing").touch()
    assert undo.complete(job.pipes, job.state, migrated.path) is None
    assert not (run / "undoing").exists()
    todo = undo.plan(job.pipes, job.state, migrated.path)
    (run / "undoing").touch()
    undo.switch.perform(job.pipes, job.state, todo.switch)
    assert undo.complete(job.pipes, job.state, migrated.path) == []
    assert not run.exists()
