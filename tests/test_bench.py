"""`scripts/bench` runs on tiny data, says what it could not run, and keeps what it promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))

from benchmarks import interrupted, plot, serve, table  # noqa: E402
from benchmarks.cases import CASES, Goal  # noqa: E402
from benchmarks.run import Contender, Failed, Measured, Meter, Samples, compare  # noqa: E402


def bench(*options: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does."""
    environment = {**os.environ, "PATH": path or own_path()}
    return subprocess.run(
        [sys.executable, str(SCRIPTS / "bench"), *options],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


def own_path() -> str:
    """The program of this interpreter's environment goes first."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def second(seconds: float, **more: float) -> Measured:
    return Measured(seconds, seconds, 50 * table.MIB, **more)


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    place = tmp_path_factory.mktemp("bench")
    kept = place / "kept.json"
    done = bench(
        "--quick", "--case=small", "--case=start-up", "--case=distant",
        f"--json={kept}", f"--scratch={place}",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in place.iterdir()] == ["kept.json"], "scratch is left behind"
    assert "MISSED" not in done.stdout, "tiny data is judged"
    return json.loads(kept.read_text())


def test_json_has_its_shape(document):
    assert document["version"] == 1
    assert document["command"] == "bench"
    assert document["machine"].keys() >= {"cores", "memory_bytes", "kernel"}
    assert document["programs"]["git assets"] != "missing"
    assert [case["name"] for case in document["cases"]] == ["small", "distant", "start-up"]
    for case in document["cases"]:
        assert case["file_system"]
        assert len(case["figures"]) == len(CASES[case["name"]].goals)
        for runs in case["contenders"].values():
            assert [run["seconds"] > 0 and run["peak"] > 2**20 for run in runs] == [True]


def test_kept_files_are_read_back(document, tmp_path):
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(document))
    done = bench(f"--from={kept}", "--markdown")
    assert done.returncode == 0, done.stderr
    titles = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("###")]
    assert titles == ["small", "distant", "start-up"]
    assert "| pull / aria2c -j16 -i |" in done.stdout


def test_bytes_come_from_the_servers_log(document):
    small = document["cases"][0]
    moved = {name: runs[0]["moved"] for name, runs in small["contenders"].items()}
    assert moved["pull"] == 20 * 10 * 1024
    others = set(moved) - {"pull", "dvc pull"}
    assert {moved[name] for name in others} == {20 * 10 * 1024}


def test_missing_peers_are_said_not_failed(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "git-assets", "python3"):
        found = next(p for d in own_path().split(os.pathsep) if (p := Path(d, name)).exists())
        (programs / name).symlink_to(found)
    kept = tmp_path / "kept.json"
    done = bench(
        "--quick", "--case=small", f"--json={kept}", f"--scratch={tmp_path}", path=str(programs)
    )
    assert done.returncode == 0, done.stderr
    [case] = json.loads(kept.read_text())["cases"]
    assert case["missing"].keys() == {
        "aria2c -j16 -i",
        "curl --parallel",
        "git lfs pull",
        "dvc pull",
    }
    assert case["contenders"].keys() == {"pull"}
    assert all(figure["why"].endswith("not found") for figure in case["figures"])


def test_list_and_unknown_case():
    listed = bench("--list")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(CASES)
    unknown = bench("--case=nothing-of-that-name")
    assert unknown.returncode == 129
    assert "no case 'nothing-of-that-name'" in unknown.stderr


def test_rounds_alternate_and_the_first_does_not_count():
    order: list[str] = []

    def once(contender: Contender) -> Measured:
        order.append(contender.name)
        return second(float(len(order)))

    ours, peer, slow = (Contender(name, ("x",), Path(), most=most)
                        for name, most in (("ours", None), ("peer", None), ("slow", 1)))  # fmt: skip
    samples = compare([ours, peer, slow], once, runs=2)
    assert order == ["ours", "peer", "slow", "peer", "ours", "ours", "peer"]
    assert [run and run.seconds for run in samples.runs["ours"]] == [5.0, 6.0]
    assert [run and run.seconds for run in samples.runs["slow"]] == [3.0, None]


def test_one_that_fails_is_left_out_with_its_reason():
    def once(contender: Contender) -> Measured:
        if contender.name == "bad":
            raise Failed("exit status 1: no such thing")
        return second(1.0)

    contenders = [Contender(name, ("x",), Path()) for name in ("good", "bad")]
    samples = compare(contenders, once, runs=3)
    assert samples.failed == {"bad": "exit status 1: no such thing"}
    assert len(samples.runs["good"]) == 3


@pytest.mark.parametrize(
    ("unit", "value", "met"),
    [("x", 0.5, True), ("s", 1.0, False), ("ms", -1000.0, True), ("MiB", 50.0, False),
     ("fetched", 1.005, False)],
)  # fmt: skip
def test_figures(unit, value, met):
    runs = {"ours": [second(1.0, value=1.005)], "peer": [second(2.0)]}
    case = type(CASES["small"])(lambda _: Samples(), (Goal("ours", "peer", 0.6, unit),))
    [figure] = table.judge(case, Samples(runs=runs), None)
    assert (figure.value, figure.met) == (pytest.approx(value), met)


def test_ratios_are_taken_within_a_round():
    """A machine that slows down for one round hits both: the ratio stays."""
    runs = {"ours": [second(1), second(10), second(1)], "peer": [second(2), second(20), second(2)]}
    case = type(CASES["small"])(lambda _: Samples(), (Goal("ours", "peer", 0.6),))
    [figure] = table.judge(case, Samples(runs=runs), None)
    assert (figure.low, figure.value, figure.high) == (0.5, 0.5, 0.5)


def test_meter_measures_the_command_and_not_this_process(tmp_path):
    ballast = bytearray(200 << 20)
    meter = Meter(tmp_path / "log", dict(os.environ))
    try:
        small = meter.run(Contender("small", ("true",), tmp_path))
        large = meter.run(
            Contender("large", (sys.executable, "-c", "b = bytes(range(256)) * 400_000"), tmp_path)
        )
        with pytest.raises(Failed, match="exit status 3"):
            meter.run(Contender("bad", (sys.executable, "-c", "raise SystemExit(3)"), tmp_path))
        with pytest.raises(Failed, match="timeout"):
            meter.run(Contender("slow", ("sleep", "60"), tmp_path), limit=1)
    finally:
        meter.close()
    assert small.peak < 60 << 20 < len(ballast)
    assert large.peak > 100_000_000
    assert large.seconds > small.seconds > 0


def test_embedded_server_ranges_and_throttle_per_connection(tmp_path):
    """Two requests on one connection are held together; nginx's limit_rate would not do it."""
    import http.client
    import time

    root = tmp_path / "root"
    root.mkdir()
    content = os.urandom(200_000)
    (root / "file").write_bytes(content)
    server = serve.loopback(root, tmp_path / "place", "--rate=400000")
    try:
        host = server.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host)
        begun = time.monotonic()
        got = b""
        for start, end in ((0, 99_999), (100_000, 199_999)):
            connection.request("GET", "/file", headers={"Range": f"bytes={start}-{end}"})
            answer = connection.getresponse()
            assert answer.status == 206
            assert answer.headers["Content-Range"] == f"bytes {start}-{end}/200000"
            got += answer.read()
        # 200,000 bytes at 400,000 a second, less the bucket's twentieth and the last piece.
        assert time.monotonic() - begun > 0.15
        assert got == content
        connection.request("GET", "/absent")
        assert connection.getresponse().status == 404
        connection.close()
        assert server.sent(0) == len(content)
    finally:
        server.close()


def test_arrived_counts_data_and_no_holes(tmp_path):
    staging = tmp_path / "staging"
    staging.mkdir()
    with (staging / "object").open("wb") as target:
        os.posix_fallocate(target.fileno(), 0, 1 << 24)
        os.pwrite(target.fileno(), b"x" * 65536, 1 << 20)
    assert interrupted.arrived(tmp_path) == 65536


def test_plot_draws_each_curve_and_linear_is_one():
    runs = {f"{step} @ {count}": [second(count / 1e5)]
            for step in ("parse", "status") for count in (1000, 10_000, 100_000)}  # fmt: skip
    samples = Samples(runs=runs)
    curves = plot.curves(samples)
    assert {step: plot.slope(points) for step, points in curves.items()} == {
        "parse": pytest.approx(1), "status": pytest.approx(1),
    }  # fmt: skip
    drawn = plot.svg(samples)
    assert drawn.count("<polyline") == 2
    assert ">100,000</text>" in drawn
