"""The test support itself: a server that lies about its faults proves nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.content import PERIOD, content, digest, digest_of
from support.process import Background, argv, descendants, until
from support.repo import Repo, lockfile_text, pinned, pinned_bytes
from support.server import BEHAVIOURS, FaultServer
from support.sink import FileSink

if TYPE_CHECKING:
    from conftest import Cli


def ask(url: str, *lines: str, until_bytes: int = 1 << 30) -> tuple[bytes, bytes]:
    """Send one GET by hand; returns head and body as the connection gave them."""
    host, _, path = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port)), timeout=10) as sock:
        more = "".join(line + "\r\n" for line in ("Connection: close", *lines))
        sock.sendall(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode())
        data = b""
        while len(data) < until_bytes:
            try:
                piece = sock.recv(65536)
            except ConnectionResetError:
                data += b"<reset>"
                break
            if not piece:
                break
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body


class TestContent:
    def test_any_range_is_a_slice_of_the_whole(self) -> None:
        whole = content("s", 0, 3 * PERIOD)
        for start, end in [(0, 1), (PERIOD - 1, PERIOD + 1), (65535, 65537), (PERIOD, 2 * PERIOD)]:
            assert content("s", start, end) == whole[start:end]
        assert digest_of("s", len(whole)) == digest(whole)

    def test_pieces_and_seeds_differ(self) -> None:
        pieces = {content("s", at, at + 16) for at in range(0, 64 << 20, 65536)}
        assert len(pieces) == 1024
        assert content("s", 0, 64) != content("t", 0, 64)


class TestServer:
    def test_range_is_exact_and_logged(self, server: FaultServer) -> None:
        head, body = ask(server.blob(1000, "a"), "Range: bytes=10-19", "X-Token: t")
        assert body == content("a", 10, 20)
        assert b" 206 " in head
        assert b"Content-Range: bytes 10-19/1000" in head
        (request,) = server.log
        assert request.range == (10, 20)
        assert request.headers["x-token"] == "t"
        assert (request.status, request.sent, request.done) == (206, 10, True)

    def test_literal_files_and_nothing(self, server: FaultServer) -> None:
        assert ask(server.put("/a/b.txt", b"hello"))[1] == b"hello"
        assert b" 404 " in ask(server.url("/none"))[0]

    def test_store_layout_is_by_digest(self, server: FaultServer) -> None:
        sha256 = digest_of("a", 100)
        assert ask(server.url(f"/o/100/a/{sha256[:2]}/{sha256}"))[1] == content("a", 0, 100)
        assert b" 404 " in ask(server.url(f"/o/100/a/00/{'0' * 64}"))[0]

    def test_every_behaviour_answers_and_the_server_ends(self, server: FaultServer) -> None:
        assert len(BEHAVIOURS) >= 40
        for name in sorted(set(BEHAVIOURS) - {"stall", "silent", "slow", "endless", "header"}):
            head, body = ask(server.blob(2000, "a", name), "Range: bytes=0-")
            assert head or name == "hangup", name
            assert body != b"" or b"Content-Length: 0" in head or name in {
                "hangup", "drop", "dropat", "nothttp", "short"
            }, name  # fmt: skip

    @pytest.mark.parametrize(
        ("behaviour", "wanted"),
        [
            ("drop;after=0", b""),
            ("drop;after=1", content("a", 0, 1)),
            ("drop;after=700", content("a", 0, 700)),
            ("short;by=1", content("a", 0, 999)),
            ("stall;after=5", content("a", 0, 5)),
            ("dropat;at=20", content("a", 0, 20)),
        ],
    )
    def test_cut_bodies(self, server: FaultServer, behaviour: str, wanted: bytes) -> None:
        head, body = ask(server.blob(1000, "a", behaviour), until_bytes=0)
        assert (head, body) == (b"", b"")
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
            sock.sendall(f"GET /{behaviour}/b/1000/a/x HTTP/1.1\r\n\r\n".encode())
            data = b""
            while len(data.partition(b"\r\n\r\n")[2]) < len(wanted) or not data:
                data += sock.recv(65536)
            if not behaviour.startswith("stall"):
                while piece := sock.recv(65536):
                    data += piece
        assert b"Content-Length: 1000" in data
        assert data.partition(b"\r\n\r\n")[2] == wanted

    def test_reset_is_a_reset(self, server: FaultServer) -> None:
        assert ask(server.blob(1000, "a", "hangup;rst=1")) == (b"<reset>", b"")
        assert ask(server.blob(1000, "a", "hangup")) == (b"", b"")

    def test_times_skip_beyond_and_coin(self, server: FaultServer) -> None:
        def codes(behaviour: str, *lines: str) -> list[int]:
            for _ in range(4):
                ask(server.blob(1000, "a", behaviour), *lines)
            found = [request.status for request in server.log]
            server.forget()
            return found

        assert codes("status;code=503;times=2") == [503, 503, 200, 200]
        assert codes("status;code=503;skip=1;times=1") == [200, 503, 200, 200]
        assert codes("status;code=403;beyond=10", "Range: bytes=9-") == [206] * 4
        assert codes("status;code=403;beyond=10", "Range: bytes=10-") == [403] * 4
        coin = codes("half500;p=0.5;seed=1")
        assert set(coin) == {200, 500} or len(set(coin)) == 1
        assert codes("status;p=0;seed=1") == [200] * 4

    def test_redirects_cross_origins_and_end(self, server: FaultServer) -> None:
        url, hosts = server.blob(10, "a", "redirect;to=other;hops=3"), []
        while True:
            head, body = ask(url)
            hosts.append(url.split("/")[2].split(":")[0])
            if b" 302 " not in head:
                break
            (line,) = (row for row in head.decode().split("\r\n") if row.startswith("Location"))
            url = line.removeprefix("Location: ")
        assert hosts == ["127.0.0.1", "localhost", "127.0.0.1", "localhost"]
        assert body == content("a", 0, 10)

    def test_signed_url_dies_after_its_bytes(self, server: FaultServer) -> None:
        url = server.blob(1000, "a", "signed;bytes=600")
        head, _ = ask(url)
        token = head.decode().partition("token=")[2].split()[0]
        assert ask(f"{url}?token={token}")[1] == content("a", 0, 600)
        assert b" 403 " in ask(f"{url}?token={token}")[0]
        assert b" 403 " in ask(f"{url}?token=made-up")[0]
        assert server.sent("token=") == 600 + len("expired\n") * 2

    def test_wrong_bytes_are_wrong_where_they_say(self, server: FaultServer) -> None:
        good = content("a", 0, 600_000)
        flipped = ask(server.blob(600_000, "a", "flip;at=300000"))[1]
        assert [i for i in range(600_000) if flipped[i] != good[i]] == [300_000]
        mixed = ask(server.blob(600_000, "a", "prefixgarbage;at=300000"))[1]
        assert mixed[:300_000] == good[:300_000]
        assert mixed[300_000:300_064] != good[300_000:300_064]
        assert len(mixed) == len(good)

    def test_range_lies(self, server: FaultServer) -> None:
        def field(behaviour: str) -> tuple[str, int, bytes]:
            head, _ = ask(server.blob(1000, "a", behaviour), "Range: bytes=10-19")
            rows = [row for row in head.split(b"\r\n") if row.startswith(b"Content-Range")]
            return behaviour, int(head.split()[1]), b"".join(rows).removeprefix(b"Content-Range: ")

        assert field("norange")[1:] == (200, b"")
        assert field("wrongrange")[1:] == (206, b"bytes 11-20/1000")
        assert field("wrongtotal")[1:] == (206, b"bytes 10-19/1001")
        assert field("unknowntotal")[1:] == (206, b"bytes 10-19/*")
        assert field("nocontentrange")[1:] == (206, b"")
        assert field("cap;bytes=5")[1:] == (206, b"bytes 10-14/1000")
        assert field("416")[1:] == (416, b"bytes */1000")

    def test_changed_etag_defeats_if_range(self, server: FaultServer) -> None:
        url = server.blob(1000, "a", "etag;after=1")
        old = ask(url, "Range: bytes=0-9")[0].partition(b"ETag: ")[2].split()[0].decode()
        head, body = ask(url, "Range: bytes=10-", f"If-Range: {old}")
        assert b" 200 " in head
        assert body == content("a'", 0, 1000)

    def test_keep_alive_and_its_end(self, server: FaultServer) -> None:
        urls = [server.blob(10, "a", "closeafter;requests=2") for _ in range(4)]
        subprocess.run(["curl", "-sf", *urls], check=True, capture_output=True)
        lines = [request.line for request in server.log]
        assert lines[0] == lines[1] != lines[2] == lines[3]

    def test_close_ends_stalled_and_throttled_connections(self) -> None:
        with FaultServer() as server:
            url = server.blob(10_000_000, "a", "throttle;rate=100000")
            for address in (url, server.blob(9, "a", "stall"), server.blob(9, "a", "silent")):
                sock = socket.create_connection(("127.0.0.1", server.port))
                sock.sendall(f"GET /{address.split('/', 3)[3]} HTTP/1.1\r\n\r\n".encode())
                sock.detach()
            until(lambda: len(server.log) == 3)
        assert server.open_lines == 0


class TestRepo:
    def test_lockfile_text_is_canonical(self) -> None:
        lockfile = pytest.importorskip("gitassets.lockfile")
        entries = {
            "b/ü.bin": pinned_bytes(b"x", "https://example.org/x", groups=["g"], executable=True),
            "a.bin": {**pinned(5, "s"), "from": "tiny:a.bin", "note": 'say "hi"\n'},
        }
        text = lockfile_text(
            entries,
            {"main": "https://example.org/o"},
            {"tiny": ("https://example.org/main", "https://example.org/1")},
        )
        assert lockfile.dump(lockfile.load(text.encode())) == text

    def test_clone_and_worktree_hold_the_commit(self, repo: Repo, tmp_path: Path) -> None:
        repo.lock({"x.bin": pinned_bytes(b"x")})
        head = repo.commit("Pin")
        assert repo.status == ""
        for other in (repo.clone(tmp_path / "clone"), repo.worktree(tmp_path / "tree")):
            assert other.git("rev-parse", "HEAD") == head
            assert other.read("assets.lock.toml") == repo.read("assets.lock.toml")


class TestSeal:
    def test_only_loopback(self) -> None:
        with socket.socket() as sock, pytest.raises(AssertionError, match="wants to reach"):
            sock.connect(("192.0.2.1", 80))

    def test_the_environment_is_ours(self, tmp_path: Path) -> None:
        assert os.environ["HOME"] == str(tmp_path / "home")
        assert "GIT_DIR" not in os.environ
        done = subprocess.run(["git", "rev-parse", "--git-dir"], capture_output=True, check=False)
        assert done.returncode == 128

    def test_git_finds_the_command(self, program_directory: Path) -> None:
        assert (program_directory / "git-assets").exists()
        assert os.environ["PATH"].startswith(str(program_directory))

    def test_what_stays_is_found(
        self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The control of the seal: a process and a thread that outlive their test are errors."""
        tests = Path(__file__).parent
        monkeypatch.setenv("PYTHONPATH", str(tests))
        text = (tests / "conftest.py").read_text()
        pytester.makeconftest(text.replace("GRACE = 5.0", "GRACE = 0.2"))
        pytester.makepyfile(
            """
            import subprocess, threading
            def test_process():
                subprocess.run("sleep 30 & echo $! >> ../../pids", shell=True, check=True)
            def test_thread():
                threading.Thread(target=threading.Event().wait, args=(7,), daemon=True).start()
            def test_clean():
                subprocess.run(["true"], check=True)
            """
        )
        result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "-p", "no:xdist")
        for pids in pytester.path.rglob("pids"):
            for pid in pids.read_text().split():
                os.kill(int(pid), signal.SIGKILL)
        result.assert_outcomes(passed=3, errors=2)
        result.stdout.fnmatch_lines(["*Failed: left running:*sleep*30*", "*Failed: threads left:*"])


