"""What every engine promises (engines/base.py), each engine against the same server.

Where an engine cannot know what happened, TOLD says what it may answer instead and why: `transfer`
then asks the URL itself. Run one engine alone with `-k curl`.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, build_opener
from uuid import uuid4

import pytest
from support.bench import TUNING, Bench, nothing_left, sink_of, time_limit
from support.contract import delivered, failed, went_on
from support.process import argv, descendants, pids, until
from support.proxy import Proxy
from support.sink import FileSink, ListJobs

from gitassets.engines import load
from gitassets.engines.base import Failed, Fetched, Job
from gitassets.errors import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from support.server import FaultServer, Request

SCHEMES = ("http", "https")
MIB = 1 << 20
SOME = 3 * MIB + 12_345
"""A size that no piece divides, and more than one flush of any buffer."""

WRITES_ITSELF = {"aria2c"}
"""Another process writes the staging file: a sink that fails cannot be noticed."""


@pytest.fixture(params=["curl", "aria2c", "wget"])
def name(request: pytest.FixtureRequest) -> str:
    engine: str = request.param
    if why := load(engine, TUNING).unavailable():
        pytest.skip(f"{engine}: {why}")
    return engine


@pytest.fixture
def bench(name: str, server: FaultServer, tmp_path: Path) -> Iterator[Bench]:
    with nothing_left(server):
        yield Bench(name, server, tmp_path / "staging")


class Stay(HTTPRedirectHandler):
    """Follows no redirect."""

    def redirect_request(self, *_: object) -> None:
        return None


class TestDelivery:
    @pytest.mark.parametrize(
        "size", [0, 1, 65535, 65536, 65537, 16 * MIB - 1, 16 * MIB, 16 * MIB + 1]
    )
    def test_size_and_bytes(self, bench: Bench, size: int) -> None:
        result = bench.one(bench.job(size))
        delivered(result)
        assert result.count == size

    def test_many_at_once(self, bench: Bench) -> None:
        jobs = [bench.job(size * 7919, seed=f"m{size}") for size in range(40)]
        for number, result in enumerate(bench.run(*jobs)):
            delivered(result, f"m{number}")

    @pytest.mark.parametrize(
        "behaviour",
        [
            "close", "closeafter;requests=1", "continue100", "delay;ms=20", "slowheaders;ms=2",
            "evilheaders", "link", "torrent", "torrent;kind=application~metalink4+xml",
            "throttle;rate=20000000", "header;name=Set-Cookie;value=a=b",
        ],
    )  # fmt: skip
    def test_in_spite_of(self, bench: Bench, behaviour: str) -> None:
        delivered(bench.one(bench.job(SOME, behaviour)))
        assert {request.port for request in bench.server.log} == {bench.server.port}

    @pytest.mark.parametrize("behaviour", ["norange", "http10;length=1"])
    def test_single_stream_from_a_server_without_ranges(self, bench: Bench, behaviour: str) -> None:
        delivered(bench.one(bench.job(SOME, behaviour, single=True)))
        assert len(bench.server.log) == 1

    @pytest.mark.parametrize("behaviour", ["norange-chunked", "http10"])
    def test_single_stream_without_a_length(self, bench: Bench, behaviour: str) -> None:
        result = bench.one(bench.job(SOME, behaviour, single=True))
        if bench.name == "curl" or isinstance(result, Fetched):
            delivered(result)
        else:
            failed(result, Cause.UNRANGED, engine=bench.name)

    def test_a_large_file_is_cut(self, bench: Bench) -> None:
        """Where a server throttles connections, several are faster than one."""
        if bench.name == "wget":
            pytest.skip("wget has one connection")
        delivered(bench.one(bench.job(32 * MIB, "throttle;rate=30000000")))
        assert 2 <= len({request.line for request in bench.server.log}) <= 32

    def test_two_mirrors_or_the_first(self, bench: Bench) -> None:
        first = bench.request(bench.server.blob(SOME, "s", "status;code=404"))
        second = bench.request(bench.server.other(f"/b/{SOME}/s/x"))
        result = bench.one(bench.asking(first, second, size=SOME))
        if isinstance(result, Fetched):
            delivered(result)
        else:
            failed(result, Cause.GONE, engine=bench.name)
            assert result.request in {first, None}

    def test_through_a_proxy(self, bench: Bench) -> None:
        with Proxy(login="user:word") as proxy:
            bench.tuning = replace(
                bench.tuning,
                proxies=tuple((s, f"http://user:word@127.0.0.1:{proxy.port}") for s in SCHEMES),
                ca_file=str(bench.server.ca_file),
            )
            # A name, because loopback addresses may be taken for local ones that need no proxy.
            plain = bench.request(bench.server.other(f"/b/{SOME}/s/x"))
            secure = bench.request(bench.server.secure(f"/b/{SOME}/t/x"))
            results = bench.run(bench.asking(plain, size=SOME), bench.asking(secure, size=SOME))
            delivered(results[0])
            delivered(results[1], "t")
            assert {request.method for request in proxy.log if request.status == 200} >= {"CONNECT"}
            assert bench.server.other("/") in "".join(request.target for request in proxy.log)
        assert "proxy-authorization" not in {name for r in bench.server.log for name in r.headers}

    def test_no_proxy_is_dialled_directly(self, bench: Bench) -> None:
        with Proxy() as proxy:
            bench.tuning = replace(
                bench.tuning,
                proxies=tuple((s, proxy.url("")) for s in SCHEMES),
                no_proxy=("127.0.0.1",),
            )
            delivered(bench.one(bench.job(SOME)))
            assert proxy.log == []

    def test_proxy_variables_do_not_count(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever makes the Tuning has read them; an engine that does so too may differ."""
        with Proxy() as proxy:
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url(""))
            delivered(bench.one(bench.job(SOME)))
            assert proxy.log == []

    def test_over_tls(self, bench: Bench) -> None:
        bench.tuning = replace(bench.tuning, ca_file=str(bench.server.ca_file))
        url = bench.server.secure(f"/b/{SOME}/s/x")
        delivered(bench.one(bench.asking(bench.request(url), size=SOME)))


