"""Who gets a secret, and who is asked for one."""

from __future__ import annotations

import subprocess

import pytest

from gitassets.remotes.credentials import Credentials, token


@pytest.fixture
def helper(tmp_path):
    """Let git have a helper that knows one password; gives the file with what it was asked."""
    said = tmp_path / "said"
    said.write_text("")
    script = f'!f() {{ echo "$1" >>{said}; cat >>{said}; [ "$1" != get ] || printf "username=u\\npassword=p\\n"; }}; f'
    subprocess.run(["git", "config", "--global", "credential.helper", script], check=True)
    return said


@pytest.mark.parametrize(
    ("name", "key"), [("team", "TEAM"), ("a-b_c", "A_B_C"), ("teamCache", "TEAMCACHE")]
)
def test_the_token_of_a_remote(monkeypatch, name, key):
    assert token(name) is None
    monkeypatch.setenv(f"GIT_ASSETS_TOKEN_{key}", "secret")
    assert token(name) == "secret"
    assert Credentials(name, "https://example.org/x").headers() == {
        "Authorization": "Bearer secret"
    }


def test_git_is_asked_with_the_host_and_nothing_else(helper):
    credentials = Credentials("team", "https://example.org:8443/some/prefix")
    assert credentials.headers() == {}
    assert credentials.ask()
    assert credentials.headers() == {"Authorization": "Basic dTpw"}
    asked = helper.read_text().split("get\n")[1].split()
    assert {"protocol=https", "host=example.org:8443"} <= set(asked)
    assert not any(row.startswith("path=") for row in asked)


def test_git_is_asked_once(helper):
    credentials = Credentials("team", "https://example.org/x")
    assert [credentials.ask() for _ in range(5)] == [True] * 5
    assert helper.read_text().split().count("get") == 1


@pytest.mark.parametrize(("good", "word"), [(True, "store"), (False, "erase")])
def test_git_is_told_once(helper, good, word):
    credentials = Credentials("team", "https://example.org/x")
    credentials.ask()
    credentials.settle(good=good)
    credentials.settle(good=good)
    assert helper.read_text().split().count(word) == 1


def test_nobody_knows():
    credentials = Credentials("team", "https://example.org/x")
    assert not credentials.ask()
    assert credentials.headers() == {}


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://example.org/x", False),
        ("https://example.org/x", True),
        ("http://127.0.0.1:8080/x", True),
        ("http://10.1.2.3/x", True),
    ],
)
def test_no_secret_in_clear_over_the_internet(monkeypatch, helper, url, sent):
    assert Credentials("team", url).ask() == sent
    monkeypatch.setenv("GIT_ASSETS_TOKEN_TEAM", "secret")
    assert bool(Credentials("team", url).headers()) == sent
