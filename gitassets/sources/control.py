"""Small questions to a host before bytes move: which size, which signed URL, which release.

The rules of a transfer hold here too: every hop is judged, no header crosses to another origin, no
variable of the environment and no netrc counts, and an answer is read under a limit.
"""

from __future__ import annotations

import json
import re
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from gitassets.addresses import is_private_host, judge
from gitassets.errors import Cause, TransferError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import Response

    from gitassets.engines.base import Tuning
    from gitassets.model import Request
    from gitassets.sources.base import Policy

MAX_ANSWER: Final = 16 * 2**20
"""Bytes of one JSON answer; GitHub's largest release pages are below 4 MiB."""
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CAUSES = {
    401: Cause.DENIED, 403: Cause.DENIED, 410: Cause.DENIED, 404: Cause.GONE,
    408: Cause.TRANSIENT, 425: Cause.TRANSIENT, 429: Cause.LIMITED, 500: Cause.TRANSIENT,
    502: Cause.TRANSIENT, 503: Cause.LIMITED, 504: Cause.TRANSIENT,
}  # fmt: skip


class Control:
    """What the sources of one run ask through."""

    def __init__(self, policy: Policy, tuning: Tuning) -> None:
        self.policy = policy
        self._tuning = tuning

    @contextmanager
    def open(
        self, request: Request, method: str = "GET", *,
        headers: Mapping[str, str] | None = None, body: bytes | None = None,
    ) -> Iterator[tuple[Request, Response]]:  # fmt: skip
        """Ask once, and again where a GET is sent elsewhere; gives the last answer, unread.

        Raises TransferError when nobody answers, or a redirect may not be followed.
        """
        import requests  # noqa: PLC0415 - 100 ms that a pull of plain URLs does not wait for

        tuning = self._tuning
        with requests.Session() as session:
            session.trust_env = False
            # Even when it is told not to follow, requests parses the target (ValueError for a bad
            # one) and reads the whole body of the redirect, which may never end.
            session.get_redirect_target = lambda resp: None  # type: ignore[method-assign] # noqa: ARG005
            while True:
                self._check_address(request)
                try:
                    answer = session.request(
                        method,
                        request.url,
                        headers={
                            "Accept-Encoding": "identity",
                            "User-Agent": tuning.user_agent,
                            **(headers or {}),
                            **dict(request.headers),
                        },
                        data=body,
                        allow_redirects=False,
                        stream=True,
                        timeout=(tuning.connect_timeout, tuning.low_speed_time),
                        proxies=self.proxies(request.url),
                        verify=tuning.ca_file or True,
                    )
                except requests.RequestException as error:
                    raise TransferError(request.url, reason(error), Cause.TRANSIENT) from error
                with answer:
                    if answer.status_code not in REDIRECTS or method != "GET":
                        yield request, answer
                        return
                    location = answer.headers.get("Location", "")
                request = self.policy.hop(request, location)

    def json(
        self, request: Request, *, headers: Mapping[str, str], body: object = None
    ) -> tuple[Request, Any]:
        """Ask for a JSON document; with `body`, by POST. Gives who answered, and what.

        Raises TransferError; a refusal has the status, and its cause decides what is done next.
        """
        method, data = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
        with self.open(request, method, headers=headers, body=data) as (last, answer):
            if answer.status_code != 200:
                raise refusal(last, answer)
            found = b""
            for piece in answer.iter_content(2**16):
                found += piece
                if len(found) > MAX_ANSWER:
                    raise TransferError(request.url, "an endless answer", Cause.LYING)
        try:
            return last, json.loads(found)
        except ValueError as error:
            raise TransferError(request.url, "the answer is not JSON", Cause.LYING) from error

    @property
    def patience(self) -> float:
        """Seconds that an answer may take."""
        return self._tuning.low_speed_time

    @property
    def ca_file(self) -> str | None:
        """The PEM bundle that the user named, or None."""
        return self._tuning.ca_file

    def proxies(self, url: str) -> dict[str, str]:
        """Give the proxies for `url` by scheme; empty where it is dialled directly."""
        host = urlsplit(url).hostname or ""
        direct = any(
            name in {"*", host} or host.endswith("." + name.lstrip("."))
            for name in self._tuning.no_proxy
        )
        return {} if direct else dict(self._tuning.proxies)

    def _check_address(self, request: Request) -> None:
        """Judge every address of the host before it is dialled (the engines do while they dial)."""
        parts = urlsplit(request.url)
        host = parts.hostname or ""
        if parts.scheme in self.proxies(request.url):
            # The proxy resolves the name, and here there may be no DNS at all.
            found = ["127.0.0.1"] if is_private_host(host) else []
        else:
            try:
                rows = socket.getaddrinfo(host, parts.port or parts.scheme)
            except (OSError, UnicodeError) as error:
                raise TransferError(request.url, f"cannot resolve '{host}'") from error
            found = [str(row[4][0]) for row in rows]
        for address in found:
            if rule := judge(address, private=request.private):
                raise TransferError(
                    request.url, f"'{host}' is {address}: {rule}", Cause.REFUSED,
                    hint=f"git config --add assets.allow {host}",
                )  # fmt: skip


def refusal(request: Request, answer: Response) -> TransferError:
    """Make the error of a status that is no success."""
    status = answer.status_code
    wait = answer.headers.get("Retry-After", "")
    return TransferError(
        request.url, f"HTTP {status}", _CAUSES.get(status, Cause.LYING), status=status,
        retry_after=float(wait) if wait.isdecimal() and len(wait) < 9 else None,
    )  # fmt: skip


def reason(error: Exception) -> str:
    """What went wrong, without the nested quotations that urllib3 makes of it."""
    text = str(error)
    for words in ("timed out", "Connection refused", "Connection reset"):
        if words in text:
            return words.lower()
    if found := re.search(r"certificate verify failed: ([^('\"]{1,80})", text):
        return f"its certificate is not trusted: {found[1].strip()}"
    return type(error).__name__
