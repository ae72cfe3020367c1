"""The servers of a run, on loopback: nginx when it is there, else the embedded one."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

LOOPBACK = Path(__file__).with_name("loopback.py")
_NGINX = """\
daemon off;
pid {place}/nginx.pid;
error_log {place}/error.log;
worker_processes auto;
{user}
events {{ worker_connections 4096; multi_accept on; }}
http {{
  log_format moved '$body_bytes_sent $request_uri';
  access_log {log} moved;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  default_type application/octet-stream;
  open_file_cache off;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {root}; }}
}}
"""


class Server:
    """One running server; `url` is its origin."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self.log = log

    def mark(self) -> int:
        """Give the log's length now."""
        return self.log.stat().st_size

    def sent(self, since: int) -> int:
        """Sum the bytes of bodies that were sent since a mark."""
        time.sleep(0.05)  # a worker logs an answer after the client has it
        with self.log.open("rb") as log:
            log.seek(since)
            return sum(int(line.split(b" ", 1)[0]) for line in log)

    def close(self) -> None:
        """Stop it and wait."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        else:
            self.process.terminate()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def start(root: Path, place: Path) -> Server:
    """Serve `root` as fast as this machine can; configuration and logs go to the new `place`."""
    program = nginx()
    return loopback(root, place) if program is None else _start_nginx(program, root, place)


def nginx() -> str | None:
    """Find nginx, also where only root's PATH looks."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def loopback(root: Path, place: Path, *options: str) -> Server:
    """Start the embedded server (see `loopback.py` for the options)."""
    place.mkdir()
    log = place / "access.log"
    process = subprocess.Popen(
        [sys.executable, str(LOOPBACK), f"--root={root}", f"--log={log}", *options],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    return Server(process, int(process.stdout.readline()), log)


def _start_nginx(program: str, root: Path, place: Path) -> Server:
    place.mkdir()
    log = place / "access.log"
    log.touch()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    # Root's workers would become another user, who may not read a scratch directory.
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    configuration = place / "nginx.conf"
    configuration.write_text(_NGINX.format(place=place, log=log, root=root, port=port, user=user))
    with (place / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [program, "-p", str(place), "-c", str(configuration)],
            stdin=subprocess.DEVNULL, stderr=stderr,
        )  # fmt: skip
    server = Server(process, port, log)
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                server.close()
                said = (place / "stderr").read_text(errors="replace")
                raise SystemExit(f"error: nginx does not start: {said}") from None
            time.sleep(0.02)
        else:
            return server
