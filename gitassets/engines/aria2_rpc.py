"""aria2c's JSON-RPC over one kept loopback connection, with its secret."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Call = tuple[str, tuple[Any, ...]]
"""A method without its `aria2.` and its parameters without the secret."""

_ANSWER_TIMEOUT = 60.0
"""Seconds; aria2c's only thread may be inside fsync of a slow disk."""

_IDLE = 10.0
"""Seconds after which the connection is not trusted: aria2c hangs up after 30 without a call."""


class Refused(Exception):  # noqa: N818 - an answer, not a malfunction
    """aria2c answered a call with an error."""


class Gone(Exception):  # noqa: N818 - a state of the process
    """Nobody answers, or not in JSON-RPC."""


class Rpc:
    """One client. With http.client no proxy, no netrc and no environment has a say."""

    def __init__(self, port: int, secret: str, alive: Callable[[], bool]) -> None:
        """`alive` is asked before the port is dialled, which may be somebody else's later."""
        self._alive = alive
        self._used = time.monotonic()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_TIMEOUT)
        self._token = f"token:{secret}"

    def call(self, method: str, *params: Any) -> Any:
        """Call `aria2.<method>`. Raises Refused and Gone."""
        return self._post(f"aria2.{method}", [self._token, *params])

    def batch(self, calls: Sequence[Call]) -> list[Any]:
        """Make many calls in one round trip; a result is an answer or a Refused. Raises Gone."""
        if not calls:
            return []
        methods = [
            {"methodName": f"aria2.{method}", "params": [self._token, *params]}
            for method, params in calls
        ]
        answers = self._post("system.multicall", [methods])
        if not isinstance(answers, list) or len(answers) != len(calls):
            raise Gone("aria2c answers something else than it was asked")
        return [
            answer[0] if isinstance(answer, list) else Refused(_message(answer))
            for answer in answers
        ]

    def patience(self, seconds: float) -> None:
        """Wait at most so long for each answer from now on."""
        self._connection.timeout = seconds
        if self._connection.sock is not None:
            self._connection.sock.settimeout(seconds)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _post(self, method: str, params: list[Any]) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": "", "method": method, "params": params})
        if time.monotonic() - self._used > _IDLE:
            self._connection.close()
        if self._connection.sock is None and not self._alive():
            raise Gone("aria2c has ended")
        try:
            self._connection.request("POST", "/jsonrpc", body, {"Content-Type": "application/json"})
            answer = json.loads(self._connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            # What was half sent or half read cannot be gone on with.
            self._connection.close()
            raise Gone(f"aria2c does not answer ({type(error).__name__})") from error
        self._used = time.monotonic()
        if not isinstance(answer, dict):
            raise Gone("aria2c does not answer in JSON-RPC")
        if "error" in answer:
            raise Refused(_message(answer["error"]))
        return answer.get("result")


def _message(error: Any) -> str:
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)
