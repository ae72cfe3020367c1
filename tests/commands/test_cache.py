"""`git assets cache`, `verify`, `status`, `list`, `fetch` and `checkout`."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from support.repo import pinned, pinned_bytes
from support.server import content, digest, digest_of


def entry(server, size, seed, **more):
    return pinned(size, seed, server.blob(size, seed), **more)


def objects():
    root = Path(os.environ["GIT_ASSETS_CACHE"]) / "sha256"
    return {path.parent.name + path.name: path for path in root.glob("??/*")}


def flip(path, at=0):
    """Change one byte, and nothing that a stat shows."""
    facts = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    path.chmod(0o444)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_status_tells_four_states(repo, server, cli):
    repo.lock({name: entry(server, 100 + at, name) for at, name in enumerate(("a", "b", "c", "d"))})
    env = {"GIT_ASSETS_LINK_MODE": "copy"}
    cli("pull", "a", "b", "c", cwd=repo.path, env=env)
    (repo.path / "b").unlink()
    repo.write("c", b"edited")
    assert cli("status", "--porcelain", cwd=repo.path).stdout == "C b\nM c\nA d\n"
    assert cli("status", "--porcelain", "--all", cwd=repo.path).stdout == ". a\nC b\nM c\nA d\n"
    assert cli("status", "-z", cwd=repo.path).stdout == "C b\0M c\0A d\0"
    assert cli("status", "--exit-code", cwd=repo.path, check=1).stdout
    found = cli("status", "--json", cwd=repo.path).json()
    assert {row["path"]: row["state"] for row in found["assets"]} == {
        "a": "ok", "b": "cached", "c": "modified", "d": "absent"}  # fmt: skip
    assert found["summary"] == {"ok": 1, "absent": 1, "cached": 1, "modified": 1}
    assert set(found["assets"][0]) == {"path", "size", "sha256", "state", "groups"}
    people = cli("status", cwd=repo.path).stdout
    assert "git assets pull" in people
    assert "--force" in people


def test_status_quotes_as_git_does(repo, server, cli):
    repo.lock({"ü x": entry(server, 5, "a")}, ignore=False)
    assert cli("status", "--porcelain", cwd=repo.path).stdout == 'A "\\303\\274 x"\n'
    assert cli("status", "-z", cwd=repo.path).stdout == "A ü x\0"


def test_status_does_not_read_what_it_knows(repo, server, cli, tmp_path):
    """A file that looks as it did is not opened: reading it would fail."""
    repo.lock({"a": entry(server, 5000, "a")})
    cli("pull", cwd=repo.path)
    trace = tmp_path / "trace"
    program = shutil.which("git-assets")
    import subprocess

    done = subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=openat,openat2", "-o", trace, program, "status", "--porcelain"],
        cwd=repo.path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode and "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    opened = trace.read_text()
    assert "assets.lock.toml" in opened
    assert not [
        line for line in opened.splitlines() if '"a"' in line or objects().popitem()[1].name in line
    ]


def test_touching_a_file_costs_a_hash_not_a_download(repo, server, cli):
    repo.lock({"a": entry(server, 5000, "a")})
    cli("pull", cwd=repo.path, env={"GIT_ASSETS_LINK_MODE": "copy"})
    os.utime(repo.path / "a")
    assert cli("status", "--porcelain", cwd=repo.path).stdout == ""
    assert cli("pull", "--json", cwd=repo.path).json()["summary"]["kept"] == 1


def test_verify_finds_what_status_cannot(repo, server, cli):
    repo.lock(
        {"a": entry(server, 5000, "a"), "b": entry(server, 10, "b"), "c": entry(server, 11, "c")}
    )
    cli("pull", "a", "b", cwd=repo.path, env={"GIT_ASSETS_LINK_MODE": "copy"})
    flip(repo.path / "a", 100)
    assert cli("status", "--porcelain", "a", cwd=repo.path).stdout == ""
    found = cli("verify", "--json", cwd=repo.path, check=1).json()["assets"]
    assert [(row["path"], row["state"]) for row in found] == [
        ("a", "corrupt"),
        ("b", "ok"),
        ("c", "absent"),
    ]
    cli("verify", "--repair", cwd=repo.path)
    assert repo.read("a") == content("a", 0, 5000)
    assert repo.read("c") == content("c", 0, 11)
    assert [path.read_bytes() for path in (repo.path / ".git/assets/rescued").rglob("a")] != []
    assert "3 assets verified, 0 wrong" in cli("verify", cwd=repo.path).stdout


@pytest.mark.parametrize("mode", ["hardlink", "symlink"])
def test_verify_repairs_a_shared_inode_too(repo, server, cli, mode):
    repo.lock({"a": entry(server, 5000, "a")})
    env = {"GIT_ASSETS_LINK_MODE": mode}
    cli("pull", cwd=repo.path, env=env)
    flip(objects()[digest_of("a", 5000)], 7)
    cli("verify", cwd=repo.path, check=1, env=env)
    cli("verify", "--repair", cwd=repo.path, env=env)
    assert repo.read("a") == content("a", 0, 5000)


def test_verify_cache(repo, server, cli):
    repo.lock({"a": entry(server, 5000, "a"), "b": entry(server, 10, "b")})
    cli("pull", cwd=repo.path, env={"GIT_ASSETS_LINK_MODE": "copy"})
    flip(objects()[digest_of("a", 5000)])
    rows = cli("verify", "--cache", "--json", cwd=repo.path, check=1).json()["objects"]
    assert {row["sha256"]: row["state"] for row in rows} == {
        digest_of("a", 5000): "corrupt",
        digest_of("b", 10): "ok",
    }
    cli("cache", "verify", cwd=repo.path, check=1)
    cli("verify", "--cache", "--repair", cwd=repo.path)
    assert "2 objects verified, 0 wrong" in cli("cache", "verify", cwd=repo.path).stdout


def test_a_write_through_a_hard_link_is_found_before_the_next_link(repo, server, cli, tmp_path):
    repo.lock({"a": entry(server, 5000, "a")})
    repo.commit()
    clones = [repo.clone(tmp_path / name) for name in "xy"]
    cli("pull", cwd=clones[0].path, env={"GIT_ASSETS_LINK_MODE": "hardlink"})
    path = clones[0].path / "a"
    path.chmod(0o644)
    path.write_bytes(b"z" * 5000)
    cli("pull", cwd=clones[1].path)
    assert clones[1].read("a") == content("a", 0, 5000)
    assert cli("status", "--porcelain", cwd=clones[0].path).stdout == "M a\n"


def test_list(repo, server, cli):
    repo.lock({"a": entry(server, 5, "a", groups=["g"]), "b": pinned_bytes(b"b")})
    first = repo.commit("One")
    repo.lock({"c": entry(server, 5, "c")})
    rows = cli("list", first, "--json", cwd=repo.path).json()["assets"]
    assert [row["path"] for row in rows] == ["a", "b"]
    assert rows[0] == {
        "path": "a", "size": 5, "sha256": digest_of("a", 5), "urls": [server.blob(5, "a")], "groups": ["g"],
    }  # fmt: skip
    assert cli("list", "-z", cwd=repo.path).stdout == "c\0"
    assert "not a revision" in cli("list", "nope", cwd=repo.path, check=129).stderr


def test_fetch_fills_the_cache_only(repo, server, cli):
    repo.lock({"a": entry(server, 500, "old")})
    repo.commit("Old")
    repo.git("tag", "v1")
    repo.lock({"a": entry(server, 600, "new")})
    repo.commit("New")
    out = cli("fetch", "v1", "--json", cwd=repo.path).json()
    assert out["summary"]["fetched"] == 1
    assert not (repo.path / "a").exists()
    assert set(objects()) == {digest_of("old", 500)}
    cli("fetch", "--all", cwd=repo.path)
    assert set(objects()) == {digest_of("old", 500), digest_of("new", 600)}
    asked = len(server.log)
    cli("checkout", cwd=repo.path)
    assert repo.read("a") == content("new", 0, 600)
    assert len(server.log) == asked
    repo.git("checkout", "-q", "v1")
    cli("checkout", cwd=repo.path)
    assert repo.read("a") == content("old", 0, 500)
    assert len(server.log) == asked
    assert "not a revision" in cli("fetch", "nope", cwd=repo.path, check=129).stderr


def test_checkout_never_asks_anybody(repo, server, cli):
    repo.lock({"a": entry(server, 500, "a")})
    assert "git assets pull" in cli("checkout", cwd=repo.path, check=1).stderr
    assert server.log == []


def test_gc_keeps_what_any_clone_needs(repo, server, cli, tmp_path):
    repo.lock({"a": entry(server, 500, "a"), "b": entry(server, 600, "b")})
    repo.commit()
    other = repo.clone(tmp_path / "other")
    cli("pull", cwd=repo.path)
    cli("pull", cwd=other.path)
    repo.lock({"a": entry(server, 500, "a")})
    repo.commit("Drop b")
    assert "0 objects" in cli("cache", "gc", cwd=repo.path).stdout
    other.git("pull", "-q")
    text = cli("cache", "gc", "--dry-run", cwd=repo.path).stdout
    assert digest_of("b", 600)[:12] in text
    assert " b" in text
    assert "600 B would be freed" in text
    assert len(objects()) == 2
    assert "0 objects" in cli("cache", "gc", "--older-than", "1d", cwd=repo.path).stdout
    rows = cli("cache", "gc", "--json", cwd=repo.path).json()
    assert rows["bytes"] == 600
    assert set(objects()) == {digest_of("a", 500)}
    cli("pull", "--offline", cwd=other.path)


def test_gc_keeps_what_only_the_cache_has(repo, server, cli):
    repo.write("mine", b"unique")
    cli("init", cwd=repo.path)
    cli("add", "mine", cwd=repo.path)
    cli("remove", "mine", cwd=repo.path)
    result = cli("cache", "gc", cwd=repo.path)
    assert "only this cache has" in result.stderr
    assert set(objects()) == {digest(b"unique")}
    cli("cache", "gc", digest(b"unique")[:12], cwd=repo.path)
    assert objects() == {}
    assert "sha256" in cli("cache", "gc", "xyz", cwd=repo.path, check=129).stderr


def test_gc_lets_an_absent_clone_count_for_a_while(repo, server, cli, tmp_path):
    repo.lock({"a": entry(server, 500, "a")})
    cli("pull", cwd=repo.path)
    elsewhere = tmp_path / "unplugged"
    repo.path.rename(elsewhere)
    plain = tmp_path / "plain"
    plain.mkdir()
    assert "0 objects" in cli("cache", "gc", cwd=plain).stdout
    home = Path(os.environ["HOME"]) / ".gitconfig"
    home.write_text(home.read_text() + "[assets]\n\tgcGrace = 0\n")
    time.sleep(1.1)  # the journal counts whole seconds
    assert "1 object" in cli("cache", "gc", cwd=plain).stdout


def test_cache_places(repo, cli, tmp_path):
    assert cli("cache", "dir", cwd=repo.path).stdout.strip() == os.environ["GIT_ASSETS_CACHE"]
    env = {"GIT_ASSETS_CACHE": ""}
    repo.git("config", "assets.cacheDir", str(tmp_path / "by-config"))
    assert cli("cache", "dir", cwd=repo.path, env=env).stdout.strip() == str(tmp_path / "by-config")
    assert cli("cache", "size", "--json", cwd=repo.path).json()["objects"] == 0


def test_a_cache_that_others_may_write_is_refused(repo, server, cli, tmp_path):
    place = tmp_path / "open"
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    repo.lock({"a": entry(server, 5, "a")})
    result = cli("pull", cwd=repo.path, check=128, env={"GIT_ASSETS_CACHE": str(place)})
    assert result.stderr.startswith("fatal: ")
    assert "chmod" in result.stderr


def test_bad_settings_name_the_key(repo, cli):
    repo.lock({"a": {"size": 1, "sha256": "0" * 64}})
    repo.git("config", "assets.segmentAbove", "large")
    result = cli("pull", cwd=repo.path, check=128)
    assert "assets.segmentAbove" in result.stderr
    assert "git config --unset" in result.stderr
