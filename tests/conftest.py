"""The seal around every test, and the fixtures that all tests share."""

from __future__ import annotations

import json
import os
import pwd
import shlex
import signal
import socket
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from support import process
from support.repo import Repo
from support.server import FaultServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytest_plugins = ["pytester"]

CHECKOUT = Path(__file__).resolve().parent.parent
MARK = "GIT_ASSETS_TEST"
"""In the environment of whatever a test starts, so that what it leaves behind can be found."""

FOREIGN = ("GIT_", "HF_", "AWS_", "GOOGLE_", "AZURE_", "XDG_", "RCLONE_", "ARIA2", "CURL_", "SSL_")
NAMES = (
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "NETRC"),
    *("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CI", "PAGER", "EDITOR", "VISUAL", "LANGUAGE"),
)
GITCONFIG = """\
[user]
    name = A U Thor
    email = author@example.com
[init]
    defaultBranch = main
[gc]
    auto = 0
[maintenance]
    auto = false
[advice]
    detachedHead = false
"""
GRACE = 5.0
"""Seconds that what is ending when a test ends may take."""
PRIVATE = (".cache/git-assets", ".config/git-assets", ".cache/huggingface", ".gitconfig")
"""Of the real home: what no test may change."""


@pytest.fixture(scope="session")
def foreign_names() -> list[str]:
    """List the variables of the environment that no test may see."""
    # From a hook in a linked work tree GIT_DIR beats the current directory: `git init` in a
    # temporary directory would then rewrite the real repository.
    local = subprocess.run(
        ["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True
    ).stdout.split()
    return [*local, *NAMES, *(name for name in os.environ if name.startswith(FOREIGN))]


@pytest.fixture(scope="session")
def program_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a directory for PATH with `git-assets` in it, installed or not."""
    directory = tmp_path_factory.mktemp("bin")
    installed = Path(sys.executable).parent / "git-assets"
    program = directory / "git-assets"
    if installed.exists():
        program.symlink_to(installed)
        return directory
    run = f"PYTHONPATH={shlex.quote(str(CHECKOUT))} exec {shlex.quote(sys.executable)} -m gitassets"
    program.write_text(f'#!/bin/sh\n{run} "$@"\n')
    program.chmod(0o755)
    return directory


@pytest.fixture(autouse=True)
def sealed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    foreign_names: list[str],
    program_directory: Path,
) -> Iterator[None]:
    """Give each test a home, a cache and an environment of its own; see what it leaves behind."""
    for name in foreign_names:
        monkeypatch.delenv(name, raising=False)
    home, nowhere, mark = tmp_path / "home", tmp_path / "nowhere", uuid.uuid4().hex
    home.mkdir()
    nowhere.mkdir()
    (home / ".gitconfig").write_text(GITCONFIG)
    for name, value in {
        "HOME": home,
        "USERPROFILE": home,
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_CACHE_HOME": home / ".cache",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": home / ".gitconfig",
        "GIT_CEILING_DIRECTORIES": tmp_path,
        "GIT_ASSETS_CACHE": tmp_path / "cache",
        "GIT_ALLOW_PROTOCOL": "file",
        "GIT_TERMINAL_PROMPT": "0",
        # An editor that nobody expects fails at once.
        "GIT_EDITOR": "false",
        "GIT_AUTHOR_DATE": "1700000000 +0000",
        "GIT_COMMITTER_DATE": "1700000000 +0000",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "COLUMNS": "80",
        "TERM": "dumb",
        "PATH": f"{program_directory}{os.pathsep}{os.environ['PATH']}",
        MARK: mark,
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(nowhere)
    _only_loopback(monkeypatch)
    private, before, threads = _private(), process.pids(), set(threading.enumerate())
    yield
    entry = f"{MARK}={mark}".encode()

    def left() -> list[int]:
        new = process.pids() - before
        return [p for p in new if process.parent(p) == os.getpid() or process.has_environ(p, entry)]

    _settle(lambda: not left(), lambda: f"left running: {[(p, process.argv(p)) for p in left()]}")
    _settle(
        lambda: not set(threading.enumerate()) - threads,
        lambda: f"threads left: {set(threading.enumerate()) - threads}",
    )
    assert _private() == private, "the test has changed the real home directory"


def _settle(quiet: Any, complaint: Any) -> None:
    try:
        process.until(quiet, GRACE)
    except AssertionError:
        pytest.fail(complaint())


def _private() -> list[tuple[int, int] | None]:
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    return [_seen(home / name) for name in PRIVATE]


def _seen(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    def guard(name: str) -> None:
        real = getattr(socket.socket, name)

        def connect(self: socket.socket, address: Any) -> Any:
            if self.family != socket.AF_UNIX:
                host = str(address[0])
                if not (host.startswith("127.") or host in {"::1", "localhost"}):
                    raise AssertionError(f"a test wants to reach {address}")
            return real(self, address)

        monkeypatch.setattr(socket.socket, name, connect)

    guard("connect")
    guard("connect_ex")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """Start a fault server for one test."""
    with FaultServer() as running:
        yield running


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """Make a repository with one commit."""
    return Repo.init(tmp_path / "repo")


@dataclass(frozen=True)
class Result:
    """What a program that was run has to show."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """Parse the standard output."""
        return json.loads(self.stdout)


class Cli(Protocol):
    """Runs `git assets …` to its end."""

    def __call__(
        self,
        *args: str,
        cwd: Path | None = None,
        check: bool | int = ...,
        env: Mapping[str, str] | None = None,
        data: str = "",
    ) -> Result: ...


@pytest.fixture
def cli() -> Cli:
    """Run the command as a user does.

    `check=True` demands exit status 0, a number that status, `check=False` takes any.
    """

    def run(
        *args: str,
        cwd: Path | None = None,
        check: bool | int = True,
        env: Mapping[str, str] | None = None,
        data: str = "",
    ) -> Result:
        running = subprocess.Popen(
            ["git", "assets", *args],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            start_new_session=True,
        )
        try:
            out, err = running.communicate(data, timeout=120)
        except BaseException:
            os.killpg(running.pid, signal.SIGKILL)
            running.communicate()
            raise
        result = Result(running.returncode, out, err)
        wanted = 0 if check is True else check
        if check is not False and result.code != wanted:
            text = f"git assets {' '.join(args)}: {result.code} instead of {wanted}"
            raise AssertionError(f"{text}\n{out}\n{err}")
        return result

    return run
