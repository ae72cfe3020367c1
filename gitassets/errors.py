"""What can go wrong, with the facts a caller needs to act on it.

Every error carries data and, where there is one, a `hint`: a command that the user can copy.
Only `cli` turns one into text and an exit status.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import ClassVar


class AssetsError(Exception):
    """Something the user should read; the message is one line without a full stop."""

    status: ClassVar[int] = 128
    """The exit status, as git's: 128 fatal, 129 usage (gitcli)."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(AssetsError):
    """The command line makes no sense."""

    status = 129


class NotARepository(AssetsError):  # noqa: N818 - git's own words
    """There is no work tree, or no lockfile, where the command was started."""


class ConfigError(AssetsError):
    """A setting has a value that nobody can use."""

    def __init__(self, key: str, value: str, why: str) -> None:
        super().__init__(f"bad value '{value}' for {key}: {why}", hint=f"git config --unset {key}")
        self.key = key
        self.value = value


class GitError(AssetsError):
    """A git command failed where it should not have."""

    def __init__(self, args: tuple[str, ...], code: int, stderr: str) -> None:
        first = stderr.strip().splitlines()[:1]
        super().__init__(
            f"git {' '.join(args[:3])} failed ({code}): {''.join(first) or 'no output'}"
        )
        self.command = args
        self.code = code
        self.stderr = stderr


class LockfileError(AssetsError):
    """The lockfile cannot be read; `line` is 1-based, or None when it is about the whole file."""

    def __init__(self, line: int | None, why: str, *, hint: str | None = None) -> None:
        place = f"assets.lock.toml:{line}" if line else "assets.lock.toml"
        super().__init__(f"{place}: {why}", hint=hint)
        self.line = line
        self.why = why


class UnsafePath(LockfileError):  # noqa: N818 - a rule, not a malfunction
    """A path that no work tree may receive (design §3)."""

    def __init__(self, path: str, rule: str, *, line: int | None = None) -> None:
        super().__init__(line, f"unsafe path '{path}': {rule}")
        self.path = path
        self.rule = rule


class ConflictedLockfile(LockfileError):  # noqa: N818 - a state, not a malfunction
    """The lockfile holds conflict markers, or one table twice after a merge."""

    def __init__(self, line: int | None, why: str) -> None:
        super().__init__(line, why, hint="git assets resolve")


class Cause(Enum):
    """Why a transfer stopped, as far as it decides what to do next (the retry policy)."""

    TRANSIENT = auto()
    """The line or the server hiccupped: the same again, later."""
    LIMITED = auto()
    """429 or 503: the whole host waits, for `retry_after` when it was given."""
    DENIED = auto()
    """401, 403, 410: perhaps a signed URL that expired; resolve it once more, then final."""
    GONE = auto()
    """404: the next mirror, at once."""
    LYING = auto()
    """An answer that contradicts the pin or HTTP itself: this source is out for the run."""
    UNRANGED = auto()
    """The server ignores ranges: this source only as one stream from the start."""
    REDIRECT = auto()
    """Go to `location`; the source decides whether it may be."""
    REFUSED = auto()
    """Our own policy says no: the asset has failed, no other URL is tried."""
    LOCAL = auto()
    """This machine cannot take the bytes (disk full, permission)."""
    ENGINE = auto()
    """The engine itself is out of order: another engine goes on from the same staging file."""


class HistoryError(AssetsError):
    """History that cannot be rewritten as asked; nothing was changed."""


class TransferError(AssetsError):
    """One source could not deliver."""

    def __init__(  # noqa: PLR0913 - one field a fact
        self,
        url: str,
        reason: str,
        cause: Cause = Cause.TRANSIENT,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        location: str | None = None,
        code: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(reason, hint=hint)
        self.url = url
        self.reason = reason
        self.cause = cause
        self.http_status = status
        self.retry_after = retry_after
        """Seconds."""
        self.location = location
        self.code = code
        """`X-Error-Code`, a word by which the Hub says what is wrong; for its source to read."""


class StoreError(AssetsError):
    """The cache cannot be used."""


class NoSpace(StoreError):  # noqa: N818 - a state of the machine
    """Fewer bytes are free than are needed."""

    def __init__(self, needed: int, free: int, place: str) -> None:
        super().__init__(
            f"not enough space at '{place}': {needed} bytes needed, {free} free",
            hint="git assets cache gc --dry-run",
        )
        self.needed = needed
        self.free = free
        self.place = place


class Blocked(AssetsError):  # noqa: N818 - the user's file wins
    """A path of the work tree may not be written: what is there is not ours to replace."""

    def __init__(self, path: str, why: str, *, hint: str | None = None) -> None:
        super().__init__(f"'{path}' {why}", hint=hint)
        self.path = path
