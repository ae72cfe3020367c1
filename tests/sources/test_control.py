"""Small questions: the rules of a transfer hold for them, too."""

from __future__ import annotations

import pytest
from support.desk import Desk, Say

from gitassets.engines.base import Tuning
from gitassets.errors import Cause, TransferError
from gitassets.model import Request, Url
from gitassets.sources import control
from gitassets.sources.base import Policy
from gitassets.sources.control import Control

SECRETS = ("Authorization", "Cookie", "X-Token", "Private-Token", "X-Amz-Security-Token")


@pytest.fixture
def asking(tmp_path):
    return Control(Policy(tmp_path), Tuning())


def request(url, *headers, private=True):
    return Request(url, Url(url), headers, secret=bool(headers), private=private)


def test_no_header_crosses_to_another_origin(asking):
    with Desk(
        lambda asked: (
            Say(302, b"", {"Location": f"{desk.second}/x"})
            if asked.origin == "first"
            else Say(200, b"{}")
        )
    ) as desk:
        asked = request(f"{desk.first}/x", *((name, "canary") for name in SECRETS))
        last, _ = asking.json(asked, headers={})
        assert "canary" in str(desk.seen("first")[0].headers), "the control"
        assert "canary" not in str(desk.seen("second")[0].headers)
        assert (last.secret, last.headers) == (False, ())


def test_neither_netrc_nor_the_environment_counts(asking, tmp_path, monkeypatch):
    (tmp_path / "home" / ".netrc").write_text("machine 127.0.0.1 login a password canary\n")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with Desk(lambda _: Say(200, b"{}")) as desk:
        asking.json(request(f"{desk.first}/x"), headers={})
        assert desk.log[0].header("Authorization") == ""


def test_a_post_is_not_sent_on(asking):
    with Desk(lambda asked: Say(307, b"", {"Location": f"{desk.second}/x"})) as desk:
        with pytest.raises(TransferError, match="HTTP 307"):
            asking.json(request(f"{desk.first}/x"), headers={}, body={"a": 1})
        assert desk.seen("second") == []


def test_a_private_address_is_not_dialled(asking):
    with Desk(lambda _: Say(200, b"{}")) as desk:
        with pytest.raises(TransferError, match="loopback") as told:
            asking.json(request(f"{desk.first}/x", private=False), headers={})
        assert told.value.cause is Cause.REFUSED
        assert desk.log == []


def test_behind_a_proxy_names_are_its_business(tmp_path):
    with Desk(lambda _: Say(200, b"{}")) as proxy:
        tuning = Tuning(proxies=(("http", proxy.first),), no_proxy=("direct.example",))
        asking = Control(Policy(tmp_path), tuning)
        asking.json(request("http://far.invalid/x", private=False), headers={})
        assert proxy.log[0].target == "http://far.invalid/x"
        with pytest.raises(TransferError, match="loopback"):
            asking.json(request("http://127.1/x", private=False), headers={})
        assert len(proxy.log) == 1
        assert asking.proxies("http://a.direct.example/") == {}


def test_an_answer_without_end(asking, monkeypatch):
    monkeypatch.setattr(control, "MAX_ANSWER", 1000)
    with (
        Desk(lambda _: Say(200, b" " * 70_000)) as desk,
        pytest.raises(TransferError, match="endless"),
    ):
        asking.json(request(f"{desk.first}/x"), headers={})


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (401, Cause.DENIED),
        (404, Cause.GONE),
        (429, Cause.LIMITED),
        (502, Cause.TRANSIENT),
        (418, Cause.LYING),
    ],
)
def test_what_a_status_means(asking, status, cause):
    with Desk(lambda _: Say(status, b"\x1b[31m")) as desk, pytest.raises(TransferError) as told:
        asking.json(request(f"{desk.first}/x"), headers={})
    assert (told.value.cause, told.value.http_status, told.value.reason) == (
        cause,
        status,
        f"HTTP {status}",
    )


def test_nobody_listens(asking):
    with pytest.raises(TransferError, match="connection refused") as told:
        asking.json(request("http://127.0.0.1:9/x"), headers={})
    assert told.value.cause is Cause.TRANSIENT


def test_not_json(asking):
    with (
        Desk(lambda _: Say(200, b"<html>")) as desk,
        pytest.raises(TransferError, match="not JSON"),
    ):
        asking.json(request(f"{desk.first}/x"), headers={})