class TestProcess:
    def test_kill_takes_the_children_too(self, tmp_path: Path) -> None:
        code = "import subprocess, sys; print('up', flush=True); subprocess.run(['sleep', '60'])"
        with Background([sys.executable, "-c", code], tmp_path, tmp_path / "log") as program:
            program.until(lambda: "up" in program.stdout)
            program.until(lambda: descendants(program.pid))
            (child,) = descendants(program.pid)
            program.kill()
            assert not program.running
            until(lambda: not argv(child))


class TestSink:
    def test_ranges_merge_and_breaches_are_kept(self, tmp_path: Path) -> None:
        sink = FileSink(tmp_path / "file", 100)
        assert sink.missing() == [(0, 100)]
        sink.preload("s", [(0, 10), (20, 30), (10, 12)])
        assert sink.missing() == [(12, 20), (30, 100)]
        sink.write(12, [content("s", 12, 20), content("s", 20, 100)])
        assert sink.wrong("s") == []
        sink.write(99, [b"xy"])
        assert sink.breaches
        sink.restart()
        assert sink.missing() == [(0, 100)]
        sink.write(0, [b"\0" * 100])
        assert "wrong bytes" in sink.wrong("s")


class TestCli:
    def test_is_run_as_a_user_runs_it(self, cli: Cli, repo: Repo) -> None:
        assert "git assets" in cli("version", cwd=repo.path).stdout
        failed = cli("no-such-verb", cwd=repo.path, check=129)
        assert failed.code == 129
        assert failed.stderr
        with pytest.raises(AssertionError, match="instead of 0"):
            cli("no-such-verb", cwd=repo.path)
