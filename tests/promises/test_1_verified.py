"""Promise 1: no file under a final name whose sha256 is not its pin, whatever servers say."""

from __future__ import annotations

import os
import shutil
import urllib.request
from pathlib import Path

import pytest
from support.judges import unverified
from support.repo import pinned
from support.server import content

SIZE = 300_000
LIES = [
    "flip;at=0", "flip;at=299999", "prefixgarbage;at=150000", "garbage", "html", "html;pad=299922", "longer;length=long",
    "resize;by=1", "resize;by=-1", "wrongrange", "wrongtotal", "multipart", "gzip", "gzip;code=br;ranged=1", "short;times=2",
    "wronglength;times=2", "endless", "status;code=200/garbage",
]  # fmt: skip
ENGINES = ["curl", *(name for name in ("aria2c", "wget") if shutil.which(name))]


@pytest.fixture
def cache():
    return Path(os.environ["GIT_ASSETS_CACHE"])


def name(at):
    return f"lie-{at}.bin"


@pytest.mark.parametrize("engine", ENGINES)
def test_lies(repo, server, cli, cache, engine):
    """Each liar alone: right bytes or none; then each with an honest mirror: right bytes."""
    entries = {
        name(at): pinned(SIZE, f"s{at}", server.blob(SIZE, f"s{at}", lie))
        for at, lie in enumerate(LIES)
    }
    repo.lock(entries)
    env = {"GIT_ASSETS_LOW_SPEED": "1024/1", "GIT_ASSETS_RETRY_CAP": "1"}
    result = cli("pull", "--json", "--engine", engine, cwd=repo.path, check=1, env=env).json()
    assert unverified(repo, cache) == []
    for row in result["assets"]:
        assert (repo.path / row["path"]).exists() == (row["status"] == "fetched")
        assert row["error"] or row["status"] == "fetched"
    assert result["summary"]["failed"] >= len(LIES) // 2
    for at, entry in enumerate(entries.values()):
        entry["urls"].append(server.other(f"/b/{SIZE}/s{at}/honest.bin"))
    repo.lock(entries)
    cli("pull", "--engine", engine, cwd=repo.path, env=env)
    assert unverified(repo, cache) == []
    assert all(repo.read(name(at)) == content(f"s{at}", 0, SIZE) for at in range(len(LIES)))


def test_a_store_that_does_not_look_is_seen(repo, server, cache):
    """Positive control: download to the final name, and believe the status."""
    repo.lock({"x.bin": pinned(SIZE, "s", server.blob(SIZE, "s", "flip;at=7"))})
    urllib.request.urlretrieve(server.blob(SIZE, "s", "flip;at=7"), repo.path / "x.bin")
    assert unverified(repo, cache) == ["x.bin"]


def test_a_rotten_object_is_never_linked(repo, server, cli, cache, tmp_path):
    """Somebody wrote through a hard link: seen by the signature before another clone gets it."""
    repo.lock({"x.bin": pinned(SIZE, "s", server.blob(SIZE, "s"))})
    repo.commit()
    cli("pull", cwd=repo.path, env={"GIT_ASSETS_LINK_MODE": "hardlink"})
    [path] = cache.glob("sha256/??/*")
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"rot")
    clone = repo.clone(tmp_path / "clone")
    cli("pull", cwd=clone.path)
    assert unverified(clone, cache) == []
    assert clone.read("x.bin") == content("s", 0, SIZE)
