"""Promise 3: no user file and no valid object is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.content import digest
from support.repo import pinned
from support.server import content

MINE = b"bytes that nobody else has"


def alive(repo, data=MINE):
    """Tell whether the bytes still exist: in the work tree, or rescued."""
    return any(
        place.is_file() and not place.is_symlink() and place.read_bytes() == data
        for place in repo.path.rglob("*")
        if ".git/objects" not in str(place)
    )


def as_a_file(repo):
    repo.write("data/x.bin", MINE)


def as_a_file_of_the_right_size(repo):
    repo.write("data/x.bin", MINE.ljust(1000, b"."))


def as_a_directory(repo):
    repo.write("data/x.bin/mine", MINE)


def as_a_file_where_a_directory_must_be(repo):
    repo.write("data", MINE)


def as_an_edited_asset(repo):
    repo.write("data/x.bin", MINE + b" edited")


WAYS = [
    as_a_file,
    as_a_file_of_the_right_size,
    as_a_directory,
    as_a_file_where_a_directory_must_be,
    as_an_edited_asset,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_is_in_the_way_survives_everything(repo, server, cli, way):
    repo.lock({"data/x.bin": pinned(1000, "s", server.blob(1000, "s"))})
    if way is as_an_edited_asset:
        cli("pull", cwd=repo.path, env={"GIT_ASSETS_LINK_MODE": "copy"})
    way(repo)
    data = next(
        p.read_bytes()
        for p in [*(repo.path / "data").rglob("*"), repo.path / "data"]
        if p.is_file()
    )
    kept = [["pull"], ["checkout"], ["status"], ["verify"], ["verify", "--repair"], ["pull", "--force"],
            ["checkout", "--force"], ["remove", "--delete", "data/x.bin"]]  # fmt: skip
    for verb in kept:
        said = cli(*verb, cwd=repo.path, check=False)
        assert "internal" not in said.stderr, said.stderr
        assert alive(repo, data), verb


def test_force_says_where_it_went(repo, server, cli):
    repo.lock({"x.bin": pinned(1000, "s", server.blob(1000, "s"))})
    for round_ in (b"one", b"two"):
        repo.write("x.bin", round_)
        cli("pull", "--force", cwd=repo.path)
        (repo.path / "x.bin").unlink()
    assert alive(repo, b"one")
    assert alive(repo, b"two")


def test_a_writer_in_place_is_seen(repo):
    """Positive control."""
    as_a_file(repo)
    assert alive(repo)
    repo.write("data/x.bin", b"pulled")
    assert not alive(repo)


def test_objects_survive_what_is_not_gc(repo, server, cli):
    repo.lock({"x.bin": pinned(1000, "s", server.blob(1000, "s"))})
    cli("pull", cwd=repo.path)
    [path] = Path(os.environ["GIT_ASSETS_CACHE"]).glob("sha256/??/*")
    for verb in (
        ["remove", "--delete", "x.bin"],
        ["verify", "--cache", "--repair"],
        ["cache", "verify"],
        ["cache", "gc", "--dry-run"],
    ):
        cli(*verb, cwd=repo.path)
    assert digest(path.read_bytes()) == digest(content("s", 0, 1000))
