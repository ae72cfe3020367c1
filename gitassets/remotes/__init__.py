"""The remotes by URL scheme: one line each, imported when one is used.

Which remotes there are is said by git config alone (`assets.remote.NAME.url`), never by a committed
file: a lockfile chooses no place that anything is pushed to.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from gitassets.config import PUSH_DEFAULT
from gitassets.errors import ConfigError, UsageError
from gitassets.model import Url
from gitassets.remotes.base import Named
from gitassets.urls import redacted
from gitassets.values import remote_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitassets.config import Config
    from gitassets.remotes.base import Remote, Surroundings

__all__ = ["REMOTES", "Named", "address", "chosen", "configured", "connect", "readable"]

REMOTES = {
    "file": "gitassets.remotes.directory:Directory",
    "http": "gitassets.remotes.web:Web",
    "https": "gitassets.remotes.web:Web",
    "s3": "gitassets.remotes.bucket:Bucket",
    "gs": "gitassets.remotes.bucket:Bucket",
    "az": "gitassets.remotes.bucket:Bucket",
}
_KEY = re.compile(r"assets\.remote\.(.+)\.(url|publicurl)")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
"""Two letters at least: `C:` is a drive."""


def address(text: str, here: Path) -> str:
    """Read the place that a user names: a URL of a known scheme, or a directory, made absolute.

    Raises ValueError.
    """
    found = _SCHEME.match(text)
    if not found:
        if not text:
            raise ValueError("empty")
        return os.path.normpath(here / os.path.expanduser(text))  # noqa: PTH111 - no symlink is resolved
    url = Url(text)
    if url.scheme not in REMOTES:
        known = " ".join(sorted(REMOTES))
        raise ValueError(f"nothing can be pushed to '{url.scheme}:' (known: {known}, a directory)")
    if "?" in url or "#" in url:
        raise ValueError("a remote's URL ends with its path, without ? or #")
    return url.rstrip("/")


def configured(config: Config) -> dict[str, Named]:
    """Give the remotes of git config by name. Raises ConfigError."""
    return {name: _named(name, row) for name, row in _rows(config).items()}


def _rows(config: Config) -> dict[str, dict[str, str]]:
    """Give what git config says of each remote that has a URL."""
    rows: dict[str, dict[str, str]] = {}
    for key, value in config.rows:
        if found := _KEY.fullmatch(key):
            rows.setdefault(found[1], {})[found[2]] = value or ""
    return {name: row for name, row in sorted(rows.items()) if "url" in row}


def _named(name: str, row: Mapping[str, str]) -> Named:
    url = row["url"]
    public = row.get("publicurl")
    try:
        # A relative path that somebody wrote by hand would depend on where the command starts.
        place = address(url, Path("/"))
        return Named(remote_name(name), place, Url(public) if public else None)
    except ValueError as error:
        raise ConfigError(f"assets.remote.{name}.url", redacted(url), str(error)) from error


def chosen(config: Config, name: str | None) -> Named:
    """Give the remote of that name, or the default, or the only one. Raises UsageError."""
    known = configured(config)
    name = name or config.get(PUSH_DEFAULT)
    if not name:
        if len(known) == 1:
            return next(iter(known.values()))
        which = f"which of {', '.join(known)}? --to REMOTE" if known else "there is no remote"
        raise UsageError(which, hint="git assets remote add NAME URL" if not known else None)
    if name not in known:
        raise UsageError(f"there is no remote '{name}'", hint="git assets remote list")
    return known[name]


def readable(config: Config) -> tuple[Url, ...]:
    """Give where this user can read what was pushed, each to be followed by an object's place.

    A setting that cannot be read is left out: it is the business of `push`, not of a pull.
    """
    found = []
    for name, row in _rows(config).items():
        with suppress(ConfigError):
            named = _named(name, row)
            plain = named.url if _SCHEME.match(named.url) else "file://" + quote(named.url)
            found.append(Url((named.public or plain).rstrip("/")))
    return tuple(found)


def connect(named: Named, surroundings: Surroundings) -> Remote:
    """Make the remote; nothing is asked yet.

    Raises UsageError when there is none for its scheme, or its library is not installed.
    """
    found = _SCHEME.match(named.url)
    scheme = found[1] if found else "file"
    if scheme not in REMOTES:
        raise UsageError(f"nothing can be pushed to '{scheme}:'")
    module, _, attribute = REMOTES[scheme].partition(":")
    made = getattr(import_module(module), attribute)(named, surroundings)
    return cast("Remote", made)
