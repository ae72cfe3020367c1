"""libcurl in process: one thread, one multi handle, many connections.

Large files come in ranges over several connections, small ones fill the other slots. No redirect is
followed, no answer used before it was judged, no address dialled before it was allowed, nothing of
the environment counts.
"""

from __future__ import annotations

import socket
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gitassets.addresses import judge
from gitassets.engines.routes import ca_bundle, literal, proxy_for
from gitassets.engines.schedule import Schedule
from gitassets.engines.streams import Stream
from gitassets.errors import Cause, TransferError

try:
    import pycurl
except ImportError as error:  # no wheel for this platform, or built against another libcurl
    pycurl = None
    _MISSING = f"pycurl cannot be imported: {error}"

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitassets.engines.base import Failed, Fetched, Jobs, Tuning
    from gitassets.engines.ranges import Piece
    from gitassets.engines.schedule import Work
    from gitassets.model import Request

SLOTS = 64
"""Requests in flight: 50 ms to the first byte need 27 to be 0.6 of 16 connections (transfer §5)."""

_BUFFER = 512 * 1024
"""Bytes of one recv; 256 to 512 KiB is the plateau (transfer §2.2)."""

_TICK = 1.0
"""Seconds between two looks at the clock, at most."""

_IDENTITY = "Accept-Encoding: identity"
"""As a header: the option of that name would switch decoding on."""

_STALLED = -1
"""Our own, beside libcurl's codes."""

_REASONS = {
    0: "connection closed",
    _STALLED: "stalled",
    18: "connection closed",
    28: "timed out",
    52: "connection closed",
    55: "connection lost",
    56: "connection lost",
}
"""libcurl-errors(3), where libcurl's text says less."""

_FINAL = {
    1: Cause.LYING,  # not HTTP
    3: Cause.LYING,  # not a URL
    8: Cause.LYING,  # not an HTTP header
    58: Cause.LOCAL,  # our own certificate
    60: Cause.LYING,  # the server's certificate
    77: Cause.LOCAL,  # the CA bundle
    83: Cause.LYING,  # the issuer
}
"""libcurl-errors(3) that no second try changes."""


class Curl:
    """The engine that is always there."""

    name = "curl"

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning

    def unavailable(self) -> str | None:
        """Say why pycurl cannot be used, or None."""
        return None if pycurl else _MISSING

    def handles(self, request: Request) -> bool:
        """Every rule is kept for every web request."""
        return request.url.startswith(("http://", "https://"))

    def fetch(self, jobs: Jobs) -> Iterator[Fetched | Failed]:
        """Work until `jobs` is empty; closing the generator drops every connection."""
        loop = _Loop(self._tuning, jobs)
        try:
            yield from loop.results()
        finally:
            loop.close()


