"""`github-release://OWNER/REPO/TAG/NAME`: a file of a release on GitHub, or a server of its kind.

Without a token a public file needs no API, which answers strangers 60 times an hour only. With one
the API is asked for the file: it redirects to a signed URL, to which no token goes.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, unquote

from gitassets.addresses import is_private_host
from gitassets.errors import Cause, ConfigError, TransferError
from gitassets.model import Request
from gitassets.sources.base import Source
from gitassets.urls import Url, same_origin

if TYPE_CHECKING:
    from gitassets.sources.control import Control

API: Final = "https://api.github.com"
SITE: Final = "https://github.com"
_JSON = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_BYTES = ("Accept", "application/octet-stream")
"""What turns the API's description of a file into the file ("Get a release asset")."""


class _File(NamedTuple):
    """What a URL names."""

    owner: str
    repository: str
    tag: str
    name: str

    def path(self, middle: str) -> str:
        """Give `/OWNER/REPO<middle>TAG` with escapes."""
        owner, repository, tag = (quote(part, safe="") for part in self[:3])
        return f"/{owner}/{repository}{middle}{tag}"


class Releases(Source):
    """The releases of one server."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._assets: dict[str, dict[str, str]] = {}
        """By release: the API's URL of each file."""

    @cached_property
    def _api(self) -> Url:
        text = os.environ.get("GITHUB_API_URL", "").rstrip("/") or API
        try:
            found = Url(text)
        except ValueError as error:
            raise ConfigError("GITHUB_API_URL", text, str(error)) from error
        if found.scheme not in {"http", "https"}:
            raise ConfigError("GITHUB_API_URL", text, "not the address of a web server")
        return found

    @cached_property
    def _token(self) -> str | None:
        found = (os.environ.get("GH_TOKEN") or os.environ.get("GITHUB_TOKEN") or "").strip()
        safe = self._api.scheme == "https" or is_private_host(self._api.host)
        return found if safe and found.isascii() and found.isprintable() and found else None

    def resolve(self, url: Url) -> Request:
        """Give the request of the file. Raises TransferError when there is no such release."""
        file = _file(url)
        if self._token is None and self._api == API:
            return Request(self.address(url), url)
        key = f"{self._api}/repos{file.path('/releases/tags/')}"
        if key not in self._assets:
            self._assets[key] = self._release(url, key)
        found = self._assets[key].get(file.name)
        if found is None:
            raise TransferError(
                url, f"release '{file.tag}' of {file.owner}/{file.repository} has no '{file.name}'",
                Cause.GONE,
            )  # fmt: skip
        return self._request(url, found, _BYTES)

    def address(self, url: Url) -> str:
        """Give the address that a browser would be sent to."""
        file = _file(url)
        return f"{SITE}{file.path('/releases/download/')}/{quote(file.name, safe='')}"

    def explain(self, url: Url, error: TransferError) -> TransferError:
        """Say which release could not be seen, and whether a token was sent."""
        if error.http_status not in {401, 403, 404}:
            return error
        file = _file(url)
        sent = "a token was sent" if self._token else "no token was sent"
        return TransferError(
            url,
            f"HTTP {error.http_status}: no '{file.name}' in a release '{file.tag}' of "
            f"{file.owner}/{file.repository} that we may see ({sent})",
            error.cause, status=error.http_status,
            hint=None if self._token else "set GH_TOKEN when the repository is private",
        )  # fmt: skip

    def _release(self, url: Url, key: str) -> dict[str, str]:
        try:
            _, found = self._control.json(self._request(url, key), headers=_JSON)
            return {str(each["name"]): str(each["url"]) for each in found["assets"]}
        except TransferError as error:
            raise self.explain(url, error) from error
        except (KeyError, TypeError) as error:
            raise TransferError(url, "the answer describes no release", Cause.LYING) from error

    def _request(self, url: Url, target: str, *headers: tuple[str, str]) -> Request:
        """Make a request with the token where the token belongs, and nowhere else."""
        ours = same_origin(self._api, target)
        if not ours:
            raise TransferError(url, "the API names a file on another host", Cause.LYING)
        token = (("Authorization", f"Bearer {self._token}"),) if self._token else ()
        private = os.environ.get("GITHUB_API_URL", "") != ""
        return Request(target, url, (*headers, *token), secret=bool(token), private=private)


def _file(url: Url) -> _File:
    parts: Any = [unquote(part) for part in url.removeprefix("github-release://").split("/")]
    if len(parts) != 4 or not all(parts) or "?" in url or "#" in url:
        raise TransferError(
            url, "not of the form github-release://OWNER/REPO/TAG/NAME (write / as %2F)",
            Cause.LYING,
        )  # fmt: skip
    return _File(*parts)
