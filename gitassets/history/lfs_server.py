"""The LFS server of a repository, as a store that lockfiles can name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from gitassets.model import Url

if TYPE_CHECKING:
    from gitassets.gitpipes import Pipes

ID: Final = "lfs"
_SCP = re.compile(r"(?:[^@/]+@)?([A-Za-z0-9._-]+):(?!//)(.+)")
"""`git@host:path`, git's short form of an ssh URL (git-clone(1))."""


def table(pipes: Pipes) -> tuple[str, str] | None:
    """Give ID and URL; None when there is no server that speaks HTTP. Raises GitError."""
    url = (
        _config(pipes, "--get", "lfs.url")
        or _config(pipes, "--blob", "HEAD:.lfsconfig", "--get", "lfs.url")
        or endpoint(_config(pipes, "--get", "remote.origin.url"))
    )
    text = _with_scheme(url)
    try:
        return (ID, Url(text)) if text else None
    except ValueError:
        return None


def endpoint(remote: str) -> str:
    """Give where git-lfs would look for the server of a git remote (git-lfs-config(5)); or ""."""
    if found := _SCP.fullmatch(remote):
        remote = f"https://{found[1]}/{found[2].lstrip('/')}"
    parts = urlsplit(remote)
    if parts.scheme not in {"http", "https", "ssh", "git"} or not parts.hostname:
        return ""
    scheme = "http" if parts.scheme == "http" else "https"
    host = parts.hostname if parts.scheme in {"ssh", "git"} else parts.netloc.rpartition("@")[2]
    path = parts.path.rstrip("/")
    return f"{scheme}://{host}{path if path.endswith('.git') else path + '.git'}/info/lfs"


def _with_scheme(url: str) -> str:
    """Give the URL as a lockfile names it, without a user's name or password."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        return ""
    return f"lfs+{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


def _config(pipes: Pipes, *arguments: str) -> str:
    out = pipes.run("config", "--null", *arguments, ok=(0, 1, 128))
    return out.rstrip(b"\0").decode(errors="replace")
