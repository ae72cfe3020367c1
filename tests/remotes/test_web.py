"""The web remote against nginx's dav module: a server that is not ours."""

from __future__ import annotations

import os
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from support.content import content, digest
from support.depot import Depot, key
from support.process import Background, until

from gitassets import remotes
from gitassets.config import Config
from gitassets.engines.base import Tuning
from gitassets.errors import Cause, ConfigError, StoreError, TransferError
from gitassets.model import Digest
from gitassets.remotes.base import Named, Surroundings
from gitassets.remotes.content import Content
from gitassets.sources.base import Policy

CONF = """
daemon off; {user}
pid {place}/nginx.pid; error_log {place}/error.log;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {place}/body; proxy_temp_path {place}/p; fastcgi_temp_path {place}/f;
    uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
    client_max_body_size 8m;
    server {{
        listen 127.0.0.1:{port};
        root {place}/www;
        location / {{ dav_methods PUT; create_full_put_path on; }}
    }}
}}
"""


@pytest.fixture
def nginx(tmp_path):
    """Run nginx with PUT; gives its address and what it serves."""
    if not shutil.which("nginx"):
        pytest.skip("no nginx")
    (tmp_path / "www").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    user = "user root;" if os.geteuid() == 0 else ""
    conf = tmp_path / "nginx.conf"
    conf.write_text(CONF.format(place=tmp_path, port=port, user=user))
    url = f"http://127.0.0.1:{port}"

    def answers():
        try:
            with requests.head(url, timeout=5):
                return True
        except requests.ConnectionError:
            return False

    words = ["nginx", "-c", str(conf), "-e", str(tmp_path / "error.log"), "-p", str(tmp_path)]
    with Background(words, tmp_path, tmp_path / "nginx") as running:
        running.until(answers)
        yield url, tmp_path / "www"
        running.process.terminate()
        running.wait()
    until(lambda: not answers())


def connect(url, tmp_path):
    surroundings = Surroundings(tmp_path, Tuning(low_speed_time=5.0), Policy(tmp_path))
    return remotes.connect(Named("team", url), surroundings)


def outgoing(tmp_path, data, named=None):
    path = tmp_path / digest(data)
    path.write_bytes(data)
    return Content(path, Digest(digest(data if named is None else named)), len(data))


def test_put_and_stat(nginx, tmp_path):
    url, root = nginx
    remote = connect(f"{url}/pre/fix", tmp_path)
    objects = [content(str(n), 0, n * 50_000) for n in range(20)]

    def put(data):
        with outgoing(tmp_path, data) as file:
            remote.put(file, replace=False)
        return remote.stat(Digest(digest(data))).size

    try:
        assert remote.stat(Digest(digest(b"never"))) is None
        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(put, objects)) == [len(data) for data in objects]
    finally:
        remote.close()
    assert all((root / "pre/fix" / key(data)).read_bytes() == data for data in objects)


def test_wrong_bytes_never_arrive(nginx, tmp_path):
    url, root = nginx
    remote = connect(url, tmp_path)
    data = content("x", 0, 3_000_000)
    with outgoing(tmp_path, data, named=b"other") as file, pytest.raises(StoreError):
        remote.put(file, replace=False)
    remote.close()
    assert [path for path in root.rglob("*") if path.is_file()] == []


def test_too_large_for_the_server(nginx, tmp_path):
    url, _ = nginx
    remote = connect(url, tmp_path)
    data = content("x", 0, 9 * 2**20)
    with outgoing(tmp_path, data) as file, pytest.raises(TransferError) as caught:
        remote.put(file, replace=False)
    remote.close()
    # It answers and closes while the body is on its way: the answer may be lost with the line.
    assert (caught.value.http_status, caught.value.cause) in [
        (413, Cause.LYING),
        (None, Cause.TRANSIENT),
    ]


def test_push_and_pull(nginx, repo, cli, tmp_path):
    url, root = nginx
    repo.write("a.bin", b"data")
    cli("init", cwd=repo.path)
    cli("add", "a.bin", cwd=repo.path)
    cli("remote", "add", "team", f"{url}/assets", cwd=repo.path)
    cli("push", cwd=repo.path)
    assert (root / "assets" / key(b"data")).read_bytes() == b"data"
    repo.commit("Serve")
    clone = repo.clone(tmp_path / "clone")
    cli("pull", cwd=clone.path, env={"GIT_ASSETS_CACHE": str(tmp_path / "other")})
    assert clone.read("a.bin") == b"data"


class TestDigests:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("Repr-Digest", "sha-512=:AAAA:, sha-256=:{b64}:"),
            ("Content-Digest", "sha-256=:{b64}:"),
            ("X-Amz-Checksum-Sha256", "{b64}"),
            ("X-Checksum-Sha256", "{hex}"),
        ],
    )
    def test_what_a_server_keeps(self, name, value):
        from base64 import b64encode

        from gitassets.remotes.web import _sha256

        sha = digest(b"x")
        text = value.format(b64=b64encode(bytes.fromhex(sha)).decode(), hex=sha.upper())
        assert _sha256({name: text}) == sha

    @pytest.mark.parametrize(
        "value", ["", "sha-256=", "sha-256=:%%%:", "garbage", "sha-512=:AAAA:"]
    )
    def test_what_is_none(self, value):
        from gitassets.remotes.web import _sha256

        assert _sha256({"Repr-Digest": value}) is None


class TestConfig:
    def test_what_git_config_may_hold(self):
        rows = [
            ("assets.remote.a.url", "https://example.org/x/"),
            ("assets.remote.b.url", "/srv/ü"),
            ("assets.remote.b.publicurl", "https://example.org/pub/"),
            ("assets.remote.c.publicurl", "https://example.org/alone"),
        ]
        assert remotes.configured(Config(rows)) == {
            "a": Named("a", "https://example.org/x"),
            "b": Named("b", "/srv/ü", "https://example.org/pub/"),
        }
        assert remotes.readable(Config(rows)) == (
            "https://example.org/x",
            "https://example.org/pub",
        )

    @pytest.mark.parametrize(
        "url", ["ftp://x/y", "https://u:secret@x/y", "hf://o/n", "https://x/?a=b", ""]
    )
    def test_what_is_wrong_is_told_by_push_alone(self, url):
        config = Config([("assets.remote.a.url", url), ("assets.remote.b.url", "/srv/b")])
        with pytest.raises(ConfigError, match=r"assets\.remote\.a\.url") as caught:
            remotes.configured(config)
        assert "secret" not in str(caught.value)
        assert remotes.readable(config) == ("file:///srv/b",)


def test_a_server_that_hides_sizes(tmp_path):
    with Depot() as depot:
        depot.files[f"/assets/{key(b'x')}"] = b"x"

        def look(handler, *, body):
            handler.send_response(200)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()

        depot.look = look
        remote = connect(depot.url(), tmp_path)
        with pytest.raises(TransferError, match="how large"):
            remote.stat(Digest(digest(b"x")))
        remote.close()
