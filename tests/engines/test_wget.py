"""What only the wget engine promises: bytes through a pipe, nothing on disk, no secret in argv."""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support.bench import TUNING, Bench, nothing_left, sink_of, time_limit
from support.process import PROC, Background, argv, descendants, until
from support.proxy import Proxy
from support.sink import ListJobs

from gitassets.engines import load, programs
from gitassets.engines.base import Failed, Fetched
from gitassets.engines.programs import find
from gitassets.errors import Cause
from gitassets.model import Request, Url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.server import FaultServer
    from support.server import Request as Asked

pytestmark = pytest.mark.skipif(find("wget") is None, reason="no wget")

MIB = 1 << 20
SOME = 3 * MIB + 12_345


@pytest.fixture
def bench(server: FaultServer, tmp_path: Path) -> Iterator[Bench]:
    with nothing_left(server):
        yield Bench("wget", server, tmp_path / "staging")


def fetched(result: Fetched | Failed, seed: str = "s") -> None:
    assert isinstance(result, Fetched), result.error.reason
    assert sink_of(result.job).wrong(seed) == []


class TestRequests:
    def test_one_for_each_gap_and_no_byte_more(self, bench: Bench) -> None:
        sink = bench.sink(SOME)
        sink.preload("s", [(0, 100), (1000, MIB), (2 * MIB, SOME - 1)])
        fetched(bench.one(bench.job(SOME, sink=sink)))
        assert [asked.range for asked in bench.server.log] == [
            (100, 1000),
            (MIB, 2 * MIB),
            (SOME - 1, SOME),
        ]
        assert bench.server.sent() == 900 + MIB + 1

    @pytest.mark.parametrize(
        ("behaviour", "cause", "status"),
        [
            ("status;code=404", Cause.GONE, 404),
            ("status;code=403", Cause.DENIED, 403),
            ("redirect;to=other", Cause.REDIRECT, 302),
            ("wrongrange", Cause.LYING, 206),
            ("wrongtotal", Cause.LYING, 206),
            ("gzip", Cause.LYING, None),
        ],
    )
    def test_the_answer_is_judged_not_the_exit_status(
        self, bench: Bench, behaviour: str, cause: Cause, status: int | None
    ) -> None:
        result = bench.one(bench.job(SOME, behaviour))
        assert isinstance(result, Failed)
        assert (result.error.cause, result.error.http_status) == (cause, status)
        if cause is Cause.REDIRECT:
            assert result.error.location == bench.server.other(f"/b/{SOME}/s/file.bin")

    def test_retry_after_is_read(self, bench: Bench) -> None:
        result = bench.one(bench.job(SOME, "retryafter;code=429;seconds=7"))
        assert isinstance(result, Failed)
        assert (result.error.cause, result.error.retry_after) == (Cause.LIMITED, 7)

    def test_a_server_without_ranges_is_told_in_the_middle_only(self, bench: Bench) -> None:
        fetched(bench.one(bench.job(SOME, "norange")))
        sink = bench.sink(SOME)
        sink.preload("s", [(0, 10)])
        result = bench.one(bench.job(SOME, "norange", sink=sink))
        assert isinstance(result, Failed)
        assert result.error.cause is Cause.UNRANGED
        fetched(bench.one(bench.job(SOME, "norange", sink=sink, single=True)))
        assert sink.restarts == 1

    def test_an_endless_body_ends_at_the_size(self, bench: Bench) -> None:
        result = bench.one(bench.job(1000, "endless"))
        sink = sink_of(result.job)
        assert sink.path.stat().st_size == 1000
        assert sink.breaches == []

    def test_no_text_becomes_a_second_url(self, bench: Bench) -> None:
        hostile = bench.server.url(f"/x\n{bench.server.url('/b/10/s/second')}\t<a> #")
        request = Request(hostile, Url(bench.server.url("/x")), private=True)
        assert isinstance(bench.one(bench.asking(request, size=10)), Failed)
        (asked,) = bench.server.log
        assert asked.target.startswith("/x%0Ahttp://127.0.0.1")


