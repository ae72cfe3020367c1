"""Adopting: a stale clone follows a migration, its own work on top, nothing lost, nothing re-cloned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from history import oracle
from history.oracle import History, Selection
from history.test_undo import everything, files, worktrees
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import histories, lfs_repo, migrating, torture
from support.histories import histories as some_history
from support.repo import Repo

from gitassets.errors import HistoryError, UsageError
from gitassets.gitpipes import Pipes
from gitassets.history import adopt, migration, undo
from gitassets.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from support.histories import History as Steps

    from gitassets.history.migration import Outcome

SPEC = migrating.above(torture.ABOVE)


def pointers(found: migration.Study) -> dict[bytes, migration.Content]:
    return {
        blob: migration.Content(pointer.sha256, pointer.size)
        for blob, pointer in found.inventory.pointers.items()
        if blob in found.survey.blobs
    }


def follow(repo: Repo, cache: Path, remote: str = "origin") -> Outcome:
    git_dir = repo.path / ".git"
    job = migrating.job(git_dir, repo.path, migrating.Spec(()))
    adopt.fetch(job.pipes, remote)
    store = Store.open(cache, fsync=False)
    try:
        with migration.exclusive(job.state):
            return adopt.adopt(job, remote, store, pointers)
    finally:
        store.close()


class Team:
    """A bare origin, the maintainer's clone, and a stale one with work that nobody else has."""

    def __init__(self, path: Path, *, lfs: bool = False) -> None:
        self.cache = path / "cache"
        self.origin = path / "origin"
        if lfs:
            maintainer = lfs_repo.make(path / "maintainer").path
            spec = migrating.lfs()
        else:
            maintainer, spec = self._history(path / "maintainer"), SPEC
        self.maintainer = Repo(maintainer)
        self.maintainer.git("clone", "-q", "--bare", str(maintainer), str(self.origin))
        self.maintainer.git("remote", "add", "origin", str(self.origin))
        self.stale = Repo(path / "stale")
        self.maintainer.git("clone", "-q", str(self.origin), str(self.stale.path))
        self.spec = spec

    @staticmethod
    def _history(path: Path) -> Path:
        repo = Repo.init(path)
        repo.commit("small", {"README": "one\n"})
        repo.commit("one", {"data/a.bin": torture.generated("1", 4000), ".gitignore": "*.o\n"})
        repo.git("tag", "-a", "-m", "one", "v1")
        repo.git("branch", "release")
        repo.commit("two", {"data/a.bin": torture.generated("2", 5000)})
        return path

    def migrate(self) -> None:
        outcome = migrating.migrate(
            self.maintainer.path / ".git", self.maintainer.path, self.spec, self.cache
        )
        assert outcome.run is not None
        self.maintainer.git("fetch", "-q", "origin")
        self.maintainer.git("push", "-q", "--force", "origin", "--all")
        self.maintainer.git("push", "-q", "--force", "origin", "--tags")


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


def test_unpushed_work_is_on_top(team: Team) -> None:
    stale = team.stale
    stale.git("branch", "release", "origin/release")
    stale.commit("mine", {"mine.bin": torture.generated("mine", 3000), "mine.txt": "mine\n"})
    stale.git("switch", "-q", "-c", "topic", "HEAD~")
    stale.commit("topic", {"data/a.bin": torture.generated("topic", 4500)})
    stale.write("README", "stashed\n")
    stale.git("stash", "push", "-q")
    linked = stale.worktree(stale.path.parent / "linked", "origin/main")
    linked.write("README", "staged\n")
    linked.git("add", "README")
    stale.write("README", "dirty\n")
    stale.write("new.txt", "untracked\n")
    kept = {top: files(top) for top in worktrees(stale)}
    team.migrate()
    team.maintainer.commit("later", {"later.txt": "later\n"})
    team.maintainer.git("push", "-q", "origin", "main")
    objects = int(stale.git("count-objects").split()[0])

    outcome = follow(stale, team.cache)

    main = team.maintainer.git("rev-parse", "main~")
    assert stale.git("rev-parse", "main~") == main
    assert stale.git("rev-parse", "topic~") == main
    assert stale.git("rev-parse", "release", "v1") == team.maintainer.git(
        "rev-parse", "release", "v1"
    )
    assert stale.git("rev-parse", "refs/stash~") == stale.git("rev-parse", "topic")
    assert linked.git("rev-parse", "HEAD") == main
    assert linked.git("diff", "--cached", "--name-only") == "README"
    assert stale.git("status", "--porcelain") == " M README\n?? new.txt"
    assert "mine.bin" in stale.git("show", "main:assets.lock.toml")
    assert stale.git("ls-tree", "-r", "--name-only", "main").split() == [
        ".gitignore", "README", "assets.lock.toml", "mine.txt",
    ]  # fmt: skip
    for top, before in kept.items():
        now = files(top)
        generated = {".gitignore", "assets.lock.toml"}
        assert {n: now[n] for n in before if n not in generated} == {
            n: before[n] for n in before if n not in generated
        }
    pipes = Pipes(stale.path / ".git")
    assert adopt.ahead(pipes, "origin", outcome) == {
        "refs/heads/main": 1, "refs/heads/topic": 1, "refs/heads/release": 0,
    }  # fmt: skip
    stale.git("merge", "-q", "-m", "join", "origin/main")
    stale.git("push", "-q", "origin", "topic:main")
    assert int(stale.git("count-objects").split()[0]) <= objects + 20
    assert not [
        row
        for row in Repo(team.origin).git("rev-list", "--objects", "main").split("\n")
        if row.endswith((".bin", ".dat"))
    ]


