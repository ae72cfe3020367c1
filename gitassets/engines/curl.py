"""libcurl in process: one thread, one multi handle, many connections.

Large files come in ranges over several connections, small ones fill the other slots. No redirect is
followed, no answer used before it was judged, no address dialled before it was allowed, nothing of
the environment counts.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gitassets.engines.codes import STALLED, meaning
from gitassets.engines.guards import Guard, refusal_of_name
from gitassets.engines.routes import ca_bundle, proxy_for
from gitassets.engines.schedule import Schedule
from gitassets.engines.streams import Stream
from gitassets.errors import Cause

try:
    import pycurl
except ImportError as error:  # no wheel for this platform, or built against another libcurl
    pycurl = None
    _MISSING = f"pycurl cannot be imported: {error}"

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitassets.engines.base import Failed, Fetched, Jobs, Tuning
    from gitassets.engines.pieces import Piece
    from gitassets.engines.schedule import Work
    from gitassets.model import Request

SLOTS = 64
"""Requests in flight: 50 ms to the first byte need 27 to be 0.6 of 16 connections (transfer §5)."""

_BUFFER = 256 * 1024
"""Bytes of one recv; 256 to 512 KiB is the plateau (transfer §2.2)."""

_TICK = 1.0
"""Seconds between two looks at the clock, at most."""

_NAP = 0.002
"""Seconds to sleep where select(2) cannot wait."""

_SUPPRESS_CONNECT_HEADERS = 265
"""Of curl.h; pycurl has no name for it."""

_IDENTITY = "Accept-Encoding: identity"
"""As a header: the option of that name would switch decoding on."""


class Curl:
    """The engine that is always there."""

    name = "curl"

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning

    def unavailable(self) -> str | None:
        """Say why pycurl cannot be used, or None."""
        if pycurl is None:
            return _MISSING
        return None if hasattr(pycurl, "PREREQFUNCTION") else "pycurl is older than 7.45.7"

    def handles(self, request: Request) -> bool:
        """Every rule is kept, for every web request."""
        return request.url.startswith(("http://", "https://"))

    def fetch(self, jobs: Jobs) -> Iterator[Fetched | Failed]:
        """Work until `jobs` is empty; closing the generator drops every connection."""
        loop = _Loop(self._tuning, jobs)
        try:
            yield from loop.results()
        finally:
            loop.close()


def version() -> str:
    """Give the versions of pycurl, of libcurl, and of what that was built with."""
    return str(pycurl.version)


class _Loop:
    """One run: the multi handle and its streams."""

    def __init__(self, tuning: Tuning, jobs: Jobs) -> None:
        self._tuning = tuning
        self._schedule = Schedule(jobs, tuning)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, SLOTS)
        self._guards: list[Guard] = []
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
                # Refill before waiting: a slot that waits for others costs more than a look.
                if not self._turn():
                    self._wait(wait or _TICK)
            elif wait is None:
                return
            else:
                time.sleep(min(wait, _TICK))

    def close(self) -> None:
        """Drop every connection and every descriptor; what has arrived is written."""
        running = list(self._active.values())
        for stream in running:
            self._multi.remove_handle(stream.curl)
        for stream in running + self._idle:
            stream.curl.close()
        for guard in self._guards:
            guard.close()
        self._multi.close()
        for stream in running:
            stream.settle()

    def _turn(self) -> bool:
        """Move what can be moved; tell whether anything came to an end."""
        self._multi.perform()
        ended = False
        more = True
        while more:
            more, done, failed = self._multi.info_read()
            for curl, code, text in [*((curl, 0, "") for curl in done), *failed]:
                # It may have been stopped with its job a moment ago.
                if stream := self._active.get(curl):
                    self._ended(stream, code, text)
            ended = ended or bool(done or failed)
        return self._drop_stalled() or ended

    def _wait(self, most: float) -> None:
        due = self._multi.timeout()
        most = min(most, self._tick, due / 1000 if due >= 0 else self._tick)
        if any(guard.beyond_select for guard in self._guards):
            time.sleep(min(most, _NAP))
            return
        before = time.monotonic()
        if self._multi.select(most) <= 0 and time.monotonic() - before < min(most, _NAP):
            time.sleep(min(most, _NAP))  # it returns at once when there is no descriptor yet

    def _start(self, work: Work, piece: Piece) -> None:
        stream = self._idle.pop() if self._idle else self._new_stream()
        stream.begin(work, piece, self._clock)
        try:
            self._prepare(stream)
        except (pycurl.error, ValueError) as error:
            stream.error = work.error(f"cannot be asked: {error}", Cause.LYING)
        if stream.refused:
            stream.error = work.error(stream.refused, Cause.REFUSED)
        if stream.error:
            self._idle.append(stream)
            self._conclude(stream)
        else:
            self._active[stream.curl] = stream
            self._multi.add_handle(stream.curl)

    def _prepare(self, stream: Stream) -> None:
        """Set what differs from the stream's last transfer. Raises ValueError, pycurl.error."""
        work, piece, curl = stream.work, stream.piece, stream.curl
        request = work.request
        curl.setopt(pycurl.URL, request.url)
        curl.setopt(pycurl.RANGE, f"{piece.position}-{'' if work.whole else piece.end - 1}")
        headers = self._plain
        if request.headers or work.etag:
            headers = [_IDENTITY, *(f"{name}: {value}" for name, value in request.headers)]
            if work.etag:
                headers.append(f"If-Range: {work.etag}")
            if not all(line.isprintable() for line in headers):
                raise ValueError("a header with a control character")
        if stream.headers is not headers:
            curl.setopt(pycurl.HTTPHEADER, headers)
            stream.headers = headers
        proxy = proxy_for(request.url, self._tuning)
        if stream.proxy != proxy:
            curl.setopt(pycurl.PROXY, proxy)
            stream.proxy = proxy
        if proxy:
            stream.refused = refusal_of_name(request.url, private=request.private)

    def _new_stream(self) -> Stream:
        tuning = self._tuning
        curl = pycurl.Curl()
        stream = Stream(curl)
        guard = Guard(stream)
        self._guards.append(guard)
        options = {
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
            pycurl.NOSIGNAL: 1,
            pycurl.PATH_AS_IS: 1,  # a signature covers the path as it is written
            pycurl.BUFFERSIZE: _BUFFER,
            pycurl.CONNECTTIMEOUT_MS: max(1, round(tuning.connect_timeout * 1000)),
            pycurl.USERAGENT: tuning.user_agent,
            pycurl.NOPROXY: "",  # else the environment's counts
            _SUPPRESS_CONNECT_HEADERS: 1,  # a proxy's 200 is not the file's
            pycurl.HEADERFUNCTION: stream.block.append,
            pycurl.WRITEFUNCTION: stream.receive,
            pycurl.OPENSOCKETFUNCTION: guard.open,
            pycurl.PREREQFUNCTION: guard.check,
        }
        if self._ca:
            options |= {pycurl.CAINFO: self._ca, pycurl.PROXY_CAINFO: self._ca}
        for option, value in options.items():
            curl.setopt(option, value)
        return stream

    def _release(self, stream: Stream) -> None:
        """Take the stream out of the multi handle and stock of what it brought."""
        del self._active[stream.curl]
        self._multi.remove_handle(stream.curl)
        self._idle.append(stream)
        stream.settle()
        if stream.raised:
            raise stream.raised

    def _ended(self, stream: Stream, code: int, text: str) -> None:
        self._release(stream)
        if stream.error is None and not stream.complete:
            if stream.refused:
                stream.error = stream.work.error(stream.refused, Cause.REFUSED)
            else:
                stream.error = stream.work.error(*meaning(code, text))
        self._conclude(stream)

    def _conclude(self, stream: Stream) -> None:
        work, schedule = stream.work, self._schedule
        if stream.error is None:
            schedule.arrived(work, stream.piece)
        elif schedule.stopped(work, stream.piece, stream.error):
            for other in [one for one in self._active.values() if one.work is work]:
                self._release(other)
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
        speed, seconds = self._tuning.low_speed, self._tuning.low_speed_time
        slow = [one for one in self._active.values() if one.stalled(self._clock, speed, seconds)]
        for stream in slow:
            if stream.curl in self._active:  # likewise
                self._ended(stream, STALLED, "")
        return bool(slow)
