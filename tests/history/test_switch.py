"""The moment of the switch: killed anywhere, a repository is old, or new after the next command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import migrating
from support.repo import Repo

from gitassets.errors import HistoryError
from gitassets.gitpipes import Pipes
from gitassets.history import refs, switch
from gitassets.history.refs import Update
from gitassets.history.switch import Switch

ABOVE = 1000
CHECKOUT = Path(__file__).resolve().parents[2]


def large(seed: str, size: int = 3000) -> bytes:
    return (seed.encode() * size)[:size]


@pytest.fixture
def busy(tmp_path: Path) -> Repo:
    """A repository in which everything moves: refs, stash, two indexes, files on disk."""
    repo = Repo.init(tmp_path / "busy")
    repo.commit("one", {"data/a.bin": large("a"), "x": "x\n"})
    for name in ("b1", "b2", "b3"):
        repo.git("branch", name)
    repo.git("tag", "-a", "v1", "-m", "one")
    repo.commit("two", {"data/b.bin": large("b"), "y": "y\n"})
    repo.worktree(tmp_path / "linked", "v1")
    for text in ("first", "second"):
        repo.write("x", text)
        repo.git("stash", "push", "-q", "-m", text)
    repo.write("x", "dirty\n")
    repo.write("new", "staged\n")
    repo.git("add", "new")
    return repo


def state(repo: Repo) -> dict[str, str]:
    linked = Repo(repo.path.parent / "linked")
    return {
        "refs": repo.git("for-each-ref", "--format=%(objectname) %(refname)"),
        "stash": repo.git("stash", "list", "--format=%H %gs"),
        "index": repo.git("ls-files", "-s", "-t"),
        "linked": linked.git("rev-parse", "HEAD") + linked.git("ls-files", "-s"),
        "status": repo.status + linked.status,
        "files": "".join(
            f"{path.relative_to(top)} {path.read_bytes()!r}\n"
            for top in (repo.path, linked.path)
            for path in sorted(top.rglob("*"))
            if path.is_file() and ".git" not in path.relative_to(top).parts
        ),
    }


def migrated(repo: Repo, cache: Path) -> dict[str, str]:
    migrating.migrate(repo.path / ".git", repo.path, migrating.above(ABOVE), cache)
    return state(repo)


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support import migrating
top = Path(sys.argv[2])
migrating.migrate(top / ".git", top, migrating.above(int(sys.argv[4])), Path(sys.argv[3]))
"""


def copy_of(repo: Repo, place: Path) -> Repo:
    """Copy a repository with its linked work tree, which names it by an absolute path."""
    place.mkdir()
    shutil.copytree(repo.path, place / "busy", symlinks=True)
    shutil.copytree(repo.path.parent / "linked", place / "linked", symlinks=True)
    inner = place / "busy/.git/worktrees/linked"
    (inner / "gitdir").write_text(f"{place}/linked/.git\n")
    (place / "linked/.git").write_text(f"gitdir: {inner}\n")
    return Repo(place / "busy")


@pytest.mark.skipif(not shutil.which("strace"), reason="strace kills at a system call")
def test_killed_at_system_calls_it_is_old_or_new(busy: Repo, tmp_path: Path) -> None:
    whole = migrated(copy_of(busy, tmp_path / "whole"), tmp_path / "c")
    before = state(busy)
    outcomes = set()
    number = 1
    while True:
        copy = copy_of(busy, tmp_path / f"n{number}")
        code = killed_at(number, copy, tmp_path / "c")
        if code == 0:
            break
        journal = copy.path / ".git/assets/migrate"
        if switch.pending(journal):
            with migrating.migration.exclusive(journal):
                assert switch.resume(Pipes(copy.path / ".git"), journal) == []
        now = state(copy)
        assert now in (before, whole), f"killed at call {number}: neither old nor new"
        outcomes.add("new" if now == whole else "old")
        assert not list((copy.path / ".git").rglob("*.lock")), f"a lock is left by {number}"
        copy.git("fsck", "--strict")
        # And nobody has to clean up: the same command does what is left to do.
        assert migrated(copy, tmp_path / "c") == whole
        shutil.rmtree(copy.path.parent)
        number += 13
    assert outcomes == {"old", "new"}, "the control: both kinds of end were met"


