"""`push --check` and `verify --remote`: one byte from every place that is needed, and no more."""

from __future__ import annotations

import shutil

import pytest
from support.content import digest
from support.repo import pinned, pinned_bytes

SIZE = 300_000


def entry(server, seed, *urls, **more):
    return pinned(SIZE, seed, *(urls or [server.blob(SIZE, seed)]), **more)


def dead(server, name, code=404):
    return server.url(f"/status;code={code}/b/{SIZE}/{name}/x.bin")


@pytest.fixture(params=[("push", "--check"), ("verify", "--remote")], ids=["push", "verify"])
def ask(request, repo, cli):
    """Run both commands that ask."""

    def run(*more, check=True, cwd=None):
        return cli(*request.param, *more, cwd=cwd or repo.path, check=check)

    return run


def test_nothing_is_downloaded(repo, server, ask):
    repo.lock({f"{n}.bin": entry(server, str(n)) for n in range(30)})
    result = ask("--json").json()
    assert [row["ok"] for row in result["assets"]] == [True] * 30
    assert result["assets"][0]["served"] == [server.blob(SIZE, "0")]
    assert len(server.log) == 30
    assert all(request.headers["range"] == "bytes=0-0" for request in server.log)
    assert server.sent() == 30
    assert not list(repo.path.glob("*.bin"))


def test_enough_is_enough(repo, server, ask):
    repo.lock({"x.bin": entry(server, "x", server.blob(SIZE, "x"), server.other("/never"))})
    assert "1 asset can be had" in ask().stdout
    assert len(server.log) == 1


def test_a_second_place_helps(repo, server, ask):
    repo.lock({"x.bin": entry(server, "x", dead(server, "x"), server.blob(SIZE, "x"))})
    [row] = ask("--json").json()["assets"]
    assert row["ok"]
    assert "404" in row["errors"][0]


def test_two_places_may_be_demanded(repo, server, ask):
    good, other = server.blob(SIZE, "x"), server.other(f"/b/{SIZE}/x/x.bin")
    repo.lock({"x.bin": entry(server, "x", good, other), "y.bin": entry(server, "y")})
    repo.git("config", "assets.minSources", "2")
    result = ask(check=1)
    assert "'y.bin' can be had from 1 of 1 place" in result.stderr
    assert "x.bin" not in result.stderr


@pytest.mark.parametrize(
    "behaviour", ["status;code=404", "status;code=403", "html", "wrongtotal", "gzip", "reset", "redirectloop"]
)  # fmt: skip
def test_what_does_not_serve_is_told(repo, server, ask, behaviour):
    url = server.url(f"/{behaviour}/b/{SIZE}/x/x.bin")
    repo.lock({"x.bin": entry(server, "x", url), "good.bin": entry(server, "good")})
    result = ask(check=1)
    assert "'x.bin' can be had from 0 of 1 place" in result.stderr
    assert "good.bin" not in result.stderr
    assert "1 asset can be had, 1 from too few places" in result.stdout
    assert "git assets push x.bin" in result.stderr


def test_a_place_that_has_another_size(repo, server, ask):
    repo.lock({"x.bin": entry(server, "x", server.blob(SIZE + 1, "x"))})
    ask(check=1)


def test_what_passes_is_asked_again(repo, server, ask):
    repo.lock(
        {"x.bin": entry(server, "x", server.url(f"/status;code=503;times=2/b/{SIZE}/x/x.bin"))}
    )
    ask()


def test_redirects_are_followed(repo, server, ask):
    repo.lock(
        {"x.bin": entry(server, "x", server.url(f"/redirect;code=302;to=other/b/{SIZE}/x/x.bin"))}
    )
    ask()


def test_only_the_cache_has_it(repo, cli, ask):
    repo.write("x.bin", b"mine")
    cli("init", cwd=repo.path)
    cli("add", "x.bin", cwd=repo.path)
    result = ask(check=1)
    assert "'x.bin' has no URL and no store" in result.stderr


def test_stores_count(repo, server, ask):
    sha = digest(b"stored")
    server.put(f"/store/{sha[:2]}/{sha}", b"stored")
    repo.lock({"x.bin": pinned_bytes(b"stored")}, stores={"main": server.url("/store")})
    ask()
    server.files.clear()
    assert "404" in ask(check=1).stderr


def test_a_directory_of_the_repository(repo, ask):
    sha = digest(b"carried")
    repo.write(f"upstream/{sha[:2]}/{sha}", b"carried")
    repo.lock({"x.bin": pinned_bytes(b"carried")}, stores={"main": "file:upstream"})
    ask()
    repo.write(f"upstream/{sha[:2]}/{sha}", b"other size")
    assert "has 10 bytes, not 7" in ask(check=1).stderr
    shutil.rmtree(repo.path / "upstream")
    assert "no such file" in ask(check=1).stderr


def test_an_empty_file_needs_a_place(repo, server, ask):
    repo.lock(
        {"x": pinned_bytes(b"", server.url("/empty")), "y": pinned_bytes(b"", server.url("/empty"))}
    )
    ask()
    repo.lock({"x": pinned_bytes(b"")})
    ask(check=1)


def test_pathspecs(repo, server, ask):
    repo.lock({"x.bin": entry(server, "x", dead(server, "x")), "y.bin": entry(server, "y")})
    ask("y.bin")
    ask("x.bin", check=1)


def test_offline_is_refused(repo, server, cli):
    repo.lock({"x.bin": entry(server, "x")})
    for words in (("push", "--check"), ("verify", "--remote")):
        assert (
            "offline"
            in cli(*words, cwd=repo.path, env={"GIT_ASSETS_OFFLINE": "1"}, check=129).stderr
        )
    assert (
        "neither --cache nor"
        in cli("verify", "--remote", "--cache", cwd=repo.path, check=129).stderr
    )
    assert server.log == []
