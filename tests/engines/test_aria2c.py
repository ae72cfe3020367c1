"""What only the aria2c engine promises: its process, its port, its secret, its files."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support.bench import TUNING, Bench, nothing_left, sink_of, time_limit
from support.content import content
from support.process import PROC, Background, argv, descendants, listeners, pids, until
from support.proxy import Proxy
from support.sink import FileSink, ListJobs

from gitassets import holes
from gitassets.engines import aria2_process, confine, load, programs
from gitassets.engines.base import Failed, Fetched
from gitassets.engines.programs import find
from gitassets.errors import Cause
from gitassets.model import Request, Url
from gitassets.ranges import Ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.server import FaultServer
    from support.server import Request as Asked

pytestmark = pytest.mark.skipif(find("aria2c") is None, reason="no aria2c")

MIB = 1 << 20
SOME = 3 * MIB + 12_345
SLOW = "slow;rate=3000000"


@pytest.fixture
def bench(server: FaultServer, tmp_path: Path) -> Iterator[Bench]:
    with nothing_left(server):
        yield Bench("aria2c", server, tmp_path / "staging")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a script of the name aria2c before everything else."""

    def make(script: str) -> Path:
        directory = tmp_path / "bin"
        directory.mkdir(exist_ok=True)
        path = directory / "aria2c"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
        aria2_process._features.cache_clear()
        return path

    return make


def fetched(result: Fetched | Failed, seed: str = "s") -> None:
    assert isinstance(result, Fetched), result.error.reason
    assert sink_of(result.job).wrong(seed) == []


def engine_failure(result: Fetched | Failed, text: str) -> None:
    assert isinstance(result, Failed)
    assert result.error.cause is Cause.ENGINE
    assert text in result.error.reason


def shown(pid: int) -> str:
    """Give all that other users, and other processes of this one, may read of a process."""
    environ = (PROC / str(pid) / "environ").read_bytes().decode(errors="replace")
    return " ".join(argv(pid)) + environ


def working_in(directory: Path) -> list[int]:
    """List the processes that have `directory` as the current one, whoever started them."""
    found = []
    for pid in pids():
        try:
            if os.readlink(PROC / str(pid) / "cwd") == str(directory):
                found.append(pid)
        except OSError:
            pass
    return found


def has_landlock() -> bool:
    """Ask for the version of the kernel's Landlock (landlock_create_ruleset(2))."""
    libc = ctypes.CDLL(None)
    return bool(libc.syscall(confine._CREATE_RULESET, None, 0, 1) > 0)


