"""The RPC client against servers that are no aria2c."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from gitassets.engines import aria2_rpc
from gitassets.engines.aria2_rpc import Gone, Refused, Rpc

if TYPE_CHECKING:
    from collections.abc import Iterator


class Double:
    """Answers each request with the next of `bodies`; None hangs up."""

    def __init__(self, *bodies: Any) -> None:
        self.bodies = list(bodies)
        self.asked: list[Any] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while self.bodies:
            sock, _ = self._listener.accept()
            self.connections += 1
            with sock, sock.makefile("rb") as lines:
                while self.bodies and self._answer(sock, lines):
                    pass

    def _answer(self, sock: socket.socket, lines: Any) -> bool:
        length = 0
        while line := lines.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if not length:
            return False
        self.asked.append(json.loads(lines.read(length)))
        body = self.bodies.pop(0)
        if body is None:
            return False
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        return True

    def close(self) -> None:
        self.bodies.clear()
        with socket.socket() as last:
            last.connect_ex(("127.0.0.1", self.port))
        self._thread.join(10)
        self._listener.close()


@pytest.fixture
def made() -> Iterator[list[Any]]:
    things: list[Any] = []
    yield things
    for thing in reversed(things):
        thing.close()


def client(made: list[Any], *bodies: Any, alive: bool = True) -> tuple[Rpc, Double]:
    double = Double(*bodies)
    rpc = Rpc(double.port, "secret", lambda: alive)
    made += [double, rpc]
    return rpc, double


def test_a_call_carries_the_token_and_nothing_else_does(made: list[Any]) -> None:
    rpc, double = client(made, {"result": ["gid"]})
    assert rpc.call("addMetalink", "data", {"split": "1"}) == ["gid"]
    (asked,) = double.asked
    assert asked["method"] == "aria2.addMetalink"
    assert asked["params"] == ["token:secret", "data", {"split": "1"}]


def test_a_batch_is_one_request(made: list[Any]) -> None:
    rpc, double = client(made, {"result": [[1], {"code": 1, "message": "no such gid"}]})
    first, second = rpc.batch([("tellStatus", ("a",)), ("tellStatus", ("b",))])
    assert first == 1
    assert isinstance(second, Refused)
    assert str(second) == "no such gid"
    assert len(double.asked) == 1
    assert rpc.batch([]) == []


@pytest.mark.parametrize(
    "body", [None, b"<html>", [], b"", {"result": "x"}, {"result": [[1], [2]]}]
)
def test_what_is_no_answer(made: list[Any], body: Any) -> None:
    rpc, _ = client(made, body)
    with pytest.raises(Gone):
        rpc.batch([("tellStatus", ("a",))])


def test_an_error_is_an_answer(made: list[Any]) -> None:
    rpc, _ = client(made, {"error": {"code": 1, "message": "Unauthorized"}}, {"error": "odd"})
    with pytest.raises(Refused, match="Unauthorized"):
        rpc.call("getVersion")
    with pytest.raises(Refused, match="odd"):
        rpc.call("getVersion")


def test_one_connection_unless_it_was_idle(
    made: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """aria2c hangs up on a client that was silent for half a minute."""
    rpc, double = client(made, *[{"result": 1}] * 4)
    rpc.call("a")
    rpc.call("b")
    assert double.connections == 1
    monkeypatch.setattr(aria2_rpc, "_IDLE", -1.0)
    rpc.call("c")
    assert double.connections == 2


def test_the_port_of_a_dead_process_is_not_dialled(made: list[Any]) -> None:
    rpc, double = client(made, {"result": 1}, alive=False)
    with pytest.raises(Gone, match="ended"):
        rpc.call("a")
    assert double.connections == 0


def test_patience_has_an_end(made: list[Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        rpc = Rpc(silent.getsockname()[1], "secret", lambda: True)
        made.append(rpc)
        rpc.patience(0.1)
        with pytest.raises(Gone, match="does not answer"):
            rpc.call("a")
