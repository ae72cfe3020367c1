"""The seam between what is pushed and where: a remote keeps objects by content.

It shows none before it is whole. The object of a digest is at `<url>/<ab>/<sha256>`, where a
`[store.ID]` of a lockfile is asked for it, too: what one user pushes, every other one can pull.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from gitassets.engines.base import Tuning
    from gitassets.model import Digest, Url
    from gitassets.remotes.content import Content
    from gitassets.sources.base import Policy


class Held(NamedTuple):
    """What a remote says of an object that it has."""

    size: int
    """Bytes."""
    sha256: str | None = None
    """64 lower-case hex digits, where the remote keeps them; None: it does not say."""


class Remote(Protocol):
    """One place that objects are pushed to. Used from several threads at once."""

    name: str
    """As `git assets remote add` was told."""
    url: str

    def stat(self, digest: Digest) -> Held | None:
        """Ask for an object without its bytes; None when it is not there. Raises TransferError."""

    def put(self, content: Content, *, replace: bool) -> None:
        """Upload an object, which others see when it is whole or not at all.

        Unless `replace`, one that somebody else has uploaded meanwhile stays. Raises TransferError,
        and what reading `content` raises.
        """

    def public_url(self) -> Url | None:
        """Give the `[store.ID]` URL that others can read from; None when there is none."""

    def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True)
class Named:
    """A remote as git config has it."""

    name: str
    url: str
    """A Url, or the absolute path of a directory."""
    public: Url | None = None
    """Where others read what is pushed to `url`, when that is another address."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a remote may need to reach its place."""

    top: Path
    """The work tree."""
    tuning: Tuning
    policy: Policy


def place(digest: Digest) -> str:
    """Give where an object is, below the URL of a remote or a store."""
    return f"{digest[:2]}/{digest}"
