"""`git assets pull` from every kind of place: mirrors, caches, the Hub, LFS servers, buckets."""

from __future__ import annotations

import json

import pytest
from support.hub import HubDouble, sha256
from support.places import BucketPlace, GithubPlace, LfsPlace
from support.repo import pinned_bytes
from support.server import content

DATA = content("places", 0, 300_000)
CANARY = "canary-9d2"


def rows(result):
    return {row["path"]: row for row in result.json()["assets"]}


def lock(repo, *urls, stores=None, data=DATA):
    repo.lock({"a.bin": pinned_bytes(data, *urls)}, stores)
    repo.commit("Pin")


@pytest.fixture
def double(monkeypatch):
    with HubDouble() as running:
        running.commit({"a.bin": DATA})
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        yield running


class TestMirrors:
    def mirror(self, repo, prefix, target):
        repo.git("config", "--add", f"assets.{prefix}.mirror", target)

    def test_before_the_url_itself_in_order(self, repo, server, cli):
        server.put("/near/x.bin", DATA)
        lock(repo, "https://nowhere.example/files/x.bin")
        self.mirror(repo, "https://nowhere.example/", server.url("/none/"))
        self.mirror(repo, "https://nowhere.example/files/", server.url("/far/"))
        self.mirror(repo, "https://nowhere.example/files/", server.url("/near/"))
        [row] = rows(cli("pull", "--json", cwd=repo.path)).values()
        assert row["source"] == server.url("/near/x.bin")
        assert [each.target for each in server.log] == ["/far/x.bin", "/near/x.bin"]
        assert b"127.0.0.1" not in repo.read("assets.lock.toml")

    def test_a_mirror_that_lies_is_found(self, repo, server, cli):
        server.put("/lie/x.bin", DATA[::-1])
        true = server.put("/x.bin", DATA)
        lock(repo, true)
        self.mirror(repo, server.url("/"), server.other("/lie/"))
        result = cli("pull", "--json", cwd=repo.path)
        [row] = rows(result).values()
        assert row["source"] == true
        assert repo.read("a.bin") == DATA

    def test_of_the_hub_by_its_https_address(self, repo, double, server, cli, monkeypatch):
        sha = double.branches["main"]
        monkeypatch.setenv("HF_TOKEN", CANARY)
        server.put(f"/m/owner/tiny/resolve/{sha}/a.bin", DATA)
        lock(repo, f"hf://owner/tiny@{sha}/a.bin")
        self.mirror(repo, f"{double.endpoint}/", server.url("/m/"))
        cli("pull", cwd=repo.path)
        assert repo.read("a.bin") == DATA
        assert double.log == []
        assert CANARY not in str([each.headers for each in server.log])

    def test_a_bad_one_is_one_line(self, repo, cli):
        lock(repo, "https://nowhere.example/x")
        self.mirror(repo, "https://nowhere.example/", "gopher://x/")
        result = cli("pull", cwd=repo.path, check=128)
        assert "unknown scheme 'gopher'" in result.stderr


class TestTeamCache:
    def test_is_asked_before_the_origin(self, repo, server, cli):
        digest = sha256(DATA)
        near = server.put(f"/team/{digest[:2]}/{digest}", DATA)
        lock(repo, server.put("/x.bin", DATA))
        repo.git("config", "assets.teamCache", server.url("/team"))
        [row] = rows(cli("pull", "--json", cwd=repo.path)).values()
        assert row["source"] == near
        assert not server.requests("/x.bin")

    def test_a_miss_is_no_news(self, repo, server, cli):
        lock(repo, server.put("/x.bin", DATA))
        repo.git("config", "assets.teamCache", server.url("/team/"))
        result = cli("pull", cwd=repo.path)
        assert len(server.requests("/team/")) == 1
        assert "another source" not in result.stderr
        assert repo.read("a.bin") == DATA

    def test_a_directory(self, repo, cli, tmp_path):
        digest = sha256(DATA)
        path = tmp_path / "nfs" / digest[:2] / digest
        path.parent.mkdir(parents=True)
        path.write_bytes(DATA)
        lock(repo, "https://nowhere.example/x")
        repo.git("config", "assets.teamCache", str(tmp_path / "nfs"))
        cli("pull", cwd=repo.path)
        assert repo.read("a.bin") == DATA

    def test_a_bucket(self, repo, cli, tmp_path, monkeypatch):
        with BucketPlace(tmp_path / "top", monkeypatch) as place:
            digest = sha256(DATA)
            place.serve(f"team/{digest[:2]}/{digest}", DATA)
            lock(repo, "https://nowhere.example/x")
            monkeypatch.setenv("GIT_ASSETS_TEAM_CACHE", "s3://bucket/team")
            cli("pull", cwd=repo.path)
            assert repo.read("a.bin") == DATA

    def test_only_when_it_is_to_be_read(self, repo, server, cli):
        lock(repo, server.put("/x.bin", DATA))
        repo.git("config", "assets.teamCache", str(repo.path / "none"))
        repo.git("config", "assets.teamCacheMode", "write")
        [row] = rows(cli("pull", "--json", cwd=repo.path)).values()
        assert row["source"] == server.url("/x.bin")

    def test_in_a_closed_network_the_origin_is_never_asked(self, repo, server, cli):
        url = server.put("/x.bin", DATA)
        lock(repo, url)
        repo.git("config", "assets.origin", "never")
        repo.git("config", "assets.teamCache", server.other("/team"))
        cli("pull", cwd=repo.path, check=1)
        assert not server.requests("/x.bin")
        digest = sha256(DATA)
        server.put(f"/team/{digest[:2]}/{digest}", DATA)
        cli("pull", cwd=repo.path)
        assert repo.read("a.bin") == DATA
        assert not server.requests("/x.bin")


