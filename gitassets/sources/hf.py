"""`hf:`: the Hugging Face Hub. Files by our own ranged requests, listings by the Hub's own client.

The token goes to the configured endpoint and nowhere else: what the Hub redirects to is signed.
"""

from __future__ import annotations

import os
import re
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from gitassets import hub
from gitassets.errors import Cause, TransferError
from gitassets.model import Digest, Request
from gitassets.sources.account import Account, account
from gitassets.sources.base import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gitassets.hub import HubPlace
    from gitassets.model import Url
    from gitassets.sources.control import Control

    T = TypeVar("T")

MAX_FILES: Final = 500_000
"""Of one listing: as many as a lockfile may hold."""
_TRIES = 3
_LONGEST = 60.0
"""Seconds that one answer may make us wait."""
_CAUSES = {401: Cause.DENIED, 403: Cause.DENIED, 404: Cause.GONE, 429: Cause.LIMITED}


class RemoteFile(NamedTuple):
    """One file of a listing."""

    path: str
    """In its repository, `/` between components."""
    size: int
    """Bytes."""
    sha256: Digest | None
    """Of what the Hub keeps as an LFS or Xet file; None for what is an ordinary git blob."""
    blob_id: str
    """Git's own sha1 of the file, or of its LFS pointer."""


class Hub(Source):
    """The Hub, or what HF_ENDPOINT names in its place."""

    def __init__(self, control: Control) -> None:
        self._control = control

    @cached_property
    def account(self) -> Account:
        """What the environment says. Raises ConfigError."""
        return account()

    def resolve(self, url: Url) -> Request:
        """Give the request that the Hub answers with the bytes or with a signed URL of them."""
        place = self._place(url)
        if not place.path:
            raise TransferError(url, "names a repository, not a file", Cause.LYING)
        self._check_online(url)
        token = self.account.token
        return Request(
            self.address(url), url,
            headers=(("Authorization", f"Bearer {token}"),) if token else (),
            secret=token is not None,
            private=self.account.chosen,
        )  # fmt: skip

    def address(self, url: Url) -> str:
        """Give the https address of the file at the endpoint."""
        return f"{self.account.endpoint}{self._place(url).file}"

    def explain(self, url: Url, error: TransferError) -> TransferError:
        """Say which of repository, revision, file and permission is missing."""
        if error.http_status not in {401, 403, 404}:
            return error
        place = self._place(url)
        reason, hint = self._words(place, error)
        return TransferError(
            url, reason, error.cause, status=error.http_status, code=error.code, hint=hint
        )

    def _words(self, place: HubPlace, error: TransferError) -> tuple[str, str | None]:
        status = error.http_status
        page = f"{self.account.endpoint}{place.page}"
        sent = "a token was sent" if self.account.token else "no token was sent"
        login = None if self.account.token else "hf auth login, or set HF_TOKEN"
        if error.code == "GatedRepo":
            why = f"'{place.repository}' is gated: its owners let in whom they know ({sent})"
            return why, f"ask for access at {page}, then: hf auth login, or set HF_TOKEN"
        if error.code == "RepoNotFound" or (status == 401 and not error.code):
            kind = place.kind.removesuffix("s")
            return f"no {kind} '{place.repository}' that we may see ({sent})", login
        if error.code == "RevisionNotFound":
            return f"'{place.repository}' has no revision '{place.revision}'", f"see {page}"
        if error.code == "EntryNotFound":
            return f"'{place.repository}' has no '{place.path}' at '{place.revision}'", None
        return f"{error.reason} ({sent})" if status != 404 else error.reason, login

    def pinned(self, url: Url) -> Url:
        """Give the same place at the commit that its revision names now. Raises TransferError."""
        place = self._place(url)
        if place.pinned:
            return place.url
        self._check_online(url)
        wait = self._control.patience  # given to each call: its own default is for ever
        info = self._ask(
            url, lambda api: api.repo_info(place.repository, timeout=wait, **_at(place))
        )
        found = place.at(str(info.sha))
        if not found.pinned:
            raise TransferError(url, "the Hub names no commit for it", Cause.LYING)
        return found.url

    def list(self, url: Url) -> Iterator[RemoteFile]:
        """List the files at and below a place, in one paged call. Raises TransferError."""
        place = self._place(url)
        self._check_online(url)
        rows = self._ask(url, lambda api: _rows(api, place))
        if not rows and place.path:
            gone = TransferError(url, "", Cause.GONE, status=404, code="EntryNotFound")
            raise self.explain(url, gone)
        yield from rows.values()

    def _place(self, url: Url) -> HubPlace:
        try:
            return hub.parse(url)
        except ValueError as error:
            raise TransferError(url, str(error), Cause.LYING) from error

    def _check_online(self, url: Url) -> None:
        if self.account.offline:
            raise TransferError(
                url, "the Hub is not asked: HF_HUB_OFFLINE is set", Cause.GONE,
                hint="unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE",
            )  # fmt: skip

    @cached_property
    def _client(self) -> Any:
        """The Hub's own client, going the way that the user's settings say.

        By itself it waits for ever, and knows no proxy of git's. The endpoint and the token are
        given, because it reads its environment once, when it is imported.
        """
        import ssl  # noqa: PLC0415 - as the next

        # Read when it is imported: else it first asks the Hub which programs it may be started by.
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        from huggingface_hub import HfApi, set_client_factory  # noqa: PLC0415 - 200 ms
        from huggingface_hub.utils import get_session  # type: ignore[attr-defined] # noqa: PLC0415

        usual = get_session()  # httpx2's or httpx's, by the version of the client
        kind, hooks, endpoint = type(usual), usual.event_hooks, self.account.endpoint
        control = self._control
        verify = ssl.create_default_context(cafile=control.ca_file) if control.ca_file else True
        set_client_factory(
            lambda: kind(
                event_hooks=hooks, follow_redirects=True, trust_env=False, verify=verify,
                proxy=control.proxies(endpoint).get(endpoint.scheme), timeout=control.patience,
            )
        )  # fmt: skip
        token = self.account.token or False
        return HfApi(endpoint=str(endpoint), token=token, library_name="git-assets")

    def _ask(self, url: Url, question: Callable[[Any], T]) -> T:
        """Ask through the Hub's client, again where it is too busy. Raises TransferError."""
        for tries in range(_TRIES):
            try:
                return question(self._client)
            except Exception as error:
                # The client's own errors differ between its versions: known by their response.
                told = self.explain(url, _told(url, error))
                wait = told.retry_after if told.cause is Cause.LIMITED else None
                if wait is None or not 0 <= wait <= _LONGEST or tries == _TRIES - 1:
                    raise told from error
                time.sleep(wait)
        raise AssertionError  # pragma: no cover - the last try returns or raises


