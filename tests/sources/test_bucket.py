"""Buckets: whose credentials, which endpoint, and what is said when something is missing."""

from __future__ import annotations

import base64
import json
import sys
from urllib.parse import parse_qs, urlsplit

import pytest

from gitassets.engines.base import Tuning
from gitassets.errors import TransferError
from gitassets.model import Url
from gitassets.sources import Resolver, cloud
from gitassets.sources.base import Policy


@pytest.fixture
def source(tmp_path):
    return Resolver(Policy(tmp_path), Tuning())


@pytest.fixture
def keys(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")


def test_s3_signs_for_an_hour_and_shows_no_secret(source, keys):
    asked = source.resolve(Url("s3://bucket/a%20b/c.bin"))
    parts = urlsplit(asked.url)
    query = parse_qs(parts.query)
    assert parts.scheme == "https"
    assert parts.path.endswith("/bucket/a%20b/c.bin")
    assert "eu-west-1" in parts.netloc
    assert query["X-Amz-Expires"] == ["3600"]
    assert "canary-secret" not in asked.url
    assert (asked.headers, asked.secret, asked.private) == ((), False, False)


def test_azure_signs_with_the_account_key(source, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "acct")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", base64.b64encode(b"k" * 32).decode())
    parts = urlsplit(source.resolve(Url("az://box/a/b.bin")).url)
    assert (parts.netloc, parts.path) == ("acct.blob.core.windows.net", "/box/a/b.bin")
    assert parse_qs(parts.query)["sp"] == ["r"]


def test_google_signs_with_the_service_account(source, monkeypatch, tmp_path):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = tmp_path / "account.json"
    account.write_text(json.dumps({
        "type": "service_account", "private_key": key.decode(), "private_key_id": "1",
        "client_email": "me@example.iam.gserviceaccount.com",
    }))  # fmt: skip
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(account))
    parts = urlsplit(source.resolve(Url("gs://bucket/a/b.bin")).url)
    assert parts.path.endswith("/bucket/a/b.bin")
    assert "X-Goog-Signature" in parse_qs(parts.query)


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "s3://bucket/k?x=1"])
def test_what_names_no_object(source, keys, url):
    with pytest.raises(TransferError, match=r"s3://BUCKET/KEY"):
        source.resolve(Url(url))


def test_without_obstore_the_line_to_type_is_shown(source, monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(TransferError) as told:
        source.resolve(Url("s3://bucket/x"))
    assert "need obstore" in told.value.reason
    assert told.value.hint == "python3 -m pip install 'gitassets[store]'"


class TestProfiles:
    CONFIG = """\
[default]
region = us-west-2
[profile work]
region = eu-central-1
endpoint_url = https://s3.example.org/
"""
    CREDENTIALS = """\
[default]
aws_access_key_id = D
aws_secret_access_key = d%d
[work]
aws_access_key_id = W
aws_secret_access_key = w
aws_session_token = t
"""

    @pytest.fixture(autouse=True)
    def files(self, tmp_path, monkeypatch):
        home = tmp_path / "home" / ".aws"
        home.mkdir(parents=True)
        (home / "config").write_text(self.CONFIG)
        (home / "credentials").write_text(self.CREDENTIALS)

    def test_the_default_one(self):
        assert cloud.settings("s3", {}) == {
            "access_key_id": "D", "secret_access_key": "d%d", "region": "us-west-2",
        }  # fmt: skip

    def test_a_named_one(self):
        assert cloud.settings("s3", {"AWS_PROFILE": "work"}) == {
            "access_key_id": "W", "secret_access_key": "w", "session_token": "t",
            "region": "eu-central-1", "endpoint": "https://s3.example.org",
        }  # fmt: skip

    def test_the_environment_comes_first(self):
        env = {
            "AWS_PROFILE": "work", "AWS_ACCESS_KEY_ID": "E", "AWS_REGION": "r",
            "AWS_ENDPOINT_URL": "http://general", "AWS_ENDPOINT_URL_S3": "http://special/",
        }  # fmt: skip
        assert cloud.settings("s3", env) == {"region": "r", "endpoint": "http://special"}

    def test_a_file_that_makes_no_sense_is_no_file(self, tmp_path):
        (tmp_path / "home" / ".aws" / "credentials").write_text("no section = 1\n")
        assert cloud.settings("s3", {}) == {"region": "us-west-2"}

    def test_other_clouds_need_nothing(self):
        assert cloud.settings("gs", {"AWS_PROFILE": "work"}) == {}