class TestSecret:
    def test_neither_shown_nor_left(
        self, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[str] = []
        modes: list[int] = []
        seen: list[str] = []
        real, start = aria2_process.secrets.token_urlsafe, subprocess.Popen.__init__
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        monkeypatch.setattr(
            aria2_process.secrets, "token_urlsafe", lambda n: made.append(real(n)) or made[-1]
        )

        def starting(self: object, *args: object, **kwargs: object) -> None:
            modes.extend(stat.S_IMODE(p.stat().st_mode) for p in temporary.rglob("*"))
            start(self, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(subprocess.Popen, "__init__", starting)
        left: list[Path] = []

        def look(_: Asked) -> None:
            seen.extend(shown(pid) for pid in descendants(os.getpid()))
            left.extend(temporary.rglob("*"))

        bench.server.watch = look
        fetched(bench.one(bench.job(SOME)))
        (secret,) = made
        assert sorted(set(modes) - {0o600}) == [0o700]
        assert seen
        assert not [text for text in seen if secret in text]
        assert left == []
        for path in [*bench.staging.rglob("*"), *temporary.rglob("*")]:
            assert secret not in path.read_text(errors="replace")

    def test_the_detector_sees_one_in_argv(self) -> None:
        """The control: what the test above would see of `--rpc-secret`."""
        with subprocess.Popen(
            [sys.executable, "-c", "input()", "canary"], env={"A": "bird"}, stdin=subprocess.PIPE
        ) as naive:
            until(lambda: "canary" in shown(naive.pid) and "bird" in shown(naive.pid))
            naive.kill()

    def test_listens_on_loopback_alone_and_asks_for_the_token(self, bench: Bench) -> None:
        ports: set[int] = set()
        answers: list[bytes] = []

        def look(_: Asked) -> None:
            (pid,) = descendants(os.getpid())
            for address, _, port in (text.rpartition(":") for text in listeners(pid)):
                assert address in {"0100007F", "00000000000000000000000001000000"}
                ports.add(int(port, 16))
            (port,) = ports
            with socket.create_connection(("127.0.0.1", port), timeout=10) as stranger:
                body = b'{"jsonrpc":"2.0","id":1,"method":"aria2.getGlobalStat"}'
                head = f"POST /jsonrpc HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
                stranger.sendall(head.encode() + body)
                answers.append(stranger.recv(4096))

        bench.server.watch = look
        # aria2c takes its time to say no to a stranger.
        bench.tuning = replace(bench.tuning, low_speed_time=30.0)
        fetched(bench.one(bench.job(1000)))
        assert b"Unauthorized" in answers[0]
        with socket.socket() as late:
            assert late.connect_ex(("127.0.0.1", ports.pop())) != 0

    def test_a_taken_port_is_not_dialled(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = aria2_process._free_port
        with socket.create_server(("127.0.0.1", 0)) as squatter:
            squatter.setblocking(False)
            ports = [squatter.getsockname()[1]] * 2
            monkeypatch.setattr(
                aria2_process, "_free_port", lambda: ports.pop() if ports else real()
            )
            fetched(bench.one(bench.job(SOME)))
            assert ports == []
            with pytest.raises(BlockingIOError):
                squatter.accept()
            # The control: somebody who dials it is seen.
            socket.create_connection(squatter.getsockname()).close()
            squatter.setblocking(True)
            squatter.accept()[0].close()

    def test_every_port_taken_is_said(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as squatter:
            port = squatter.getsockname()[1]
            monkeypatch.setattr(aria2_process, "_free_port", lambda: port)
            engine_failure(bench.one(bench.job(SOME)), "no free port")


class TestSurroundings:
    @pytest.fixture
    def hostile(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
        """Fill the home and the environment with what must not count."""
        home = tmp_path / "home"
        for conf in (home / ".aria2" / "aria2.conf", home / ".config" / "aria2" / "aria2.conf"):
            conf.parent.mkdir(parents=True)
            conf.write_text("header=X-From-Conf: 1\nuser-agent=conf\n")
        (home / ".netrc").write_text("default login canary password canary\n")
        (home / ".netrc").chmod(0o600)
        with Proxy() as proxy:
            for name in ("http_proxy", "all_proxy", "https_proxy", "HTTP_PROXY"):
                monkeypatch.setenv(name, proxy.url())
            yield proxy

    def test_nothing_of_the_user_s_counts(self, bench: Bench, hostile: Proxy) -> None:
        fetched(bench.one(bench.job(SOME)))
        assert hostile.log == []
        for asked in bench.server.log:
            assert not {"x-from-conf", "authorization"} & set(asked.headers)
            assert asked.headers["user-agent"] == bench.tuning.user_agent

    def test_a_plain_aria2c_heeds_all_of_it(self, bench: Bench, hostile: Proxy) -> None:
        """The control: the surroundings are as hostile as they look."""
        subprocess.run(
            ["aria2c", "-q", "-d", bench.staging, bench.server.blob(SOME)], check=True, timeout=60
        )
        assert hostile.log
        assert bench.server.log[0].headers["x-from-conf"] == "1"

    def test_proxies_come_from_tuning(self, bench: Bench) -> None:
        with Proxy(login="user:canary") as proxy:
            url = proxy.url().replace("//", "//user:canary@")
            bench.tuning = replace(bench.tuning, proxies=(("http", url),))
            fetched(bench.one(bench.job(SOME)))
            assert proxy.log
            proxy.forget()
            bench.tuning = replace(bench.tuning, no_proxy=("127.0.0.0/8",))
            fetched(bench.one(bench.job(SOME, seed="t")), "t")
            assert proxy.log == []

    def test_no_text_becomes_an_option_or_a_file(self, bench: Bench, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        hostile = (
            "/x\non-download-complete=/bin/false\n out=../victim\t<url>&amp;\"'{a,b}[1-3]%0a\x1b"
        )
        url = bench.server.url(hostile)
        request = Request(url, Url(bench.server.url("/x")), private=True)
        result = bench.one(bench.asking(request, size=SOME))
        assert isinstance(result, Failed)
        (asked,) = bench.server.log
        assert asked.target.startswith("/x%0Aon-download-complete=/bin/false%0A%20out=../victim%09")
        assert not victim.exists()
        assert [path.name for path in bench.staging.iterdir()] == [result.job.name]

    def test_writes_nowhere_else(self, bench: Bench, tmp_path: Path) -> None:
        """A staging file that became a symlink leads nowhere (Landlock)."""
        victim = tmp_path / "victim"
        victim.write_bytes(b"\0" * SOME)
        job = bench.job(SOME)
        job.sink.path.unlink()
        job.sink.path.symlink_to(victim)
        if not has_landlock():
            pytest.skip("no Landlock")
        result = next(iter(bench.engine.fetch(ListJobs([job]))))
        assert isinstance(result, Failed)
        assert result.error.cause is Cause.LOCAL
        assert victim.read_bytes() == b"\0" * SOME

    def test_one_staging_directory_a_run(self, bench: Bench, tmp_path: Path) -> None:
        other = Bench("aria2c", bench.server, tmp_path / "other")
        first, second = bench.run(bench.job(1000), other.job(1000))
        fetched(first)
        engine_failure(second, "another staging directory")


class TestPrograms:
    @pytest.mark.parametrize(
        ("said", "why"),
        [
            ("aria2 version 1.35.0\\nEnabled Features: Metalink", "older than 1.36"),
            ("aria2 version 1.36.0\\nEnabled Features: BitTorrent, HTTPS", "without Metalink"),
            ("aria2-next 3.0.1\\nEnabled Features: Metalink", "not aria2 1.x"),
            ("aria2 version 3.0.1\\nEnabled Features: Metalink", "not aria2 1.x"),
            ("", "not aria2 1.x"),
        ],
    )
    def test_another_program_is_refused(
        self, bench: Bench, program: Callable[[str], Path], said: str, why: str
    ) -> None:
        path = program(f"printf '{said}\\n'")
        reason = load("aria2c", TUNING).unavailable()
        assert reason is not None
        assert why in reason
        assert str(path) in reason
        engine_failure(bench.one(bench.job(10)), why)

    def test_one_that_hangs(
        self, bench: Bench, program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(programs, "_PATIENCE", 0.3)
        program("exec sleep 60")
        assert "does not say its version" in str(load("aria2c", TUNING).unavailable())

    @pytest.mark.parametrize(
        ("then", "why"),
        [
            ("exit 3", "ended at once (status 3)"),
            ("kill -9 $$", "ended at once (signal 9)"),
            ("exec sleep 60", "does not open its port"),
        ],
    )
    def test_one_that_does_not_come_up(
        self,
        bench: Bench,
        program: Callable[[str], Path],
        monkeypatch: pytest.MonkeyPatch,
        then: str,
        why: str,
    ) -> None:
        monkeypatch.setattr(aria2_process, "_START_TIMEOUT", 0.5)
        real = find("aria2c")
        program(f'[ "$1" = --version ] && exec {real} --version\n{then}')
        first, second = bench.run(bench.job(10), bench.job(10))
        engine_failure(first, why)
        engine_failure(second, why)
        assert not list(bench.staging.glob("*.aria2"))

    def test_a_script_around_it_is_as_good(
        self, bench: Bench, program: Callable[[str], Path]
    ) -> None:
        program(f'exec {find("aria2c")} "$@"')
        assert load("aria2c", TUNING).unavailable() is None
        fetched(bench.one(bench.job(SOME)))


class TestEnds:
    def test_killed_all_jobs_fail_and_the_later_ones_too(self, bench: Bench) -> None:
        class Deadly(FileSink):
            """The first piece is the last."""

            def wrote(self, start: int, end: int) -> None:
                super().wrote(start, end)
                for pid in descendants(os.getpid()):
                    os.kill(pid, signal.SIGKILL)

        sink = Deadly(bench.staging / ("d" * 64), 8 * MIB)
        jobs = [bench.job(8 * MIB, SLOW, seed="d", sink=sink)]
        jobs += [bench.job(8 * MIB, SLOW, seed=f"k{number}") for number in range(12)]
        first, *others = bench.run(*jobs)
        assert first.count >= MIB
        assert not sink.present_wrong("d")
        for result in (first, *others):
            engine_failure(result, "aria2c")
        assert not list(bench.staging.glob("*.aria2*"))

    def test_closed_in_the_middle_tells_what_is_finished(self, bench: Bench) -> None:
        bench.tuning = replace(bench.tuning, connections=1)
        job, quick = bench.job(9 * MIB, "stall;after=5000000"), bench.job(100, seed="q")
        sink = sink_of(job)
        wanted = content("s", 4_800_000, 4_900_000)
        results = bench.engine.fetch(ListJobs([job, quick]))
        with time_limit(), sink.path.open("rb") as file:
            assert next(results).job is quick
            until(lambda: os.pread(file.fileno(), len(wanted), 4_800_000) == wanted)
            results.close()
        assert sink.missing()[0][0] >= 4 * MIB
        assert not sink.present_wrong("s")
        assert descendants(os.getpid()) == []
        assert {path.name for path in bench.staging.iterdir()} == {job.name, quick.name}

    def test_interrupted_leaves_nothing_but_the_bytes(self, bench: Bench) -> None:
        class Interrupting(FileSink):
            """Ctrl-C comes with the first piece."""

            def wrote(self, start: int, end: int) -> None:
                super().wrote(start, end)
                if len(self.writes) == 1:
                    signal.raise_signal(signal.SIGINT)

        sink = Interrupting(bench.staging / ("c" * 64), 9 * MIB)
        with time_limit(), pytest.raises(KeyboardInterrupt):
            bench.drain(ListJobs([bench.job(9 * MIB, SLOW, sink=sink)]))
        assert not sink.present_wrong("s")
        assert descendants(os.getpid()) == []
        assert list(bench.staging.iterdir()) == [sink.path]

    def test_goes_on_where_a_killed_run_stopped(
        self, bench: Bench, server: FaultServer, tmp_path: Path
    ) -> None:
        """kill -9 of the whole run: nobody is left, and 1 MiB a stream comes twice at most."""
        size, streams = 48 * MIB, 3
        path = bench.staging / ("a" * 64)
        url = server.blob(size, "s", "throttle;rate=20000000")
        script = tmp_path / "run.py"
        script.write_text(
            "import sys, pathlib\n"
            "from support.bench import TUNING\n"
            "from support.sink import FileSink, ListJobs\n"
            "from gitassets.engines import load\n"
            "from gitassets.engines.base import Job\n"
            "from gitassets.model import Request, Url\n"
            f"path, url, size = pathlib.Path({str(path)!r}), {url!r}, {size}\n"
            "job = Job(path.name, size, (Request(url, Url(url)),), FileSink(path, size))\n"
            "list(load('aria2c', TUNING).fetch(ListJobs([job])))\n"
        )
        places = os.pathsep.join(entry for entry in sys.path if entry)
        command = [sys.executable, str(script)]
        with Background(command, tmp_path, tmp_path / "run", {"PYTHONPATH": places}) as run:
            run.until(lambda: server.sent() > size // 3)
            assert working_in(bench.staging), "the detector sees nothing"
            os.kill(run.pid, signal.SIGKILL)  # it alone: aria2c has to notice by itself
            run.wait()
            until(lambda: not working_in(bench.staging), 5)
        descriptor = os.open(path, os.O_RDONLY)
        have = holes.arrived(descriptor, size, Ranges())
        until(lambda: server.open_lines == 0)
        first = server.sent()
        server.forget()
        sink = bench.sink(size)
        for start, end in have:
            sink.write(start, [os.pread(descriptor, end - start, start)])
        os.close(descriptor)
        fetched(bench.one(bench.asking(bench.request(url), size=size, sink=sink)))
        assert server.sent() <= size - have.count + streams * MIB
        # What was sent and is not known to be there: buffers of the sockets, and the seams.
        assert first - have.count <= streams * 5 * MIB + size // 64

    def test_mirrors_are_used_together(self, bench: Bench) -> None:
        size, slow = 40 * MIB, "throttle;rate=20000000"
        bench.tuning = replace(bench.tuning, connections=4)
        first = bench.request(bench.server.blob(size, "s", slow))
        second = bench.request(bench.server.other(f"/{slow}/b/{size}/s/x"))
        result = bench.one(bench.asking(first, second, size=size))
        fetched(result)
        assert result.request is None
        assert {asked.port for asked in bench.server.log} == {
            bench.server.port,
            bench.server.other_port,
        }

    def test_a_block_behind_a_gap_is_not_trusted_to_it(self, bench: Bench) -> None:
        """aria2 1.36 misplaces what follows when a piece has a gap before blocks that are there."""
        sink = bench.sink(4 * MIB)
        sink.preload("s", [(at, at + 50_000) for at in range(20_000, 4 * MIB - 50_000, 100_000)])
        fetched(bench.one(bench.job(4 * MIB, sink=sink)))

    def test_the_prefix_is_told_before_the_end(self, bench: Bench) -> None:
        job = bench.job(24 * MIB, "throttle;rate=40000000")
        fetched(bench.one(job))
        assert len(sink_of(job).writes) > 2
        assert sum(end - start for start, end in sink_of(job).writes) == 24 * MIB, "told twice"

    def test_bytes_of_a_broken_piece_are_kept(self, bench: Bench) -> None:
        """A line that breaks every 300 kB never finishes a piece, and still gets there."""
        sink = bench.sink(2 * MIB)
        for _ in range(8):
            left = sum(end - start for start, end in sink.missing())
            result = bench.one(bench.job(2 * MIB, "drop;after=300000", sink=sink))
            if isinstance(result, Fetched):
                break
            assert sum(end - start for start, end in sink.missing()) < left
        fetched(result)


def test_content_is_what_the_server_means(server: FaultServer, tmp_path: Path) -> None:
    """The control for every right byte above: aria2c by hand gets the same file."""
    subprocess.run(
        ["aria2c", "-q", "--no-conf", "-d", tmp_path, "-o", "f", server.blob(SOME)],
        check=True,
        timeout=60,
    )
    assert (tmp_path / "f").read_bytes() == content("s", 0, SOME)
