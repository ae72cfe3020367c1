"""Who we are for the Hub: the order of its own tools, and never a token in the clear."""

from __future__ import annotations

import pytest

from gitassets.errors import ConfigError
from gitassets.sources.account import ENDPOINT, account


def test_nothing_said():
    found = account({})
    assert (found.endpoint, found.token, found.offline, found.chosen) == (
        ENDPOINT,
        None,
        False,
        False,
    )


def test_the_order_of_tokens(tmp_path):
    (tmp_path / "token").write_text(" from-home\n")
    (tmp_path / "other").write_text("from-path\n")
    env = {"HF_HOME": str(tmp_path)}
    assert account(env).token == "from-home"
    env["HF_TOKEN_PATH"] = str(tmp_path / "other")
    assert account(env).token == "from-path"
    env["HUGGING_FACE_HUB_TOKEN"] = "old"
    assert account(env).token == "old"
    env["HF_TOKEN"] = "new"
    assert account(env).token == "new"
    env["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "1"
    assert account(env).token is None


@pytest.mark.parametrize("token", ["a b", "a\nX-Evil: 1", "ü", "\x7f", ""])
def test_a_token_that_no_header_can_hold_is_none(token):
    assert account({"HF_TOKEN": token}).token is None


@pytest.mark.parametrize(
    ("endpoint", "sent"),
    [("https://hub.example.org", True), ("http://hub.example.org", False),
     ("http://127.0.0.1:8000", True), ("http://10.0.0.7", True), ("http://127.0.0.1.evil.example", False)],
)  # fmt: skip
def test_a_token_goes_in_the_clear_only_to_near_hosts(endpoint, sent):
    found = account({"HF_ENDPOINT": endpoint + "/", "HF_TOKEN": "t"})
    assert (found.endpoint, found.token, found.chosen) == (endpoint, "t" if sent else None, True)


@pytest.mark.parametrize(
    "endpoint", ["hub.example.org", "file:///x", "https://u:p@h", "https://h/?x=1"]
)
def test_an_endpoint_that_is_none(endpoint):
    with pytest.raises(ConfigError, match="HF_ENDPOINT"):
        account({"HF_ENDPOINT": endpoint})


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline(name):
    assert account({name: "true"}).offline
    assert not account({name: "0"}).offline
