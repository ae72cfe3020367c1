"""The ground that a run stands on: scratch directories, a clean environment, programs, servers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import serve
from benchmarks.run import Failed, Meter, compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.run import Contender, Measured, Samples

_GITCONFIG = """\
[user]
	name = Bench
	email = bench@example.org
[init]
	defaultBranch = main
[gc]
	auto = 0
[advice]
	detachedHead = false
"""


class Skipped(Exception):  # noqa: N818 - a state, not a mistake
    """A case cannot run here; the reason is for the table."""


class Bench:
    """One scratch directory and what runs in it; everything is gone after `close`."""

    def __init__(self, parent: Path, *, runs: int, quick: bool) -> None:
        self.runs = runs
        self.quick = quick
        self.file_system = file_system(parent)
        self.on_memory = self.file_system == "tmpfs"
        self.root = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
        self.served = self.root / "served"
        self.served.mkdir()
        self.environment = _environment(self.root)
        self.meter = Meter(self.root / "output", self.environment)
        self.origin = serve.start(self.served, self.root / "origin")
        self.servers = [self.origin]

    def close(self) -> None:
        """Stop the servers and remove everything."""
        self.meter.close()
        for server in self.servers:
            server.close()
        shutil.rmtree(self.root)

    def place(self, name: str) -> Path:
        """Give a case its own empty directory."""
        path = self.root / name
        path.mkdir()
        return path

    def clear(self) -> None:
        """Forget a case: its directory, what it had served, and its servers."""
        for server in self.servers[1:]:
            server.close()
        del self.servers[1:]
        for path in self.root.iterdir():
            if path.is_dir() and path.name not in {"served", "origin", "home"}:
                shutil.rmtree(path)
        for path in self.served.iterdir():
            shutil.rmtree(path)

    def count(self, full: int, quick: int) -> int:
        """Choose a size: `quick` shows only that the case runs."""
        return quick if self.quick else full

    def server(self, name: str, *options: str) -> serve.Server:
        """Start one more server for the case, over the same files."""
        server = serve.loopback(self.served, self.root / name, *options)
        self.servers.append(server)
        return server

    def git(self, cwd: Path, *arguments: str, **environment: str) -> str:
        """Run git, not timed. Raises Failed."""
        done = subprocess.run(
            ["git", *arguments], cwd=cwd, env={**self.environment, **environment},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise Failed(f"git {' '.join(arguments[:4])}: {done.stderr.strip()[-400:]}")
        return done.stdout

    def has(self, program: str) -> bool:
        """Tell whether a peer is installed."""
        return shutil.which(program, path=self.environment["PATH"]) is not None

    def need_verb(self, verb: str) -> None:
        """Raise Skipped when this version of the program does not have the verb."""
        if not has_verb(verb):
            raise Skipped(f"git assets has no '{verb}'")

    def once(self, contender: Contender) -> Measured:
        """Measure one run, and what the servers sent meanwhile."""
        if not self.on_memory:
            os.sync()  # the last run's dirty pages are not this one's
        marks = [server.mark() for server in self.servers]
        measured = self.meter.run(contender)
        moved = sum(map(serve.Server.sent, self.servers, marks))
        return type(measured)(measured.seconds, measured.processor, measured.peak, moved)

    def compare(self, contenders: Sequence[Contender], *, times: int = 1) -> Samples:
        """Run contenders in turn; `times` as often as usual, for what takes milliseconds."""
        here = [each for each in contenders if self.has(each.argv[0])]
        samples = compare(here, self.once, runs=self.runs * (1 if self.quick else times))
        for contender in contenders:
            if contender not in here:
                samples.missing[contender.name] = f"{contender.argv[0]} not found"
        return samples


@cache
def has_verb(verb: str) -> bool:
    """Ask the program that is measured."""
    asked = subprocess.run(["git", "assets", "help", verb], capture_output=True, check=False)
    return asked.returncode == 0


@cache
def interpreter() -> str:
    """Find the Python that runs git assets, from the program's first line."""
    program = shutil.which("git-assets")
    if program is None:
        raise SystemExit("error: git-assets is not on PATH\nhint: pip install .")
    with Path(program).open("rb") as source:
        first = source.readline().decode(errors="replace").strip()
    words = first.removeprefix("#!").split()
    return words[0] if words and "python" in words[0] else sys.executable


def file_system(path: Path) -> str:
    """Name the file system, as the kernel does (proc_pid_mountinfo(5)); elsewhere "unknown"."""
    best, kind = "", "unknown"
    try:
        mounts = Path("/proc/self/mountinfo").read_text()
    except OSError:
        return kind
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        mount = left.split()[4]
        inside = mount == "/" or path.resolve().is_relative_to(mount)
        if inside and len(mount) >= len(best):
            best, kind = mount, right.split()[0]
    return kind


def _environment(root: Path) -> dict[str, str]:
    home = root / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(_GITCONFIG)
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {
        **kept, "HOME": str(home), "LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0", "XDG_CACHE_HOME": str(home / ".cache"),
        "TMPDIR": str(root), "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(home / "dvc"),
    }  # fmt: skip
