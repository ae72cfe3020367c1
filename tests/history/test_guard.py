"""Old history is not pushed again, by real pushes; what else the hook did, it still does."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from support.repo import Repo

from gitassets.gitpipes import Pipes
from gitassets.history import guard

if TYPE_CHECKING:
    from pathlib import Path


class Two:
    """A clone whose `main` was rewritten, `old` being the old history, and its remote."""

    def __init__(self, path: Path) -> None:
        self.repo = Repo.init(path / "r")
        self.repo.git("init", "-q", "--bare", str(path / "remote"))
        self.repo.git("remote", "add", "origin", str(path / "remote"))
        first = self.repo.commit("first", {"big": "x"})
        self.old = self.repo.commit("second", {"a": "1"})
        self.repo.git("branch", "old")
        self.repo.git("switch", "-q", "--orphan", "new")
        self.repo.commit("first, rewritten", {"assets.lock.toml": "x"})
        self.repo.git("branch", "-M", "new", "main")
        self.record = f".git/{guard.FIRST_CHANGED}".replace("*", "{}")
        self.repo.write(self.record.format(1), f"{first}\n{'0' * 40}\n")
        self.repo.write(self.record.format(2), f"{'1' * 40}\n")
        self.first = first
        self.hook = self.repo.path / ".git/hooks/pre-push"

    def install(self) -> str | None:
        return guard.install(Pipes(self.repo.path / ".git"), self.repo.path)

    def uninstall(self) -> None:
        guard.uninstall(Pipes(self.repo.path / ".git"), self.repo.path)

    def push(self, *refs: str) -> tuple[int, str]:
        done = subprocess.run(
            ["git", "push", "-q", "origin", *refs],
            cwd=self.repo.path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two(tmp_path)


def test_without_the_guard_it_comes_back(two: Two) -> None:
    assert two.push("main", "old")[0] == 0


def test_only_old_history_is_refused(two: Two) -> None:
    assert two.install() is None
    assert two.push("main") == (0, "")
    code, said = two.push("old")
    assert code == 1
    assert "history from before the migration" in said
    assert "hint: run 'git assets migrate adopt origin'" in said
    assert two.push("main:refs/heads/also")[0] == 0
    assert two.push("main:refs/heads/more", f"{two.old}:refs/tags/t")[0] == 1
    assert two.push("--delete", "also")[0] == 0


def test_a_merge_of_both_is_refused(two: Two) -> None:
    two.install()
    two.repo.git("merge", "-q", "--allow-unrelated-histories", "-m", "both", "old")
    assert two.push("main")[0] == 1


def test_replacement_does_not_hide_it(two: Two) -> None:
    two.install()
    two.repo.git("replace", two.old, "main")
    assert two.push("old")[0] == 1


def test_works_from_a_linked_worktree(two: Two, tmp_path: Path) -> None:
    two.install()
    other = two.repo.worktree(tmp_path / "w", "old")
    done = subprocess.run(
        ["git", "push", "-q", "origin", "HEAD:refs/heads/x"],
        cwd=other.path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1


def test_nothing_recorded_refuses_nothing(two: Two) -> None:
    two.install()
    (two.repo.path / two.record.format(1)).unlink()
    (two.repo.path / two.record.format(2)).unlink()
    assert two.push("old")[0] == 0


@pytest.mark.parametrize("shell", ["#!/bin/sh", "#!/usr/bin/env bash", "#!/bin/bash -e"])
def test_the_hook_that_was_there_still_runs(two: Two, shell: str) -> None:
    text = f'{shell}\ncat >>"$(dirname "$0")/seen"\necho "$1" >>"$(dirname "$0")/seen"\nexit 0'
    two.hook.write_text(text)
    two.hook.chmod(0o755)
    assert two.install() is None
    assert two.push("main")[0] == 0
    head = two.repo.git("rev-parse", "main")
    seen = two.hook.with_name("seen")
    assert seen.read_text() == f"refs/heads/main {head} refs/heads/main {'0' * 40}\norigin\n"
    seen.unlink()
    assert two.push("main")[0] == 0  # nothing to push: git gives an empty list
    assert seen.read_text() == "origin\n"
    once = two.hook.read_text()
    assert two.install() is None
    assert two.hook.read_text() == once
    two.uninstall()
    assert two.hook.read_text() == text
    assert os.access(two.hook, os.X_OK)


def test_uninstall_leaves_nothing(two: Two) -> None:
    before = sorted(two.hook.parent.iterdir())
    two.uninstall()
    two.install()
    assert two.hook in two.hook.parent.iterdir()
    two.uninstall()
    assert sorted(two.hook.parent.iterdir()) == before


def test_what_is_no_shell_script_is_left(two: Two) -> None:
    two.hook.write_text("#!/usr/bin/python3\nprint()\n")
    said = two.install()
    assert said is not None
    assert "is no shell script" in said
    assert two.hook.read_text() == "#!/usr/bin/python3\nprint()\n"
    two.hook.unlink()
    two.hook.symlink_to("elsewhere")
    assert "not a regular file" in str(two.install())
    two.hook.unlink()
    two.repo.git("config", "core.hooksPath", ".husky")
    assert "not this clone's own" in str(two.install())
    assert not (two.repo.path / ".husky").exists()


def test_a_missing_hooks_directory_is_made(two: Two) -> None:
    shutil.rmtree(two.hook.parent)
    two.uninstall()
    assert two.install() is None
    assert two.push("old")[0] == 1


def test_ci(two: Two) -> None:
    text = guard.ci([two.first, "f" * 40])
    run = ["sh", "-e", "-c", text]
    two.repo.git("checkout", "-q", "main")
    assert subprocess.run(run, cwd=two.repo.path, check=False).returncode == 0
    two.repo.git("checkout", "-q", "old")
    done = subprocess.run(run, cwd=two.repo.path, check=False, capture_output=True)
    assert done.returncode == 1
    assert b"migrate adopt origin" in done.stderr