def killed_at(number: int, repo: Repo, cache: Path) -> int:
    calls = "rename,renameat,renameat2,link,linkat,unlink,unlinkat,fsync,mkdir,mkdirat"
    argv = [
        "strace", "-qq", "-o", os.devnull, "-e", f"trace={calls}",
        "-e", f"inject={calls}:signal=KILL:when={number}",
        sys.executable, "-c", SCRIPT, str(CHECKOUT / "tests"),
        str(repo.path), str(cache), str(ABOVE),
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(argv, env=env, capture_output=True, check=False).returncode


def test_a_ref_transaction_killed_in_its_middle_is_finished(busy: Repo) -> None:
    pipes = Pipes(busy.path / ".git")
    journal = busy.path / ".git/assets/migrate"
    journal.mkdir(parents=True)
    new = bytes.fromhex(busy.git("commit-tree", "HEAD^{tree}", "-m", "new"))
    old = {ref.name: ref.id for ref in refs.listed(pipes)}
    names = [f"refs/heads/{name}" for name in ("b1", "b2", "b3")]
    todo = Switch([Update(name, old[name], new) for name in names])
    switch._write(journal, todo, ready=True)
    # What SIGKILL leaves: one ref moved, locks with the new id at the others.
    busy.git("update-ref", names[0], new.hex())
    for name in names[1:]:
        (busy.path / ".git" / f"{name}.lock").write_text(f"{new.hex()}\n")
    with pytest.raises(AssertionError):  # the control: git alone cannot go on
        busy.git("update-ref", names[1], new.hex())
    assert switch.resume(pipes, journal) == []
    assert {busy.git("rev-parse", name) for name in names} == {new.hex()}
    assert not switch.pending(journal)
    assert switch.resume(pipes, journal) is None


def test_a_foreign_lock_and_a_foreign_value_stay(busy: Repo) -> None:
    pipes = Pipes(busy.path / ".git")
    journal = busy.path / ".git/assets/migrate"
    journal.mkdir(parents=True)
    new = bytes.fromhex(busy.git("commit-tree", "HEAD^{tree}", "-m", "new"))
    other = busy.git("commit-tree", "HEAD^{tree}", "-m", "other")
    old = bytes.fromhex(busy.git("rev-parse", "b1"))
    todo = Switch([Update("refs/heads/b1", old, new), Update("refs/heads/b2", old, new)])
    switch._write(journal, todo, ready=True)
    busy.git("update-ref", "refs/heads/b1", other)
    assert switch.resume(pipes, journal) == ["refs/heads/b1"]
    assert busy.git("rev-parse", "b1") == other
    assert busy.git("rev-parse", "b2") == new.hex()


def test_a_ref_that_moves_meanwhile_stops_everything(busy: Repo, tmp_path: Path) -> None:
    before = state(busy)
    todo = migrating.job(busy.path / ".git", busy.path, migrating.above(ABOVE))
    store = migrating.Store.open(tmp_path / "c", fsync=False)

    def meddle(_: object) -> None:
        busy.git("update-ref", "refs/heads/b1", busy.git("rev-parse", "HEAD"))

    todo.keep_elsewhere = meddle
    with store, migrating.migration.exclusive(todo.state), pytest.raises(HistoryError, match="ref"):
        migrating.migration.migrate(todo, store, lambda _: {})
    busy.git("update-ref", "refs/heads/b1", "refs/heads/b2")
    assert state(busy) == before
    assert not list((busy.path / ".git").rglob("*.lock"))
    assert not list((busy.path / ".git/objects/pack").glob("*")), "no pack is left"


def test_an_index_in_use_stops_everything(busy: Repo, tmp_path: Path) -> None:
    before = state(busy)
    todo = migrating.job(busy.path / ".git", busy.path, migrating.above(ABOVE))
    lock = busy.path / ".git/worktrees/linked/index.lock"
    todo.keep_elsewhere = lambda _: lock.touch()
    with (
        migrating.Store.open(tmp_path / "c", fsync=False) as store,
        migrating.migration.exclusive(todo.state),
        pytest.raises(HistoryError, match="index"),
    ):
        migrating.migration.migrate(todo, store, lambda _: {})
    assert lock.exists(), "somebody else's lock stays"
    lock.unlink()
    assert state(busy) == before
    assert not (busy.path / ".git/index.lock").exists()


def test_two_at_once_are_refused(busy: Repo) -> None:
    journal = busy.path / ".git/assets/migrate"
    with (
        migrating.migration.exclusive(journal),
        pytest.raises(HistoryError, match="another"),
        migrating.migration.exclusive(journal),
    ):
        pass
