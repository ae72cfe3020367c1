"""One job in aria2c's hands: how it is described, what its state means, what is left behind."""

from __future__ import annotations

import contextlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gitassets.engines.aria2_control import decode, encode, metalink, piece_length, pieces
from gitassets.engines.base import Failed, Fetched
from gitassets.engines.routes import proxy_for
from gitassets.errors import Cause, TransferError
from gitassets.urls import redacted, safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gitassets.engines.base import Job, Tuning
    from gitassets.model import Request

KEYS = ("status", "bitfield", "completedLength", "downloadSpeed", "errorCode", "errorMessage")
"""What `see` needs of `aria2.tellStatus`."""
_STOPPED = frozenset({"complete", "error", "removed"})

_MOST_CONNECTIONS = 16
"""aria2c's own hard limit for one server."""
_SHARE = 16 << 20
"""Bytes of a file that are worth one connection."""
_LONGEST_TIMEOUT = 600
"""Seconds; the most that `--timeout` and `--connect-timeout` take."""

_MEANINGS = {
    1: (Cause.TRANSIENT, "the connection broke, or was refused"),
    2: (Cause.TRANSIENT, "timed out"),
    3: (Cause.GONE, "not found"),
    6: (Cause.TRANSIENT, "network problem"),
    8: (Cause.TRANSIENT, "a range was asked for and something else came"),
    9: (Cause.LOCAL, "no space left on the disk"),
    10: (Cause.ENGINE, "another piece length"),
    11: (Cause.ENGINE, "the same file twice"),
    13: (Cause.ENGINE, "the file exists"),
    15: (Cause.LOCAL, "cannot open the staging file"),
    16: (Cause.LOCAL, "cannot create the staging file"),
    17: (Cause.LOCAL, "cannot read or write the staging file"),
    18: (Cause.LOCAL, "cannot make the staging directory"),
    19: (Cause.TRANSIENT, "the name does not resolve"),
    22: (Cause.TRANSIENT, "an HTTP error"),
    24: (Cause.DENIED, "a password is asked for"),
    28: (Cause.ENGINE, "an option that it does not know"),
    29: (Cause.TRANSIENT, "overloaded"),
}
"""aria2's `src/error_code.h`. 8, 22 and 29 each stand for several answers of a server."""