class TestSurroundings:
    def test_nothing_of_the_user_s_counts(
        self, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home = tmp_path / "home"
        (home / ".wgetrc").write_text("header = X-From-Conf: 1\n")
        (home / ".netrc").write_text("default login canary password canary\n")
        with Proxy() as proxy:
            monkeypatch.setenv("http_proxy", proxy.url())
            fetched(bench.one(bench.job(SOME)))
            assert proxy.log == []
            # The control: the same program heeds all of it when it is started plainly.
            plain = "wget -q -O /dev/null " + bench.server.blob(10, "plain")
            assert os.system(plain) == 0
            assert proxy.log
        ours, theirs = bench.server.requests("/s/")[0], bench.server.requests("/plain/")[0]
        assert theirs.headers["x-from-conf"] == "1"
        assert not {"x-from-conf", "authorization", "cookie"} & set(ours.headers)

    def test_proxies_come_from_tuning(self, bench: Bench) -> None:
        with Proxy(login="user:canary") as proxy:
            url = proxy.url().replace("//", "//user:canary@")
            bench.tuning = replace(bench.tuning, proxies=(("http", url),))
            fetched(bench.one(bench.job(SOME)))
            assert proxy.log
            proxy.forget()
            bench.tuning = replace(bench.tuning, no_proxy=("127.0.0.1",))
            fetched(bench.one(bench.job(SOME, seed="t")), "t")
            assert proxy.log == []

    def test_writes_no_file(self, bench: Bench, tmp_path: Path) -> None:
        home: list[str] = []

        def look(_: Asked) -> None:
            for pid in descendants(os.getpid()):
                environ = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
                home.extend(entry.decode() for entry in environ if b"=" in entry)
                assert "file.bin" not in " ".join(argv(pid))

        bench.server.watch = look
        before = sorted(tmp_path.rglob("*"))
        result = bench.one(bench.job(SOME))
        fetched(result)
        assert "HOME=/" in home
        assert sorted(tmp_path.rglob("*")) == sorted([*before, sink_of(result.job).path])


class TestPrograms:
    @pytest.mark.parametrize("said", ["GNU Wget 1.15 built", "GNU Wget2 2.1", "BusyBox v1.36", ""])
    def test_another_program_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
    ) -> None:
        self.script(tmp_path, monkeypatch, f"echo '{said}'")
        assert "is not GNU Wget 1.16" in str(load("wget", TUNING).unavailable())

    def test_one_that_hangs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(programs, "_PATIENCE", 0.3)
        self.script(tmp_path, monkeypatch, "exec sleep 60")
        assert "does not say its version" in str(load("wget", TUNING).unavailable())

    @pytest.mark.parametrize(
        ("does", "cause"),
        [
            ("exit 2", Cause.ENGINE),
            ("kill -9 $$", Cause.ENGINE),
            ("exit 4", Cause.TRANSIENT),
            ("exit 0", Cause.TRANSIENT),
            ("exec sleep 60", Cause.TRANSIENT),
            ("exec >&-; exec sleep 60", Cause.ENGINE),
            ("echo bytes", Cause.LYING),
            ("yes '  HTTP/1.1 100 Continue' >&2", Cause.LYING),
        ],
    )
    def test_a_program_that_behaves_oddly(
        self,
        bench: Bench,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        does: str,
        cause: Cause,
    ) -> None:
        self.script(tmp_path, monkeypatch, does)
        result = bench.one(bench.job(1000))
        assert isinstance(result, Failed)
        assert result.error.cause is cause, result.error.reason

    @staticmethod
    def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str) -> None:
        directory = tmp_path / "bin"
        directory.mkdir()
        path = directory / "wget"
        path.write_text(f"#!/bin/sh\n{does}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")


class TestEnds:
    def test_closed_in_the_middle(self, bench: Bench) -> None:
        slow, quick = bench.job(8 * MIB, "stall;after=2000000"), bench.job(10, seed="q")
        results = bench.engine.fetch(ListJobs([slow, quick]))
        with time_limit():
            assert next(results).job is quick
            assert descendants(os.getpid())
            results.close()
        assert descendants(os.getpid()) == []
        assert not sink_of(slow).present_wrong("s")

    def test_many_at_once_and_no_more_than_asked_for(self, bench: Bench) -> None:
        most, lock = [0], threading.Lock()

        def count(_: Asked) -> None:
            with lock:
                most[0] = max(most[0], len(descendants(os.getpid())))

        bench.server.watch = count
        for number, result in enumerate(
            bench.run(*[bench.job(MIB, seed=f"m{number}") for number in range(12)])
        ):
            fetched(result, f"m{number}")
        assert 1 < most[0] <= bench.tuning.jobs

    def test_dies_with_us(self, bench: Bench, tmp_path: Path) -> None:
        """The kernel sees to it, on Linux: nothing that is ours has to run for that."""
        script = tmp_path / "run.py"
        script.write_text(
            "import pathlib\n"
            "from support.bench import TUNING\n"
            "from support.sink import FileSink, ListJobs\n"
            "from gitassets.engines import load\n"
            "from gitassets.engines.base import Job\n"
            "from gitassets.model import Request, Url\n"
            f"url = {bench.server.blob(SOME, 's', 'stall;after=10')!r}\n"
            f"sink = FileSink(pathlib.Path({str(bench.staging / 'x')!r}), {SOME})\n"
            f"job = Job('x', {SOME}, (Request(url, Url(url)),), sink)\n"
            "list(load('wget', TUNING).fetch(ListJobs([job])))\n"
        )
        places = os.pathsep.join(entry for entry in sys.path if entry)
        command = [sys.executable, str(script)]
        with Background(command, tmp_path, tmp_path / "run", {"PYTHONPATH": places}) as run:
            run.until(lambda: bench.server.log)
            (wget,) = descendants(run.pid)
            assert argv(wget)
            os.kill(run.pid, signal.SIGKILL)
            until(lambda: not argv(wget))