class TestResume:
    @pytest.mark.parametrize(
        "have",
        [
            [(0, 1)],
            [(0, 65536)],
            [(0, 2 * MIB + 77)],
            [(0, SOME - 1)],
            [(0, SOME)],
            [(100_000, 200_000)],
            [(0, 300_000), (MIB, 2 * MIB), (SOME - 5, SOME)],
            [(at, at + 50_000) for at in range(0, SOME - 50_000, 100_000)],
        ],
        ids=lambda have: f"{len(have)}x{have[0][0]}-{have[-1][1]}",
    )
    def test_asks_only_for_what_is_missing(
        self, bench: Bench, have: Sequence[tuple[int, int]]
    ) -> None:
        sink = bench.sink(SOME)
        sink.preload("s", have)
        delivered(bench.one(bench.job(SOME, sink=sink)))
        went_on(bench.name, have, SOME, bench.server)

    @pytest.mark.parametrize("how", ["drop;after=1500000", "drop;after=1500000;rst=1"])
    def test_what_arrived_stays(self, bench: Bench, how: str) -> None:
        first = bench.job(SOME, how)
        sink = sink_of(first)
        bench.one(first)
        assert not sink.present_wrong("s")
        if "rst" not in how:
            assert sink.arrived()
        have = sink.arrived()
        bench.server.forget()
        delivered(bench.one(bench.job(SOME, sink=sink)))
        went_on(bench.name, have, SOME, bench.server)

    def test_a_signed_url_that_expires(self, bench: Bench) -> None:
        """Each address is good for a million bytes; a new one goes on where the last one ended."""
        signed = bench.server.blob(SOME, "s", "signed;bytes=1000000")
        sink = bench.sink(SOME)
        for _ in range(8):
            with pytest.raises(HTTPError) as moved:
                build_opener(Stay).open(signed)
            moved.value.close()
            request = bench.request(moved.value.headers["Location"])
            have = sink.arrived()
            bench.server.forget()
            result = bench.one(bench.asking(request, size=SOME, sink=sink))
            went_on(bench.name, have, SOME, bench.server)
            if isinstance(result, Fetched):
                break
            failed(result, Cause.DENIED, Cause.TRANSIENT, engine=bench.name)
        delivered(result)

    @pytest.mark.parametrize("second", ["curl", "aria2c"])
    def test_another_engine_goes_on(self, bench: Bench, second: str) -> None:
        if load(second, TUNING).unavailable():
            pytest.skip(f"no {second}")
        size = 8 * MIB + 3
        sink = bench.sink(size)
        bench.one(bench.job(size, "dropat;at=3000000", sink=sink))
        have = sink.arrived()
        bench.server.forget()
        other = Bench(second, bench.server, bench.staging / "other")
        delivered(other.one(bench.job(size, sink=sink)))
        went_on(second, have, size, bench.server)


