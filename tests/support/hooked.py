"""A repository whose lockfile moves between versions of files that the cache has."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tomli

from support.content import digest
from support.repo import LOCKFILE, lockfile_text, pinned_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.repo import Repo


def content(path: str, version: int) -> bytes:
    """Make the bytes of an asset."""
    return f"{path} in version {version}\n".encode() * 40


def keep(data: bytes) -> None:
    """Put an object into the cache, as an earlier pull has."""
    name = digest(data)
    place = Path(os.environ["GIT_ASSETS_CACHE"], "sha256", name[:2], name[2:])
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not place.exists():
        place.write_bytes(data)
        place.chmod(0o444)


def lockfile(files: Mapping[str, int], *, cached: bool = True) -> str:
    """Write a lockfile that pins versions of files."""
    for path, version in files.items():
        if cached:
            keep(content(path, version))
    return lockfile_text({path: pinned_bytes(content(path, each)) for path, each in files.items()})


QUIET = ("-c", "core.hooksPath=/dev/null")


@dataclass
class World:
    """The repository, and what its hooks have started."""

    repo: Repo
    log: Path

    def git(self, *args: str, check: bool = True, data: str | None = None) -> str:
        return self.repo.git(*args, check=check, data=data)

    def commit(self, files: Mapping[str, int], message: str = "Pin", **more: str) -> str:
        """Commit a lockfile without any hook."""
        self.repo.write(LOCKFILE, lockfile(files))
        for name, text in more.items():
            self.repo.write(name, text)
        self.git("add", "-A")
        self.git(*QUIET, "commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def quietly(self, *args: str) -> str:
        return self.git(*QUIET, *args)

    def acted(self) -> list[str]:
        """List the events for which Python was started, and forget them."""
        text = self.log.read_text() if self.log.exists() else ""
        self.log.unlink(missing_ok=True)
        return text.split()

    def wrong(self, path: Path | None = None) -> dict[str, str]:
        """Tell what in the work tree is not what the lockfile pins."""
        top = path or self.repo.path
        pins = tomli.loads((top / LOCKFILE).read_text()).get("asset", {})
        found = {name.name: digest(name.read_bytes()) for name in top.glob("*.bin")}
        wanted = {name: asset["sha256"] for name, asset in pins.items()}
        names = found.keys() | wanted.keys()
        return {
            name: f"{found.get(name)} is not {wanted.get(name)}"
            for name in names
            if found.get(name) != wanted.get(name)
        }


def run(*args: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program; its output as text."""
    return subprocess.run(
        args, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
