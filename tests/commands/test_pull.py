"""`git assets pull` as a user runs it: real git, real engines, a real server with faults."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess

import pytest
from support.repo import pinned, pinned_bytes
from support.server import content, digest, digest_of

from gitassets.urls import redacted

MIB = 2**20
ENGINES = [
    "curl",
    pytest.param(
        "aria2c", marks=pytest.mark.skipif(not shutil.which("aria2c"), reason="no aria2c")
    ),
]


def entry(server, size, seed, *urls, **more):
    return pinned(size, seed, *(urls or [server.url(f"/b/{size}/{seed}/x.bin")]), **more)


def bad(server, behaviour, size, seed):
    return server.url(f"/{behaviour}/b/{size}/{seed}/x.bin")


def test_a_clone_gets_the_bytes(repo, server, cli, tmp_path):
    size = 3 * MIB
    url = server.url(f"/b/{size}/one/faces.tar")
    cli("init", cwd=repo.path)
    added = cli("add", url, "--to", "data/", "--group", "train", cwd=repo.path)
    assert "git add" in added.stderr
    assert "/data/faces.tar" in repo.read(".gitignore").decode()
    repo.commit("Pin")
    clone = repo.clone(tmp_path / "clone")
    result = cli(
        "pull", "--json", cwd=clone.path, env={"GIT_ASSETS_CACHE": str(tmp_path / "c2")}
    ).json()
    assert clone.read("data/faces.tar") == content("one", 0, size)
    assert result["summary"] == {
        "kept": 0,
        "linked": 0,
        "fetched": 1,
        "failed": 0,
        "bytes_fetched": size,
    }
    [row] = result["assets"]
    assert row["status"] == "fetched"
    assert row["engine"] == "curl"
    assert row["source"] == url
    assert row["sha256"] == digest_of("one", size)
    assert row["error"] is None
    assert clone.status == ""
    again = cli(
        "pull", "--json", cwd=clone.path, env={"GIT_ASSETS_CACHE": str(tmp_path / "c2")}
    ).json()
    assert again["summary"] == {
        "kept": 1,
        "linked": 0,
        "fetched": 0,
        "failed": 0,
        "bytes_fetched": 0,
    }


def test_two_clones_hold_the_bytes_once(repo, server, cli, tmp_path):
    repo.lock({"x.bin": entry(server, MIB, "s")})
    repo.commit()
    clones = [repo.clone(tmp_path / name) for name in ("a", "b")]
    for clone in clones:
        cli("pull", cwd=clone.path, env={"GIT_ASSETS_LINK_MODE": "hardlink"})
    inodes = {(clone.path / "x.bin").stat().st_ino for clone in clones}
    assert len(inodes) == 1
    assert server.sent("x.bin") == MIB


@pytest.mark.parametrize("mode", ["hardlink", "symlink", "copy", "reflink,copy"])
def test_link_modes(repo, server, cli, mode):
    repo.lock(
        {"x.bin": entry(server, 70_000, "s"), "run": entry(server, 500, "r", executable=True)}
    )
    env = {"GIT_ASSETS_LINK_MODE": mode}
    rows = {
        row["path"]: row for row in cli("pull", "--json", cwd=repo.path, env=env).json()["assets"]
    }
    assert rows["x.bin"]["link"] in mode.split(",")
    assert repo.read("x.bin") == content("s", 0, 70_000)
    assert (repo.path / "x.bin").is_symlink() == (mode == "symlink")
    assert (repo.path / "run").stat().st_mode & stat.S_IXUSR
    assert not (repo.path / "run").is_symlink()
    assert cli("status", "--porcelain", "--exit-code", cwd=repo.path, env=env).stdout == ""
    again = cli("pull", "--json", cwd=repo.path, env=env).json()
    assert again["summary"]["kept"] == 2


def test_selection(repo, server, cli):
    repo.lock(
        {
            "data/a.bin": entry(server, 10, "a", groups=["train"]),
            "data/deep/b.txt": entry(server, 11, "b", groups=["eval"]),
            "models/c.bin": entry(server, 12, "c", groups=["train", "eval"]),
        }
    )

    def pulled(*args, cwd=None):
        out = cli("pull", "--json", *args, cwd=cwd or repo.path).json()["assets"]
        for row in out:
            (repo.path / row["path"]).unlink()
        return {row["path"] for row in out}

    repo.write("data/.keep", "")
    repo.write("models/.keep", "")
    assert pulled(".", cwd=repo.path / "data") == {"data/a.bin", "data/deep/b.txt"}
    assert pulled(":(top)*.bin", cwd=repo.path / "data") == {"data/a.bin", "models/c.bin"}
    assert pulled(".", ":!data/deep") == {"data/a.bin", "models/c.bin"}
    assert pulled("--group", "eval") == {"data/deep/b.txt", "models/c.bin"}
    assert pulled("--include", "*.bin") == {"data/a.bin", "models/c.bin"}
    assert pulled("--include", "data/**", "--exclude", "data/deep/") == {"data/a.bin"}
    assert "matches no asset" in cli("pull", "nothing", cwd=repo.path, check=129).stderr
    assert "no asset is in group" in cli("pull", "--group", "x", cwd=repo.path, check=129).stderr


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "behaviour",
    ["status;code=404", "flip;at=1000", "html", "norange", "norange-chunked", "wrongrange", "wrongtotal", "gzip",
     "status;code=403", "longer", "prefixgarbage"],
)  # fmt: skip
def test_a_bad_first_url_costs_only_time(repo, server, cli, engine, behaviour):
    size = 2 * MIB
    good = server.other(f"/b/{size}/m/good.bin")
    repo.lock({"x.bin": entry(server, size, "m", bad(server, behaviour, size, "m"), good)})
    out = cli("pull", "--json", "--engine", engine, cwd=repo.path).json()
    [row] = out["assets"]
    assert row["status"] == "fetched"
    assert repo.read("x.bin") == content("m", 0, size)
    if behaviour != "longer" and not behaviour.startswith("norange"):  # there the bytes are right
        assert row["error"]
        assert behaviour.split(";")[0] in row["error"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stall_is_left_for_the_next_url(repo, server, cli, engine):
    size = MIB
    good = server.other(f"/b/{size}/m/good.bin")
    repo.lock(
        {"x.bin": entry(server, size, "m", bad(server, "stall;after=100000", size, "m"), good)}
    )
    env = {"GIT_ASSETS_LOW_SPEED": "1024/1"}
    [row] = cli("pull", "--json", "--engine", engine, cwd=repo.path, env=env).json()["assets"]
    assert row["status"] == "fetched"
    assert repo.read("x.bin") == content("m", 0, size)


def test_a_wait_that_the_server_asks_for(repo, server, cli):
    repo.lock(
        {
            "x.bin": entry(
                server, 1000, "m", bad(server, "retryafter;code=429;seconds=1;times=1", 1000, "m")
            )
        }
    )
    cli("pull", cwd=repo.path)
    first, second = [row for row in server.log if "x.bin" in row.path]
    assert (first.status, second.status) == (429, 206)


def test_a_wait_beyond_the_cap_fails_at_once_and_says_until_when(repo, server, cli):
    repo.lock(
        {
            "x.bin": entry(
                server, 1000, "m", bad(server, "retryafter;code=429;seconds=4000", 1000, "m")
            )
        }
    )
    result = cli("pull", cwd=repo.path, check=1)
    assert "4000" in result.stderr
    assert "60" in result.stderr


def test_every_dead_url_is_one_line(repo, server, cli):
    urls = [
        server.url("/status;code=404/one"),
        server.other("/status;code=500/two"),
        server.url("/status;code=403/three"),
    ]
    repo.lock({"a.bin": pinned_bytes(b"x", *urls), "b.bin": entry(server, 5, "b")})
    result = cli("pull", cwd=repo.path, check=1, env={"GIT_ASSETS_RETRY_CAP": "1"})
    for url, code in zip(urls, ("404", "500", "403"), strict=True):
        assert [
            line
            for line in result.stderr.splitlines()
            if redacted(url) in line and f"HTTP {code}" in line
        ], url
    assert repo.read("b.bin") == content("b", 0, 5)
    assert not (repo.path / "a.bin").exists()
    assert "1 asset of 2 failed" in result.stderr


def test_a_file_of_the_user_is_never_overwritten(repo, server, cli):
    repo.lock({"x.bin": entry(server, 1000, "m")})
    repo.write("x.bin", b"mine")
    result = cli("pull", cwd=repo.path, check=1)
    assert repo.read("x.bin") == b"mine"
    assert "--force" in result.stderr
    assert server.log == []
    cli("pull", "--force", cwd=repo.path)
    assert repo.read("x.bin") == content("m", 0, 1000)
    [rescued] = (repo.path / ".git/assets/rescued").rglob("x.bin")
    assert rescued.read_bytes() == b"mine"


def test_a_modified_asset_is_the_users(repo, server, cli):
    repo.lock({"x.bin": entry(server, 1000, "m")})
    cli("pull", cwd=repo.path, env={"GIT_ASSETS_LINK_MODE": "copy"})
    repo.write("x.bin", b"edited")
    assert cli("status", "--porcelain", cwd=repo.path).stdout == "M x.bin\n"
    cli("pull", cwd=repo.path, check=1)
    assert repo.read("x.bin") == b"edited"


def test_the_previous_pin_is_replaced(repo, server, cli):
    repo.lock({"x.bin": entry(server, 1000, "old")})
    cli("pull", cwd=repo.path)
    repo.lock({"x.bin": entry(server, 1500, "new")})
    assert cli("status", "--porcelain", cwd=repo.path).stdout == "A x.bin\n"
    cli("pull", cwd=repo.path)
    assert repo.read("x.bin") == content("new", 0, 1500)


def test_a_tracked_file_is_gits(repo, server, cli):
    repo.commit("Track", {"x.bin": b"tracked"})
    repo.lock({"x.bin": entry(server, 1000, "m")}, ignore=False)
    result = cli("pull", cwd=repo.path, check=1)
    assert "tracked by git" in result.stderr
    assert repo.read("x.bin") == b"tracked"


def test_the_right_bytes_that_are_there_already_are_adopted(repo, server, cli):
    repo.lock({"x.bin": entry(server, 1000, "m")})
    repo.write("x.bin", content("m", 0, 1000))
    assert cli("pull", "--json", cwd=repo.path).json()["summary"]["kept"] == 1
    assert server.log == []


def test_dry_run_changes_nothing(repo, server, cli):
    repo.lock({"x.bin": entry(server, 1000, "m"), "y.bin": entry(server, 2000, "n")})
    text = cli("pull", "--dry-run", cwd=repo.path).stdout
    assert "2 files" in text
    assert "127.0.0.1" in text
    assert "free" in text
    plan = cli("pull", "--dry-run", "--json", cwd=repo.path).json()["plan"]
    assert plan["fetch"] == ["x.bin", "y.bin"]
    assert plan["bytes_to_fetch"] == 3000
    assert server.log == []
    assert not (repo.path / "x.bin").exists()


def test_offline_uses_the_cache_only(repo, server, cli):
    repo.lock({"x.bin": entry(server, 1000, "m"), "y.bin": entry(server, 2000, "n")})
    cli("pull", "x.bin", cwd=repo.path)
    (repo.path / "x.bin").unlink()
    asked = len(server.log)
    rows = {
        r["path"]: r["status"]
        for r in cli("pull", "--offline", "--json", cwd=repo.path, check=1).json()["assets"]
    }
    assert rows == {"x.bin": "linked", "y.bin": "failed"}
    assert len(server.log) == asked


def test_frozen_writes_only_assets(repo, server, cli):
    repo.lock({"x.bin": entry(server, 1000, "m")})
    repo.commit()
    before = {name: repo.read(name) for name in ("assets.lock.toml", ".gitignore", ".git/config")}
    cli("pull", "--frozen", cwd=repo.path)
    assert {name: repo.read(name) for name in before} == before
    cli("pull", "--frozen", cwd=repo.path)
    repo2 = repo.path / "x.bin"
    assert repo2.read_bytes() == content("m", 0, 1000)


def test_a_private_host_is_said_once_and_recorded(repo, server, cli):
    repo.lock({"x.bin": entry(server, 1000, "m")})
    assert "private host" in cli("pull", cwd=repo.path).stderr
    assert repo.git("config", "--get-all", "assets.allow") == "127.0.0.1"
    (repo.path / "x.bin").unlink()
    shutil.rmtree(os.environ["GIT_ASSETS_CACHE"])
    assert "private host" not in cli("pull", cwd=repo.path).stderr


def test_a_store_serves_entries_without_urls(repo, server, cli):
    data = b"stored"
    sha = digest(data)
    server.put(f"/store/{sha[:2]}/{sha}", data)
    repo.lock({"x.bin": pinned_bytes(data)}, stores={"main": server.url("/store")})
    cli("pull", cwd=repo.path)
    assert repo.read("x.bin") == data


def test_a_directory_below_the_work_tree_is_a_store(repo, cli):
    data = b"carried"
    sha = digest(data)
    repo.write(f"upstream/{sha[:2]}/{sha}", data)
    repo.lock({"x.bin": pinned_bytes(data)}, stores={"main": "file:upstream"})
    assert cli("pull", "--json", cwd=repo.path).json()["assets"][0]["engine"] == "local"
    assert repo.read("x.bin") == data


def test_a_directory_elsewhere_needs_permission(repo, cli, tmp_path):
    place = tmp_path / "elsewhere"
    place.mkdir()
    (place / "x").write_bytes(b"secret")
    repo.lock({"x.bin": pinned_bytes(b"secret", f"file://{place}/x")})
    result = cli("pull", cwd=repo.path, check=1)
    assert "assets.allow" in result.stderr
    repo.git("config", "assets.allow", str(place))
    cli("pull", cwd=repo.path)
    assert repo.read("x.bin") == b"secret"


def test_an_old_commit_is_served_by_what_the_newest_lockfile_knows(repo, server, cli, tmp_path):
    size = 5000
    repo.lock({"old.bin": entry(server, size, "m", server.url("/status;code=404/dead"))})
    repo.git("add", "-A")
    old = repo.commit("Old")
    repo.lock({"new/name.bin": entry(server, size, "m")})
    repo.commit("New")
    clone = repo.clone(tmp_path / "clone")
    clone.git("checkout", "-q", old)
    out = cli("pull", "--json", cwd=clone.path).json()
    assert out["assets"][0]["status"] == "fetched"
    assert "404" in out["assets"][0]["error"]
    assert clone.read("old.bin") == content("m", 0, size)


def test_an_old_commit_is_served_by_the_newest_stores(repo, server, cli, tmp_path):
    data = b"by content"
    sha = digest(data)
    server.put(f"/store/{sha[:2]}/{sha}", data)
    repo.lock({"old.bin": pinned_bytes(data)})
    old = repo.commit("Old")
    repo.lock({}, stores={"main": server.url("/store")})
    repo.commit("New")
    clone = repo.clone(tmp_path / "clone")
    clone.git("checkout", "-q", old)
    cli("pull", cwd=clone.path)
    assert clone.read("old.bin") == data


def test_bytes_on_this_disk_are_used_before_the_network(repo, server, cli, tmp_path):
    lfs, hub = b"from lfs", b"from the hub"
    one, two = digest(lfs), digest(hub)
    repo.write(f".git/lfs/objects/{one[:2]}/{one[2:4]}/{one}", lfs)
    blobs = tmp_path / "hub/models--o--n/blobs"
    blobs.mkdir(parents=True)
    (blobs / two).write_bytes(hub)
    repo.lock(
        {"a": pinned_bytes(lfs, server.url("/never")), "b": pinned_bytes(hub, server.url("/never"))}
    )
    cli("pull", cwd=repo.path, env={"HF_HUB_CACHE": str(tmp_path / "hub")})
    assert (repo.read("a"), repo.read("b")) == (lfs, hub)
    assert server.log == []


def test_a_lie_on_this_disk_is_found(repo, server, cli):
    data = content("m", 0, 1000)
    sha = digest(data)
    repo.write(f".git/lfs/objects/{sha[:2]}/{sha[2:4]}/{sha}", b"x" * 1000)
    repo.lock({"a": entry(server, 1000, "m")})
    cli("pull", cwd=repo.path)
    assert repo.read("a") == data


def test_redirects_across_hosts_carry_no_secret_and_are_followed(repo, server, cli):
    size = 40_000
    repo.lock(
        {"x.bin": entry(server, size, "m", bad(server, "redirect;code=302;to=other", size, "m"))}
    )
    for engine in ("curl", "aria2c") if shutil.which("aria2c") else ("curl",):
        cli("pull", "--engine", engine, cwd=repo.path)
        assert repo.read("x.bin") == content("m", 0, size)
        (repo.path / "x.bin").unlink()
        shutil.rmtree(os.environ["GIT_ASSETS_CACHE"])


def test_an_unpacked_archive_without_git(repo, server, cli, tmp_path):
    repo.lock({"data/x.bin": entry(server, 1000, "m"), "y.bin": entry(server, 10, "n")})
    repo.commit()
    place = tmp_path / "archive"
    place.mkdir()
    tar = subprocess.run(
        ["git", "archive", "HEAD"], cwd=repo.path, capture_output=True, check=True
    ).stdout
    subprocess.run(["tar", "x"], cwd=place, input=tar, check=True)
    cli("pull", "data", cwd=place)
    assert (place / "data/x.bin").read_bytes() == content("m", 0, 1000)
    assert not (place / "y.bin").exists()
    cli("pull", cwd=place)
    assert cli("status", "--porcelain", cwd=place).stdout == ""


@pytest.mark.parametrize("engine", [*ENGINES, "wget"])
def test_equal_contents_are_moved_once(repo, server, cli, engine):
    repo.lock({name: entry(server, 50_000, "same") for name in ("a", "b/c", "d")})
    out = cli("pull", "--json", "--engine", engine, cwd=repo.path).json()
    assert out["summary"]["fetched"] == 3
    assert out["summary"]["bytes_fetched"] == 50_000
    assert {repo.read(name) for name in ("a", "b/c", "d")} == {content("same", 0, 50_000)}


def test_a_symlink_in_the_way_is_a_failed_asset(repo, server, cli, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (repo.path / "data").symlink_to(outside)
    repo.lock({"data/x.bin": entry(server, 10, "m"), "y.bin": entry(server, 11, "n")}, ignore=False)
    result = cli("pull", cwd=repo.path, check=1)
    assert "symlink" in result.stderr
    assert list(outside.iterdir()) == []
    assert repo.read("y.bin") == content("n", 0, 11)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('version = 1\nrevision = 0\n\n[asset."a"]\nsize = 1\n', "sha256"),
        ("version = 2\nrevision = 0\n", "version"),
        ("version = 1\n<<<<<<< ours\n", "conflict"),
        ('version = 1\nrevision = 0\n\n[asset."../a"]\nsize = 1\nsha256 = "' + "0" * 64 + '"\n', "unsafe"),
        ("nonsense", "assets.lock.toml"),
        ('version = 1\nrevision = 0\n\n[asset."a"]\nurls = [\n    "https://u:p@h/x",\n]\nsize = 1\nsha256 = "' + "0" * 64 + '"\n', "password"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["pull", "status", "verify", "list", "checkout"])
def test_a_bad_lockfile_is_fatal_before_anything_happens(repo, server, cli, text, words, verb):
    repo.write("assets.lock.toml", text)
    result = cli(verb, cwd=repo.path, check=128)
    first = result.stderr.splitlines()[0]
    assert first.startswith("fatal: assets.lock.toml")
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert server.log == []


@pytest.mark.parametrize(
    "args", [["-j", "0"], ["-j", "x"], ["--engine", "ftp"], ["--nonsense"], ["--progress=maybe"]]
)
def test_bad_usage(repo, cli, args):
    repo.lock({})
    result = cli("pull", *args, cwd=repo.path, check=129)
    assert result.stderr.startswith("error: ")
    assert "hint: " in result.stderr


def test_outside_of_a_repository(cli, tmp_path):
    place = tmp_path / "plain"
    place.mkdir()
    assert cli("pull", cwd=place, check=128).stderr.startswith("fatal: not a git repository")


def test_no_lockfile(repo, cli):
    assert "git assets init" in cli("pull", cwd=repo.path, check=128).stderr


def test_a_full_disk_is_told_before_the_first_byte(repo, server, cli):
    huge = {"urls": [server.url("/x")], "size": 2**52, "sha256": "0" * 64}
    repo.lock({"x.bin": huge})
    result = cli("pull", cwd=repo.path, check=128)
    assert "not enough space" in result.stderr
    assert server.log == []


def test_a_relative_git_dir_of_the_caller(repo, server, cli, tmp_path):
    """`git --git-dir=x --work-tree=y assets` leaves both relative to where it was typed."""
    repo.lock({"sub/x.bin": entry(server, 1000, "m")})
    done = subprocess.run(
        ["git", "--git-dir=repo/.git", "--work-tree=repo", "assets", "pull"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert repo.read("sub/x.bin") == content("m", 0, 1000)
    assert (repo.path / ".git/assets/applied").exists()