class TestFaults:
    @pytest.mark.parametrize(
        ("behaviour", "causes"),
        [
            ("status;code=404", [Cause.GONE]),
            ("status;code=401", [Cause.DENIED]),
            ("status;code=403", [Cause.DENIED]),
            ("status;code=410", [Cause.DENIED, Cause.GONE]),
            ("status;code=500", [Cause.TRANSIENT]),
            ("status;code=502", [Cause.TRANSIENT]),
            ("status;code=504", [Cause.TRANSIENT]),
            ("status;code=408", [Cause.TRANSIENT]),
            ("status;code=503", [Cause.LIMITED, Cause.TRANSIENT]),
            ("retryafter;code=429;missing=1", [Cause.LIMITED]),
            ("wrongrange", [Cause.LYING, Cause.UNRANGED]),
            ("wrongtotal", [Cause.LYING]),
            ("resize;by=1", [Cause.LYING]),
            ("resize;by=-1", [Cause.LYING]),
            ("nocontentrange", [Cause.LYING, Cause.UNRANGED]),
            ("multipart", [Cause.LYING, Cause.UNRANGED]),
            ("416", [Cause.LYING, Cause.UNRANGED]),
            ("gzip", [Cause.LYING]),
            ("gzip;ranged=1", [Cause.LYING]),
            ("gzip;code=br", [Cause.LYING]),
            ("html", [Cause.LYING]),
            ("hangup", [Cause.TRANSIENT]),
            ("hangup;rst=1", [Cause.TRANSIENT]),
            ("drop;after=0", [Cause.TRANSIENT]),
            ("drop;after=1", [Cause.TRANSIENT]),
            ("short;by=1", [Cause.TRANSIENT, Cause.LYING]),
            ("stall;after=0", [Cause.TRANSIENT]),
            ("silent", [Cause.TRANSIENT]),
            ("slow;rate=10", [Cause.TRANSIENT]),
        ],
    )
    def test_told_as_data(self, bench: Bench, behaviour: str, causes: list[Cause]) -> None:
        job = bench.job(65537 * 3, behaviour)
        result = bench.one(job)
        failed(result, *causes, engine=bench.name)
        if Cause.LYING not in causes:
            assert not sink_of(job).present_wrong("s")

    @pytest.mark.parametrize(
        ("behaviour", "low", "high"),
        [
            ("retryafter;code=429;seconds=7", 7, 7),
            ("retryafter;code=503;seconds=7", 7, 7),
            ("retryafter;code=429;date=50", 40, 51),
        ],
    )
    def test_retry_after(self, bench: Bench, behaviour: str, low: float, high: float) -> None:
        result = bench.one(bench.job(1000, behaviour))
        failed(result, Cause.LIMITED, engine=bench.name)
        assert isinstance(result, Failed)
        if result.error.cause is Cause.LIMITED:
            assert result.error.retry_after is not None
            assert low <= result.error.retry_after <= high
        assert len(bench.server.log) <= 4, "a server that said 'later' was asked again and again"

    def test_a_server_that_ignores_ranges(self, bench: Bench) -> None:
        sink = bench.sink(SOME)
        sink.preload("s", [(0, 100_000)])
        result = bench.one(bench.job(SOME, "norange", sink=sink))
        failed(result, Cause.UNRANGED, engine=bench.name)
        assert not sink.present_wrong("s")

    def test_redirect_is_told_not_followed(self, bench: Bench) -> None:
        result = bench.one(bench.job(SOME, "redirect;to=other"))
        failed(result, Cause.REDIRECT, engine=bench.name)
        if isinstance(result, Failed) and result.error.cause is Cause.REDIRECT:
            assert result.error.location == bench.server.other(f"/b/{SOME}/s/file.bin")
            assert {request.port for request in bench.server.log} == {bench.server.port}

    def test_nobody_listens(self, bench: Bench) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        result = bench.one(bench.asking(bench.request(f"http://127.0.0.1:{port}/x"), size=9))
        failed(result, Cause.TRANSIENT, engine=bench.name)

    @pytest.mark.parametrize(
        "behaviour",
        [
            "longer;by=1", "longer;by=5000000", "longer;by=1;length=long", "longer;by=1;length=none",
            "endless", "endless;chunked=0", "norange/endless", "norange/longer;by=1",
            "doublelength", "lengthandchunked", "wronglength;by=9", "badchunk", "nothttp",
            "hugeheaders", "lonecr", "stall;after=100000", "trailers", "chunked", "unknowntotal", "cap;bytes=65536", "redirectloop",
            "badlocation;kind=empty", "badlocation;kind=garbage", "badlocation;kind=file",
            "badlocation;kind=ftp", "badlocation;kind=none", "badlocation;kind=long",
            "badlocation;kind=javascript", "norange;p=0.5;seed=1", "half500;p=0.5;seed=2",
            "etag;after=2", "signed;requests=1",
        ],
    )  # fmt: skip
    def test_sane_or_refused(self, bench: Bench, behaviour: str) -> None:
        """Whatever a server does: right bytes or a failure, and its neighbour is untouched."""
        bad, good = bench.job(SOME, behaviour), bench.job(SOME, seed="good")
        results = bench.run(bad, good)
        delivered(results[1], "good")
        if isinstance(results[0], Fetched):
            delivered(results[0])
        else:
            assert results[0].error.cause not in {Cause.LOCAL, Cause.REFUSED}

    def test_a_disk_that_takes_no_more(self, bench: Bench) -> None:
        if bench.name in WRITES_ITSELF:
            pytest.skip(f"{bench.name} writes the staging file itself")

        class Full(FileSink):
            def write(self, offset: int, chunks: Sequence[bytes]) -> None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        sink = Full(bench.staging / "full", SOME)
        failed(bench.one(bench.job(SOME, sink=sink)), Cause.LOCAL, engine=bench.name)

    @pytest.mark.parametrize("how", ["407", "dead", "dies"])
    def test_a_proxy_that_fails(self, bench: Bench, how: str) -> None:
        with Proxy(
            login="user:word" if how == "407" else "", dies_after=1000 if how == "dies" else None
        ) as proxy:
            bench.tuning = replace(bench.tuning, proxies=(("http", proxy.url("")),))
            if how == "dead":
                proxy.close()
            result = bench.one(bench.job(SOME))
        assert isinstance(result, Failed)
        assert result.error.cause not in {Cause.LOCAL, Cause.GONE}
        assert not sink_of(result.job).present_wrong("s")

    @pytest.mark.parametrize("kind", ["expired", "stranger", "elsewhere"])
    def test_certificates_are_checked(self, bench: Bench, kind: str) -> None:
        bench.tuning = replace(bench.tuning, ca_file=str(bench.server.ca_file))
        url = bench.server.secure("/b/1000/s/x", kind)
        result = bench.one(bench.asking(bench.request(url), size=1000))
        failed(result, Cause.LYING, engine=bench.name)
        assert bench.server.log == []


