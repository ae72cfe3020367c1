"""`git assets mirror` and the team cache: from any source to a place of one's own."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.content import content
from support.depot import Depot, key
from support.process import Background
from support.repo import pinned, pinned_bytes


@pytest.fixture
def depot():
    with Depot() as running:
        yield running


def files(place):
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in Path(place).rglob("*")
        if path.is_file()
    }


def sizes(count):
    return [(n + 1) * 1500 for n in range(count)]


@pytest.fixture
def many(repo, server):
    """Twelve assets of a server, and one with the content of another."""
    entries = {
        f"d/{n}.bin": pinned(size, str(n), server.blob(size, str(n)))
        for n, size in enumerate(sizes(12))
    }
    entries["again.bin"] = entries["d/3.bin"]
    repo.lock(entries)
    repo.commit("Pin")
    return repo


OBJECTS = {
    key(content(str(n), 0, size)): content(str(n), 0, size) for n, size in enumerate(sizes(12))
}


class TestMirror:
    def test_from_the_sources_to_the_remote(self, many, server, cli, depot, tmp_path):
        cli("remote", "add", "team", depot.url(), cwd=many.path)
        found = cli("mirror", "--to", "team", "--json", cwd=many.path).json()
        assert found["store"] == {"id": "team", "url": depot.url()}
        assert found["summary"]["uploaded"] == 13
        assert found["summary"]["bytes_sent"] == sum(sizes(12))
        assert {
            path.removeprefix("/assets/"): data for path, data in depot.files.items()
        } == OBJECTS
        assert not (many.path / "d").exists()
        many.commit("Serve")
        clone = many.clone(tmp_path / "clone")
        env = {"GIT_ASSETS_CACHE": str(tmp_path / "other")}
        server.close()
        cli("pull", "again.bin", cwd=clone.path, env=env)
        assert clone.read("again.bin") == content("3", 0, 6000)

    def test_again_moves_nothing(self, many, server, cli, depot):
        cli("remote", "add", "team", depot.url(), cwd=many.path)
        cli("mirror", cwd=many.path)
        server.forget()
        depot.log.clear()
        result = cli("mirror", cwd=many.path)
        assert "nothing to do: 'team' has 13 assets" in result.stderr
        assert server.log == []
        assert depot.puts() == []

    def test_what_no_source_has_is_told(self, repo, server, cli, depot):
        repo.lock(
            {
                "x": pinned_bytes(b"x", server.url("/gone")),
                "y": pinned(10, "y", server.blob(10, "y")),
            }
        )
        cli("remote", "add", "team", depot.url(), cwd=repo.path)
        before = repo.read("assets.lock.toml")
        result = cli("mirror", cwd=repo.path, check=1)
        assert "cannot push 'x'" in result.stderr
        assert "HTTP 404" in result.stderr
        assert len(depot.files) == 1
        assert repo.read("assets.lock.toml") == before

    def test_dry_run(self, many, server, cli, depot):
        cli("remote", "add", "team", depot.url(), cwd=many.path)
        plan = cli("mirror", "-n", "--json", "--shard", "1/3", cwd=many.path).json()["plan"]
        assert plan["bytes"] == pytest.approx(sum(sizes(12)) / 3, rel=0.34)
        assert server.log == []

    @pytest.mark.parametrize("text", ["0/3", "4/3", "x"])
    def test_bad_shards(self, many, cli, text):
        assert "--shard" in cli("mirror", "--shard", text, cwd=many.path, check=129).stderr

    def test_shards_of_one_work_tree_at_once(self, many, server, cli, depot, tmp_path):
        """As an array job on one shared file system: N processes, one lockfile, one remote."""
        cli("remote", "add", "team", depot.url(), cwd=many.path)
        with ExitStack() as stack:
            jobs = []
            for index in (1, 2, 3):
                words = ["git", "assets", "mirror", "--to", "team", "--shard", f"{index}/3"]
                job = Background(words, many.path, tmp_path / f"job{index}")
                jobs.append(stack.enter_context(job))
            assert [(job.wait(), job.stderr) for job in jobs if job.wait()] == []
        assert {
            path.removeprefix("/assets/"): data for path, data in depot.files.items()
        } == OBJECTS
        assert len(depot.puts()) == 12
        assert many.read("assets.lock.toml").decode().count("[store.") == 1

    def test_shards_of_separate_clones_merge(self, many, cli, depot, tmp_path):
        """As an array job on machines that share nothing: each commits, git merges."""
        clones = []
        for index in (1, 2):
            clone = many.clone(tmp_path / f"clone{index}")
            cli("remote", "add", "team", depot.url(), cwd=clone.path)
            env = {"GIT_ASSETS_CACHE": str(tmp_path / f"cache{index}")}
            cli("mirror", "--to", "team", "--shard", f"{index}/2", cwd=clone.path, env=env)
            clone.git("commit", "-qam", f"Shard {index}")
            clones.append(clone)
        assert len(depot.files) == 12
        one, two = clones
        one.git("pull", "-q", "--no-rebase", "--no-edit", str(two.path), "main")
        assert one.read("assets.lock.toml").decode().count("[store.team]") == 1
        assert one.status == ""


class TestOwnRemotes:
    def test_a_pull_asks_the_users_remotes_last(self, repo, cli, tmp_path):
        repo.lock({"x": pinned_bytes(b"only there")})
        place = tmp_path / "disk" / key(b"only there")
        place.parent.mkdir(parents=True)
        place.write_bytes(b"only there")
        assert "no URL" in cli("pull", cwd=repo.path, check=1).stderr
        cli("remote", "add", "disk", str(tmp_path / "disk"), cwd=repo.path)
        cli("pull", cwd=repo.path)
        assert repo.read("x") == b"only there"


class TestTeamCache:
    @pytest.mark.parametrize("mode", ["write", "readwrite"])
    @pytest.mark.parametrize("kind", ["directory", "web"])
    def test_what_was_fetched_fills_it(self, many, server, cli, depot, tmp_path, mode, kind):
        url = depot.url() if kind == "web" else str(tmp_path / "team")
        many.git("config", "assets.teamCache", url)
        many.git("config", "assets.teamCacheMode", mode)
        cli("pull", cwd=many.path)
        web = {path.removeprefix("/assets/"): data for path, data in depot.files.items()}
        assert (web if kind == "web" else files(tmp_path / "team")) == OBJECTS
        assert "[store" not in many.read("assets.lock.toml").decode()

    def test_the_next_machine_reads_it_and_writes_nothing(self, many, server, cli, depot, tmp_path):
        for repo, cache in ((many, "one"), (many.clone(tmp_path / "clone"), "two")):
            repo.git("config", "assets.teamCache", depot.url())
            repo.git("config", "assets.teamCacheMode", "readwrite")
            server.forget()
            cli("fetch", cwd=repo.path, env={"GIT_ASSETS_CACHE": str(tmp_path / cache)})
        assert server.log == []
        assert len(depot.puts()) == 12

    def test_read_writes_nothing(self, many, cli, depot):
        many.git("config", "assets.teamCache", depot.url())
        cli("pull", cwd=many.path)
        assert depot.puts() == []

    @pytest.mark.parametrize("url", ["web", "hf://datasets/o/n", "/nonexistent/deep/dir"])
    def test_its_faults_are_one_warning(self, many, cli, depot, url):
        depot.answers = [(507, {})] * 99
        many.git("config", "assets.teamCache", depot.url() if url == "web" else url)
        many.git("config", "assets.teamCacheMode", "write")
        result = cli("pull", cwd=many.path)
        assert result.stderr.count("warning: the team cache at") == 1
        assert many.read("d/0.bin") == content("0", 0, 1500)
        assert os.path.exists(os.environ["GIT_ASSETS_CACHE"])
