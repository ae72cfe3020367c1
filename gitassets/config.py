"""Every setting: its key, its environment variable, its type and its default, in one table.

Options come before the environment, the environment before git config, git config before the
default. Nothing here is ever read from a committed file.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gitassets import git
from gitassets.errors import ConfigError
from gitassets.values import (
    count,
    flag,
    hub_mirror,
    link_modes,
    one_of,
    place,
    remote_name,
    seconds,
    size,
    speed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gitassets.urls import Url

__all__ = ["SETTINGS", "Config", "Setting", "count", "read", "seconds", "size"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One thing that a user can turn."""

    key: str
    """In git config; unset keys of other case are the same key, as in git."""
    default: T
    read: Callable[[str], T]
    environment: str | None
    about: str


CACHE = Setting("assets.cacheDir", "", str, "GIT_ASSETS_CACHE", "where the shared cache is")
ENGINE = Setting(
    "assets.engine", "auto", one_of("auto", "aria2c", "curl", "wget"), "GIT_ASSETS_ENGINE",
    "what moves the bytes: auto, aria2c, curl or wget",
)  # fmt: skip
SEGMENT_ABOVE = Setting(
    "assets.segmentAbove", 16 * 2**20, size, None, "auto uses aria2c from this size on"
)
JOBS = Setting("assets.jobs", 4, count, "GIT_ASSETS_JOBS", "large files at once (-j)")
CONNECTIONS = Setting(
    "assets.connections", 8, count, "GIT_ASSETS_CONNECTIONS", "connections for one large file (-x)"
)
LOW_SPEED = Setting(
    "assets.lowSpeed", (1024, 30.0), speed, "GIT_ASSETS_LOW_SPEED",
    "RATE/TIME: a connection slower than this for so long is dropped and resumed",
)  # fmt: skip
RETRY_CAP = Setting(
    "assets.retryCap",
    60.0,
    seconds,
    "GIT_ASSETS_RETRY_CAP",
    "longest Retry-After that is waited for",
)
LINK_MODE: Setting[tuple[str, ...]] = Setting(
    "assets.linkMode", ("reflink", "hardlink", "copy"), link_modes, "GIT_ASSETS_LINK_MODE",
    "how files of the cache appear in the work tree: a list, the first that works",
)  # fmt: skip
FSYNC = Setting(
    "assets.fsync",
    True,
    flag,
    "GIT_ASSETS_FSYNC",
    "make downloads durable before they count; false for CI",
)
ALLOW: Setting[tuple[str, ...]] = Setting(
    "assets.allow",
    (),
    lambda text: (text,),
    None,
    "a private host, host:port, or directory that may be used; repeated",
)
OFFLINE = Setting("assets.offline", False, flag, "GIT_ASSETS_OFFLINE", "no network at all")
GC_GRACE = Setting(
    "assets.gcGrace", 30 * 86400.0, seconds, None,
    "how long a clone that cannot be reached still counts for cache gc",
)  # fmt: skip
PROGRESS = Setting(
    "assets.progress", "auto", one_of("auto", "always", "never", "json"), "GIT_ASSETS_PROGRESS",
    "auto, always, never or json",
)  # fmt: skip
HOOK = Setting(
    "assets.hook", "fetch", one_of("fetch", "verify", "off"), None,
    "what a branch switch does: fetch, verify (no network) or off",
)  # fmt: skip
HOOK_LIMIT = Setting("assets.hookLimit", 2**30, size, None, "bytes that one hook downloads at most")
HOOK_STRICT = Setting(
    "assets.hookStrict", False, flag, None, "let git report a hook that could not bring everything"
)
GUARD_ABOVE = Setting(
    "assets.guardAbove", 50 * 2**20, size, None,
    "the pre-commit guard refuses files that are larger",
)  # fmt: skip
MIN_SOURCES = Setting(
    "assets.minSources", 1, count, None,
    "places that must serve each asset, for push --check and verify --remote",
)  # fmt: skip
PUSH_DEFAULT = Setting(
    "assets.pushDefault", "", remote_name, None, "the remote that is meant when none is named"
)