class Download:
    """A job from its control file to its result."""

    def __init__(self, job: Job, tuning: Tuning) -> None:
        """Begin, from the first byte on where the server knows no ranges. Raises OSError."""
        self.job = job
        self.error: TransferError | None = None
        """Why it is being taken from aria2c; what it says of the download no longer counts."""
        self._tuning = tuning
        self._path = job.sink.path
        self._control = self._path.with_name(self._path.name + ".aria2")
        if job.single:
            job.sink.restart()
        self._lacked = self._lacking = _total(job.sink.missing())

    def prepare(self, now: float) -> None:
        """Write the control file of what is missing now. Raises OSError."""
        self._begun = now
        self._mark = (now, 0)
        """When so much was there: the last time that the speed was found good enough."""
        missing = self.job.sink.missing()
        self._lacking = _total(missing)
        control = encode(self.job.size, missing)
        self._known, _ = decode(control, self.job.size)
        """The bitfield that the sink knows of."""
        self._control.write_bytes(control)

    def parameters(self) -> tuple[str, dict[str, str]]:
        """Give those of `aria2.addMetalink`."""
        job, tuning = self.job, self._tuning
        split = min(tuning.connections, _MOST_CONNECTIONS, -(-job.size // _SHARE))
        proxies = dict(tuning.proxies)
        options = {
            "split": str(1 if job.single else split),
            "max-connection-per-server": str(1 if job.single else split),
            "min-split-size": "8M",
            "piece-length": str(piece_length(job.size)),
            # Nearly in file order, so that a reader can follow; still few and long requests.
            "stream-piece-selector": "inorder",
            "max-tries": "3",
            "retry-wait": "2",  # 0 would mean: no second try after 503
            "timeout": _seconds(tuning.low_speed_time),
            "connect-timeout": _seconds(tuning.connect_timeout),
            "allow-overwrite": "true",
            "auto-file-renaming": "false",
            "http-accept-gzip": "false",
            "user-agent": tuning.user_agent,
            "all-proxy": "",
            "http-proxy": proxies.get("http", ""),
            "https-proxy": proxies.get("https", ""),
            "no-proxy": ",".join(self._direct(proxies)),
        }
        urls = [request.url for request in job.requests]
        return b64encode(metalink(self._path.name, job.size, urls)).decode(), options

    def _direct(self, proxies: Mapping[str, str]) -> list[str]:
        """List the hosts that no proxy is for, by our own reading of `no_proxy`."""
        return [
            urlsplit(request.url).hostname or ""
            for request in self.job.requests
            if urlsplit(request.url).scheme in proxies and not proxy_for(request.url, self._tuning)
        ]

    def see(self, status: Mapping[str, Any], now: float) -> None:
        """Tell the sink which pieces are new; set `error` when too little has come for too long.

        Raises OSError when the sink cannot take note.
        """
        self._learn(str(status.get("bitfield", "")))
        since, had = self._mark
        completed = int(status.get("completedLength", 0))
        if status.get("status") != "active":
            self._mark = (now, completed)
        elif now - since >= self._tuning.low_speed_time:
            if completed - had < self._tuning.low_speed * (now - since):
                self.error = self.failure(Cause.TRANSIENT, "stalled")
            self._mark = (now, completed)

    def patience(self, status: Mapping[str, Any], now: float) -> float:
        """Guess the seconds until it is done; without a speed, as long as it has been at it."""
        speed = int(status.get("downloadSpeed", 0))
        left = self.job.size - int(status.get("completedLength", 0))
        return left / speed if speed else now - self._begun

    def over(self, status: Mapping[str, Any]) -> bool:
        """Tell whether aria2c has let go of it; then the control file is read and removed."""
        if status.get("status") not in _STOPPED:
            return False
        self.settle()
        return True

    def result(self, status: Mapping[str, Any]) -> Fetched | Failed | None:
        """Give what became of it when it is over; None: there is more to ask for."""
        if status.get("status") != "complete":
            return self.failed(self.error or self._meaning(status))
        missing = _total(self.job.sink.missing())
        if not missing:
            return Fetched(self.job, _only(self.job), self._lacked)
        if missing < self._lacking:
            return None
        error = self.failure(Cause.ENGINE, "aria2c says it is done with a file that has holes")
        return self.failed(error)

    def settle(self) -> None:
        """Tell the sink what the control file knows beyond whole pieces, and remove it.

        Only when aria2c has let go of the file.
        """
        with contextlib.suppress(OSError, ValueError):  # complete: none; disk full: an empty one
            bitfield, blocks = decode(self._control.read_bytes(), self.job.size)
            self._learn(bitfield)
            for start, end in blocks:
                self.job.sink.wrote(start, end)
        for leftover in (self._control, self._control.with_name(self._control.name + "__temp")):
            with contextlib.suppress(OSError):
                leftover.unlink()

    def failed(self, error: TransferError) -> Failed:
        """Give the result of a job that stops for `error`."""
        return Failed(self.job, error, _only(self.job), self._moved())

    def failure(self, cause: Cause, reason: str) -> TransferError:
        """Make the error; it is called by the first source, the others are its equals."""
        return TransferError(self.job.requests[0].source, reason, cause)

    def _meaning(self, status: Mapping[str, Any]) -> TransferError:
        code = int(status.get("errorCode", 1))
        cause, words = _MEANINGS.get(code, (Cause.TRANSIENT, "failed"))
        if len(self.job.requests) > 1 and cause in {Cause.GONE, Cause.DENIED}:
            cause = Cause.TRANSIENT  # one of several said so, and which one is not known
        said = safe(redacted(str(status.get("errorMessage", ""))))
        return self.failure(cause, f"aria2c: {words} (error {code}: {said.rstrip('.')})")

    def _moved(self) -> int:
        return max(0, self._lacked - _total(self.job.sink.missing()))

    def _learn(self, bitfield: str) -> None:
        """Tell the sink which pieces are new; what is told twice would be hashed twice."""
        for start, end in pieces(bitfield, self._known, self.job.size):
            self.job.sink.wrote(start, end)
        self._known = bitfield or self._known


def _only(job: Job) -> Request | None:
    return job.requests[0] if len(job.requests) == 1 else None


def _total(ranges: Iterable[tuple[int, int]]) -> int:
    return sum(end - start for start, end in ranges)


def _seconds(value: float) -> str:
    return str(max(1, min(_LONGEST_TIMEOUT, round(value))))
