"""The nouns: what is pinned, what is asked for, what came of it. Immutable, and no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from gitassets.paths import AssetPath
from gitassets.urls import Url

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Asset",
    "AssetPath",
    "Digest",
    "Outcome",
    "Request",
    "Signature",
    "SourceTable",
    "Status",
    "StoreTable",
    "Url",
]

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Digest(str):
    """A sha256 as 64 lower-case hex digits. Raises ValueError for anything else."""

    __slots__ = ()

    def __new__(cls, text: str) -> Digest:  # noqa: PYI034 - Self is 3.11's
        """Check and keep `text`."""
        if not _DIGEST.fullmatch(text):
            raise ValueError("not 64 lower-case hex digits")
        return str.__new__(cls, text)

    @property
    def short(self) -> str:
        """Twelve digits, for people."""
        return self[:12]


class Signature(NamedTuple):
    """How a file looked when its bytes were last known: equal means not hashed again.

    Without ctime, which changes with every link(2).
    """

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Asset:
    """One pinned file: its place in the work tree, its content, and where it can be had."""

    path: AssetPath
    size: int
    """Bytes."""
    sha256: Digest
    urls: tuple[Url, ...] = ()
    origin: str | None = None
    """`from`: "ID:path", resolved through `[source.ID]`."""
    groups: tuple[str, ...] = ()
    executable: bool = False
    extra: Mapping[str, object] = field(default_factory=dict)
    """`license`, `note` and every key that a newer version may know."""


@dataclass(frozen=True, slots=True)
class StoreTable:
    """`[store.ID]`: a read-only place that holds objects by content, at `<url>/<ab>/<sha256>`."""

    id: str
    url: Url
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceTable:
    """`[source.ID]`: what was asked for, and the immutable place that it became."""

    id: str
    original: Url
    resolved: Url
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """A URL made ready to be asked: no redirect and no credential is left to find."""

    url: str
    """What is dialled: http, https, or file."""
    source: Url
    """The lockfile URL it stands for, which is the name of the source in every report."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent to this origin only."""
    secret: bool = False
    """The headers hold a credential: no other process may see this request."""
    private: bool = False
    """The user allowed this host to be private or loopback (design §5)."""
    hops: int = 0
    """Redirects followed so far."""
    root: str | None = None
    """For `file`: the directory that the path may not leave."""


class Status(str, Enum):
    """What a pull did with one asset; the words are part of the JSON contract."""

    KEPT = "kept"
    LINKED = "linked"
    FETCHED = "fetched"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one asset. A failure is an outcome, never an exception."""

    asset: Asset
    status: Status
    engine: str | None = None
    source: str | None = None
    """Who delivered the bytes, as it may be shown."""
    link: str | None = None
    """reflink, hardlink, symlink or copy."""
    bytes: int = 0
    """Moved over the network for this asset."""
    errors: tuple[str, ...] = ()
    """One line for each source that failed, also when another one delivered."""
    hint: str | None = None
