"""LFS servers: what they may answer, and a real one.

The real one is giftless 0.6 from PyPI, with PyJWT below 2.10 (later ones refuse the `sub: null` of
its links), flask-marshmallow, figcan, flask-classful, webargs, cachetools, google-cloud-storage and
azure-storage-blob, which its wheel does not name. GIFTLESS_PYTHON names an interpreter that has it, when the one
that runs the tests has not.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from support.desk import Desk, Say
from support.hub import sha256
from support.process import until
from support.repo import pinned_bytes
from support.server import content

from gitassets.engines.base import Tuning
from gitassets.errors import Cause, TransferError
from gitassets.lockfile import Lockfile
from gitassets.model import Digest, StoreTable, Url
from gitassets.sources import Resolver
from gitassets.sources.base import Policy

DIGEST = "a" * 64


def ask(tmp_path, answer, *, allowed=("127.0.0.1",)):
    with Desk(lambda asked: answer(asked) if callable(answer) else answer) as desk:
        source = Resolver(Policy(tmp_path, frozenset(allowed)), Tuning())
        return source.resolve(Url(f"lfs+{desk.first}/r.git/info/lfs#{DIGEST}:5"))


def batch(href, header=None, **more):
    row = {
        "oid": DIGEST,
        "size": 5,
        "actions": {"download": {"href": href, "header": header or {}}},
    }
    return Say(200, json.dumps({"objects": [{**row, **more}]}).encode())


def test_headers_of_the_action_go_to_its_host(tmp_path):
    asked = ask(
        tmp_path,
        batch("https://cdn.example.org/x?sig=1", {"X-One": "1", "Range": "bytes=9-", "host": "h"}),
    )
    assert asked.url == "https://cdn.example.org/x?sig=1"
    assert asked.headers == (("X-One", "1"),)
    assert asked.secret
    assert not asked.private


def test_a_private_server_may_name_a_public_host_but_not_the_reverse(tmp_path):
    assert ask(tmp_path, batch("https://cdn.example.org/x")).private is False
    with pytest.raises(TransferError, match="refused"):
        ask(tmp_path, batch("file:///etc/passwd"))


@pytest.mark.parametrize(
    "answer",
    [
        Say(200, b"no json"), Say(200, b"[]"), Say(200, b"{}"), Say(200, b'{"objects": []}'),
        Say(200, json.dumps({"objects": [{"oid": DIGEST}]}).encode()), Say(302, b"", {"Location": "/x"}),
        Say(200, json.dumps({"objects": [{"actions": {"download": {}}}]}).encode()),
        Say(200, json.dumps({"objects": [{"error": {"code": "x"}}]}).encode()), batch("nonsense:x"),
    ],
)  # fmt: skip
def test_answers_that_make_no_sense(tmp_path, answer):
    with pytest.raises(TransferError) as told:
        ask(tmp_path, answer)
    assert told.value.cause is Cause.LYING
    assert "\n" not in told.value.reason


def test_an_object_that_it_lacks_is_gone(tmp_path):
    say = Say(
        200, json.dumps({"objects": [{"error": {"code": 404, "message": "\x1b[1m"}}]}).encode()
    )
    with pytest.raises(TransferError, match="says 404 for it") as told:
        ask(tmp_path, say)
    assert told.value.cause is Cause.GONE


@pytest.mark.parametrize("fragment", ["", "#", "#abc:5", f"#{DIGEST}", f"#{DIGEST}:x"])
def test_an_object_needs_digest_and_size(tmp_path, fragment):
    source = Resolver(Policy(tmp_path), Tuning())
    with pytest.raises(TransferError, match="by sha256 and size"):
        source.resolve(Url(f"lfs+https://lfs.example.org/r{fragment}"))


def test_a_store_is_asked_by_size_and_left_out_without(tmp_path):
    stores = {
        "lfs": StoreTable("lfs", Url("lfs+https://h/r")),
        "web": StoreTable("web", Url("https://h/w/")),
    }
    known = Lockfile(stores=stores)
    web = f"https://h/w/aa/{DIGEST}"
    assert known.store_urls(Digest(DIGEST), 5) == (f"lfs+https://h/r#{DIGEST}:5", web)
    assert known.store_urls(Digest(DIGEST)) == (web,)


def giftless() -> str:
    python = os.environ.get("GIFTLESS_PYTHON", sys.executable)
    if subprocess.run(
        [python, "-c", "import giftless"], capture_output=True, check=False
    ).returncode:
        pytest.skip("giftless is not installed (GIFTLESS_PYTHON)")
    return python


def test_a_real_server(tmp_path, repo, cli, monkeypatch):
    python = giftless()
    data = content("giftless", 0, 300_000)
    held = tmp_path / "lfs-storage" / "org" / "repo"
    held.mkdir(parents=True)
    (held / sha256(data)).write_bytes(data)
    config = tmp_path / "giftless.yaml"
    config.write_text("AUTH_PROVIDERS:\n  - giftless.auth.allow_anon:read_write\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = subprocess.Popen(
        [python, "-m", "flask", "--app", "giftless.wsgi_entrypoint", "run", "--port", str(port)],
        cwd=tmp_path, env={**os.environ, "GIFTLESS_CONFIG_FILE": str(config)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: _answers(port) or running.poll() is not None, 60)
        repo.lock(
            {"a.bin": pinned_bytes(data), "none.bin": pinned_bytes(b"nobody has it")},
            {"lfs": f"lfs+http://127.0.0.1:{port}/org/repo"},
        )
        repo.commit("Pin")
        result = cli("pull", cwd=repo.path, check=1)
        assert repo.read("a.bin") == data
        assert "cannot bring 'none.bin'" in result.stderr
        assert "no such object" in result.stderr
    finally:
        running.kill()
        running.wait()


def _answers(port: int) -> bool:
    try:
        urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
    except URLError as error:
        return hasattr(error, "code") and not error.close()
    return True
