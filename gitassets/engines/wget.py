"""The wget engine: one process a file, its body through a pipe. `auto` never takes it.

wget writes nothing to disk, so nothing needs to be believed of it: what comes out of the pipe is
bounded, and used only after the header block that it shows on stderr has been judged as every other
answer is. URLs reach it on stdin, because argv is public; secret headers never.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING, cast

from gitassets.engines import confine
from gitassets.engines.answers import Asked, judge
from gitassets.engines.base import Failed, Fetched
from gitassets.engines.programs import environment, find, may_see, one_line, version
from gitassets.engines.routes import ca_bundle, proxy_for
from gitassets.errors import Cause, TransferError

if TYPE_CHECKING:
    from collections.abc import Generator

    from gitassets.engines.base import Job, Jobs, Tuning
    from gitassets.model import Request

_PIECE = 256 * 1024
"""Bytes of one read; a pipe holds 64 KiB unless it was told otherwise (pipe(7))."""
_MAX_HEAD = 256 * 1024
"""Bytes of header lines that are looked at."""
_TICK = 1.0
_OPTIONS = (
    "--no-config", "--no-hsts", "--no-netrc", "--no-cookies", "--max-redirect=0", "--tries=1",
    "--compression=none", "--quiet", "--server-response", "--input-file=-", "--output-document=-",
)  # fmt: skip
_MEANINGS: dict[int | None, tuple[Cause, str]] = {
    0: (Cause.TRANSIENT, "the body ended early"),
    4: (Cause.TRANSIENT, "the connection broke, or was refused"),
    5: (Cause.LYING, "TLS: the certificate is not to be trusted, or no agreement"),
    7: (Cause.LYING, "not HTTP"),
}
"""wget(1), "EXIT STATUS"; 6 and 8 come with a status of HTTP, which is judged."""


class Wget:
    """See the module."""

    name = "wget"

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning

    def unavailable(self) -> str | None:
        """Say why there is no GNU Wget with --start-pos (1.16); Wget2 and busybox differ."""
        program = find("wget")
        if program is None:
            return "wget is not installed"
        try:
            found = re.match(r"GNU Wget 1\.(\d+)", version(program))
        except OSError as error:
            return f"'{program}' cannot be used: {error.strerror}"
        return None if found and int(found[1]) >= 16 else f"'{program}' is not GNU Wget 1.16+"

    def handles(self, request: Request) -> bool:
        """Take what needs no header: http and https."""
        return may_see(request)

    def fetch(self, jobs: Jobs) -> Generator[Fetched | Failed, None, None]:
        """Work until `jobs` is empty; `-j` processes at once."""
        program = find("wget") or "wget"
        running: list[_Transfer] = []
        selector = selectors.DefaultSelector()
        try:
            while True:
                while len(running) < self._tuning.jobs and (job := jobs.take()):
                    running.append(_Transfer(job, self._tuning, selector, program))
                    running[-1].begin()
                for key, _ in selector.select(_TICK if running else 0):
                    key.data(key.fileobj)
                for transfer in [each for each in running if each.over()]:
                    running.remove(transfer)
                    yield transfer.result()
                if not running:
                    delay = jobs.delay()
                    if delay is None:
                        return
                    time.sleep(delay)
        finally:
            for transfer in running:
                transfer.stop()
            selector.close()


class _Transfer:
    """One job, gap by gap."""

    def __init__(
        self, job: Job, tuning: Tuning, selector: selectors.BaseSelector, program: str
    ) -> None:
        self._job = job
        self._request = job.requests[0]
        self._tuning = tuning
        self._selector = selector
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._error: TransferError | None = None
        self._count = 0
        self._mark = (0, time.monotonic())
        """Bytes that had come when: the last time that the speed was found good enough."""
        self._gaps: list[tuple[int, int]] = []

    def begin(self) -> None:
        """See what is missing, and start."""
        try:
            if self._job.single:
                self._job.sink.restart()
            self._gaps = self._job.sink.missing()
        except OSError as error:
            self._fail(Cause.LOCAL, f"staging: {error.strerror}")
        self._go_on()

    def over(self) -> bool:
        """Tell whether no process is at work for it any more."""
        count, since = self._mark
        now = time.monotonic()
        if self._process is not None and now - since >= self._tuning.low_speed_time:
            if self._count - count < self._tuning.low_speed * (now - since):
                self._fail(Cause.TRANSIENT, "stalled")
            self._mark = (self._count, now)
        return self._process is None

    def result(self) -> Fetched | Failed:
        """Give what became of it."""
        if self._error is not None:
            return Failed(self._job, self._error, self._request, self._count)
        return Fetched(self._job, self._request if self._count else None, self._count)

    def stop(self) -> None:
        """Leave no process and no descriptor."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        process.wait()
        for pipe in self._pipes:
            if pipe in self._selector.get_map():
                self._selector.unregister(pipe)
            pipe.close()

    def _go_on(self) -> None:
        """Start a process for the next gap, if there is one."""
        if self._error is not None or not self._gaps:
            return
        self._position, self._end = self._gaps.pop(0)
        self._head = b""
        self._judged = False
        try:
            self._start()
        except OSError as error:
            self._fail(Cause.ENGINE, f"wget does not start: {error.strerror}")

    def _start(self) -> None:
        tuning, url = self._tuning, self._request.url
        bundle = ca_bundle(tuning)
        process = subprocess.Popen(
            [
                sys.executable, "-I", "-S", confine.__file__,
                str(os.getpid()), "0", "--", self._program, *_OPTIONS,
                f"--timeout={max(1, round(tuning.low_speed_time))}",
                f"--connect-timeout={max(1, round(tuning.connect_timeout))}",
                f"--user-agent={tuning.user_agent}",
                # Alone, --start-pos asks for everything behind it, and Range is not looked at.
                f"--start-pos={self._position}",
                f"--header=Range: bytes={self._position}-{self._end - 1}",
                *([f"--ca-certificate={bundle}"] if bundle else []),
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**environment(), f"{url.partition(':')[0]}_proxy": proxy_for(url, tuning)},
            start_new_session=True,
        )  # fmt: skip
        self._process = process
        stdin, body, head = cast("list[IO[bytes]]", [process.stdin, process.stdout, process.stderr])
        with contextlib.suppress(BrokenPipeError), stdin:
            stdin.write(one_line(url).encode() + b"\n")
        os.set_blocking(head.fileno(), False)
        self._pipes = (body, head)
        self._selector.register(body, selectors.EVENT_READ, self._receive)
        self._selector.register(head, selectors.EVENT_READ, self._listen)

    def _listen(self, pipe: IO[bytes]) -> None:
        """Keep the header lines that wget shows."""
        if pipe.closed or pipe not in self._selector.get_map():
            return  # this very round of events has brought its end already
        data = pipe.read(_MAX_HEAD)
        if data == b"":
            self._selector.unregister(pipe)
        self._head += data or b""
        if len(self._head) > _MAX_HEAD:
            self._fail(Cause.LYING, "sent headers without end")

    def _receive(self, pipe: IO[bytes]) -> None:
        if pipe.closed:
            return
        data = os.read(pipe.fileno(), _PIECE)
        try:
            if not self._judged:
                self._judge(ended=not data)
            if not data:
                self._finish()
                return
            self._job.sink.write(self._position, [data[: self._end - self._position]])
        except TransferError as error:
            self._error = error
            self.stop()
        except OSError as error:
            self._fail(Cause.LOCAL, f"cannot write: {error.strerror}")
        else:
            took = min(len(data), self._end - self._position)
            self._position += took
            self._count += took
            if self._position == self._end:
                self.stop()
                self._go_on()

    def _judge(self, *, ended: bool) -> None:
        """Look at the answer before its first byte is used. Raises TransferError."""
        self._listen(self._pipes[1])  # what it wrote before the body is there to be read
        lines = [line.strip() for line in self._head.splitlines()]
        if ended and not any(line.startswith(b"HTTP/") for line in lines):
            return  # the exit status says more
        request, size = self._request, self._job.size
        asked = Asked(request.source, request.url, self._position, self._end, size)
        if judge(lines, asked).whole:
            self._end = size
            self._gaps.clear()
        self._judged = True

    def _finish(self) -> None:
        """Its body ended before it should have: say why. Raises TransferError."""
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(_TICK) if self._process else None
        cause, words = _MEANINGS.get(code, (Cause.ENGINE, "failed"))
        raise TransferError(self._request.source, f"wget: {words} (status {code})", cause)

    def _fail(self, cause: Cause, reason: str) -> None:
        self._error = TransferError(self._request.source, reason, cause)
        self.stop()