TEAM_CACHE: Setting[Url | None] = Setting(
    "assets.teamCache", None, place, "GIT_ASSETS_TEAM_CACHE",
    "a URL or directory that holds objects by content, asked before the origin",
)  # fmt: skip
TEAM_CACHE_MODE = Setting(
    "assets.teamCacheMode", "read", one_of("read", "write", "readwrite"), None,
    "whether the team cache is read, filled, or both",
)  # fmt: skip
HF_MIRROR = Setting(
    "assets.hfMirror", "locale", hub_mirror, "GIT_ASSETS_HF_MIRROR",
    "auto, or a URL: use a mirror of the Hugging Face Hub when it answers first; never; "
    "locale: auto where the locale or time zone is Chinese",
)  # fmt: skip
ORIGIN = Setting(
    "assets.origin", "auto", one_of("auto", "never"), "GIT_ASSETS_ORIGIN",
    "never: only mirrors and the team cache are asked, not the URLs of the lockfile",
)  # fmt: skip

SETTINGS: tuple[Setting[Any], ...] = (
    CACHE, ENGINE, SEGMENT_ABOVE, JOBS, CONNECTIONS, LOW_SPEED, RETRY_CAP, LINK_MODE, FSYNC, ALLOW,
    OFFLINE, GC_GRACE, PROGRESS, HOOK, HOOK_LIMIT, HOOK_STRICT, GUARD_ABOVE, TEAM_CACHE,
    TEAM_CACHE_MODE, HF_MIRROR, ORIGIN,
    MIN_SOURCES, PUSH_DEFAULT,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Config:
    """What git config and the environment say, read once."""

    rows: Sequence[tuple[str, str | None]] = ()
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def get(self, setting: Setting[T], option: T | None = None) -> T:
        """Give the value that wins. Raises ConfigError for one that cannot be read."""
        if option is not None:
            return option
        name, text = self.found(setting)
        if text is None:
            return setting.default
        try:
            return setting.read(text)
        except ValueError as error:
            bad = ConfigError(name, text, str(error))
            if name == setting.environment:
                bad.hint = f"unset {name}"
            raise bad from error

    def found(self, setting: Setting[Any]) -> tuple[str, str | None]:
        """Where the setting's text stands, and the text; None when nobody set it."""
        if setting.environment and self.environ.get(setting.environment):
            return setting.environment, self.environ[setting.environment]
        values = self.values(setting.key)
        return setting.key, values[-1] if values else None

    def values(self, key: str) -> list[str]:
        """Every value of a key that may be repeated, in git's order."""
        return [
            "true" if value is None else value
            for name, value in self.rows
            if name.lower() == key.lower()
        ]

    def cache_dir(self) -> Path:
        """The cache's place, absolute."""
        text = self.get(CACHE)
        if text:
            return Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111 - no symlink is resolved
        if base := self.environ.get("XDG_CACHE_HOME"):
            return Path(base) / "git-assets"
        from platformdirs import user_cache_path  # noqa: PLC0415 - the user's waiting

        return user_cache_path("git-assets", appauthor=False)

    def mirrors(self) -> tuple[tuple[str, str], ...]:
        """`assets.<prefix>.mirror`: (prefix, other prefix), in git's order. Raises ConfigError."""
        found = []
        for name, value in self.rows:
            if named := re.fullmatch(r"assets\.(.+)\.mirror", name, re.IGNORECASE):
                try:
                    target = place(value or "")
                except ValueError as error:
                    raise ConfigError(name, value or "", str(error)) from error
                found.append((named[1], str(target)))
        return tuple(found)

    def proxies(self) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        """Proxies by scheme, and the hosts that need none: git's order (http.proxy first)."""
        environ = self.environ
        ours = self.values("http.proxy")
        found: list[tuple[str, str]] = []
        for scheme in ("http", "https"):
            # Upper-case HTTP_PROXY could come from a CGI request header (httpoxy), so as in curl it
            # does not count; HTTPS_PROXY does.
            names = [
                f"{scheme}_proxy",
                *(["HTTPS_PROXY"] if scheme == "https" else []),
                "all_proxy",
                "ALL_PROXY",
            ]
            values = ours[-1:] or [environ[name] for name in names if environ.get(name)]
            if values and values[0]:
                found.append((scheme, values[0]))
        direct = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
        return tuple(found), tuple(part.strip() for part in direct.split(",") if part.strip())

    def ca_file(self) -> str | None:
        """The PEM bundle that the user named for git, or None."""
        return self.environ.get("GIT_SSL_CAINFO") or next(
            iter(self.values("http.sslcainfo")[-1:]), None
        )


def read() -> Config:
    """Ask git once for all of it; outside a repository only the user's own files count."""
    return Config(git.config())
