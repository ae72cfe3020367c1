"""`hf://` and the addresses of the Hugging Face Hub: text in, a place out, and back. No I/O.

The grammar is the Hub's own (`huggingface_hub/utils/_hf_uris.py`):
`hf://[models/|datasets/|spaces/]OWNER/NAME[@REVISION][/PATH]`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit

from gitassets.urls import Url

if TYPE_CHECKING:
    from collections.abc import Collection

KINDS: Final = ("models", "datasets", "spaces")
DEFAULT_REVISION: Final = "main"
HOSTS: Final = frozenset({"huggingface.co", "hf.co", "hf-mirror.com"})
"""Where people copy addresses from, besides their own HF_ENDPOINT."""
_WITHOUT_SHA256 = frozenset({"buckets", "kernels"})
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SPECIAL = re.compile(r"refs/(?:pr/[0-9]+|convert/[A-Za-z0-9._-]+)")
"""The only revisions that the grammar takes with their slashes bare."""
_VIEWS = frozenset({"blob", "resolve", "tree"})
_PATH_SAFE = "/-._~!$&'()*+,;=:@"


@dataclass(frozen=True, slots=True)
class HubPlace:
    """A repository of the Hub, at a revision, or a file or directory in it."""

    kind: str
    """One of KINDS."""
    repository: str
    """OWNER/NAME."""
    revision: str = DEFAULT_REVISION
    """As git knows it, without escapes."""
    path: str = ""
    """Without escapes; empty for the whole repository."""

    def at(self, revision: str) -> HubPlace:
        """The same place at another revision."""
        return replace(self, revision=revision)

    def top(self) -> HubPlace:
        """The whole repository at this revision."""
        return replace(self, path="")

    @property
    def pinned(self) -> bool:
        """Tell whether the revision is a commit, which nobody can move."""
        return _COMMIT.fullmatch(self.revision) is not None

    @property
    def url(self) -> Url:
        """The one spelling of this place that a lockfile holds."""
        kind = "" if self.kind == "models" else f"{self.kind}/"
        bare = _SPECIAL.fullmatch(self.revision)
        revision = self.revision if bare else quote(self.revision, safe="")
        path = f"/{quote(self.path, safe=_PATH_SAFE)}" if self.path else ""
        return Url(f"hf://{kind}{self.repository}@{revision}{path}")

    @property
    def page(self) -> str:
        """The path of the repository's page on the Hub."""
        return f"/{'' if self.kind == 'models' else self.kind + '/'}{self.repository}"

    @property
    def file(self) -> str:
        """The path that the Hub serves the file's bytes from."""
        revision, path = quote(self.revision, safe=""), quote(self.path, safe="/")
        return f"{self.page}/resolve/{revision}/{path}"


def parse(url: Url) -> HubPlace:
    """Read an `hf:` URL. Raises ValueError with a reason that can be shown."""
    text = url.removeprefix("hf://")
    if text == url or "?" in text or "#" in text:
        raise ValueError("not of the form hf://[datasets/|spaces/]OWNER/NAME[@REVISION][/PATH]")
    parts = text.removesuffix("/").split("/")
    kind = parts.pop(0) if parts[0] in {*KINDS, *_WITHOUT_SHA256} else "models"
    if kind in _WITHOUT_SHA256:
        raise ValueError(f"{kind} of the Hub have no versions that could be pinned")
    if len(parts) < 2:
        raise ValueError("no OWNER/NAME")
    owner, (name, at, escaped) = parts[0], parts[1].partition("@")
    rest = parts[2:]
    revision = unquote(escaped)
    if revision == "refs" and len(rest) >= 2:
        revision, rest = "/".join(("refs", *rest[:2])), rest[2:]
    if at and not revision:
        raise ValueError("an empty revision")
    return _place(kind, f"{owner}/{name}", revision or DEFAULT_REVISION, rest)


def pasted(text: str, endpoints: Collection[str] = ()) -> HubPlace | None:
    """Read an address that was copied from a browser; None when it is something else.

    `endpoints` are further addresses of a Hub. Raises ValueError for one that names no place.
    """
    try:
        url = Url(text)
    except ValueError:
        return None
    known = {Url(endpoint).origin for endpoint in endpoints}
    if not (url.scheme == "https" and url.host in HOSTS) and url.origin not in known:
        return None
    parts = urlsplit(url).path.strip("/").split("/")
    kind = parts.pop(0) if parts[0] in KINDS else "models"
    if len(parts) < 4 or parts[2] not in _VIEWS:
        return None
    return _place(kind, "/".join(parts[:2]), unquote(parts[3]), parts[4:])


def _place(kind: str, repository: str, revision: str, rest: list[str]) -> HubPlace:
    """Check what `parse` and `pasted` have cut out."""
    if not all(_NAME.fullmatch(part) for part in repository.split("/")):
        raise ValueError(f"'{repository}' is no OWNER/NAME")
    if not revision.isprintable() or ".." in revision or revision.startswith(("-", "/")):
        raise ValueError("a revision that git would refuse")
    names = [unquote(part) for part in rest]
    if any(name in {"", ".", ".."} or "/" in name or not name.isprintable() for name in names):
        raise ValueError("an empty, '.', '..' or unprintable component")
    return HubPlace(kind, repository, revision, "/".join(names))
