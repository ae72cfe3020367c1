"""`git assets migrate` as a user runs it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.repo import Repo

from gitassets.history import lfs_server

if TYPE_CHECKING:
    from conftest import Cli


def large(seed: str, size: int = 3000) -> bytes:
    return (seed.encode() * size)[:size]


def pointer(data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(data)}\n"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo.init(tmp_path / "repo")
    repo.commit("one", {"data/a.bin": large("a"), "x": "x\n"})
    repo.git("tag", "v1")
    repo.commit("two", {"data/b.bin": large("b", 5000), "data/a.bin": large("c")})
    return repo


def objects(repo: Repo) -> str:
    return repo.git("count-objects", "-v") + repo.git("for-each-ref")


def test_every_old_commit_can_be_pulled(repo: Repo, cli: Cli, tmp_path: Path) -> None:
    store = tmp_path / "store"
    before = {name: (repo.path / name).read_bytes() for name in ("data/a.bin", "data/b.bin", "x")}
    shown = cli(
        "migrate", "--above", "1kB", "--to", str(store), "--yes", "--json", cwd=repo.path
    ).json()["migration"]
    assert (shown["commits"], shown["changed"]) == (3, 2)
    assert repo.status == ""
    assert cli("migrate", "verify", cwd=repo.path).stdout.endswith("as they should be\n")
    # Somebody else: a fresh clone, an empty cache, and only the store.
    clone = repo.clone(tmp_path / "clone")
    clone.git("config", "assets.allow", str(store))
    env = {"GIT_ASSETS_CACHE": str(tmp_path / "empty")}
    cli("pull", cwd=clone.path, env=env)
    assert {name: clone.read(name) for name in before} == before
    old = clone.worktree(tmp_path / "old", "v1")
    cli("pull", cwd=old.path, env=env)
    assert old.read("data/a.bin") == large("a")
    assert (clone.status, old.status) == ("", "")


def test_the_plan_writes_nothing_and_says_what_happens(
    repo: Repo, cli: Cli, tmp_path: Path
) -> None:
    before = objects(repo)
    plan = cli("migrate", "-n", "--above", "1kB", "--json", cwd=repo.path).json()["plan"]
    assert [(row["path"], row["versions"], row["bytes"]) for row in plan["leaving"]] == [
        ("data/a.bin", 2, 6000), ("data/b.bin", 1, 5000),
    ]  # fmt: skip
    assert plan["leaving"][0]["newest"] == repo.git("rev-parse", "HEAD")
    assert (plan["commits"], plan["changed"], plan["unique_bytes"]) == (3, 2, 11000)
    assert plan["blockers"] == []
    assert objects(repo) == before
    assert not (repo.path / ".git/assets").exists()
    assert not (tmp_path / "cache").exists()
    text = cli("migrate", "-n", "--above", "1kB", cwd=repo.path).stdout
    assert "2 of 3 commits get a new id; 1 keep id" in text
    assert "Only the cache on this machine" in text


def test_the_plan_counts_what_the_migration_does(repo: Repo, cli: Cli) -> None:
    first = repo.git("rev-parse", "HEAD")
    repo.commit(f"Revert {first}", {"x": "y\n"})
    plan = cli("migrate", "-n", "--above", "1kB", "--json", cwd=repo.path).json()["plan"]
    done = cli("migrate", "--above", "1kB", "--yes", "--json", cwd=repo.path).json()["migration"]
    assert {key: plan[key] for key in ("commits", "changed", "signatures", "mentions")} == {
        key: done[key] for key in ("commits", "changed", "signatures", "mentions")
    }
    assert plan["mentions"] == 1


def test_blockers_name_what_to_type(repo: Repo, cli: Cli, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    repo.git("clone", "-q", "--depth", "1", f"file://{repo.path}", str(shallow))
    plan = cli("migrate", "-n", "--json", cwd=shallow, check=1).json()["plan"]
    assert plan["blockers"][0]["hint"] == "git fetch --unshallow"
    failed = cli("migrate", "--yes", cwd=shallow, check=128)
    assert "shallow" in failed.stderr
    assert "hint: git fetch --unshallow" in failed.stderr


def test_without_a_terminal_it_wants_a_yes(repo: Repo, cli: Cli) -> None:
    before = objects(repo)
    assert "--yes" in cli("migrate", "--above", "1kB", cwd=repo.path, check=129).stderr
    assert objects(repo) == before


def test_info_counts_every_content_once(repo: Repo, cli: Cli) -> None:
    repo.commit("copy", {"data/copy.bin": large("a")})
    shown = cli("migrate", "info", "--above", "1kB", "--json", cwd=repo.path).json()
    assert shown["unique_bytes"] == 11000
    assert shown["paths"][0] == {"name": "data/a.bin", "versions": 2, "bytes": 6000}
    assert shown["types"] == [{"name": "*.bin", "versions": 3, "bytes": 11000}]
    assert "data/a.bin" in cli("migrate", "info", "--above", "1kB", cwd=repo.path).stdout


def test_the_maps_are_in_filter_repos_format(repo: Repo, cli: Cli) -> None:
    old = repo.git("rev-list", "--all").splitlines()
    tag = repo.git("rev-parse", "v1")
    done = cli("migrate", "--above", "1kB", "--yes", "--json", cwd=repo.path).json()["migration"]
    run = Path(done["run"])
    rows = [row.split() for row in (run / "commit-map").read_text().splitlines()]
    assert rows[0] == ["old", "new"]
    assert {row[0] for row in rows[1:]} == set(old)
    assert dict(rows[1:])[tag] == repo.git("rev-parse", "v1")
    refs = [row.split() for row in (run / "ref-map").read_text().splitlines()]
    assert refs[0] == ["old", "new", "ref"]
    assert [tag, repo.git("rev-parse", "v1"), "refs/tags/v1"] in refs
    assert (run / "first-changed").read_text().split() == [tag]


def test_the_push_line_moves_a_remote_and_only_from_what_it_had(
    repo: Repo, cli: Cli, tmp_path: Path
) -> None:
    remote = tmp_path / "remote.git"
    repo.git("clone", "-q", "--bare", str(repo.path), str(remote))
    Repo(remote).git("branch", "only-there", "v1")
    repo.git("remote", "add", "origin", str(remote))
    repo.git("fetch", "-q", "origin")
    cli("migrate", "--above", "1kB", "--yes", "--push", cwd=repo.path)
    there = Repo(remote)
    for name in ("refs/heads/main", "refs/tags/v1"):
        assert there.git("rev-parse", name) == repo.git("rev-parse", name)
    assert there.git("rev-parse", "only-there") == repo.git("rev-parse", "v1")
    there.git("fsck", "--strict")


def test_a_lease_stops_a_push_over_new_work(repo: Repo, cli: Cli, tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    repo.git("clone", "-q", "--bare", str(repo.path), str(remote))
    repo.git("remote", "add", "origin", str(remote))
    repo.git("fetch", "-q", "origin")
    newer = Repo(remote).git("commit-tree", "main^{tree}", "-p", "main", "-m", "newer")
    Repo(remote).git("update-ref", "refs/heads/main", newer)
    tag = Repo(remote).git("rev-parse", "v1")
    cli("migrate", "--above", "1kB", "--yes", "--push", cwd=repo.path, check=128)
    assert Repo(remote).git("rev-parse", "main") == newer
    assert Repo(remote).git("rev-parse", "v1") == tag, "all or none"


def test_pointers_need_no_bytes_and_missing_ones_are_listed(tmp_path: Path, cli: Cli) -> None:
    repo = Repo.init(tmp_path / "lfs")
    here, gone = large("here"), large("gone", 4000)
    repo.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n*.txt text\n")
    repo.write("here.bin", pointer(here))
    repo.write("gone.bin", pointer(gone))
    repo.git("-c", "filter.lfs.clean=cat", "add", "-A")
    repo.commit("one")
    repo.git("remote", "add", "origin", "git@example.org:team/x.git")
    digest = hashlib.sha256(here).hexdigest()
    repo.write(f".git/lfs/objects/{digest[:2]}/{digest[2:4]}/{digest}", here)
    plan = cli("migrate", "-n", "--lfs", "--json", cwd=repo.path).json()["plan"]
    assert plan["lfs_objects"] == {"cache": 0, "lfs": 1, "nowhere": 1}
    assert [row["path"] for row in plan["missing"]] == ["gone.bin"]
    done = cli("migrate", "--lfs", "--yes", "--json", cwd=repo.path).json()["migration"]
    assert done["missing"] == [hashlib.sha256(gone).hexdigest()]
    shown = cli("list", "HEAD", "--json", cwd=repo.path).json()["assets"]
    assert {row["path"]: row["size"] for row in shown} == {"here.bin": 3000, "gone.bin": 4000}
    assert "lfs+https://example.org/team/x.git/info/lfs" in repo.git(
        "show", "HEAD:assets.lock.toml"
    )
    assert "lfs" not in repo.git("show", "HEAD:.gitattributes")
    assert "*.txt text" in repo.git("show", "HEAD:.gitattributes")


def test_nothing_to_do_says_so(repo: Repo, cli: Cli) -> None:
    assert "nothing to do" in cli("migrate", "--yes", cwd=repo.path).stderr
    assert "nothing was migrated" in cli("migrate", "verify", cwd=repo.path, check=129).stderr


def test_chosen_refs_only(repo: Repo, cli: Cli) -> None:
    repo.git("branch", "other", "v1")
    other = repo.git("rev-parse", "other")
    done = cli(
        "migrate", "--above", "1kB", "--refs", "main", "--yes", "--json", cwd=repo.path
    ).json()["migration"]
    assert list(done["refs"]) == ["refs/heads/main"]
    assert repo.git("rev-parse", "other") == other
    assert "no-such" in cli("migrate", "--refs", "no-such", "-n", cwd=repo.path, check=129).stderr


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("https://user:secret@example.org/a/b.git", "https://example.org/a/b.git/info/lfs"),
        ("https://example.org:8443/a/b", "https://example.org:8443/a/b.git/info/lfs"),
        ("git@example.org:a/b.git", "https://example.org/a/b.git/info/lfs"),
        ("ssh://git@example.org:2222/a/b", "https://example.org/a/b.git/info/lfs"),
        ("http://example.org/a", "http://example.org/a.git/info/lfs"),
        ("/srv/git/a.git", ""),
        ("file:///srv/git/a.git", ""),
        ("", ""),
    ],
)
def test_the_lfs_server_of_a_remote(remote: str, url: str) -> None:
    assert lfs_server.endpoint(remote) == url