class TestSecrets:
    def test_headers_stay_with_their_host(self, bench: Bench) -> None:
        canaries = [("Authorization", "Bearer canary"), ("X-Token", "canary"), ("Cookie", "canary")]
        for secret in (True, False):
            for behaviour in ("redirect;to=other", "redirect;to=other;code=307", "link"):
                url = bench.server.blob(SOME, "s", behaviour)
                request = bench.request(url, canaries, secret=secret)
                if bench.engine.handles(request):
                    bench.one(bench.asking(request, size=SOME))
        if bench.name == "curl":
            assert bench.server.log, "the engine that must carry headers does not"
        for asked in bench.server.log:
            there = "canary" in "".join(asked.headers.values())
            assert there == (asked.port == bench.server.port)

    def test_nothing_in_argv_or_errors(self, bench: Bench) -> None:
        # Unlike anything that other programs of this machine, or other tests, have in theirs.
        canary = uuid4().hex
        before, seen = pids(), set()

        def watch(_: Request) -> None:
            for pid in pids() - before:
                seen.update(argv(pid))

        bench.server.watch = watch
        blob, query = bench.server.blob, f"?sig={canary}"
        url = blob(SOME, "s", "slow;rate=3000000", name=f"{canary}.bin") + query
        denied = blob(SOME, "s", "status;code=403") + query
        request = bench.request(url, [("X-Token", canary)], secret=True)
        if not bench.engine.handles(request):
            request = bench.request(url)
        good, bad = bench.run(
            bench.asking(request, size=SOME), bench.asking(bench.request(denied), size=SOME)
        )
        delivered(good)
        assert isinstance(bad, Failed)
        assert canary not in f"{bad.error} {bad.error.reason} {bad.error.hint}"
        assert not [text for text in seen if canary in text]

    def test_asks_for_the_bytes_as_they_are(self, bench: Bench) -> None:
        delivered(bench.one(bench.job(SOME)))
        for request in bench.server.log:
            assert request.headers.get("accept-encoding", "identity") == "identity"
            assert request.headers["user-agent"].startswith(bench.tuning.user_agent)
            assert request.range is not None
            assert "referer" not in request.headers