class TestHub:
    def test_a_store_on_the_hub(self, repo, double, cli):
        digest = sha256(DATA)
        double.kind = "datasets"
        double.commit({f"{digest[:2]}/{digest}": DATA})
        lock(repo, stores={"hub": "hf://datasets/owner/tiny@main"})
        cli("pull", cwd=repo.path)
        assert repo.read("a.bin") == DATA

    @pytest.mark.parametrize("engine", ["curl", "aria2c"])
    def test_the_token_stays_behind(self, repo, double, cli, monkeypatch, engine):
        double.token = CANARY
        monkeypatch.setenv("HF_TOKEN", CANARY)
        repo.git("config", "assets.segmentAbove", "100k")
        lock(repo, "hf://owner/tiny@main/a.bin")
        [row] = rows(cli("pull", "--json", "--engine", engine, cwd=repo.path)).values()
        assert row["engine"] == engine, "the signed URL is for every engine"
        assert double.saw(CANARY, "hub"), "the control"
        assert double.seen("cdn")
        assert not double.saw(CANARY, "cdn")

    def test_a_missing_file_in_words(self, repo, double, cli):
        lock(repo, "hf://owner/tiny@main/none.bin")
        assert "'owner/tiny' has no 'none.bin'" in cli("pull", cwd=repo.path, check=1).stderr

    def test_a_gated_repository_in_words(self, repo, double, cli):
        double.gated = True
        lock(repo, "hf://owner/tiny@main/a.bin")
        result = cli("pull", cwd=repo.path, check=1)
        assert "gated" in result.stderr
        assert f"{double.endpoint}/owner/tiny" in result.stderr

    def test_a_cache_of_its_own_tools_comes_first(self, repo, double, cli, tmp_path, monkeypatch):
        blobs = tmp_path / "hfcache" / "models--owner--tiny" / "blobs"
        blobs.mkdir(parents=True)
        (blobs / sha256(DATA)).write_bytes(DATA)
        monkeypatch.setenv("HF_HUB_CACHE", str(blobs.parent.parent))
        lock(repo, "hf://owner/tiny@main/a.bin")
        cli("pull", cwd=repo.path)
        assert repo.read("a.bin") == DATA
        assert double.log == []

    def test_offline_asks_nobody(self, repo, double, cli, monkeypatch):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        lock(repo, "hf://owner/tiny@main/a.bin")
        assert "HF_HUB_OFFLINE" in cli("pull", cwd=repo.path, check=1).stderr
        assert double.log == []


class TestHubMirror:
    def test_when_the_hub_is_not_reached(self, repo, double, cli, monkeypatch):
        with HubDouble() as mirror:
            mirror.commit({"a.bin": DATA})
            monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
            monkeypatch.setenv("HF_TOKEN", CANARY)
            repo.git("config", "assets.hfMirror", mirror.endpoint)
            lock(repo, "hf://owner/tiny@main/a.bin")
            [row] = rows(cli("pull", "--json", cwd=repo.path)).values()
            assert row["source"].startswith(mirror.endpoint)
            assert not mirror.saw(CANARY, "")

    def test_not_when_it_does_not_serve(self, repo, double, server, cli):
        repo.git("config", "assets.hfMirror", server.url())
        lock(repo, "hf://owner/tiny@main/a.bin")
        [row] = rows(cli("pull", "--json", cwd=repo.path)).values()
        assert row["source"] == "hf://owner/tiny@main/a.bin"

    def test_not_when_nobody_wants_it(self, repo, double, server, cli):
        lock(repo, "hf://owner/tiny@main/a.bin")
        cli("pull", cwd=repo.path)
        assert [row.method for row in double.seen("hub")] == ["GET"]


def test_a_private_release(repo, cli, tmp_path, monkeypatch):
    with GithubPlace(tmp_path / "top", monkeypatch) as place:
        place.credential(CANARY)
        lock(repo, place.serve("a.bin", DATA))
        cli("pull", cwd=repo.path)
        assert repo.read("a.bin") == DATA
        assert CANARY not in str(place.second())


def test_a_release_that_is_not_there(repo, cli, tmp_path, monkeypatch):
    with GithubPlace(tmp_path / "top", monkeypatch) as place:
        place.serve("a.bin", DATA)
        lock(repo, "github-release://owner/name/v9/a.bin", place.name("b.bin"))
        result = cli("pull", cwd=repo.path, check=1)
        assert "no 'a.bin' in a release 'v9' of owner/name that we may see" in result.stderr
        assert "release 'v1/2' of owner/name has no 'b.bin'" in result.stderr


def test_an_lfs_server_is_a_store(repo, cli, tmp_path, monkeypatch):
    with LfsPlace(tmp_path / "top", monkeypatch) as place:
        url = place.serve("a.bin", DATA)
        lock(repo, stores={"lfs": url.partition("#")[0]})
        cli("pull", cwd=repo.path)
        assert repo.read("a.bin") == DATA
        [batch] = place.desk.seen("first")
        assert json.loads(batch.body)["objects"] == [{"oid": sha256(DATA), "size": len(DATA)}]
        assert "\x1b" not in cli("pull", cwd=repo.path).stderr


def test_an_lfs_server_that_wants_to_know_who_we_are(repo, cli, tmp_path, monkeypatch):
    with LfsPlace(tmp_path / "top", monkeypatch) as place:
        place.token = "somebody"
        url = place.serve("a.bin", DATA)
        lock(repo, stores={"lfs": url.partition("#")[0]})
        result = cli("pull", cwd=repo.path, check=1)
        assert "says HTTP 401 (without a credential)" in result.stderr
        assert place.second() == []
