"""Promise 9: no secret in the lockfile, argv, logs, redirects or output."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support import process
from support.interrupted import STALLING, behave, in_the_middle
from support.process import Background
from support.repo import pinned

CANARY = "canary4711"
SIZE = 24 * 2**20
ENGINES = ["curl", *(name for name in ("aria2c", "wget") if shutil.which(name))]


def signed(url):
    return f"{url}?X-Amz-Signature={CANARY}&sig={CANARY}"


def holding(*roots, but=()):
    """List the files below `roots` that hold the canary."""
    files = [
        path
        for root in roots
        for path in Path(root).rglob("*")
        if path.is_file() and path.name not in but
    ]
    return [str(path) for path in files if CANARY.encode() in path.read_bytes()]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "fault",
    ["ok", "status;code=403", "status;code=404", "flip;at=3", "redirectloop", "hangup;times=1"],
)
def test_a_signed_url_is_not_repeated(repo, server, cli, tmp_path, engine, fault):
    size = 5000
    entries = {
        "signed.bin": pinned(size, "s", signed(server.blob(size, "s", fault))),
        "both.bin": pinned(
            size, "t", signed(server.blob(size, "t", "status;code=404")), server.blob(size, "t")
        ),
    }
    repo.lock(entries)
    env = {"GIT_ASSETS_RETRY_CAP": "1"}
    said = ""
    for verb in (["pull", "-v"], ["pull", "--json"], ["verify"], ["status"], ["pull", "--dry-run"]):
        more = ["--engine", engine] if verb[0] == "pull" else []
        result = cli(*verb, *more, cwd=repo.path, check=False, env=env)
        said += result.stdout + result.stderr
        assert result.code in {0, 1}
    assert CANARY not in said
    assert "both.bin" in said
    assert (
        holding(
            repo.path, os.environ["GIT_ASSETS_CACHE"], tmp_path / "home", but=["assets.lock.toml"]
        )
        == []
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_other_programs_do_not_see_it(repo, server, tmp_path, engine):
    """argv and environment of every process that is started are for everybody to read."""
    repo.lock({"big.bin": pinned(SIZE, "s", signed(server.blob(SIZE, "s", STALLING)))})
    with Background(
        ["git-assets", "pull", "--engine", engine], repo.path, tmp_path / "pull"
    ) as running:
        in_the_middle(running, server, {"curl": 4, "aria2c": 2, "wget": 1}[engine])
        for pid in [running.pid, *process.descendants(running.pid)]:
            assert CANARY not in " ".join(process.argv(pid))
            assert CANARY.encode() not in (Path("/proc") / str(pid) / "environ").read_bytes()
        behave(server)
        running.kill()
    assert CANARY not in running.stdout + running.stderr


def test_a_program_that_puts_it_there_is_seen(server, tmp_path):
    """Positive control."""
    url = signed(server.blob(SIZE, "s", STALLING))
    with Background(
        ["curl", "-s", "-o", "/dev/null", url], tmp_path, tmp_path / "naive"
    ) as running:
        running.until(lambda: server.log)
        assert CANARY in " ".join(process.argv(running.pid))


@pytest.mark.parametrize("engine", ENGINES)
def test_where_a_redirect_led_is_not_said(repo, server, cli, engine):
    """The address that a server signs for us is a secret, too."""
    size = 5000
    repo.lock({"x.bin": pinned(size, "s", server.blob(size, "s", "signed;to=other", "flip;at=1"))})
    result = cli("pull", "-v", "--engine", engine, cwd=repo.path, check=1)
    assert server.tokens
    everything = result.stdout + result.stderr
    journal = b"".join(
        p.read_bytes() for p in Path(os.environ["GIT_ASSETS_CACHE"]).glob("journal*")
    )
    for token in server.tokens:
        assert token not in everything
        assert token.encode() not in journal


@pytest.mark.parametrize(
    "url", [f"https://user:{CANARY}@example.org/x", f"https://{CANARY}@example.org/x"]
)
def test_a_password_in_a_url_is_refused(repo, cli, url):
    cli("init", cwd=repo.path)
    repo.write("local", b"local")
    for verb in (["add", url], ["add", "local", "--url", url]):
        result = cli(*verb, cwd=repo.path, check=129)
        assert CANARY not in result.stdout + result.stderr
        assert "password" in result.stderr
    cli("add", "local", cwd=repo.path)
    assert CANARY not in cli("set", "local", "--url", url, cwd=repo.path, check=129).stderr
    assert holding(repo.path) == []
    text = repo.read("assets.lock.toml").decode()
    repo.write("assets.lock.toml", text.replace("size =", f'urls = [\n    "{url}",\n]\nsize ='))
    for verb in ("pull", "list", "status"):
        result = cli(verb, cwd=repo.path, check=128)
        assert CANARY not in result.stdout + result.stderr


def test_add_does_not_repeat_a_failed_url(repo, server, cli):
    cli("init", cwd=repo.path)
    for fault in ("status;code=404", "gzip", "redirectloop", "norange-chunked"):
        result = cli("add", signed(server.blob(50, "s", fault)), "-v", cwd=repo.path, check=128)
        assert CANARY not in result.stdout + result.stderr
    assert holding(repo.path) == []
