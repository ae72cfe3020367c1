"""Which addresses libcurl may dial: judged when they are resolved, not when a name is read."""

from __future__ import annotations

import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gitassets import addresses

if TYPE_CHECKING:
    from gitassets.engines.streams import Stream

_SOCKET_BAD = -1  # CURL_SOCKET_BAD
_PROCEED, _ABORT = 0, 1  # CURL_PREREQFUNC_OK, CURL_PREREQFUNC_ABORT

_SELECTABLE = 1000
"""Descriptors below FD_SETSIZE (select(2)), less a few that libcurl opens for itself."""


@lru_cache(maxsize=1024)
def refusal(address: str, private: bool) -> str | None:  # noqa: FBT001 - the cache's key
    """Say why a resolved address may not be dialled, or None; remembered, for it is asked often."""
    rule = addresses.judge(address, private=private)
    return f"address {address} refused: {rule}" if rule else None


def refusal_of_name(url: str, *, private: bool) -> str | None:
    """Say why a proxy may not be asked for the host of `url`.

    The proxy resolves names, so only those can be judged that spell an address, in any way that
    inet_aton(3) takes, or that RFC 6761 §6.3 binds to loopback.
    """
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return refusal("127.0.0.1", private)
    try:
        return refusal(socket.inet_ntoa(socket.inet_aton(host)), private)
    except OSError:
        return refusal(host, private) if ":" in host else None


class Guard:
    """Sees every address before it is dialled, and again before a kept connection is used.

    A refusal is told to the stream. As in the stream, no exception leaves a callback.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._socket: socket.socket | None = None
        self.beyond_select = False
        """A descriptor was opened that select(2) cannot wait for."""

    def open(self, _purpose: int, address: Any) -> socket.socket | int:
        """CURLOPT_OPENSOCKETFUNCTION(3)."""
        try:
            self.close()
            if self._refuses(address.addr[0]):
                return _SOCKET_BAD
            # pycurl dials a duplicate; this one is closed when the other has connected.
            self._socket = socket.socket(address.family, address.socktype, address.protocol)
            self.beyond_select |= self._socket.fileno() >= _SELECTABLE
        except BaseException as error:  # noqa: BLE001 - raised again by the loop
            self._stream.raised = error
            return _SOCKET_BAD
        return self._socket

    def check(self, remote: str, *_others: Any) -> int:
        """CURLOPT_PREREQFUNCTION(3)."""
        try:
            self.close()
            return _ABORT if self._refuses(remote) else _PROCEED
        except BaseException as error:  # noqa: BLE001 - raised again by the loop
            self._stream.raised = error
            return _ABORT

    def close(self) -> None:
        """Let go of our half of the last connection."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _refuses(self, address: str) -> bool:
        stream = self._stream
        # A proxy is the user's choice; what is behind it was judged by name.
        stream.refused = None if stream.proxy else refusal(address, stream.work.request.private)
        return stream.refused is not None
