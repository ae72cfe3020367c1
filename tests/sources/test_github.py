"""Releases: when the API is asked, whose token it gets, and which answers are believed."""

from __future__ import annotations

import json

import pytest
from support.desk import Desk, Say

from gitassets.engines.base import Tuning
from gitassets.errors import Cause, ConfigError, TransferError
from gitassets.model import Url
from gitassets.sources import Resolver
from gitassets.sources.base import Policy

URL = Url("github-release://owner/name/v1%2F2/a%20b.bin")


@pytest.fixture
def source(tmp_path):
    return Resolver(Policy(tmp_path), Tuning())


def served(tmp_path, monkeypatch, answer, token="canary"):
    with Desk(lambda _: answer) as desk:
        monkeypatch.setenv("GITHUB_API_URL", desk.first)
        monkeypatch.setenv("GH_TOKEN", token)
        return Resolver(Policy(tmp_path), Tuning()).resolve(URL), desk


def test_a_stranger_needs_no_api(source):
    asked = source.resolve(URL)
    assert asked.url == "https://github.com/owner/name/releases/download/v1%2F2/a%20b.bin"
    assert (asked.headers, asked.secret, asked.private) == ((), False, False)


def test_the_token_of_gh_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "second")
    with Desk(lambda _: Say(404)) as desk:
        monkeypatch.setenv("GITHUB_API_URL", desk.first + "/")
        monkeypatch.setenv("GH_TOKEN", "first")
        with pytest.raises(TransferError, match=r"HTTP 404.*a token was sent"):
            Resolver(Policy(tmp_path), Tuning()).resolve(URL)
        [row] = desk.log
    assert row.header("Authorization") == "Bearer first"
    assert row.target == "/repos/owner/name/releases/tags/v1%2F2"


def test_a_release_is_asked_for_once(tmp_path, monkeypatch):
    def answer(asked):
        rows = [{"name": name, "url": f"{desk.first}/assets/{name}"} for name in ("x", "y")]
        return Say(200, json.dumps({"assets": rows}).encode())

    with Desk(answer) as desk:
        monkeypatch.setenv("GITHUB_API_URL", desk.first)
        source = Resolver(Policy(tmp_path), Tuning())
        for name in ("x", "y", "x"):
            asked = source.resolve(Url(f"github-release://o/n/v1/{name}"))
            assert asked.url == f"{desk.first}/assets/{name}"
            assert ("Accept", "application/octet-stream") in asked.headers
        assert len(desk.log) == 1


def test_a_token_is_never_taken_to_another_host(tmp_path, monkeypatch):
    rows = {"assets": [{"name": "a b.bin", "url": "https://evil.example/x"}]}
    with pytest.raises(TransferError, match="another host"):
        served(tmp_path, monkeypatch, Say(200, json.dumps(rows).encode()))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"assets": 1}', b'{"assets": [{}]}', b'{"assets": []}']
)
def test_answers_that_describe_no_such_file(tmp_path, monkeypatch, body):
    with pytest.raises(TransferError) as told:
        served(tmp_path, monkeypatch, Say(200, body))
    assert told.value.cause in {Cause.LYING, Cause.GONE}
    assert "canary" not in f"{told.value.reason}{told.value.hint}"


def test_the_api_is_busy(tmp_path, monkeypatch):
    with pytest.raises(TransferError) as told:
        served(tmp_path, monkeypatch, Say(429, b"", {"Retry-After": "7"}))
    assert (told.value.cause, told.value.retry_after) == (Cause.LIMITED, 7)


@pytest.mark.parametrize("text", ["ftp://x", "no url", "https://u:p@h"])
def test_an_api_that_is_none(source, monkeypatch, text):
    monkeypatch.setenv("GITHUB_API_URL", text)
    with pytest.raises(ConfigError, match="GITHUB_API_URL"):
        source.resolve(URL)


def test_no_token_in_the_clear_to_a_far_host(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_API_URL", "http://api.example.org")
    monkeypatch.setenv("GH_TOKEN", "canary")
    source = Resolver(Policy(tmp_path), Tuning())
    assert source.source(URL)._token is None


@pytest.mark.parametrize(
    "text", ["owner/name/v1", "owner/name/v1/a/b", "owner//v1/a", "owner/name/v1/a?x=1"]
)
def test_what_names_no_file(source, text):
    with pytest.raises(TransferError, match="OWNER/REPO/TAG/NAME"):
        source.resolve(Url(f"github-release://{text}"))
