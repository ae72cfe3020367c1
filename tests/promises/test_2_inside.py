"""Promise 2: nothing outside of the work tree, the cache and `.git/assets` is written."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from support.judges import changed, snapshot
from support.repo import pinned, pinned_bytes

VERBS = [
    ["init"], ["pull"], ["pull", "--force"], ["checkout", "--force"], ["verify", "--repair"], ["status"],
    ["add", "local.bin", "--to", "data/in/"], ["add", "--force", "local.bin", "--to", "x.bin"],
    ["set", "local.bin", "--move", "data/moved.bin"], ["remove", "--delete", "data/x.bin"], ["remove", "--delete", "x.bin"],
]  # fmt: skip


def through_a_directory(repo, outside):
    (repo.path / "data").symlink_to(outside)


def through_a_nested_directory(repo, outside):
    (repo.path / "data").mkdir()
    (repo.path / "data/in").symlink_to(outside)


def through_a_file(repo, outside):
    (repo.path / "x.bin").symlink_to(outside / "precious")


def through_a_dangling_link(repo, outside):
    (repo.path / "x.bin").symlink_to(outside / "made")


def through_the_ignore_file(repo, outside):
    (repo.path / ".gitignore").symlink_to(outside / "precious")


def through_the_attributes(repo, outside):
    (repo.path / ".gitattributes").symlink_to(outside / "precious")


def through_the_lockfile(repo, outside):
    text = repo.read("assets.lock.toml")
    (repo.path / "assets.lock.toml").unlink()
    (outside / "lock").write_bytes(text)
    (repo.path / "assets.lock.toml").symlink_to(outside / "lock")


def with_hard_links(repo, outside):
    os.link(outside / "precious", repo.path / "x.bin")


TRAPS = [
    through_a_directory, through_a_nested_directory, through_a_file, through_a_dangling_link, through_the_ignore_file,
    through_the_attributes, through_the_lockfile, with_hard_links,
]  # fmt: skip


@pytest.fixture
def outside(tmp_path):
    place = tmp_path / "outside"
    place.mkdir()
    (place / "precious").write_bytes(b"precious")
    (place / "x.bin").write_bytes(b"precious too")
    return place


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.__name__)
def test_no_symlink_leads_out(repo, server, cli, tmp_path, outside, trap):
    entries = {
        "data/x.bin": pinned(500, "a", server.blob(500, "a")),
        "data/in/y.bin": pinned(501, "b", server.blob(501, "b")),
        "x.bin": pinned(502, "c", server.blob(502, "c")),
        "local.bin": pinned_bytes(b"local"),
    }
    repo.lock(entries, ignore=False)
    repo.write("local.bin", b"local")
    trap(repo, outside)
    cache = Path(os.environ["GIT_ASSETS_CACHE"])
    ours = [repo.path, cache]
    before = snapshot(tmp_path, but=ours)
    links = os.stat(outside / "precious").st_nlink
    for verb in VERBS:
        said = cli(*verb, cwd=repo.path, check=False)
        assert said.code in {0, 1, 128, 129}, verb
        assert not re.search("Traceback|internal", said.stderr), (verb, said.stderr)
        assert changed(before, snapshot(tmp_path, but=ours)) == [], verb
    assert links >= os.stat(outside / "precious").st_nlink


HOSTILE = [
    "../escape", "/etc/escape", ".git/hooks/post-checkout", "a/../../escape", ".GIT/config", "git~1/config", "c:/escape",
    "a\\\\..\\\\..\\\\escape", ".gitattributes", "sub/.gitignore", ".g\u200cit/config", "assets.lock.toml", "con",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_no_path_leads_out(repo, server, cli, tmp_path, path):
    entry = pinned(500, "a", server.blob(500, "a"))
    repo.write("assets.lock.toml", repo.lock({path.replace("\\\\", "\\"): entry}, ignore=False))
    ours = [repo.path / ".git/assets", Path(os.environ["GIT_ASSETS_CACHE"])]
    before = snapshot(tmp_path, but=ours)
    for verb in (
        ["pull", "--force"],
        ["checkout"],
        ["verify", "--repair"],
        ["remove", "--delete", "."],
    ):
        said = cli(*verb, cwd=repo.path, check=128)
        assert said.stderr.startswith("fatal: assets.lock.toml:")
    assert changed(before, snapshot(tmp_path, but=ours)) == []
    assert server.log == []


def test_a_writer_that_follows_is_seen(repo, tmp_path, outside):
    """Positive control: open the path, and write."""
    through_a_file(repo, outside)
    before = snapshot(tmp_path, but=[repo.path])
    (repo.path / "x.bin").write_bytes(b"pulled")
    assert changed(before, snapshot(tmp_path, but=[repo.path])) == [str(outside / "precious")]


def test_git_itself_is_left_alone(repo, server, cli):
    """Of .git only `assets`, and the one line that records a private host."""
    repo.lock({"x.bin": pinned(500, "a", server.blob(500, "a"))})
    repo.commit()
    git = repo.path / ".git"
    before = snapshot(git, but=[git / "assets"])
    cli("pull", cwd=repo.path)
    cli("status", cwd=repo.path)
    cli("verify", cwd=repo.path)
    assert changed(before, snapshot(git, but=[git / "assets"])) == [str(git / "config")]