class _Loop:
    """One run: the multi handle and its streams."""

    def __init__(self, tuning: Tuning, jobs: Jobs) -> None:
        self._tuning = tuning
        self._schedule = Schedule(jobs, tuning)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, SLOTS)
        self._idle: list[Stream] = []
        self._active: dict[Any, Stream] = {}
        self._plain = [_IDENTITY]
        self._ca = ca_bundle(tuning)
        self._tick = min(_TICK, tuning.low_speed_time / 4)
        self._real = self._clock = self._looked = time.monotonic()

    def results(self) -> Iterator[Fetched | Failed]:
        """Give results as they come, until nothing runs and no job will be ready."""
        schedule = self._schedule
        while True:
            while len(self._active) < SLOTS and (found := schedule.next()):
                self._start(*found)
            while schedule.results:
                yield schedule.results.popleft()
                schedule.look_again()
            wait = schedule.wait()
            if self._active:
                self._turn(wait)
            elif wait is None:
                return
            else:
                time.sleep(min(wait, _TICK))

    def close(self) -> None:
        """Drop every connection and every descriptor."""
        for stream in self._active.values():
            self._multi.remove_handle(stream.curl)
        for stream in [*self._active.values(), *self._idle]:
            stream.close()
        self._active.clear()
        self._multi.close()

    def _turn(self, wait: float | None) -> None:
        """Move what can be moved; wait only when nothing came to an end."""
        self._multi.perform()
        ended = False
        more = True
        while more:
            more, done, failed = self._multi.info_read()
            for curl in done:
                self._ended(self._active[curl], 0, "")
            for curl, code, text in failed:
                self._ended(self._active[curl], code, text)
            ended = ended or bool(done or failed)
        ended = self._drop_stalled() or ended
        if not ended:
            due = self._multi.timeout() / 1000
            self._multi.select(min(self._tick if due < 0 else due, self._tick, wait or self._tick))

    def _start(self, work: Work, piece: Piece) -> None:
        stream = self._idle.pop() if self._idle else self._new_stream()
        stream.begin(work, piece, self._clock)
        try:
            self._prepare(stream)
        except TransferError as error:
            stream.error = error
        except (pycurl.error, ValueError) as error:
            reason = f"cannot be asked: {error}"
            stream.error = TransferError(str(work.request.source), reason, Cause.LYING)
        if stream.error:
            self._idle.append(stream)
            self._conclude(stream)
            return
        self._active[stream.curl] = stream
        self._multi.add_handle(stream.curl)

    def _prepare(self, stream: Stream) -> None:
        """Set what differs from the stream's last transfer. Raises ValueError, pycurl.error."""
        work, piece, curl = stream.work, stream.piece, stream.curl
        request = work.request
        curl.setopt(pycurl.URL, request.url)
        last = "" if work.whole else piece.end - 1
        curl.setopt(pycurl.RANGE, f"{piece.position}-{last}")
        headers = self._plain
        if request.headers or work.etag:
            headers = [_IDENTITY, *(f"{name}: {value}" for name, value in request.headers)]
            if work.etag:
                headers.append(f"If-Range: {work.etag}")
            if any(c in line for line in headers for c in "\r\n\0"):
                raise ValueError("a header with a line break")
        if stream.headers is not headers:
            curl.setopt(pycurl.HTTPHEADER, headers)
            stream.headers = headers
        proxy = proxy_for(request.url, self._tuning)
        if stream.proxy != proxy:
            curl.setopt(pycurl.PROXY, proxy)
            stream.proxy = proxy
        address = literal(request.url) if proxy else None
        if address and (rule := _rule(address, request.private)):
            raise TransferError(
                str(request.source), f"address {address} refused: {rule}", Cause.REFUSED
            )

    def _new_stream(self) -> Stream:
        tuning = self._tuning
        curl = pycurl.Curl()
        stream = Stream(curl)
        guard = _Guard(stream)
        stream.closing = guard.close
        options = {
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
            pycurl.NOSIGNAL: 1,
            pycurl.PATH_AS_IS: 1,  # a signature is over the path as it is written
            pycurl.BUFFERSIZE: _BUFFER,
            pycurl.CONNECTTIMEOUT_MS: max(1, round(tuning.connect_timeout * 1000)),
            pycurl.USERAGENT: tuning.user_agent,
            pycurl.NOPROXY: "",  # else the environment's counts
            pycurl.HEADERFUNCTION: stream.block.append,
            pycurl.WRITEFUNCTION: stream.receive,
            pycurl.OPENSOCKETFUNCTION: guard.open,
            pycurl.PREREQFUNCTION: guard.check,
        }
        if self._ca:
            options[pycurl.CAINFO] = options[pycurl.PROXY_CAINFO] = self._ca
        for option, value in options.items():
            curl.setopt(option, value)
        return stream

    def _ended(self, stream: Stream, code: int, text: str) -> None:
        """Take stock of a transfer that libcurl has finished with."""
        self._release(stream)
        if code == 0 and stream.answer is None and stream.error is None:
            stream.judge()  # an answer without a body
        stream.settle()
        if stream.raised:
            raise stream.raised
        if stream.error is None and not stream.complete:
            stream.error = self._error(stream, code, text)
        self._conclude(stream)

    def _conclude(self, stream: Stream) -> None:
        work, schedule = stream.work, self._schedule
        if stream.error is None:
            schedule.arrived(work, stream.piece)
        elif schedule.stopped(work, stream.piece, stream.error):
            for other in [one for one in self._active.values() if one.work is work]:
                self._release(other)
                other.settle()
            schedule.fail(work, stream.error)

    def _drop_stalled(self) -> bool:
        """Stop what has become too slow; tell whether anything was."""
        now = time.monotonic()
        # Time that others took (a consumer, a full disk, a closed lid) is no server's fault.
        self._clock += min(now - self._real, 2 * _TICK)
        self._real = now
        if self._clock - self._looked < self._tick:
            return False
        self._looked = self._clock
        tuning = self._tuning
        slow = [
            stream
            for stream in self._active.values()
            if stream.stalled(self._clock, tuning.low_speed, tuning.low_speed_time)
        ]
        for stream in slow:
            if stream.curl in self._active:  # not stopped with a sibling
                self._ended(stream, _STALLED, "")
        return bool(slow)

    def _release(self, stream: Stream) -> None:
        del self._active[stream.curl]
        self._multi.remove_handle(stream.curl)
        self._idle.append(stream)

    @staticmethod
    def _error(stream: Stream, code: int, text: str) -> TransferError:
        source = str(stream.work.request.source)
        if stream.refused:
            return TransferError(source, stream.refused, Cause.REFUSED)
        reason = _REASONS.get(code) or text or f"libcurl error {code}"
        if stream.work.count:
            reason = f"{reason} after {stream.work.count} of {stream.work.job.size} bytes"
        return TransferError(source, reason, _FINAL.get(code, Cause.TRANSIENT))


class _Guard:
    """Sees every address before it is dialled, and again before a kept connection is used."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._socket: socket.socket | None = None

    def open(self, _purpose: int, address: Any) -> Any:
        """CURLOPT_OPENSOCKETFUNCTION(3)."""
        try:
            self.close()
            if self._refuses(address.addr[0]):
                return pycurl.SOCKET_BAD
            # pycurl dials a duplicate; this one is closed when that has connected.
            self._socket = socket.socket(address.family, address.socktype, address.protocol)
        except BaseException as error:  # noqa: BLE001 - raised again by the loop
            self._stream.raised = error
            return pycurl.SOCKET_BAD
        return self._socket

    def check(self, remote: str, *_others: Any) -> int:
        """CURLOPT_PREREQFUNCTION(3)."""
        try:
            self.close()
            refused = self._refuses(remote)
        except BaseException as error:  # noqa: BLE001 - raised again by the loop
            self._stream.raised = error
            refused = True
        return int(pycurl.PREREQFUNC_ABORT if refused else pycurl.PREREQFUNC_OK)

    def close(self) -> None:
        """Let go of our half of the last connection."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _refuses(self, address: str) -> bool:
        stream = self._stream
        if stream.proxy:
            return False  # the proxy, which the user named; it resolves the host
        rule = _rule(address, stream.work.request.private)
        if rule:
            stream.refused = f"address {address} refused: {rule}"
        return rule is not None


@lru_cache(maxsize=1024)
def _rule(address: str, private: bool) -> str | None:  # noqa: FBT001 - a cache's key
    return judge(address, private=private)
