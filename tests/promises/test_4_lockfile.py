"""Promises 4 and 5: killed at any system call the lockfile is old or new, and the next run succeeds."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from support import sweep
from support.judges import leftovers, unverified
from support.repo import pinned
from support.server import content

POINTS = 10
"""Of each verb; the campaign visits every one."""


class Trial:
    """One state of repository and cache that can be had again and again."""

    def __init__(self, repo, tmp_path):
        self.repo, self.tmp_path = repo, tmp_path
        self.cache = Path(os.environ["GIT_ASSETS_CACHE"])
        self.copies = tmp_path / "copies"

    def keep(self):
        shutil.copytree(self.repo.path, self.copies / "repo", symlinks=True)
        if self.cache.exists():
            shutil.copytree(self.cache, self.copies / "cache", symlinks=True)

    def restore(self):
        for place, name in ((self.repo.path, "repo"), (self.cache, "cache")):
            shutil.rmtree(place, ignore_errors=True)
            if (self.copies / name).exists():
                shutil.copytree(self.copies / name, place, symlinks=True)


@pytest.fixture
def trial(repo, tmp_path, monkeypatch):
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    return Trial(repo, tmp_path)


@sweep.needs_strace
@pytest.mark.parametrize("verb", ["add", "set", "remove", "init"])
def test_killed_while_it_writes_the_lockfile(trial, cli, verb, tmp_path):
    repo = trial.repo
    if verb != "init":
        cli("init", cwd=repo.path)
    repo.write("a.bin", b"a" * 1000)
    if verb in {"set", "remove"}:
        cli("add", "a.bin", cwd=repo.path)
    trial.keep()
    words = {
        "add": ["add", "a.bin"], "set": ["set", "a.bin", "--move", "deep/b.bin"],
        "remove": ["remove", "a.bin"], "init": ["init"],
    }[verb]  # fmt: skip
    command = ["git-assets", *words]
    lockfile = repo.path / "assets.lock.toml"
    old = lockfile.read_bytes() if lockfile.exists() else None
    total = sweep.count(command, repo.path, tmp_path / "trace")
    new = lockfile.read_bytes()
    assert old != new
    assert total > 3
    seen = set()
    for number in sweep.points(total, POINTS):
        trial.restore()
        sweep.killed_at(command, repo.path, number)
        now = lockfile.read_bytes() if lockfile.exists() else None
        assert now in {old, new}, number
        seen.add(now)
        assert unverified(repo, trial.cache) == []
        cli(*words, cwd=repo.path, check=0 if now == old else False)
        assert lockfile.read_bytes() == new, number
        left = leftovers(repo, trial.cache)
        # SIGKILL between the making of a temporary file and its rename: that one name, no more.
        assert [name for name in left if "/.git-assets-" not in name] == left[1:], number
    assert old in seen, "killed too late to show anything"


def test_a_writer_in_place_is_seen(trial, tmp_path):
    """Positive control: the same judge over a program that opens and writes."""
    place = trial.repo.write("assets.lock.toml", "old " * 5000)
    old, new = place.read_bytes(), b"new " * 5000
    with place.open("r+b", buffering=0) as file:
        file.write(new[: random.Random(7).randrange(1, len(new))])  # and then it is killed
    assert place.read_bytes() not in {old, new}


@sweep.needs_strace
def test_killed_while_it_pulls(trial, server, cli, tmp_path):
    """Promise 5: nobody cleans up, and the next run brings the rest."""
    repo, size = trial.repo, 400_000
    repo.lock(
        {
            f"d/{at}.bin": pinned(size + at, f"s{at}", server.blob(size + at, f"s{at}"))
            for at in range(4)
        }
    )
    trial.keep()
    command = ["git-assets", "pull"]
    total = sweep.count(command, repo.path, tmp_path / "trace")
    for number in sweep.points(total, POINTS):
        trial.restore()
        sweep.killed_at(command, repo.path, number)
        assert unverified(repo, trial.cache) == [], number
        cli("pull", cwd=repo.path)
        assert all(
            repo.read(f"d/{at}.bin") == content(f"s{at}", 0, size + at) for at in range(4)
        ), number
        assert cli("status", "--exit-code", cwd=repo.path).stdout, number
        left = leftovers(repo, trial.cache)
        assert [name for name in left if "/.git-assets-" not in name] == left[1:], number
