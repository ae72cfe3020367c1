"""What is special about object stores."""

from __future__ import annotations

import pytest
from support.content import content, digest
from support.depot import Depot

from gitassets import remotes
from gitassets.engines.base import Tuning
from gitassets.errors import Cause, StoreError, TransferError
from gitassets.model import Digest
from gitassets.remotes import bucket
from gitassets.remotes.base import Named, Surroundings
from gitassets.remotes.content import Content
from gitassets.sources.base import Policy


def connect(tmp_path, url="s3://bucket/pre/fix"):
    return remotes.connect(Named("team", url), Surroundings(tmp_path, Tuning(), Policy(tmp_path)))


def outgoing(tmp_path, data, named=None):
    path = tmp_path / "object"
    path.write_bytes(data)
    return Content(path, Digest(digest(named or data)), len(data))


@pytest.fixture
def parts(monkeypatch):
    """Make parts as small as S3 lets them be."""
    monkeypatch.setattr(bucket, "_PART", 5 * 2**20)


def test_a_large_object_goes_in_parts(s3, tmp_path, parts):
    data = content("large", 0, 12 * 2**20)
    remote = connect(tmp_path)
    with outgoing(tmp_path, data) as file:
        remote.put(file, replace=False)
    assert remote.stat(Digest(digest(data))).size == len(data)
    assert "<UploadId>" not in s3.uploads()


def test_wrong_bytes_in_parts_leave_nothing(s3, tmp_path, parts):
    remote = connect(tmp_path)
    data = content("large", 0, 12 * 2**20)
    with outgoing(tmp_path, data, named=b"other") as file, pytest.raises(StoreError):
        remote.put(file, replace=False)
    assert remote.stat(Digest(digest(b"other"))) is None
    assert "<UploadId>" not in s3.uploads()


def test_no_such_bucket(s3, tmp_path):
    remote = connect(tmp_path, "s3://nowhere/x")
    with outgoing(tmp_path, b"data") as file, pytest.raises(TransferError) as caught:
        remote.put(file, replace=False)
    assert caught.value.cause is Cause.GONE
    assert "no such bucket" in caught.value.reason


def test_nobody_listens(s3, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    with pytest.raises(TransferError) as caught:
        connect(tmp_path).stat(Digest(digest(b"x")))
    assert caught.value.cause is Cause.TRANSIENT
    assert "\n" not in caught.value.reason
    assert "canary" not in caught.value.reason
    assert "retries" not in caught.value.reason


def test_a_profile_is_read(s3, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name)
    credentials = tmp_path / "credentials"
    credentials.write_text("[work]\naws_access_key_id = one\naws_secret_access_key = two\n")
    config = tmp_path / "config"
    config.write_text(f"[profile work]\nregion = eu-west-1\nendpoint_url = {s3.url}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "work")
    remote = connect(tmp_path)
    with outgoing(tmp_path, b"data") as file:
        remote.put(file, replace=False)
    assert remote.stat(Digest(digest(b"data"))).size == 4


def test_no_credentials(s3, tmp_path, monkeypatch):
    """The machine's metadata service is the last that is asked; here it is a closed port."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(bucket, "_METADATA", "127.0.0.1:1")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(TransferError) as caught:
        connect(tmp_path).stat(Digest(digest(b"x")))
    assert caught.value.cause is Cause.DENIED
    assert "no credentials" in caught.value.reason


def test_wrong_credentials_are_told(s3, repo, cli):
    """moto takes any secret, so the bucket is another server's that takes none."""
    with Depot() as other:
        other.status = 403
        repo.write("a.bin", b"data")
        cli("init", cwd=repo.path)
        cli("add", "a.bin", cwd=repo.path)
        cli("remote", "add", "team", "s3://bucket/x", cwd=repo.path)
        result = cli("push", cwd=repo.path, env={"AWS_ENDPOINT_URL": other.url("")}, check=128)
    assert "denied" in result.stderr
    assert "canary-secret" not in result.stderr


def test_push_to_a_bucket(s3, repo, cli, tmp_path):
    repo.write("a.bin", b"data")
    cli("init", cwd=repo.path)
    cli("add", "a.bin", cwd=repo.path)
    cli("remote", "add", "team", "s3://bucket/pre/fix", cwd=repo.path)
    first = cli("push", "--json", cwd=repo.path).json()
    assert first["store"] == {"id": "team", "url": "s3://bucket/pre/fix"}
    assert first["summary"]["uploaded"] == 1
    assert cli("push", "--json", cwd=repo.path).json()["summary"]["present"] == 1
    repo.commit("Serve")
    clone = repo.clone(tmp_path / "clone")
    elsewhere = {"GIT_ASSETS_CACHE": str(tmp_path / "other")}
    cli("push", "--check", cwd=clone.path)
    cli("pull", cwd=clone.path, env=elsewhere)
    assert clone.read("a.bin") == b"data"
    text = repo.read("assets.lock.toml").decode() + repo.read(".git/config").decode()
    assert "canary" not in text