def test_twice_and_when_there_is_nothing_to_do(team: Team) -> None:
    team.migrate()
    assert follow(team.stale, team.cache).run is not None
    before = everything(team.stale)
    assert follow(team.stale, team.cache).run is None
    assert everything(team.stale) == before
    assert team.stale.git("rev-parse", "main") == team.maintainer.git("rev-parse", "main")
    assert team.stale.status == ""


def test_off_lfs(tmp_path: Path) -> None:
    team = Team(tmp_path, lfs=True)
    stale = team.stale
    stale.git("lfs", "install", "--local")
    (stale.path / "mine.bin").write_bytes(torture.generated("mine", 999))
    stale.git("add", "mine.bin")
    stale.git("commit", "-q", "-m", "mine")
    team.migrate()
    follow(stale, team.cache)
    assert stale.git("rev-parse", "main~") == team.maintainer.git("rev-parse", "main")
    assert '[asset."mine.bin"]\nsize = 999' in stale.git("show", "main:assets.lock.toml")
    assert "filter=lfs" not in stale.git("show", "main:.gitattributes")


def test_a_path_that_only_this_clone_has_in_two_sizes(team: Team) -> None:
    """Sticky for a migration of its own; here it may not change what all others agreed on."""
    team.stale.commit("large", {"flips.dat": torture.generated("f", 3000)})
    team.stale.commit("small", {"flips.dat": "small\n"})
    team.migrate()
    follow(team.stale, team.cache)
    assert team.stale.git("rev-parse", "main~2") == team.maintainer.git("rev-parse", "main")
    assert team.stale.git("show", "main:flips.dat") == "small"


def test_it_can_be_undone(team: Team) -> None:
    team.stale.commit("mine", {"mine.txt": "mine\n"})
    before = everything(team.stale)
    team.migrate()
    follow(team.stale, team.cache)
    pipes = Pipes(team.stale.path / ".git")
    state = pipes.git_dir / "assets/migrate"
    todo = undo.plan(pipes, state, team.stale.path)
    assert set(todo.remotes) >= {"refs/remotes/origin/main"}
    assert undo.undo(pipes, state, team.stale.path, todo) == []
    after = everything(team.stale)
    different = {key for key in before if after[key] != before[key]}
    assert different == {"refs"}  # the remote's branches, as they were fetched


def test_refusals_change_nothing(team: Team, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no branch of 'origin'"):
        follow(team.stale, team.cache)
    team.migrate()
    other = Repo.init(tmp_path / "other")
    other.commit("unrelated", {"x.bin": torture.generated("x", 4000)})
    other.git("remote", "add", "origin", str(team.origin))
    before = everything(other)
    with pytest.raises(HistoryError, match="nothing of the new history"):
        follow(other, team.cache)
    after = everything(other)
    assert {k for k in before if after[k] != before[k]} == {"refs"}
    assert not (other.path / ".git/assets/migrate/runs").exists()
    assert not (other.path / ".git/assets/migrate/quarantine").exists()


@given(shared=some_history(lfs=True), data=st.data())
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_two_clones_agree(
    tmp_path_factory: pytest.TempPathFactory, shared: Steps, data: st.DataObject
) -> None:
    """Whatever either has besides, every shared commit gets one id."""
    place = tmp_path_factory.mktemp("agree")
    extra = data.draw(some_history(lfs=True))
    shift = len(shared)
    moved = tuple(
        histories.Step(
            tuple(p + shift for p in step.parents) or ((shift - 1,) if n else ()),
            step.files,
            step.message,
        )
        for n, step in enumerate(extra)
    )
    first = histories.build(place / "one", shared)
    second = histories.build(place / "two", (*shared, *moved))
    heads = list(History(first.path).refs())
    spec = migrating.Spec((*migrating.lfs().rules, *SPEC.rules))
    outcome = migrating.migrate(first.path / ".git", first.path, spec, place / "cache")
    if outcome.run is None:
        return
    second.git("remote", "add", "origin", str(first.path))
    mapping = oracle.read_map(outcome.run / "commit-map")
    if not any(oracle.LOCKFILE in History(first.path).entries(ref) for ref in heads):
        return
    again = follow(second, place / "cache")
    assert again.run is not None
    theirs = oracle.read_map(again.run / "commit-map")
    assert {old: theirs[old] for old in mapping} == mapping
    old = Selection.sticking(History(second.path))
    assert old is not None
