"""f(root, spec): the same everywhere, twice nothing, and joined migrations can be followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import migrating
from support.repo import Repo

from gitassets import lockfile
from gitassets.errors import HistoryError
from gitassets.gitpipes import Pipes
from gitassets.history import study
from gitassets.history.spec import PATHS_FILE, Rule, Spec

if TYPE_CHECKING:
    from pathlib import Path

    from gitassets.history.migration import Outcome

ABOVE = 1000


def large(seed: str, size: int = 3000) -> bytes:
    return (seed.encode() * size)[:size]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo.init(tmp_path / "repo")
    repo.commit("small", {"a/x": "x\n"})
    repo.commit("large", {"a/big.bin": large("a"), "a/mid.bin": large("m", 500)})
    repo.commit("shrunk", {"a/big.bin": b"small now\n"})
    return repo


def migrate(repo: Repo, tmp_path: Path, spec: Spec | None = None) -> Outcome:
    return migrating.migrate(
        repo.path / ".git", repo.path, spec or migrating.above(ABOVE), tmp_path / "cache"
    )


def objects(repo: Repo) -> set[str]:
    return set(
        repo.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").splitlines()
    )


def pinned(repo: Repo, revision: str) -> dict[str, int]:
    text = repo.git("show", f"{revision}:assets.lock.toml") + "\n"
    return {path: asset.size for path, asset in lockfile.load(text.encode()).assets.items()}


def test_twice_writes_nothing(repo: Repo, tmp_path: Path) -> None:
    assert migrate(repo, tmp_path).objects > 0
    before, refs = objects(repo), repo.git("for-each-ref")
    done = migrate(repo, tmp_path)
    assert (done.objects, done.run, done.updates) == (0, None, [])
    assert (objects(repo), repo.git("for-each-ref")) == (before, refs)
    assert not (repo.path / ".git/assets/migrate/quarantine").exists()


def test_a_path_that_was_too_large_once_is_an_asset_in_every_commit(
    repo: Repo, tmp_path: Path
) -> None:
    untouched = repo.git("rev-parse", "HEAD~2")
    migrate(repo, tmp_path)
    assert pinned(repo, "HEAD~1") == {"a/big.bin": 3000}
    assert pinned(repo, "HEAD") == {"a/big.bin": 10}
    assert repo.git("rev-parse", "HEAD~2") == untouched, "before the first asset ids stay"


def test_two_clones_with_different_branches_agree(repo: Repo, tmp_path: Path) -> None:
    clone = repo.clone(tmp_path / "clone")
    repo.git("checkout", "-q", "-b", "mine")
    repo.commit("mine", {"m": "m\n", "mine.bin": large("mine")})
    clone.git("checkout", "-q", "-b", "yours")
    clone.commit(f"yours, after {clone.git('rev-parse', '--short', 'HEAD')}", {"y": "y\n"})
    migrate(repo, tmp_path)
    migrate(clone, tmp_path)
    assert repo.git("rev-parse", "main") == clone.git("rev-parse", "main")
    assert clone.git("rev-parse", "yours~1") == repo.git("rev-parse", "main")
    assert clone.git("rev-parse", "--short", "main") in clone.git(
        "log", "-1", "--format=%s", "yours"
    )


def test_two_migrations_one_after_the_other_are_the_joined_one(repo: Repo, tmp_path: Path) -> None:
    stale = repo.clone(tmp_path / "stale")
    migrate(repo, tmp_path)
    migrate(repo, tmp_path, migrating.above(400))
    assert pinned(repo, "HEAD") == {"a/big.bin": 10, "a/mid.bin": 500}
    pipes = Pipes(repo.path / ".git")
    (spec,) = study.earlier_specs(pipes, study.look(pipes, repo.path).moving)
    migrate(stale, tmp_path, spec)
    assert stale.git("rev-parse", "main") == repo.git("rev-parse", "main")
    assert migrate(repo, tmp_path, migrating.above(400)).objects == 0, "a third one writes nothing"


def test_a_lockfile_that_was_there_keeps_what_it_says(repo: Repo, tmp_path: Path) -> None:
    url = "https://example.org/other.bin"
    repo.lock({"other.bin": {"urls": [url], "size": 7, "sha256": "0" * 64}})
    repo.commit("pinned")
    migrate(repo, tmp_path)
    found = lockfile.load(repo.git("show", "HEAD:assets.lock.toml").encode() + b"\n")
    assert list(found.assets) == ["a/big.bin", "other.bin"]
    assert found.assets["other.bin"].urls == (url,)
    assert repo.status == ""


def test_case_twins_and_odd_names_stay_in_git(repo: Repo, tmp_path: Path) -> None:
    repo.commit(
        "twins", {"Case/M.bin": large("1"), "case/m.bin": large("2"), "con.bin": large("3")}
    )
    repo.commit("one left", {"case/n": "n"})
    repo.git("rm", "-q", "Case/M.bin")
    repo.commit("no twin any more")
    done = migrate(repo, tmp_path)
    assert {"Case/M.bin", "case/m.bin"} <= set(
        repo.git("ls-tree", "-r", "--name-only", "HEAD~1").split()
    )
    assert "case/m.bin" not in pinned(repo, "HEAD~1")
    assert pinned(repo, "HEAD")["case/m.bin"] == 3000, "alone it can leave"
    assert "con.bin" in repo.git("ls-tree", "--name-only", "HEAD")
    assert done.study.survey.refused == {b"con.bin": "a Windows device name"}


def test_many_paths_are_a_file_beside_the_lockfile(repo: Repo, tmp_path: Path) -> None:
    names = [f"many/f{number:03}" for number in range(101)]
    repo.commit("many", dict.fromkeys(names, "tiny\n"))
    spec = Spec(()).with_paths(names)
    migrate(repo, tmp_path, spec)
    assert repo.git("show", f"HEAD:{PATHS_FILE}").splitlines() == names
    assert len(pinned(repo, "HEAD")) == 101
    assert repo.read(PATHS_FILE).decode().splitlines() == names
    assert repo.status == ""
    assert migrate(repo, tmp_path, spec).objects == 0


@pytest.mark.parametrize("name", [".gitignore", "assets.lock.toml"])
def test_a_symlink_in_our_place_is_refused_and_named(repo: Repo, tmp_path: Path, name: str) -> None:
    (repo.path / name).symlink_to("a/x")
    repo.git("add", "-f", name)
    repo.commit("link")
    before = repo.git("for-each-ref")
    with pytest.raises(HistoryError, match="not a regular file"):
        migrate(repo, tmp_path)
    assert repo.git("for-each-ref") == before


def test_positional_patterns_tell_equal_trees_apart(repo: Repo, tmp_path: Path) -> None:
    same = {"f.bin": large("same")}
    repo.commit("equal", {f"{top}/{name}": data for top in "pq" for name, data in same.items()})
    migrate(repo, tmp_path, Spec((Rule(above=ABOVE, include=("p/**",)),)))
    assert pinned(repo, "HEAD") == {"p/f.bin": 3000}
    assert repo.git("ls-tree", "-r", "--name-only", "HEAD", "q") == "q/f.bin"


def test_nothing_chosen_changes_nothing(repo: Repo, tmp_path: Path) -> None:
    before, refs = objects(repo), repo.git("for-each-ref")
    assert migrate(repo, tmp_path, migrating.above(10**9)).run is None
    assert (objects(repo), repo.git("for-each-ref")) == (before, refs)


def test_an_empty_repository(tmp_path: Path) -> None:
    empty = Repo(tmp_path / "empty")
    empty.path.mkdir()
    empty.git("init", "-q")
    assert migrate(empty, tmp_path).run is None
