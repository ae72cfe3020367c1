"""The aria2c process of one run: found, checked, started, confined, stopped.

Nothing of the lockfile is in its argv, and nothing of the user's environment in it but what the
loader needs: no aria2.conf, no netrc, no proxy. The secret of its RPC port goes through a file of
mode 0600 that is gone when `Process` has been made.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from gitassets.engines import confine
from gitassets.engines.aria2_rpc import Gone, Refused, Rpc
from gitassets.engines.programs import environment, find, version

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST = (1, 36)
"""Below it control files are not synced with the data (aria2 1.36 release notes)."""
_START_TIMEOUT = 15.0
"""Seconds until its port must be open."""
_PORTS = 8
"""Ports to try: each may be taken between our look and aria2c's bind."""
_LEAST_LIMIT = 64 << 20
"""Bytes that any file may have: the log and control files are under the limit too."""
_NO_LIMIT = 1 << 62
"""Where a limit cannot be raised later (everywhere but on Linux)."""
_BOUND = re.compile(r"IPv4 RPC: (listening on|failed to bind) TCP port")
_FLAGS = (
    "--no-netrc=true",
    "--enable-rpc=true",
    "--rpc-listen-all=false",
    "--rpc-allow-origin-all=false",
    "--rpc-save-upload-metadata=false",
    "--follow-metalink=false",
    "--check-certificate=true",
    "--auto-save-interval=0",  # each save syncs the data (1.36); the file's holes are our map
    "--disk-cache=0",  # what it calls finished has been written
    "--file-allocation=none",  # the staging file has its size already
    "--max-download-result=1000",
    "--summary-interval=0",
    "--log-level=notice",
    "--quiet=true",
)
_TORRENT_FLAGS = (
    "--follow-torrent=false",
    "--enable-dht=false",
    "--enable-dht6=false",
    "--bt-enable-lpd=false",
)
"""Only where BitTorrent is compiled in: an option that is not known ends aria2c with 28."""


def unavailable() -> str | None:
    """Say why there is no aria2c to work with, or None."""
    program = find("aria2c")
    if program is None:
        return "aria2c is not installed"
    try:
        _features(program)
    except Gone as error:
        return str(error)
    return None


@lru_cache(maxsize=4)
def _features(program: str) -> frozenset[str]:
    """Ask `program` what is compiled in. Raises Gone when it cannot be used."""
    try:
        said = version(program)
    except OSError as error:
        raise Gone(f"'{program}' cannot be used: {error.strerror}") from error
    found = re.match(r"aria2 version (\d+)\.(\d+)", said)
    # Another major version is another program: aria2-next (3.x) ends with 0 over a file with holes.
    if not found or int(found[1]) != OLDEST[0]:
        raise Gone(f"'{program}' is not aria2 1.x")
    if (int(found[1]), int(found[2])) < OLDEST:
        raise Gone(f"'{program}' is {found[0]}, older than 1.36")
    features = re.search(r"^Enabled Features: (.*)$", said, re.MULTILINE)
    names = frozenset(features[1].split(", ")) if features else frozenset[str]()
    if "Metalink" not in names:
        raise Gone(f"'{program}' was built without Metalink")
    return names


class Process:
    """aria2c, answering. It writes below `directory` only, where the platform can see to that."""

    def __init__(self, directory: Path, jobs: int, ca_file: str | None) -> None:
        """Start it, for `jobs` downloads at once. Raises Gone."""
        program = find("aria2c")
        if program is None:
            raise Gone("aria2c is not installed")
        flags = [*_FLAGS, *(_TORRENT_FLAGS if "BitTorrent" in _features(program) else ())]
        if ca_file is not None:
            flags.append(f"--ca-certificate={ca_file}")
        flags.append(f"--max-concurrent-downloads={jobs}")
        # aria2c parses its arguments as lines of a configuration file (`src/OptionParser.cc`).
        if any("\n" in flag or "\r" in flag for flag in flags):
            raise Gone("a newline in the name of the CA file")
        self.directory = directory
        self._limit = _LEAST_LIMIT if hasattr(resource, "prlimit") else _NO_LIMIT
        for _ in range(_PORTS):
            if self._start(program, flags):
                return
        raise Gone("aria2c finds no free port on 127.0.0.1")

    def _start(self, program: str, flags: list[str]) -> bool:
        """Try one port; False when another program took it first. Raises Gone."""
        with _private_directory() as private:
            port, secret = _free_port(), secrets.token_urlsafe(32)
            conf, log = private / "conf", private / "log"
            with open(conf, "x", encoding="ascii", opener=_owner_only) as file:
                file.write(f"rpc-listen-port={port}\nrpc-secret={secret}\n")
            log.touch(mode=0o600)
            self._process = subprocess.Popen(
                [
                    sys.executable, "-I", "-S", confine.__file__,
                    str(os.getpid()), str(self._limit), str(self.directory), str(private), "--",
                    program, f"--conf-path={conf}", f"--log={log}",
                    f"--stop-with-process={os.getpid()}", *flags,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self.directory,
                env=environment(str(private)),
                start_new_session=True,  # the terminal's Ctrl-C is for us alone
            )  # fmt: skip
            self.rpc = Rpc(port, secret, self._alive)
            try:
                # Without IPv4 it would go on with [::1], and 127.0.0.1 would be somebody else's.
                if not self._listens(log):
                    self.stop()
                    return False
                # It reads its configuration before it opens the port. The log holds URLs: no more.
                self.rpc.call("changeGlobalOption", {"log": ""})
            except Refused as error:
                self.stop()
                raise Gone(f"aria2c refuses to be driven: {error}") from error
            except BaseException:
                self.stop()
                raise
        return True

    def _listens(self, log: Path) -> bool:
        deadline = time.monotonic() + _START_TIMEOUT
        while time.monotonic() < deadline:
            ended = self._process.poll()
            found = _BOUND.search(log.read_text(encoding="utf-8", errors="replace"))
            if found:
                return found[1] == "listening on"
            if ended is not None:
                raise Gone(f"aria2c ended at once ({_told(ended)})")
            time.sleep(0.002)
        raise Gone("aria2c does not open its port")

    def allow(self, size: int) -> None:
        """Let files have `size` bytes; a file that grows beyond the largest ends the process."""
        if size > self._limit:
            with contextlib.suppress(OSError, ValueError):  # dead: the next call says so
                _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
                resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, hard))
            self._limit = size

    def _alive(self) -> bool:
        return self._process.poll() is None

    def status(self) -> str:
        """Say how it ended, or that it is silent."""
        try:
            return _told(self._process.wait(timeout=1))
        except subprocess.TimeoutExpired:
            return "silent"

    def stop(self) -> None:
        """Leave no process, no port; nothing is saved, because nothing is only in its memory."""
        self.rpc.close()
        if self._alive():
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _told(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"status {code}"


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextlib.contextmanager
def _private_directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="git-assets-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
