"""`lfs+https:`: a Git LFS server, asked by sha256 and size (git-lfs `docs/api/batch.md`).

A store's URL names the server; `Lockfile.store_urls` puts `#<sha256>:<size>` behind it. What the
server answers is good for the host that it names, with the headers that it names, and no other.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gitassets import git
from gitassets.errors import Cause, GitError, TransferError
from gitassets.model import Digest, Request, Url
from gitassets.sources.base import Source
from gitassets.urls import same_origin

if TYPE_CHECKING:
    from gitassets.sources.control import Control

_MIME = "application/vnd.git-lfs+json"
_HEADERS = {"Accept": _MIME, "Content-Type": _MIME}
_CAUSES = {404: Cause.GONE, 410: Cause.GONE, 403: Cause.DENIED, 429: Cause.LIMITED}
_FORBIDDEN = frozenset({"host", "range", "content-length", "transfer-encoding", "connection"})
"""Headers of an action that would change what is asked."""


class Lfs(Source):
    """Every LFS server of the run."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._known: dict[str, tuple[tuple[str, str], ...]] = {}
        """By server: the credential that it wanted."""

    def resolve(self, url: Url) -> Request:
        """Ask the server for the address of one object. Raises TransferError."""
        server, _, wanted = url.partition("#")
        digest, _, size = wanted.partition(":")
        try:
            wish = {"oid": Digest(digest), "size": int(size)}
        except ValueError as error:
            raise TransferError(
                url, "an LFS server is asked by sha256 and size", Cause.LYING
            ) from error
        base = Url(server.removeprefix("lfs+").rstrip("/"))
        private = self._control.policy.private(base)
        asked = Request(f"{base}/objects/batch", url, self._known.get(base, ()), private=private)
        body = {
            "operation": "download",
            "transfers": ["basic"],
            "objects": [wish],
            "hash_algo": "sha256",
        }
        last, found = self._batch(base, asked, body)
        href, headers = _action(url, found)
        # As a redirect from the server: a public one may not send us into a private network.
        final = self._control.policy.hop(last, href)
        if same_origin(last.url, final.url):
            # git-lfs sends the credential again where the action brings no own.
            named = {name.lower() for name, _ in headers}
            headers += tuple(pair for pair in asked.headers if pair[0].lower() not in named)
        return Request(final.url, url, headers, secret=bool(headers), private=final.private)

    def _batch(self, base: Url, asked: Request, body: object) -> tuple[Request, Any]:
        """Ask, with git's credential for the host when the server wants one."""
        try:
            return self._control.json(asked, headers=_HEADERS, body=body)
        except TransferError as error:
            if error.http_status != 401 or base in self._known:
                raise self._denied(asked, error) from error
            header = _credential(base)
            if header is None:
                raise self._denied(asked, error) from error
        self._known[base] = (("Authorization", header),)
        again = Request(
            asked.url, asked.source, self._known[base], secret=True, private=asked.private
        )
        try:
            return self._control.json(again, headers=_HEADERS, body=body)
        except TransferError as error:
            raise self._denied(again, error) from error

    def _denied(self, asked: Request, error: TransferError) -> TransferError:
        if error.http_status not in {401, 403, 404}:
            return error
        host, hint = Url(asked.url).host, None
        why = "no such object, or no such repository"
        if error.http_status != 404:
            why = "with the credential that git has" if asked.headers else "without a credential"
            hint = (
                None if asked.headers else "git credential approve, or use git once with that host"
            )
        return TransferError(
            asked.source, f"the LFS server {host} says HTTP {error.http_status} ({why})",
            error.cause, status=error.http_status, hint=hint,
        )  # fmt: skip


def _credential(base: Url) -> str | None:
    """Ask git's helpers who we are there, without a prompt; None when they do not know."""
    parts = urlsplit(base)
    wanted = f"protocol={parts.scheme}\nhost={parts.netloc}\npath={parts.path.lstrip('/')}\n\n"
    try:
        out = git.run("credential", "fill", stdin=wanted.encode())
    except GitError:
        return None
    rows = dict(row.split("=", 1) for row in out.decode().splitlines() if "=" in row)
    if "password" not in rows:
        return None
    pair = f"{rows.get('username', '')}:{rows['password']}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def _action(url: Url, found: Any) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Read the answer to a batch of one. Raises TransferError."""
    try:
        [each] = found["objects"]
        if problem := each.get("error"):
            code = int(problem["code"])
            cause = _CAUSES.get(code, Cause.LYING)
            raise TransferError(url, f"the LFS server says {code} for it", cause, status=code)
        action = each["actions"]["download"]
        headers = {str(name): str(value) for name, value in (action.get("header") or {}).items()}
        return str(action["href"]), tuple(
            pair for pair in headers.items() if pair[0].lower() not in _FORBIDDEN
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TransferError(url, "the LFS server's answer makes no sense", Cause.LYING) from error
