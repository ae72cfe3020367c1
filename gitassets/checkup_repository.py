"""What `doctor` finds in the repository: live hooks, a canonical lockfile, ignored paths."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from gitassets import gitpaths, installation, lockfile
from gitassets.checkup import Finding
from gitassets.console import plural
from gitassets.errors import AssetsError
from gitassets.git import LOCKFILE
from gitassets.paths import ignore_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from gitassets.config import Config
    from gitassets.git import Place
    from gitassets.lockfile import Lockfile

_NAMED = 3
"""Paths that one line names."""


def hooks(settings: Config, place: Place) -> Finding:
    """Tell whether the hooks that were installed still run."""
    if why := installation.asleep(settings, place):
        return Finding("hooks", "warning", why, "git assets install")
    if settings.values("assets.hookDirectory"):
        return Finding("hooks", "ok", "live")
    return Finding("hooks", "ok", "not installed in this clone")


def pins(read: Callable[[], Lockfile], data: Callable[[], bytes], cwd: Path, top: Path) -> Finding:
    """Tell whether the lockfile can be read, and is as every command would write it."""
    try:
        found = read()
    except AssetsError as error:
        return Finding("lockfile", "problem", str(error), error.hint or f"git diff -- :/{LOCKFILE}")
    # core.autocrlf, which reading allows, too.
    text = data().replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape")
    if lockfile.dump(found) != text:
        why = "is not written as git assets writes it: merges conflict where they need not"
        return Finding("lockfile", "warning", why, _rewriting(found, cwd, top))
    return Finding("lockfile", "ok", f"{plural(len(found.assets), 'asset')}, canonical")


def _rewriting(found: Lockfile, cwd: Path, top: Path) -> str:
    """Give a command that changes nothing but the spelling."""
    asset = next(iter(found.assets.values()), None)
    if asset is None:
        return f"git checkout HEAD -- :/{LOCKFILE}"
    words = ["git", "assets", "set", os.path.relpath(top / asset.path, cwd)]
    for group in asset.groups or ("",):
        words += ["--group", group]
    return shlex.join(words)


def paths(pinned: Iterable[str], place: Place) -> list[Finding]:
    """Tell which assets git itself keeps, or would offer to."""
    wanted = list(pinned)
    if tracked := sorted(gitpaths.tracked(wanted, place)):
        names = [f":(top,literal){path}" for path in tracked[:_NAMED]]
        hint = shlex.join(["git", "rm", "-r", "--cached", "--", *names])
        return [Finding("paths", "problem", f"git tracks {_named(tracked)}", hint)]
    if loose := sorted(gitpaths.not_ignored(wanted, place)):
        lines = [ignore_line(path) for path in loose[:_NAMED]]
        target = shlex.quote(str(place.top / ".gitignore"))
        hint = f"printf '%s\\n' {shlex.join(lines)} >> {target}"
        return [Finding("paths", "warning", f"git does not ignore {_named(loose)}", hint)]
    return [Finding("paths", "ok", "all ignored, none tracked")]


def _named(found: list[str]) -> str:
    shown = ", ".join(f"'{path}'" for path in found[:_NAMED])
    more = len(found) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown
