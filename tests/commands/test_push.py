"""`git assets remote` and `push` as a user runs them, against real directories and servers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support.content import content, digest
from support.depot import Depot, key
from support.process import Background
from support.repo import pinned, pinned_bytes

DATA = {"a.bin": b"first", "dir/b.bin": content("b", 0, 70_000), "empty": b""}


@pytest.fixture
def depot():
    with Depot() as running:
        yield running


@pytest.fixture
def filled(repo, cli):
    """A repository whose assets only this machine has."""
    cli("init", cwd=repo.path)
    for path, data in DATA.items():
        repo.write(path, data)
    cli("add", *DATA, cwd=repo.path)
    repo.commit("Pin")
    return repo


def files(place):
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file()
    }


OBJECTS = {key(data): data for data in DATA.values()}


class TestRemote:
    def test_remotes_live_in_git_config(self, repo, cli, tmp_path):
        cli("remote", "add", "team", "https://assets.example.org/x/", cwd=repo.path)
        cli(
            "remote",
            "add",
            "disk",
            "../disk",
            "--public",
            "https://files.example.org/",
            cwd=repo.path,
        )
        assert repo.git("config", "assets.remote.team.url") == "https://assets.example.org/x"
        assert repo.git("config", "assets.remote.disk.url") == str(tmp_path / "disk")
        listed = cli("remote", "list", cwd=repo.path).stdout
        assert listed == (
            f"disk  {tmp_path}/disk  (read at https://files.example.org/)\nteam  https://assets.example.org/x\n"
        )
        cli("remote", "remove", "disk", cwd=repo.path)
        rows = cli("remote", "list", "--json", cwd=repo.path).json()["remotes"]
        assert rows == [{"name": "team", "url": "https://assets.example.org/x", "public": None}]
        assert repo.git("config", "--get-regexp", "disk", check=False) == ""
        assert repo.status == ""

    @pytest.mark.parametrize(
        ("name", "url", "why"),
        [
            ("team", "ftp://example.org/x", "unknown scheme"),
            ("team", "https://user:secret@example.org/x", "user name or password"),
            ("team", "github-release://o/r/t/n", "nothing can be pushed to"),
            ("team", "https://example.org/x?sig=abc", "without ?"),
            ("a b", "https://example.org/x", "a name has"),
            ("-x.y", "https://example.org/x", ""),
        ],
    )
    def test_bad_input_is_one_line(self, repo, cli, name, url, why):
        result = cli("remote", "add", name, url, cwd=repo.path, check=129)
        assert why in result.stderr
        assert "secret" not in result.stderr
        assert len(result.stderr.splitlines()) <= 2
        assert repo.git("config", "--get-regexp", r"^assets\.remote", check=False) == ""

    @pytest.mark.parametrize(
        "words",
        [("add",), ("add", "x"), ("list", "x"), ("remove",), ("remove", "x", "y"), ("show",)],
    )
    def test_bad_usage(self, repo, cli, words):
        assert "git assets remote -h" in cli("remote", *words, cwd=repo.path, check=129).stderr

    def test_a_name_is_taken_once(self, repo, cli):
        cli("remote", "add", "team", "/a", cwd=repo.path)
        assert "already" in cli("remote", "add", "team", "/b", cwd=repo.path, check=129).stderr
        assert "no remote 'x'" in cli("remote", "remove", "x", cwd=repo.path, check=129).stderr

    def test_a_committed_file_names_no_remote(self, filled, cli, tmp_path):
        text = filled.read("assets.lock.toml").decode()
        filled.write("assets.lock.toml", text + f'\n[remote.evil]\nurl = "{tmp_path}/evil"\n')
        result = cli("push", cwd=filled.path, check=129)
        assert "no remote" in result.stderr
        assert not (tmp_path / "evil").exists()


class TestPush:
    def test_push_then_a_clone_pulls_from_there(self, filled, cli, depot, tmp_path):
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        result = cli("push", cwd=filled.path)
        assert "3 files pushed to 'team'" in result.stderr
        assert "git add" in result.stderr
        assert {
            path.removeprefix("/assets/"): data for path, data in depot.files.items()
        } == OBJECTS
        diff = filled.git("diff", "--unified=0", "--", "assets.lock.toml").splitlines()
        assert [line for line in diff if line.startswith("+") and not line.startswith("+++")] == [
            "+[store.team]", f'+url = "{depot.url()}"', "+"]  # fmt: skip
        filled.git("commit", "-qam", "Serve")
        clone = filled.clone(tmp_path / "clone")
        cli("pull", cwd=clone.path, env={"GIT_ASSETS_CACHE": str(tmp_path / "other")})
        assert {path: clone.read(path) for path in DATA} == DATA

    def test_a_second_push_sends_nothing(self, filled, cli, depot):
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        cli("push", cwd=filled.path)
        before = filled.read("assets.lock.toml")
        depot.log.clear()
        result = cli("push", "--json", cwd=filled.path).json()
        assert depot.puts() == []
        assert result["summary"] == {"present": 3, "uploaded": 0, "failed": 0, "bytes_sent": 0}
        assert result["store"] is None
        assert filled.read("assets.lock.toml") == before

    def test_json(self, filled, cli, depot):
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        result = cli("push", "--json", "a.bin", cwd=filled.path).json()
        assert result["remote"] == "team"
        assert result["store"] == {"id": "team", "url": depot.url()}
        assert result["assets"] == [
            {
                "path": "a.bin",
                "size": 5,
                "sha256": digest(b"first"),
                "status": "uploaded",
                "bytes": 5,
                "error": None,
            }
        ]
        assert len(depot.files) == 1

    def test_dry_run_changes_nothing(self, filled, cli, depot):
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        before = filled.read("assets.lock.toml")
        assert "3 objects" in cli("push", "--dry-run", cwd=filled.path).stdout
        plan = cli("push", "-n", "--json", cwd=filled.path).json()["plan"]
        assert plan["bytes"] == 70_005
        assert len(plan["upload"]) == 3
        assert plan["present"] == []
        assert depot.files == {}
        assert depot.puts() == []
        assert filled.read("assets.lock.toml") == before

    def test_a_directory_that_the_repository_carries(self, filled, cli, tmp_path):
        cli("remote", "add", "here", "upstream", cwd=filled.path)
        cli("push", cwd=filled.path)
        assert files(filled.path / "upstream") == OBJECTS
        assert 'url = "file:upstream"' in filled.read("assets.lock.toml").decode()
        filled.commit("Carry")
        clone = filled.clone(tmp_path / "clone")
        cli("pull", cwd=clone.path, env={"GIT_ASSETS_CACHE": str(tmp_path / "other")})
        assert {path: clone.read(path) for path in DATA} == DATA

    def test_a_directory_elsewhere_is_not_named_to_others(self, filled, cli, tmp_path):
        cli("remote", "add", "disk", str(tmp_path / "disk"), cwd=filled.path)
        result = cli("push", cwd=filled.path)
        assert files(tmp_path / "disk") == OBJECTS
        assert "[store" not in filled.read("assets.lock.toml").decode()
        assert "--public" in result.stderr

    def test_a_directory_with_a_public_address(self, filled, cli, server, tmp_path):
        cli(
            "remote",
            "add",
            "disk",
            str(tmp_path / "disk"),
            "--public",
            server.url("/pub"),
            cwd=filled.path,
        )
        cli("push", cwd=filled.path)
        assert (
            f'[store.disk]\nurl = "{server.url("/pub")}"'
            in filled.read("assets.lock.toml").decode()
        )

    def test_a_directory_whose_volume_is_not_mounted(self, filled, cli, tmp_path):
        cli("remote", "add", "disk", str(tmp_path / "mnt/disk"), cwd=filled.path)
        result = cli("push", cwd=filled.path, check=1)
        assert "No such file" in result.stderr
        assert not (tmp_path / "mnt").exists()

    def test_what_is_not_here_is_told_by_asset(self, filled, cli, depot, server):
        lock = {path: pinned_bytes(data) for path, data in DATA.items()}
        filled.lock({**lock, "gone.bin": pinned(1000, "gone", server.url("/never"))})
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        before = filled.read("assets.lock.toml")
        result = cli("push", cwd=filled.path, check=1)
        assert "cannot push 'gone.bin': neither this machine" in result.stderr
        assert "git assets pull gone.bin" in result.stderr
        assert depot.has(DATA["a.bin"])
        assert server.log == []
        assert filled.read("assets.lock.toml") == before

    def test_the_work_tree_is_asked_when_the_cache_is_gone(self, filled, cli, depot):
        shutil.rmtree(os.environ["GIT_ASSETS_CACHE"])
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        cli("push", cwd=filled.path)
        assert len(depot.files) == 3

    def test_equal_contents_are_sent_once(self, repo, cli, depot):
        repo.lock({"one": pinned_bytes(b"same"), "two": pinned_bytes(b"same")})
        repo.write("one", b"same")
        cli("remote", "add", "team", depot.url(), cwd=repo.path)
        found = cli("push", "--json", cwd=repo.path).json()
        assert len(depot.puts()) == 1
        assert found["summary"] == {"present": 0, "uploaded": 2, "failed": 0, "bytes_sent": 4}

    def test_which_remote(self, filled, cli, tmp_path):
        assert "remote add" in cli("push", cwd=filled.path, check=129).stderr
        for name in ("one", "two"):
            cli("remote", "add", name, str(tmp_path / name), cwd=filled.path)
        assert "which of one, two" in cli("push", cwd=filled.path, check=129).stderr
        assert "no remote 'x'" in cli("push", "--to", "x", cwd=filled.path, check=129).stderr
        filled.git("config", "assets.pushDefault", "two")
        cli("push", cwd=filled.path)
        assert not (tmp_path / "one").exists()
        assert len(files(tmp_path / "two")) == 3

    def test_an_id_that_is_taken(self, filled, cli, depot):
        lock = filled.read("assets.lock.toml").decode()
        head, body = lock.split("\n[asset", 1)
        filled.write(
            "assets.lock.toml",
            f'{head}\n[store.team]\nurl = "https://old.example.org/x"\n\n[asset{body}',
        )
        cli("remote", "add", "Team", depot.url(), cwd=filled.path)
        assert cli("push", "--json", cwd=filled.path).json()["store"]["id"] == "team-2"

    def test_offline(self, filled, cli, depot):
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        result = cli("push", cwd=filled.path, env={"GIT_ASSETS_OFFLINE": "1"}, check=129)
        assert "offline" in result.stderr
        assert depot.log == []


class TestFaults:
    def test_a_remote_that_keeps_other_bytes_is_found(self, filled, cli, depot):
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        depot.spoil = True
        result = cli("push", "dir", cwd=filled.path, check=1)
        assert "was sent, but the remote has 69999 bytes" in result.stderr
        assert "[store" not in filled.read("assets.lock.toml").decode()
        depot.spoil = False
        cli("push", cwd=filled.path)
        assert depot.has(DATA["dir/b.bin"])

    def test_a_digest_that_the_remote_keeps_is_compared(self, filled, cli, depot):
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        depot.digests = True
        data = DATA["dir/b.bin"]
        depot.files[f"/assets/{key(data)}"] = b"x" * len(data)
        cli("push", cwd=filled.path)
        assert depot.has(data)

    @pytest.mark.parametrize("status", [500, 503, 429])
    def test_what_passes_is_waited_for(self, filled, cli, depot, status):
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        depot.answers = [(status, {"Retry-After": "0"})] * 2
        cli("push", "dir", cwd=filled.path)
        assert depot.has(DATA["dir/b.bin"])
        assert len(depot.puts()) == 3

    def test_a_wait_beyond_the_cap(self, filled, cli, depot):
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        depot.answers = [(429, {"Retry-After": "4000"})]
        assert "HTTP 429" in cli("push", "dir", cwd=filled.path, check=1).stderr

    @pytest.mark.parametrize(
        ("status", "headers"), [(507, {}), (405, {}), (301, {"Location": "http://x.example/"})]
    )
    def test_what_does_not_pass(self, filled, cli, depot, status, headers):
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        depot.answers = [(status, headers)] * 9
        result = cli("push", "dir", cwd=filled.path, check=1)
        assert f"HTTP {status}" in result.stderr
        assert len(depot.puts()) == 1
        assert "[store" not in filled.read("assets.lock.toml").decode()

    def test_nobody_listens(self, filled, cli):
        with Depot() as gone:
            url = gone.url()
        cli("remote", "add", "team", url, cwd=filled.path)
        filled.git("config", "assets.retryCap", "1")
        result = cli("push", cwd=filled.path, check=128)
        assert "cannot use remote 'team'" in result.stderr
        assert url in result.stderr
        assert "Traceback" not in result.stderr

    def test_a_corrupt_object_is_never_pushed(self, filled, cli, depot):
        data = DATA["dir/b.bin"]
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        [path] = list(Path(os.environ["GIT_ASSETS_CACHE"]).rglob(digest(data)[2:]))
        facts = path.stat()
        path.chmod(0o644)
        path.write_bytes(b"x" * len(data))
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        filled.write("dir/b.bin", b"edited")
        result = cli("push", "dir", cwd=filled.path, check=1)
        assert "holds other bytes" in result.stderr
        assert depot.files == {}

    def test_killed_between_bytes_and_lockfile(self, filled, cli, depot, tmp_path):
        """The lockfile comes last; the next run sends nothing again and writes the line."""
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        before = filled.read("assets.lock.toml")
        real, seen = depot.look, []

        def look(handler, *, body):
            seen.append(handler.path)
            if len(depot.files) == 3:  # all bytes are there: the next thing is the proof
                running.kill()
            real(handler, body=body)

        depot.look = look
        running = Background(["git", "assets", "push"], filled.path, tmp_path / "out")
        with running:
            running.wait()
        assert filled.read("assets.lock.toml") == before
        assert len(depot.files) == 3
        depot.look = real
        depot.log.clear()
        cli("push", cwd=filled.path)
        assert depot.puts() == []
        assert b"[store.team]" in filled.read("assets.lock.toml")

    @pytest.mark.parametrize("how", ["interrupt", "kill"])
    def test_interrupted_within_an_upload(self, repo, cli, depot, tmp_path, how):
        size = 24 * 2**20
        data = content("large", 0, size)
        repo.lock({"large.bin": pinned_bytes(data)})
        repo.write("large.bin", data)
        cli("remote", "add", "team", depot.url(), cwd=repo.path)
        real = depot.take

        def take(handler):
            handler.rfile.read(2**20)
            getattr(running, how)()
            real(handler)

        depot.take = take
        running = Background(["git", "assets", "push"], repo.path, tmp_path / "out")
        with running:
            assert running.wait() != 0
        assert "Traceback" not in running.stderr
        assert depot.files == {}
        assert b"[store" not in repo.read("assets.lock.toml")
        depot.take = real
        cli("push", cwd=repo.path)
        assert depot.has(data)
        assert b"[store.team]" in repo.read("assets.lock.toml")


class TestCredentials:
    def test_git_is_asked_once_and_told(self, filled, cli, depot, tmp_path):
        depot.user = "me:canary"
        said = tmp_path / "said"
        helper = tmp_path / "helper"
        helper.write_text(
            f'#!/bin/sh\necho "$1" >>{said}\ncat >>{said}\n[ "$1" != get ] || printf "username=me\\npassword=canary\\n"\n'
        )
        helper.chmod(0o755)
        filled.git("config", "credential.helper", str(helper))
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        result = cli("push", "-v", cwd=filled.path)
        assert len(depot.files) == 3
        words = said.read_text().splitlines()
        assert words.count("get") == 1
        assert words.count("store") == 1
        assert "erase" not in words
        assert (
            "canary" not in result.stdout + result.stderr + filled.read("assets.lock.toml").decode()
        )

    def test_a_wrong_password_is_told_to_git(self, filled, cli, depot, tmp_path):
        depot.user = "me:other"
        said = tmp_path / "said"
        filled.git(
            "config",
            "credential.helper",
            f'!f() {{ echo "$1" >>{said}; echo username=me; echo password=canary; }}; f',
        )
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        result = cli("push", cwd=filled.path, check=1)
        assert "HTTP 401 (with credentials)" in result.stderr
        assert "canary" not in result.stderr
        words = said.read_text().split()
        assert words.count("get") == 1
        assert words.count("erase") == 1
        assert "store" not in words

    def test_nobody_is_prompted(self, filled, cli, depot):
        depot.user = "me:canary"
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        assert "HTTP 401 (without credentials)" in cli("push", cwd=filled.path, check=1).stderr

    def test_a_token_is_for_one_remote(self, filled, cli, depot):
        depot.token = "canary"
        cli("remote", "add", "team-a", depot.url(), cwd=filled.path)
        cli("push", cwd=filled.path, env={"GIT_ASSETS_TOKEN_OTHER": "canary"}, check=1)
        assert all("authorization" not in headers for _, _, headers in depot.log)
        result = cli("push", cwd=filled.path, env={"GIT_ASSETS_TOKEN_TEAM_A": "canary"})
        assert len(depot.files) == 3
        assert "canary" not in result.stderr

    def test_a_redirect_gets_no_secret(self, filled, cli, depot, server):
        cli("remote", "add", "team", depot.url(), cwd=filled.path)
        depot.answers = [(307, {"Location": server.other("/elsewhere")})] * 9
        cli("push", "dir", cwd=filled.path, env={"GIT_ASSETS_TOKEN_TEAM": "canary"}, check=1)
        assert server.log == []
