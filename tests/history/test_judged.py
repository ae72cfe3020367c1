"""Migrations before the judges: every commit and path, against git and against git-filter-repo."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from history import differential, oracle
from history.oracle import History, Selection, read_map
from hypothesis import HealthCheck, given, settings
from support import histories, lfs_repo, migrating, torture
from support.histories import histories as some_history
from support.odb import Objects

from gitassets import lockfile
from gitassets.history import verify

if TYPE_CHECKING:
    from pathlib import Path

    from support.histories import History as Steps

    from gitassets.history.migration import Outcome
    from gitassets.history.spec import Spec
    from gitassets.lockfile import Lockfile


def mirror(git_dir: Path, place: Path) -> History:
    """Keep a repository as it is: a clone would flatten symbolic refs."""
    shutil.copytree(git_dir, place, symlinks=True)
    subprocess.run(["git", "-C", str(place), "config", "core.bare", "true"], check=True)
    return History(place)


def constant(new: History, commits: list[str]) -> Lockfile:
    """Give what all lockfiles say besides their assets; it must be one and the same."""
    found = set()
    for commit in commits:
        entry = new.entries(commit).get(oracle.LOCKFILE)
        if entry:
            text = new.blob(entry.id)
            parsed = lockfile.load(text)
            assert lockfile.dump(parsed).encode() == text
            found.add(lockfile.dump(parsed.without(parsed.assets)))
    assert len(found) == 1
    return lockfile.load(found.pop().encode())


def judge(old: History, new: History, outcome: Outcome, selection: Selection) -> dict[str, str]:
    assert outcome.run is not None
    mapping = read_map(outcome.run / "commit-map")
    assert mapping.keys() >= set(old.commits())
    oracle.check_history(old, new, mapping, selection)
    return mapping


def twice(git_dir: Path, top: Path | None, spec: Spec, cache: Path) -> None:
    """Migrate again: nothing changes, and no object is written."""
    history = History(git_dir)
    before = history.refs(), history.git("count-objects", "-v")
    assert migrating.migrate(git_dir, top, spec, cache).run is None
    assert (history.refs(), history.git("count-objects", "-v")) == before


@pytest.mark.parametrize(
    ("algorithm", "bare", "replace"),
    [
        ("sha1", False, False),
        ("sha1", True, True),
        ("sha256", False, False),
        ("sha256", True, False),
    ],
)
def test_torture(tmp_path: Path, algorithm: str, bare: bool, replace: bool) -> None:
    repo = torture.make(tmp_path / "t", algorithm=algorithm, bare=bare, replace=replace)
    old = mirror(repo.git_dir, tmp_path / "old")
    selection = Selection.sticking(old, above=torture.ABOVE)
    top = None if bare else repo.path
    spec = migrating.above(torture.ABOVE)
    outcome = migrating.migrate(repo.git_dir, top, spec, tmp_path / "cache")
    new = History(repo.path)
    mapping = judge(old, new, outcome, selection)
    fixed = constant(new, list(mapping.values()))
    odb = Objects(tmp_path / "old", algorithm)
    for commit, target in mapping.items():
        if target != commit:
            wanted = differential.root(old, commit, selection, fixed, odb)
            assert new.id(f"{target}^{{tree}}") == wanted, commit
    twice(repo.git_dir, top, spec, tmp_path / "cache")


def test_lfs(tmp_path: Path) -> None:
    repo = lfs_repo.make(tmp_path / "l")
    old = mirror(repo.path / ".git", tmp_path / "old")
    selection = Selection.sticking(old, lfs=True)
    outcome = migrating.migrate(repo.path / ".git", repo.path, migrating.lfs(), tmp_path / "cache")
    new = History(repo.path)
    mapping = judge(old, new, outcome, selection)
    fixed = constant(new, list(mapping.values()))
    roots = differential.roots(old, tmp_path / "slow", selection, fixed)
    for ref, tree in roots.items():
        assert new.id(f"{ref}^{{tree}}") == tree
    assert b"version https://git-lfs" not in repo.git("grep", "-l", "version https://git-lfs", "main", check=False).encode().replace(
        b"main:fixture.txt", b"")  # fmt: skip


def test_a_large_file_that_went_into_lfs_later(tmp_path: Path) -> None:
    """Chosen by its size alone, it takes its pointers with it: their objects, not their text."""
    repo = lfs_repo.make(tmp_path / "l")
    migrating.migrate(repo.path / ".git", repo.path, migrating.above(2000), tmp_path / "cache")
    new = History(repo.path)
    pins = {new.pins(commit)[b"early.bin"] for commit in new.commits("--not", "--remotes")}
    assert len(pins) == 1
    assert pins.pop().sha256 in repo.contents
    assert b"model.bin" in new.entries("HEAD")
    pipes = migrating.Pipes(repo.path / ".git")
    assert verify.verify(pipes, repo.path / ".git/assets/migrate/runs/1").leaves > 0


@pytest.mark.parametrize("depth", [500, 700])
def test_deep_directories(tmp_path: Path, depth: int) -> None:
    """Deeper than Python calls itself; the second one's path is longer than any asset's may be."""
    path = "a/" * depth + "x.bin"
    large = ("100644", torture.generated("x", 3000))
    history = (histories.Step((), {path: large, "b.bin": large}, "deep\n"),)
    repo = histories.build(tmp_path / "r", history, bare=True)
    outcome = migrating.migrate(repo.path, None, migrating.above(2000), tmp_path / "cache")
    assert outcome.run is not None
    pins = History(repo.path).pins("HEAD")
    assert set(pins) == ({b"b.bin", path.encode()} if depth == 500 else {b"b.bin"})


@given(history=some_history())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_histories(tmp_path_factory: pytest.TempPathFactory, history: Steps) -> None:
    _random(tmp_path_factory.mktemp("random"), history, lfs=False)


@given(history=some_history(lfs=True))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_histories_off_lfs(tmp_path_factory: pytest.TempPathFactory, history: Steps) -> None:
    _random(tmp_path_factory.mktemp("random"), history, lfs=True)


def _random(place: Path, history: Steps, *, lfs: bool) -> None:
    repo = histories.build(place / "r", history, bare=True)
    old = mirror(repo.path, place / "old")
    selection = Selection.sticking(old, above=torture.ABOVE, lfs=lfs)
    spec = migrating.above(torture.ABOVE)
    if lfs:
        spec = migrating.Spec((*migrating.lfs().rules, *spec.rules))
    outcome = migrating.migrate(repo.path, None, spec, place / "cache")
    new = History(repo.path)
    if outcome.run is None:
        assert old.refs() == new.refs()
        assert not any(selection.pins(old, commit) for commit in old.commits())
        return
    mapping = judge(old, new, outcome, selection)
    if any(new.pins(commit) for commit in mapping.values()):
        roots = differential.roots(
            old, place / "slow", selection, constant(new, list(mapping.values()))
        )
        for ref, tree in roots.items():
            assert new.id(f"{ref}^{{tree}}") == tree
    twice(repo.path, None, spec, place / "cache")