class TestManners:
    def test_several_at_once_and_closed_early(self, bench: Bench, server: FaultServer) -> None:
        """A file that stalls does not hold up another; closing the generator ends it all."""
        bench.tuning = replace(bench.tuning, low_speed_time=30.0)
        stalled, quick = bench.job(SOME, "stall;after=1000"), bench.job(SOME, seed="q")
        with nothing_left(server), time_limit():
            results = bench.engine.fetch(ListJobs([stalled, quick]))
            result = next(results)
            assert result.job is quick
            delivered(result, "q")
            results.close()  # type: ignore[attr-defined]

    def test_closed_before_it_began(self, bench: Bench) -> None:
        bench.engine.fetch(ListJobs([bench.job(10)])).close()  # type: ignore[attr-defined]
        assert bench.server.log == []

    def test_nothing_to_do(self, bench: Bench) -> None:
        assert bench.drain(ListJobs()) == []

    def test_takes_no_more_than_it_has_room_for(self, bench: Bench) -> None:
        jobs = ListJobs([bench.job(100, seed=f"t{number}") for number in range(300)])
        with time_limit():
            results = bench.engine.fetch(jobs)
            next(results)
            assert len(jobs.taken) < 300
            results.close()  # type: ignore[attr-defined]

    def test_work_that_comes_between_two_results(self, bench: Bench) -> None:
        jobs = ListJobs([bench.job(1000, seed="n0")])
        done = []
        with time_limit():
            for result in bench.engine.fetch(jobs):
                done.append(result)
                delivered(result, f"n{len(done) - 1}")
                if len(done) < 5:
                    jobs.add(bench.job(1000, seed=f"n{len(done)}"))
        assert len(done) == 5

    def test_work_that_is_not_ready_yet(self, bench: Bench) -> None:
        class Later(ListJobs):
            """Ready only when it was asked the third time."""

            asked = 0

            def take(self) -> Job | None:
                self.asked += 1
                return super().take() if self.asked > 2 else None

            def delay(self) -> float | None:
                return 0.01 if self.waiting else None

        (result,) = bench.drain(Later([bench.job(1000)]))
        delivered(result)

    def test_a_killed_program_is_a_result(self, bench: Bench) -> None:
        def kill(_: Request) -> None:
            for pid in descendants(os.getpid()):
                os.kill(pid, signal.SIGKILL)

        bench.server.watch = kill
        result = bench.one(bench.job(SOME, "slow;rate=3000000"))
        if bench.name == "curl":
            delivered(result)
        else:
            failed(result, Cause.ENGINE, Cause.TRANSIENT, engine=bench.name)
            until(lambda: descendants(os.getpid()) == [])

    def test_a_missing_program_is_said(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither is one of that name in the current directory ever run."""
        with open(name, "w") as file:
            file.write("#!/bin/sh\nexit 0\n")
        os.chmod(name, 0o755)
        for path in ("", ".", os.pathsep, "/nonexistent"):
            monkeypatch.setenv("PATH", path)
            assert bool(load(name, TUNING).unavailable()) == (name != "curl")
