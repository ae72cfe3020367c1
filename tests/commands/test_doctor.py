"""`git assets doctor`: each trouble is made for real, and is found under its name with a way out."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
from support.content import content, digest_of
from support.proxy import Proxy
from support.repo import LOCKFILE, Repo, pinned, pinned_bytes
from support.user import as_nobody, give

from gitassets import checkup, checkup_places, checkup_sources
from gitassets.checkup import Finding, guarded
from gitassets.checkup_places import Spot
from gitassets.errors import ConfigError

CANARY = "canary-4f1"


@pytest.fixture
def doctor(cli, repo):
    """Run it; give the exit status and what was found, by name."""

    def run(*args, check=False, env=None, cwd=None):
        result = cli("doctor", "--json", *args, cwd=cwd or repo.path, check=check, env=env)
        found: dict[str, list[dict]] = {}
        for row in result.json()["findings"]:
            found.setdefault(row["name"], []).append(row)
        return result.code, found

    return run


@pytest.fixture
def healthy(repo, server, cli) -> Repo:
    repo.lock({"a": pinned(5000, "a", server.blob(5000, "a"))})
    repo.commit()
    cli("pull", cwd=repo.path)
    server.forget()
    return repo


def problems(found):
    return [row for rows in found.values() for row in rows if row["state"] == "problem"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class TestHealthy:
    def test_nothing_to_complain_of(self, healthy, doctor, server):
        code, found = doctor()
        assert code == 0
        assert problems(found) == []
        assert found["lockfile"][0]["text"] == "1 asset, canonical"
        assert found["link mode"][0]["text"] in {"reflink", "hardlink"}
        [source] = found["source"]
        assert f"http://127.0.0.1:{server.port} answers, no credential" in source["text"]
        assert [request.headers["range"] for request in server.log] == ["bytes=0-0"]

    def test_json_is_complete(self, healthy, cli):
        document = cli("doctor", "--json", cwd=healthy.path).json()
        assert set(document) == {"version", "command", "findings"}
        for row in document["findings"]:
            assert set(row) == {"name", "state", "text", "hint"}
            assert row["state"] in {"ok", "warning", "problem"}
            assert row["text"]
            assert (row["hint"] is None) == (row["state"] == "ok")
        names = {row["name"] for row in document["findings"]}
        assert names >= {
            "git", "python", "curl", "aria2c", "settings", "memory", "load", "clock", "cache", "journal",
            "unfinished", "hooks", "lockfile", "paths", "link mode", "held twice", "permission", "space", "source",
        }  # fmt: skip

    def test_people_read_a_line_a_finding(self, healthy, cli):
        lines = cli("doctor", cwd=healthy.path).stdout.splitlines()
        rows = cli("doctor", "--json", cwd=healthy.path).json()["findings"]
        column = 9 + max(len(row["name"]) for row in rows) + 2
        assert [line[:column].strip().split(maxsplit=1) for line in lines] == [
            [row["state"], row["name"]] for row in rows
        ]
        assert all(line[column - 2 : column] == "  " and line[column] != " " for line in lines)
        assert "\x1b" not in "".join(lines)

    def test_it_leaves_nothing(self, healthy, doctor):
        def names():
            return sorted(healthy.path.rglob("*")), sorted(
                Path(os.environ["GIT_ASSETS_CACHE"]).rglob("*")
            )

        doctor()
        before = names()
        doctor()
        assert names() == before
        assert healthy.status == ""


class TestPrograms:
    def path_without(self, tmp_path, name):
        directory = tmp_path / "programs"
        directory.mkdir()
        for place in os.environ["PATH"].split(os.pathsep):
            for program in Path(place).glob("*") if place.startswith("/") else ():
                link = directory / program.name
                if program.name != name and not link.is_symlink():
                    link.symlink_to(program)
        return {"PATH": str(directory)}

    def test_no_aria2c_is_no_trouble(self, healthy, doctor, tmp_path):
        code, found = doctor(env=self.path_without(tmp_path, "aria2c"))
        assert code == 0
        assert found["aria2c"] == [
            {
                "name": "aria2c",
                "state": "ok",
                "text": "aria2c is not installed; auto uses curl",
                "hint": None,
            }
        ]

    def test_unless_it_is_asked_for_by_name(self, healthy, doctor, tmp_path):
        healthy.git("config", "assets.engine", "aria2c")
        code, found = doctor(env=self.path_without(tmp_path, "aria2c"))
        assert code == 1
        assert found["aria2c"][0]["state"] == "problem"

    def test_an_old_git(self, monkeypatch):
        monkeypatch.setattr("gitassets.git.version", lambda: "2.30.9")
        assert checkup.git().state == "problem"
        monkeypatch.setattr("gitassets.git.version", lambda: "2.31.0")
        assert checkup.git() == Finding("git", "ok", "2.31.0")

    def test_a_setting_that_nobody_can_read(self, healthy, doctor):
        healthy.git("config", "assets.segmentAbove", "large")
        code, found = doctor()
        assert code == 1
        [row] = found["settings"]
        assert "assets.segmentAbove" in row["text"]
        assert row["hint"] == "git config --unset assets.segmentAbove"


class TestMachine:
    def test_a_clock_before_the_past(self, healthy):
        directory = healthy.path / ".git"
        assert checkup.clock(directory).state == "ok"
        ahead = time.time() + 86400
        os.utime(directory / "HEAD", (ahead, ahead))
        assert checkup.clock(directory).state == "warning"

    def test_little_memory(self, monkeypatch):
        assert checkup._available() > 0
        monkeypatch.setattr(checkup, "_available", lambda: 100 * 2**20)
        assert checkup.memory().state == "warning"

    def test_a_check_that_fails_is_a_warning(self):
        def denied():
            raise PermissionError(13, "Permission denied")

        def bad():
            raise ConfigError("k", "v", "why")

        for check, reason, hint in (
            (denied, "Permission denied", "git assets status"),
            (bad, "bad value 'v' for k: why", "git config --unset k"),
            (lambda: int("x"), "invalid literal for int() with base 10: 'x'", "git assets status"),
        ):
            text = f"could not be checked: {reason}"
            assert guarded("x", check) == [Finding("x", "warning", text, hint)]

    def test_outside_a_repository(self, doctor, tmp_path):
        code, found = doctor(cwd=tmp_path)
        assert code == 1
        assert [row["name"] for row in problems(found)] == ["repository"]


class TestRepository:
    def test_hooks_that_were_bypassed_later(self, healthy, doctor, cli):
        cli("install", cwd=healthy.path)
        assert doctor()[1]["hooks"][0]["text"] == "live"
        healthy.git("config", "core.hooksPath", ".githooks")
        code, found = doctor()
        assert code == 0
        [row] = found["hooks"]
        assert (row["state"], row["hint"]) == ("warning", "git assets install")
        assert ".githooks" in row["text"]

    def test_a_lockfile_that_was_edited(self, healthy, doctor, cli):
        text = healthy.read(LOCKFILE)
        healthy.write(LOCKFILE, text.replace(b" = ", b"="))
        code, found = doctor()
        assert code == 0
        [row] = found["lockfile"]
        assert row["state"] == "warning"
        assert row["hint"] == "git assets set a --group ''"
        cli("set", "a", "--group", "", cwd=healthy.path)  # the way out is one
        assert healthy.read(LOCKFILE) == text

    def test_line_ends_of_windows_are_no_edit(self, healthy, doctor):
        healthy.write(LOCKFILE, healthy.read(LOCKFILE).replace(b"\n", b"\r\n"))
        assert doctor()[1]["lockfile"][0]["state"] == "ok"

    @pytest.mark.parametrize(
        ("text", "hint"),
        [(b"<<<<<<< ours\n", "git assets resolve"), (b"version = 99\n", "python3 -m pip")],
    )
    def test_a_lockfile_that_nobody_can_read(self, healthy, doctor, text, hint):
        healthy.write(LOCKFILE, text)
        code, found = doctor()
        assert code == 1
        [row] = problems(found)
        assert row["name"] == "lockfile"
        assert row["hint"].startswith(hint)

    def test_no_lockfile(self, repo, doctor):
        code, found = doctor()
        assert code == 1
        assert found["lockfile"][0]["hint"] == "git assets init"

    def test_an_asset_that_git_would_commit(self, repo, doctor, server):
        repo.lock({"x #1": pinned(5, "a", server.blob(5, "a"))}, ignore=False)
        code, found = doctor()
        assert code == 0
        [row] = found["paths"]
        assert (row["state"], "'x #1'" in row["text"]) == ("warning", True)
        os.system(f"cd '{repo.path}' && {row['hint']}")
        assert doctor()[1]["paths"][0]["state"] == "ok"

    def test_an_asset_that_git_keeps(self, healthy, doctor):
        healthy.git("add", "-f", "a")
        code, found = doctor()
        assert code == 1
        [row] = found["paths"]
        assert "git tracks 'a'" in row["text"]
        os.system(f"cd '{healthy.path}' && {row['hint']} >/dev/null")
        assert doctor()[0] == 0


class TestPlaces:
    def test_more_than_fits(self, healthy, doctor, tmp_path):
        code, found = doctor("--path", str(tmp_path), "--size", "1024TB")
        assert code == 1
        assert {row["name"] for row in problems(found)} == {"space"}
        assert doctor("--size", "1024TB")[0] == 1
        assert doctor("--path", str(tmp_path), "--size", "1")[0] == 0

    def test_a_size_that_is_none(self, healthy, cli):
        assert "--size" in cli("doctor", "--size", "much", cwd=healthy.path, check=129).stderr

    def test_a_drive_that_is_not_mounted(self, healthy, doctor, tmp_path):
        code, found = doctor("--path", str(tmp_path / "drive"), "--size", "1")
        assert code == 1
        [row] = problems(found)
        assert row["text"].endswith("drive' is not there")

    def test_what_is_missing_does_not_fit(self, healthy, doctor):
        huge = 2**50
        healthy.lock({"a": {"size": huge, "sha256": "0" * 64}})
        code, found = doctor("--offline")
        assert code == 1
        [row] = problems(found)
        assert row["name"] == "space"
        assert "1.0 PiB to come" in row["text"]

    @pytest.mark.parametrize(
        ("total", "free", "state"),
        [
            (100 * 2**30, 50 * 2**30, "ok"),
            (100 * 2**30, 10 * 2**30, "warning"),
            (3 * 2**30, 2**30 - 1, "warning"),
        ],
    )
    def test_little_left(self, tmp_path, monkeypatch, total, free, state):
        facts = os.statvfs_result((1, 1, total, free, free, 0, 0, 0, 0, 255))
        monkeypatch.setattr(os, "statvfs", lambda path: facts)
        [row] = checkup_places.space([Spot("x", tmp_path / "later", free, "df")])
        assert row.state == state
        [row] = checkup_places.space(
            [Spot("x", tmp_path, free, "df"), Spot("y", tmp_path, 1, "gc")]
        )
        assert (row.state, row.hint) == ("problem", "gc")

    def test_a_directory_that_may_not_be_written(self, tmp_path):
        directory = tmp_path / "locked"
        directory.mkdir()
        give(directory)
        directory.chmod(0o555)

        def look():
            spot = Spot("cache", directory, 0, "chmod")
            assert checkup_places.writable(spot).state == "problem"

        as_nobody(look)
        directory.chmod(0o755)
        assert checkup_places.writable(Spot("cache", directory, 0, "chmod")).state == "ok"

    def test_a_cache_that_cannot_be(self, healthy, doctor, tmp_path):
        (tmp_path / "file").write_text("")
        code, found = doctor(env={"GIT_ASSETS_CACHE": str(tmp_path / "file" / "cache")})
        assert code == 1
        assert found["cache"][0]["state"] == "problem"
        assert "assets.cacheDir" in found["cache"][0]["hint"]

    def test_bytes_held_twice(self, healthy, doctor, cli):
        assert doctor()[1]["held twice"][0]["text"] == "0 B in 0 files"
        (healthy.path / "a").unlink()
        copy = {"GIT_ASSETS_LINK_MODE": "copy"}
        cli("pull", cwd=healthy.path, env=copy)
        assert doctor(env=copy)[1]["held twice"][0]["state"] == "ok"  # as the user wants it
        [row] = doctor(env={"GIT_ASSETS_LINK_MODE": "hardlink"})[1]["held twice"]
        assert (row["state"], row["text"]) == ("warning", "4.9 KiB in 1 file")
        healthy.write("a", b"x" * 5000)  # what the user wrote is in no cache
        assert doctor(env={"GIT_ASSETS_LINK_MODE": "hardlink"})[1]["held twice"][0]["state"] == "ok"

    def test_no_link_works(self, tmp_path, monkeypatch):
        def refuse(*args, **more):
            raise OSError(18, "Invalid cross-device link")

        (tmp_path / "staging").mkdir()
        monkeypatch.setattr(os, "link", refuse)
        mode, row = checkup_places.link(tmp_path, tmp_path, ("hardlink", "copy"))
        assert (mode, row.state) == ("copy", "warning")
        mode, row = checkup_places.link(tmp_path, tmp_path, ("hardlink",))
        assert (mode, row.state) == ("", "problem")
        assert [each.name for each in tmp_path.iterdir() if "doctor" in each.name] == []


class TestCache:
    def test_what_lies_around(self, healthy, doctor):
        root = Path(os.environ["GIT_ASSETS_CACHE"])
        (root / "quarantine").mkdir()
        (root / "quarantine" / digest_of("x", 1)).write_bytes(b"y")
        (root / "staging" / digest_of("z", 9000)).write_bytes(content("z", 0, 9000))
        (root / "journal.db").write_bytes(b"no database" * 100)
        for name in ("journal.db-wal", "journal.db-shm"):
            (root / name).unlink(missing_ok=True)
        code, found = doctor()
        assert code == 0
        assert found["quarantine"][0]["text"].startswith("1 corrupt object kept")
        assert found["unfinished"][0]["text"].startswith("1 download, ")
        [row] = found["journal"]
        assert row["state"] == "warning"
        assert "journal.db.broken" in row["text"]
        os.system(row["hint"])
        assert doctor()[1]["journal"][0]["state"] == "ok"


class TestSources:
    def test_a_dead_host_is_named(self, healthy, doctor):
        url = f"http://127.0.0.1:{free_port()}"
        healthy.lock({"a": pinned(5000, "a", f"{url}/a")})
        code, found = doctor()
        assert code == 1
        [row] = found["source"]
        assert row["state"] == "problem"
        assert row["text"].startswith(url)
        assert row["hint"]

    def test_a_dead_mirror_stops_nothing(self, healthy, doctor, server):
        healthy.lock(
            {"a": pinned(5000, "a", f"http://127.0.0.1:{free_port()}/a", server.blob(5000, "a"))}
        )
        code, found = doctor()
        assert code == 0
        assert sorted(row["state"] for row in found["source"]) == ["ok", "warning"]

    def test_one_question_a_host_of_its_smallest(self, repo, server, doctor):
        repo.lock(
            {
                name: pinned(size, name, server.blob(size, name))
                for name, size in (("a", 900), ("b", 7), ("c", 0))
            }
        )
        assert doctor()[0] == 0
        assert [request.target for request in server.log] == ["/b/7/b/file.bin"]

    @pytest.mark.parametrize("how", ["option", "setting"])
    def test_offline_asks_nobody(self, healthy, doctor, server, how):
        if how == "setting":
            healthy.git("config", "assets.offline", "true")
        code, found = doctor(*(["--offline"] if how == "option" else []))
        assert code == 0
        assert found["source"][0]["text"] == "not asked: offline"
        assert server.log == []

    @pytest.mark.parametrize("scheme", ["http://", ""])
    @pytest.mark.parametrize("login", [f"user:{CANARY}", "other:word"])
    def test_a_proxy_is_named_its_password_is_not(self, healthy, cli, login, scheme):
        with Proxy(login=login) as proxy:
            env = {"http_proxy": f"{scheme}user:{CANARY}@127.0.0.1:{proxy.port}"}
            for words in ([], ["--json"], ["-v"]):
                result = cli("doctor", *words, cwd=healthy.path, env=env, check=False)
                assert result.code == (0 if CANARY in login else 1)
                assert f" through 127.0.0.1:{proxy.port}" in result.stdout
                assert CANARY not in result.stdout + result.stderr
            assert proxy.log

    def test_a_password_in_a_setting_is_not_repeated(self, healthy, cli):
        env = {"GIT_ASSETS_TEAM_CACHE": f"ftp://user:{CANARY}@127.0.0.1/x"}
        result = cli("doctor", "--offline", cwd=healthy.path, env=env, check=1)
        assert "GIT_ASSETS_TEAM_CACHE" in result.stdout
        assert CANARY not in result.stdout + result.stderr

    def test_a_credential_is_told_by_its_kind(self):
        from gitassets.engines.base import Tuning
        from gitassets.model import Request, Url

        url = Url("https://example.org/x")
        for header, told in (
            ("Bearer", "a token"),
            ("Basic", "a user name and password"),
            ("AWS4", "a credential"),
        ):
            request = Request(url, url, (("Authorization", f"{header} {CANARY}"),), secret=True)
            assert checkup_sources._way(request, Tuning()) == f", with {told}"

    def test_files_are_read_from_disk(self, repo, doctor, tmp_path):
        repo.write("near/x", b"bytes")
        repo.lock({"a": pinned_bytes(b"bytes", "file:near/x")})
        code, found = doctor()
        assert (code, found["source"][0]["text"]) == (0, "file: answers, no credential")
