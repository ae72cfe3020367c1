"""Killed at any system call: nothing happened, or all of it did, or the next command completes it.

The whole command dies, children included, as when a machine stops. After each death the same
command is started once more, and nobody cleans up. A bounded number of points, spread evenly;
KILL_POINTS asks for more.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from history.test_undo import everything
from support import killing, lfs_repo, torture
from support.repo import Repo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Cli

POINTS = int(os.environ.get("KILL_POINTS", "6"))
MIGRATE = ("migrate", "--lfs", "--above", "2000", "--yes")

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace kills at a system call")


class Stage:
    """A directory with a repository and its remote, which can be set back to a saved state."""

    def __init__(self, path: Path, cli: Cli) -> None:
        self.work = path / "work"
        self.work.mkdir()
        self._cli = cli
        self._saved = path / "saved"
        origin = lfs_repo.make(self.work / "origin")
        origin.git("stash", "push", "-q")  # what the filter would make of the odd file
        origin.git("stash", "drop", "-q")
        origin.git("clone", "-q", "--bare", ".", str(self.work / "remote"))
        origin.git("remote", "add", "origin", str(self.work / "remote"))
        origin.git("fetch", "-q")
        origin.git("branch", "more", "HEAD~2")
        origin.write("README", "stashed\n")
        origin.git("stash", "push", "-q", "-m", "kept")
        origin.worktree(self.work / "linked", "HEAD~1")
        origin.git("notes", "add", "-m", "a note")
        origin.write("README", "dirty\n")
        self.repo: Repo = origin

    def save(self) -> None:
        shutil.rmtree(self._saved, ignore_errors=True)
        shutil.copytree(self.work, self._saved, symlinks=True)

    def reset(self) -> None:
        shutil.rmtree(self.work)
        shutil.copytree(self._saved, self.work, symlinks=True)

    def again(self, *arguments: str, unless: str | None = None) -> None:
        done = self._cli(*arguments, cwd=self.repo.path, check=False)
        assert done.code == 0 or (unless and unless in done.stderr), done.stderr

    def state(self) -> dict[str, object]:
        return everything(self.repo)

    def no_rest(self) -> None:
        """Nothing half-made is left."""
        git_dir = self.repo.path / ".git"
        state = git_dir / "assets/migrate"
        assert not list(git_dir.rglob("*.lock"))
        left = {path.name for path in state.iterdir()} if state.exists() else set()
        assert left <= {"lock", "runs"}
        assert all(path.name.isdecimal() for path in state.glob("runs/*"))
        assert not list((git_dir / "objects/pack").glob("*.keep"))
        self.repo.git("fsck", "--connectivity-only")


@pytest.fixture
def stage(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Stage:
    # There is no LFS server: a linked work tree has pointers.
    monkeypatch.setenv("GIT_LFS_SKIP_SMUDGE", "1")
    return Stage(tmp_path, cli)


def numbers(dies: Callable[[int], bool], reset: Callable[[], None]) -> list[int]:
    """Find how many calls there are, by doubling and halving, and spread POINTS over them."""
    low, high = 1, 64
    while dies(high):
        low, high = high, high * 2
        reset()
    reset()
    while high - low > max(4, low // 8):
        middle = (low + high) // 2
        if dies(middle):
            low = middle
        else:
            high = middle
        reset()
    step = max(1, low // POINTS)
    return list(range(1 + step // 2, low + 1, step))[-POINTS:]


def sweep(stage: Stage, dies: Callable[[int], bool], judge: Callable[[int], None]) -> None:
    stage.save()
    points = numbers(dies, stage.reset)
    assert len(points) >= min(POINTS, 3)
    for number in points:
        stage.reset()
        assert dies(number), number
        judge(number)


def test_migrate(stage: Stage) -> None:
    stage.save()
    before = stage.state()
    stage.again(*MIGRATE)
    whole = stage.state()
    stage.reset()
    ends = set()

    def judge(number: int) -> None:
        now = stage.state()
        ends.add("old" if now == before else "new" if now == whole else "between")
        stage.again(*MIGRATE)
        assert stage.state() == whole, number
        stage.no_rest()
        assert len(list(stage.repo.path.glob(".git/assets/migrate/runs/*"))) == 1

    sweep(stage, lambda number: killing.killed(MIGRATE, stage.repo.path, number), judge)
    assert "old" in ends


def test_the_ref_transaction(stage: Stage, tmp_path: Path) -> None:
    stage.save()
    before = stage.state()
    stage.again(*MIGRATE)
    whole = stage.state()
    stage.reset()
    ends = set()

    def dies(number: int) -> bool:
        return killing.killed_in_transaction(MIGRATE, stage.repo.path, number, tmp_path / "bin")

    def judge(number: int) -> None:
        refs = stage.state()["refs"]
        ends.add("old" if refs == before["refs"] else "new" if refs == whole["refs"] else "between")
        stage.again(*MIGRATE)
        assert stage.state() == whole, number
        stage.no_rest()

    sweep(stage, dies, judge)
    assert "between" in ends, "the control: a transaction of git's is not whole against SIGKILL"


def test_undo(stage: Stage) -> None:
    before = stage.state()
    stage.again(*MIGRATE)

    def judge(number: int) -> None:
        stage.again("migrate", "undo", unless="no migration here that could be undone")
        now = stage.state()
        assert {key for key in before if now[key] != before[key]} == set(), number
        stage.no_rest()
        assert not list(stage.repo.path.glob(".git/assets/migrate/runs/*"))

    sweep(stage, lambda number: killing.killed(("migrate", "undo"), stage.repo.path, number), judge)


def test_adopt(stage: Stage, cli: Cli) -> None:
    maintainer = stage.repo
    stage.repo = Repo(stage.work / "stale")
    maintainer.git("clone", "-q", str(stage.work / "remote"), str(stage.repo.path))
    stage.repo.commit("mine", {"mine.bin": torture.generated("mine", 2500)})
    stage.repo.worktree(stage.work / "beside", "origin/main")
    cli(*MIGRATE, "--push", cwd=maintainer.path)
    stage.save()
    adopt = ("migrate", "adopt", "origin")
    stage.again(*adopt)
    whole = stage.state()
    assert stage.repo.git("rev-parse", "main~") == maintainer.git("rev-parse", "main")
    stage.reset()

    def judge(number: int) -> None:
        stage.again(*adopt)
        now = stage.state()
        assert {key for key in whole if now[key] != whole[key]} == set(), number
        stage.no_rest()

    sweep(stage, lambda number: killing.killed(adopt, stage.repo.path, number), judge)


def test_finalize(stage: Stage, cli: Cli) -> None:
    old = stage.repo.git("rev-parse", "HEAD~1")
    cli(*MIGRATE, "--push", cwd=stage.repo.path)
    whole = stage.state()
    finalize = ("migrate", "finalize", "--yes")

    def judge(number: int) -> None:
        assert stage.state() == whole
        stage.again(*finalize)
        assert stage.state() == whole, number
        stage.no_rest()
        assert not stage.repo.git("cat-file", "-t", old, check=False)

    sweep(stage, lambda number: killing.killed(finalize, stage.repo.path, number), judge)


def test_any_next_command_finishes_it(stage: Stage, cli: Cli, tmp_path: Path) -> None:
    """Half of the refs are new when the process dies; `status` brings the others along."""
    assert killing.killed_in_transaction(MIGRATE, stage.repo.path, 6, tmp_path / "bin")
    assert "interrupted migration was finished" in cli("status", cwd=stage.repo.path).stderr
    assert "interrupted" not in cli("status", cwd=stage.repo.path).stderr
    assert "as they should be" in cli("migrate", "verify", cwd=stage.repo.path).stdout
    stage.no_rest()
