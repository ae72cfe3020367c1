"""The end: the space is free, nothing else is gone, and what holds old objects is named."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from history.oracle import History
from support import migrating, torture
from support.repo import Repo

from gitassets.errors import HistoryError
from gitassets.gitpipes import Pipes
from gitassets.history import finalize, switch

if TYPE_CHECKING:
    from pathlib import Path

    from gitassets.history.finalize import Outcome

SPEC = migrating.above(torture.ABOVE)


class Migrated:
    """A clone that was migrated, with its remote."""

    def __init__(self, path: Path) -> None:
        self.remote = path / "remote"
        self.repo = Repo.init(path / "r")
        self.repo.git("init", "-q", "--bare", str(self.remote))
        self.repo.git("remote", "add", "origin", str(self.remote))
        self.old: list[str] = []
        self.repo.commit("small", {"README": "one\n"})
        for version in range(3):
            data = torture.generated(f"v{version}", 200_000)
            self.old.append(self.repo.commit(f"v{version}", {"big.bin": data}))
        self.repo.git("push", "-q", "origin", "main")
        self.git_dir = self.repo.path / ".git"
        self.state = self.git_dir / "assets/migrate"
        self.outcome = migrating.migrate(self.git_dir, self.repo.path, SPEC, path / "cache")

    def push(self) -> None:
        self.repo.git("push", "-q", "--force", "origin", "main")

    def finalize(self) -> Outcome:
        return finalize.run(Pipes(self.git_dir), self.state, self.repo.path)

    def has(self, name: str) -> bool:
        return bool(self.repo.git("cat-file", "-t", name, check=False))


@pytest.fixture
def clone(tmp_path: Path) -> Migrated:
    return Migrated(tmp_path)


def test_space_is_freed(clone: Migrated) -> None:
    clone.push()
    commits = clone.repo.git("rev-list", "main")
    outcome = clone.finalize()
    assert outcome.before.bytes > 600_000
    assert outcome.after.bytes < 30_000
    assert outcome.holders == []
    assert not any(clone.has(name) for name in clone.old)
    assert clone.repo.git("rev-list", "main") == commits
    assert clone.repo.git("fsck", "--strict") == ""
    assert clone.repo.read("big.bin") == torture.generated("v2", 200_000)
    assert clone.repo.status == ""
    assert sorted(path.name for path in (clone.state / "runs/1").iterdir()) == [
        "commit-map", "first-changed", "ref-map", "summary.json",
    ]  # fmt: skip
    assert clone.finalize().after == outcome.after


def test_what_holds_old_objects_is_named(clone: Migrated) -> None:
    assert clone.outcome.run is not None
    planned = finalize.plan(Pipes(clone.git_dir), clone.state, clone.repo.path)
    assert [row.hint for row in planned.holders if "backup" in row.text] == [
        "git assets migrate finalize"
    ]
    assert clone.has(clone.old[0])
    found = {row.text: row.hint for row in clone.finalize().holders}
    assert found == {
        "'refs/remotes/origin/main' is still the old history": "git fetch --prune origin"
    }
    assert clone.has(clone.old[0])
    clone.push()
    assert clone.finalize().holders == []
    assert not clone.has(clone.old[0])


def test_every_kind_of_holder(clone: Migrated, tmp_path: Path) -> None:
    clone.push()
    clone.repo.git("tag", "kept", clone.old[-1])
    clone.repo.git("update-ref", "refs/original/x", clone.old[0])
    blob = clone.repo.git("rev-parse", f"{clone.old[0]}:big.bin")
    clone.repo.git("tag", "a-blob", blob)
    clone.repo.worktree(tmp_path / "w", clone.old[1])
    clone.repo.git("update-ref", "ORIG_HEAD", clone.old[2])
    pack = clone.git_dir / "objects/pack"
    (pack / "pack-x.keep").touch()
    (clone.git_dir / "objects/info/alternates").write_text(f"{clone.remote}/objects\n")
    texts = [row.text for row in clone.finalize().holders]
    for words in (
        "'refs/tags/kept' reaches", "'refs/original/x' reaches", "'refs/tags/a-blob' names a blob",
        "worktrees/w/HEAD is detached at an old", "ORIG_HEAD in", "a pack with .keep: pack-x.keep",
        "objects are borrowed",
    ):  # fmt: skip
        assert any(words in text for text in texts), words


def test_reflogs_that_are_not_ours_stay(clone: Migrated) -> None:
    clone.push()
    clone.repo.git("switch", "-q", "-c", "other", "main~3")
    lost = clone.repo.commit("lost later", {"x": "1"})
    clone.repo.git("reset", "-q", "--hard", "HEAD~")
    clone.finalize()
    assert clone.has(lost)
    assert clone.repo.git("rev-parse", "other@{1}") == lost


def test_torture(tmp_path: Path) -> None:
    """Stash, notes, tags and work trees survive; nothing is broken."""
    repo = torture.make(tmp_path / "t")
    torture.disturb(repo)
    migrating.migrate(repo.git_dir, repo.path, SPEC, tmp_path / "cache")
    history = History(repo.path)
    stash = repo.git("stash", "list", "--format=%H %gd %gs")
    before = (
        history.refs(),
        repo.git("diff", "--cached"),
        repo.status,
        repo.git("rev-list", "--all"),
    )
    outcome = finalize.run(Pipes(repo.git_dir), repo.git_dir / "assets/migrate", repo.path)
    assert repo.git("stash", "list", "--format=%H %gd %gs") == stash
    assert (
        history.refs(), repo.git("diff", "--cached"), repo.status, repo.git("rev-list", "--all")
    ) == before  # fmt: skip
    assert "missing" not in repo.git("fsck", "--connectivity-only", check=False)
    assert outcome.after.bytes < outcome.before.bytes
    texts = "\n".join(row.text for row in outcome.holders)
    assert "'refs/remotes/origin/main' is still the old history" in texts
    assert "the untracked files of 1 stash entries" in texts


def test_an_unfinished_migration_comes_first(clone: Migrated) -> None:
    (clone.state / switch.PAGE).write_text("")
    with pytest.raises(HistoryError, match="interrupted"):
        clone.finalize()
    assert clone.has(clone.old[0])


def test_a_killed_run_is_repeated(clone: Migrated) -> None:
    """Half of the backup deleted, as a kill leaves it: no undo is offered, the next run ends it."""
    clone.push()
    run = clone.state / "runs/1"
    (run / "before.json").unlink()
    shutil.rmtree(run / "backup.git/refs")
    assert finalize.backups(clone.state) == []
    assert clone.finalize().holders == []
    assert not (run / "backup.git").exists()