def _at(place: HubPlace) -> dict[str, str]:
    return {"repo_type": place.kind.removesuffix("s"), "revision": place.revision}


def _rows(api: Any, place: HubPlace) -> dict[str, RemoteFile]:
    """Ask for one path, or for the tree; never expanded, which is 20 times slower.

    Raises ValueError for a listing without end.
    """
    if place.path:
        found = api.get_paths_info(place.repository, [place.path], **_at(place))
        if not found or hasattr(found[0], "blob_id"):
            return {row.path: row for row in map(_row, found)}
    tree = api.list_repo_tree(
        place.repository, path_in_repo=place.path or None, recursive=True, **_at(place)
    )
    rows: dict[str, RemoteFile] = {}
    for each in tree:
        if not hasattr(each, "blob_id"):  # a directory
            continue
        row = _row(each)
        if row.path in rows or len(rows) >= MAX_FILES:
            raise ValueError(f"'{row.path}' is listed twice, or is one file too many")
        rows[row.path] = row
    return rows


def _row(file: Any) -> RemoteFile:
    """Check what the listing says of a file. Raises ValueError."""
    lfs = file.lfs
    size = int(lfs.size if lfs else file.size)
    sha256 = Digest(lfs.sha256) if lfs else None
    if size < 0 or not re.fullmatch(r"[0-9a-f]{40}", file.blob_id):
        raise ValueError(f"a listing that makes no sense: '{file.path}'")
    return RemoteFile(str(file.path), size, sha256, file.blob_id)


def _told(url: Url, error: Exception) -> TransferError:
    """Make our error of the client's."""
    response: Any = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if status is None:
        words = str(error) if isinstance(error, ValueError) else type(error).__name__
        return TransferError(url, f"the Hub could not be asked: {words}", Cause.TRANSIENT)
    headers: Mapping[str, str] = response.headers
    return TransferError(
        url, f"the Hub says HTTP {status}", _CAUSES.get(status, Cause.TRANSIENT),
        status=status, code=headers.get("X-Error-Code"), retry_after=_wait(headers),
    )  # fmt: skip


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds to stay away: Retry-After, or when the window of a RateLimit field ends."""
    found = re.fullmatch(r"\s*([0-9]{1,6})\s*", headers.get("Retry-After", ""))
    found = found or re.search(r";t=([0-9]{1,6})", headers.get("RateLimit", ""))
    return float(found[1]) if found else None
