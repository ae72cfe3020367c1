"""A transfer that is stopped in the middle, and the judge of what the next run asks for again.

Promise 7 is judged by the server's log alone: what the first run has received, and what the second
one asks for. Neither the staging file nor the journal is believed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from support.contract import MIB, overlap, span
from support.process import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.process import Background
    from support.server import FaultServer, Request

AFTER = 1_700_001
"""Bytes after which every connection of `STALLING` falls silent: on no grid of anybody's."""
STALLING = f"stall;after={AFTER};times=1000000"
_TCP = Path("/proc/net/tcp")


def stalled(server: FaultServer) -> list[Request]:
    """List the requests that have got AFTER bytes, and wait for more."""
    return [row for row in server.requests() if row.sent >= AFTER and not row.done]


def drained(server: FaultServer) -> bool:
    """Tell whether every byte that the server has sent has been read by its client."""
    ports = {server.port, server.other_port}
    for line in _TCP.read_text().splitlines()[1:]:
        fields = line.split()
        ends = {int(address.partition(":")[2], 16) for address in fields[1:3]}
        if ends & ports and fields[3] == "01" and fields[4] != "00000000:00000000":
            return False
    return True


def in_the_middle(running: Background, server: FaultServer, streams: int = 4) -> None:
    """Wait until at least `streams` connections, and all that there are, have fallen silent."""

    def silent() -> bool:
        under_way = [row for row in server.requests() if not row.done and row.sent != 1]
        return len(under_way) >= streams and stalled(server) == under_way and drained(server)

    running.until(silent)


class Stopped:
    """The log of a run that was stopped: what had come, over how many connections at the end."""

    def __init__(self, log: Sequence[Request]) -> None:
        self.have = received(log)
        self.total = sum(end - start for start, end in self.have)
        self.streams = len([row for row in log if not row.done and row.sent > 1])


def go_on(server: FaultServer) -> Stopped:
    """Let the server behave from now on; give what came so far, and empty the log."""
    until(lambda: server.open_lines == 0, 10, "a connection of the first run is open")
    behave(server)
    stopped = Stopped(server.log)
    server.forget()
    return stopped


def behave(server: FaultServer) -> None:
    """Let behaviours with `times` have fired often enough."""
    with server.lock:
        for name in server.counts:
            server.counts[name] = 1 << 40


def received(log: Sequence[Request]) -> list[tuple[int, int]]:
    """Give the ranges of the file that went over the line, each once, in order."""
    spans = sorted((row.range[0], row.range[0] + row.sent) for row in log if row.range and row.sent)
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def asked_again(have: Sequence[tuple[int, int]], log: Sequence[Request], size: int) -> int:
    """Count the bytes that are asked for although they had been received."""
    return sum(overlap(span(row, size), one) for row in log for one in have)


def judge(stopped: Stopped, server: FaultServer, size: int) -> None:
    """Assert promise 7: at most 1 MiB a stream is asked for twice."""
    allowed = stopped.streams * MIB
    assert stopped.total > allowed, "too little had arrived to judge anything"
    again = asked_again(stopped.have, server.log, size)
    assert again <= allowed, f"{again} of {stopped.total} bytes are asked for again"
