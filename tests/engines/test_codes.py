"""libcurl's numbers, as the retry policy needs them."""

from __future__ import annotations

import pytest

from gitassets.engines.codes import STALLED, meaning
from gitassets.errors import Cause


@pytest.mark.parametrize("code", [0, 5, 6, 7, 16, 18, 28, 35, 52, 55, 56, 92, STALLED])
def test_the_line_is_tried_again(code: int) -> None:
    assert meaning(code, "text")[1] is Cause.TRANSIENT


@pytest.mark.parametrize("code", [1, 3, 8, 60, 83])
def test_a_server_that_will_not_get_better(code: int) -> None:
    assert meaning(code, "text") == ("text", Cause.LYING)


def test_our_own_bundle() -> None:
    assert meaning(77, "text")[1] is Cause.LOCAL


def test_reasons() -> None:
    assert meaning(18, "transfer closed with 5 bytes remaining to read")[0] == "connection closed"
    assert meaning(STALLED, "")[0] == "stalled"
    assert meaning(6, "Could not resolve host: a.example")[0] == "Could not resolve host: a.example"
    assert meaning(99, "")[0] == "libcurl error 99"


@pytest.mark.parametrize(
    ("status", "cause"),
    [(401, Cause.DENIED), (403, Cause.DENIED), (407, Cause.DENIED), (502, Cause.TRANSIENT)],
)
def test_a_proxy_that_makes_no_tunnel(status: int, cause: Cause) -> None:
    told = meaning(56, f"CONNECT tunnel failed, response {status}")
    assert told == (f"proxy: HTTP {status}", cause)
