"""What is particular to the curl engine: ranges over connections, addresses, callbacks, descriptors.

What every engine promises is in test_contract.py.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support.bench import Bench, nothing_left, sink_of, time_limit
from support.proxy import Proxy
from support.sink import FileSink, ListJobs

from gitassets.engines import curl
from gitassets.engines.base import Failed, Fetched, Tuning
from gitassets.engines.curl import SLOTS, Curl
from gitassets.engines.streams import FLUSH
from gitassets.errors import Cause
from gitassets.model import Request, Url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import FrameType

    from support.server import FaultServer
    from support.server import Request as Asked

KIB, MIB = 1 << 10, 1 << 20
LARGE = 24 * MIB + 12_345
"""In several pieces, the last of which begins at SECOND or later."""
SECOND = 8 * MIB
SOME = 3 * MIB + 12_345


@pytest.fixture
def bench(server: FaultServer, tmp_path: Path) -> Iterator[Bench]:
    with nothing_left(server):
        yield Bench("curl", server, tmp_path / "staging")


def fetched(result: Fetched | Failed, seed: str = "s") -> Fetched:
    assert isinstance(result, Fetched), result.error.reason
    assert sink_of(result.job).wrong(seed) == []
    return result


def failed(result: Fetched | Failed, cause: Cause) -> Failed:
    assert isinstance(result, Failed)
    assert result.error.cause is cause, result.error.reason
    assert not sink_of(result.job).present_wrong("s")
    return result


def starts(requests: Sequence[Asked]) -> list[int]:
    """Give the first byte that each request asked for."""
    return [int(r.headers["range"].removeprefix("bytes=").partition("-")[0]) for r in requests]


class TestPieces:
    def test_together_they_ask_for_every_byte_once(self, bench: Bench) -> None:
        result = fetched(bench.one(bench.job(LARGE, "throttle;rate=40000000")))
        assert result.count == LARGE
        # A piece that is cut short at the tail ends its connection, and another one is dialled.
        assert 4 <= len({request.line for request in bench.server.log}) <= 8
        writes = sorted(sink_of(result.job).writes)
        assert sum(end - start for start, end in writes) == LARGE, "a byte was written twice"

    @pytest.mark.parametrize(
        "behaviour", ["status;code=404", "redirect;to=other", "hangup", "html"]
    )
    def test_the_first_answer_decides_alone(self, bench: Bench, behaviour: str) -> None:
        assert isinstance(bench.one(bench.job(LARGE, behaviour)), Failed)
        assert len(bench.server.log) == 1

    def test_one_stream_where_the_server_gives_no_ranges(self, bench: Bench) -> None:
        result = fetched(bench.one(bench.job(LARGE, "norange")))
        assert len(bench.server.log) == 1
        assert result.count == LARGE

    def test_no_ranges_for_a_file_that_has_begun(self, bench: Bench) -> None:
        sink = bench.sink(LARGE)
        sink.preload("s", [(0, SECOND)])
        result = failed(bench.one(bench.job(LARGE, "norange", sink=sink)), Cause.UNRANGED)
        assert result.count == 0
        assert sink.missing() == [(SECOND, LARGE)]

    @pytest.mark.parametrize(
        "fault",
        ["drop;after=1000000", "drop;after=1000000;rst=1", "short;by=5", "stall;after=1000000"],
    )
    def test_one_connection_of_several_fails(self, bench: Bench, fault: str) -> None:
        bench.tuning = replace(bench.tuning, low_speed_time=0.4)
        result = fetched(bench.one(bench.job(LARGE, f"{fault};times=1;beyond={SECOND}")))
        assert result.count == LARGE

    @pytest.mark.parametrize("fault", ["hangup", "status;code=500", "silent"])
    def test_a_host_that_bears_fewer_connections(self, bench: Bench, fault: str) -> None:
        bench.tuning = replace(bench.tuning, low_speed_time=0.4)
        job = bench.job(LARGE, f"{fault};times=2;beyond={SECOND}", "slow;rate=15000000")
        fetched(bench.one(job))

    @pytest.mark.parametrize(
        ("fault", "cause"),
        [
            ("status;code=403", Cause.DENIED),
            ("status;code=404", Cause.GONE),
            ("retryafter;seconds=9", Cause.LIMITED),
            ("wrongrange;by=1", Cause.LYING),
            ("wrongtotal;by=1", Cause.LYING),
            ("gzip", Cause.LYING),
        ],
    )
    def test_a_later_piece_ends_the_job_and_the_rest_stays(
        self, bench: Bench, fault: str, cause: Cause
    ) -> None:
        job = bench.job(LARGE, f"{fault};beyond={SECOND}", "throttle;rate=30000000")
        result = failed(bench.one(job), cause)
        assert 0 < result.count < LARGE
        assert result.count == sum(end - start for start, end in sink_of(job).writes)

    def test_content_that_changes_in_between(self, bench: Bench) -> None:
        result = bench.one(bench.job(LARGE, "etag;after=1"))
        assert isinstance(result, Failed)
        assert result.error.cause is Cause.LYING
        assert result.error.reason == "content changed between two ranges"

    def test_later_pieces_insist_on_the_version(self, bench: Bench) -> None:
        fetched(bench.one(bench.job(LARGE)))
        first, *others = bench.server.log
        assert "if-range" not in first.headers
        assert others
        assert {len(request.headers.get("if-range", "")) > 2 for request in others} == {True}

    def test_cut_for_ever_ends(self, bench: Bench) -> None:
        """A server that cuts each connection after a little is given up, not asked without end."""
        result = failed(bench.one(bench.job(SOME, "drop;after=100000")), Cause.TRANSIENT)
        assert result.count == 4 * 100_000
        assert starts(bench.server.log) == [0, 100_000, 200_000, 300_000]
        assert result.error.reason == f"connection closed after 400000 of {SOME} bytes"


class TestRequests:
    def test_how_they_look(self, bench: Bench) -> None:
        bench.tuning = replace(bench.tuning, user_agent="agent/1")
        fetched(bench.one(bench.job(SOME)))
        (request,) = bench.server.log
        assert request.headers["range"] == f"bytes=0-{SOME - 1}"
        assert request.headers["accept-encoding"] == "identity"
        assert request.headers["accept"] == "*/*"
        assert request.headers["user-agent"] == "agent/1"
        assert "if-range" not in request.headers

    def test_one_stream_has_no_end(self, bench: Bench) -> None:
        fetched(bench.one(bench.job(LARGE, single=True)))
        assert [request.headers["range"] for request in bench.server.log] == ["bytes=0-"]

    def test_nothing_is_asked_for_nothing(self, bench: Bench) -> None:
        here = bench.sink(100)
        here.preload("s", [(0, 100)])
        results = bench.run(bench.job(0), bench.job(100, sink=here), bench.job(0, single=True))
        assert [fetched(result).count for result in results] == [0, 0, 0]
        assert bench.server.log == []

    @pytest.mark.parametrize("behaviour", ["ok", "status;code=404", "redirect;to=other"])
    def test_connections_are_kept(self, bench: Bench, behaviour: str) -> None:
        results = bench.run(*[bench.job(1000, behaviour, seed=f"k{n}") for n in range(3 * SLOTS)])
        assert len(bench.server.log) == len(results)
        assert len({request.line for request in bench.server.log}) <= SLOTS

    def test_headers_of_one_job_are_not_the_next_ones(self, bench: Bench) -> None:
        url = bench.server.blob(100)
        marked = bench.request(url, [("X-Token", "canary")])
        jobs = ListJobs([bench.asking(marked, size=100)])
        for number, _ in enumerate(bench.engine.fetch(jobs)):
            if number == 0:
                jobs.add(bench.asking(bench.request(url), size=100))
        assert [request.headers.get("x-token") for request in bench.server.log] == ["canary", None]
        assert len({request.line for request in bench.server.log}) == 1, "on one connection"

    @pytest.mark.parametrize(
        ("url", "headers"),
        [
            ("/b/100/s/x", [("X-Token", "a\r\nX-Other: b")]),
            ("/b/100/s/x", [("X-Token", "a\0b")]),
            ("http://127.0.0.1:1\r\nX: y/", []),
            ("http://127.0.0.1:port/", []),
            ("http://[::/", []),
            ("http://", []),
            ("http://127.0.0.1/\u00e9", []),
            ("/a b", []),
            ("/a\x1bb", []),
        ],
    )
    def test_what_cannot_be_asked(
        self, bench: Bench, url: str, headers: list[tuple[str, str]]
    ) -> None:
        url = bench.server.url(url) if url.startswith("/") else url
        request = Request(url, Url("https://example.org/x"), tuple(headers), private=True)
        results = bench.run(bench.asking(request, size=100), bench.job(100))
        error = failed(results[0], Cause.LYING).error
        assert error.url == "https://example.org/x"
        assert error.reason.isprintable()
        fetched(results[1])
        assert [request.target for request in bench.server.log] == ["/b/100/s/file.bin"]

    def test_handles_what_is_web(self) -> None:
        source = Url("https://example.org/x")
        for url, handled in [("https://h/x", True), ("http://h/x", True), ("file:///x", False)]:
            assert Curl(Tuning()).handles(Request(url, source)) is handled


class TestAddresses:
    @pytest.mark.parametrize(
        "host",
        ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "017700000001", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]"],
    )  # fmt: skip
    def test_loopback_in_any_spelling_unless_it_is_allowed(self, bench: Bench, host: str) -> None:
        url = f"http://{host}:{bench.server.port}/b/100/s/x"
        request = Request(url, Url("https://example.org/x"), private=False)
        error = failed(bench.one(bench.asking(request, size=100)), Cause.REFUSED).error
        assert error.reason.startswith("address ")
        assert bench.server.log == []

    @pytest.mark.parametrize("address", ["169.254.169.254", "[fe80::1]", "100.100.100.200"])
    def test_metadata_never(self, bench: Bench, address: str) -> None:
        request = bench.request(f"http://{address}/latest/meta-data/")
        failed(bench.one(bench.asking(request, size=100)), Cause.REFUSED)

    def test_a_kept_connection_is_judged_again(self, bench: Bench) -> None:
        """The first job may go to a private host, the second may not, the connection is there."""
        url = bench.server.blob(100)
        allowed = bench.request(url)
        jobs = ListJobs([bench.asking(allowed, size=100)])
        results = []
        for result in bench.engine.fetch(jobs):
            results.append(result)
            if len(results) == 1:
                jobs.add(bench.asking(replace(allowed, private=False), size=100))
        fetched(results[0])
        failed(results[1], Cause.REFUSED)
        assert len(bench.server.log) == 1

    @pytest.mark.parametrize(
        "host", ["169.254.169.254", "2852039166", "localhost", "a.localhost", "[::1]"]
    )
    def test_a_proxy_is_not_asked_for_them_either(self, bench: Bench, host: str) -> None:
        with Proxy() as proxy:
            bench.tuning = replace(bench.tuning, proxies=(("http", proxy.url("")),))
            request = Request(f"http://{host}/x", Url("https://example.org/x"))
            failed(bench.one(bench.asking(request, size=100)), Cause.REFUSED)
            assert proxy.log == []

    def test_the_proxy_itself_is_the_users_choice(self, bench: Bench) -> None:
        with Proxy() as proxy:
            bench.tuning = replace(bench.tuning, proxies=(("http", proxy.url("")),))
            request = Request("http://files.example/x", Url("https://example.org/x"))
            bench.one(bench.asking(request, size=100))
            assert [request.target for request in proxy.log] == ["http://files.example/x"]


class TestWriting:
    def test_in_large_portions(self, bench: Bench) -> None:
        result = fetched(bench.one(bench.job(SOME)))
        lengths = [end - start for start, end in sink_of(result.job).writes]
        assert all(FLUSH <= length < FLUSH + 17 * KIB for length in lengths[:-1])
        assert len(lengths) <= SOME // FLUSH + 1

    def test_a_small_file_at_once(self, bench: Bench) -> None:
        result = fetched(bench.one(bench.job(FLUSH - 1, "slow;rate=5000000")))
        assert sink_of(result.job).writes == [(0, FLUSH - 1)]

    def test_what_arrived_is_written_when_the_run_is_closed(self, bench: Bench) -> None:
        bench.tuning = replace(bench.tuning, low_speed_time=30.0)
        stalled, other = (
            bench.job(SOME, "stall;after=100000"),
            bench.job(10, "delay;ms=300", seed="o"),
        )
        with time_limit():
            results = bench.engine.fetch(ListJobs([stalled, other]))
            assert next(results).job is other
            results.close()  # type: ignore[attr-defined]
        assert sink_of(stalled).missing() == [(100_000, SOME)]

    def test_a_full_disk_is_told_and_the_others_go_on(self, bench: Bench) -> None:
        class Full(FileSink):
            def write(self, offset: int, chunks: Sequence[bytes]) -> None:
                if offset:
                    raise OSError(28, "No space left on device")
                super().write(offset, chunks)

        full = bench.job(SOME, sink=Full(bench.staging / "full", SOME))
        results = bench.run(full, bench.job(SOME, seed="o"))
        error = failed(results[0], Cause.LOCAL).error
        assert "No space left on device" in error.reason
        fetched(results[1], "o")

    def test_a_bug_in_a_callback_is_raised_not_printed(
        self, bench: Bench, capfd: pytest.CaptureFixture[str]
    ) -> None:
        class Broken(FileSink):
            def write(self, offset: int, chunks: Sequence[bytes]) -> None:
                raise ZeroDivisionError

        broken = bench.job(SOME, sink=Broken(bench.staging / "broken", SOME))
        with time_limit(), pytest.raises(ZeroDivisionError):
            list(bench.engine.fetch(ListJobs([broken, bench.job(SOME)])))
        assert capfd.readouterr() == ("", "")

    def test_ctrl_c_at_any_moment(self, bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
        """The signal comes while libcurl is calling back; it must end the run each time."""

        class Stop(BaseException):
            pass

        def ring(_number: int, _frame: FrameType | None) -> None:
            raise Stop

        before = signal.signal(signal.SIGUSR1, ring)
        try:
            for portion in range(1, 6):
                sink = Ringing(bench.staging / f"ringing{portion}", LARGE, portion)
                with time_limit(), pytest.raises(Stop):
                    list(bench.engine.fetch(ListJobs([bench.job(LARGE, sink=sink)])))
                assert not sink.present_wrong("s")
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert capfd.readouterr() == ("", "")


class Ringing(FileSink):
    """Sends a signal to this process while the n-th portion is written."""

    def __init__(self, path: Path, size: int, portion: int) -> None:
        super().__init__(path, size)
        self.portion = portion

    def write(self, offset: int, chunks: Sequence[bytes]) -> None:
        super().write(offset, chunks)
        if len(self.writes) == self.portion:
            os.kill(os.getpid(), signal.SIGUSR1)


class TestWaiting:
    def test_a_slow_consumer_is_no_stall(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between two results an hour passes; who is still being asked is not blamed for it."""
        bench.tuning = replace(bench.tuning, low_speed_time=5.0)
        clock = Clock()
        monkeypatch.setattr(curl.time, "monotonic", clock)
        slow, quick = bench.job(SOME, "slow;rate=6000000", seed="l"), bench.job(10, seed="q")
        with time_limit():
            for result in bench.engine.fetch(ListJobs([slow, quick])):
                fetched(result, "q" if result.job is quick else "l")
                clock.passed += 3600

    @pytest.mark.parametrize("files", [0, 1100])
    def test_more_descriptors_than_select_can_take(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, files: int
    ) -> None:
        turns = counted(monkeypatch)
        with many_descriptors(files):
            jobs = [bench.job(SOME, "delay;ms=200", seed=f"d{number}") for number in range(3)]
            for number, result in enumerate(bench.run(*jobs)):
                fetched(result, f"d{number}")
        assert turns() < 2000, "it spins"

    def test_the_count_of_turns_notices_a_spin(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        turns = counted(monkeypatch)
        monkeypatch.setattr(curl._Loop, "_wait", lambda _loop, _most: None)
        fetched(bench.one(bench.job(SOME, "delay;ms=300")))
        assert turns() > 2000


class Clock:
    """The monotonic clock, with time that can be made to pass."""

    def __init__(self) -> None:
        self.real = curl.time.monotonic
        self.passed = 0.0

    def __call__(self) -> float:
        return self.real() + self.passed


def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count the turns of the loop."""
    turns = 0
    turn = curl._Loop._turn

    def counting(loop: curl._Loop) -> bool:
        nonlocal turns
        turns += 1
        return turn(loop)

    monkeypatch.setattr(curl._Loop, "_turn", counting)
    return lambda: turns


@contextlib.contextmanager
def many_descriptors(count: int) -> Iterator[None]:
    """Hold `count` descriptors, so that new ones have high numbers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    held: list[int] = []
    try:
        held += [os.open(os.devnull, os.O_RDONLY) for _ in range(count)]
        yield
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_pycurl_that_is_missing_or_too_old(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    engine = bench.engine
    assert engine.unavailable() is None
    monkeypatch.delattr(curl.pycurl, "PREREQFUNCTION")
    assert "7.45.7" in (engine.unavailable() or "")
    monkeypatch.setattr(curl, "pycurl", None)
    monkeypatch.setattr(curl, "_MISSING", "pycurl cannot be imported: why", raising=False)
    assert "why" in (engine.unavailable() or "")
