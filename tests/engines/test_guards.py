"""Addresses are judged where libcurl asks for a socket, and nothing escapes into it."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import pytest

from gitassets import addresses
from gitassets.engines import guards
from gitassets.engines.guards import Guard, refusal_of_name

BAD, ABORT, PROCEED = -1, 1, 0


def stream(*, private: bool = False, proxy: str = "") -> Any:
    work = SimpleNamespace(request=SimpleNamespace(private=private))
    return SimpleNamespace(work=work, proxy=proxy, refused=None, raised=None)


def address(host: str, family: int = socket.AF_INET) -> Any:
    return SimpleNamespace(
        family=family, socktype=socket.SOCK_STREAM, protocol=socket.IPPROTO_TCP, addr=(host, 80)
    )


@pytest.fixture(autouse=True)
def forget() -> None:
    guards.refusal.cache_clear()


def test_a_refused_address_gets_no_socket() -> None:
    one = stream()
    assert Guard(one).open(0, address("10.0.0.1")) == BAD
    assert one.refused == "address 10.0.0.1 refused: private"
    assert one.raised is None


@pytest.mark.parametrize("one", [stream(private=True), stream(proxy="http://p:1")])
def test_an_allowed_one_does(one: Any) -> None:
    guard = Guard(one)
    made = guard.open(0, address("127.0.0.1"))
    assert isinstance(made, socket.socket)
    assert one.refused is None
    guard.close()
    assert made.fileno() == -1


def test_only_the_last_socket_is_held() -> None:
    guard = Guard(stream(private=True))
    first = guard.open(0, address("127.0.0.1"))
    second = guard.open(0, address("127.0.0.1"))
    assert isinstance(first, socket.socket)
    assert isinstance(second, socket.socket)
    assert first.fileno() == -1
    assert guard.check("127.0.0.1", "", 0, 0) == PROCEED
    assert second.fileno() == -1, "libcurl has its own by now"


def test_another_address_of_the_same_host_may_do() -> None:
    one = stream()
    guard = Guard(one)
    assert guard.open(0, address("10.0.0.1")) == BAD
    assert guard.check("93.184.216.34", "", 0, 0) == PROCEED
    assert one.refused is None


def test_a_kept_connection() -> None:
    one = stream()
    assert Guard(one).check("169.254.169.254", "", 0, 0) == ABORT
    assert one.refused


def test_what_is_raised_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_address: str, *, private: bool) -> str | None:
        raise KeyboardInterrupt

    monkeypatch.setattr(addresses, "judge", broken)
    one = stream()
    assert Guard(one).open(0, address("10.0.0.1")) == BAD
    assert isinstance(one.raised, KeyboardInterrupt)
    two = stream()
    assert Guard(two).check("10.0.0.1", "", 0, 0) == ABORT
    assert isinstance(two.raised, KeyboardInterrupt)


@pytest.mark.parametrize(
    ("host", "refused"),
    [
        ("files.example", False), ("93.184.216.34", False), ("[2606:2800:220:1::1]", False),
        ("127.0.0.1", True), ("0x7f.1", True), ("2130706433", True), ("LOCALHOST", True),
        ("a.localhost", True), ("[::1]", True), ("[::ffff:10.0.0.1]", True), ("169.254.169.254", True),
        ("localhost.example", False), ("dead.beef", False),
    ],
)  # fmt: skip
def test_names_that_a_proxy_may_not_be_asked_for(host: str, refused: bool) -> None:
    assert (refusal_of_name(f"http://{host}:8080/x", private=False) is not None) is refused


def test_what_the_user_allowed() -> None:
    assert refusal_of_name("http://localhost/x", private=True) is None
    assert refusal_of_name("http://169.254.169.254/x", private=True)
