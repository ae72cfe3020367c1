"""What Git LFS leaves in a clone once nothing is stored with it: hooks and settings, taken away.

Of a hook only the lines that git-lfs wrote go; a file that holds nothing else goes with them. What
is not this clone's own (global settings, a hooks directory in the work tree) is only named. Doing
it twice is the same as doing it once, so a killed run is repeated, not repaired.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gitassets.beneath import Root
from gitassets.errors import Blocked
from gitassets.history import debris

if TYPE_CHECKING:
    from pathlib import Path

    from gitassets.gitpipes import Pipes

__all__ = [
    "NAMES", "Hook", "Leftovers", "find", "hooks_directory", "read", "remove", "settings",
    "without_lines",
]  # fmt: skip

EVENTS: Final = ("pre-push", "post-checkout", "post-commit", "post-merge")
"""The hooks that `git lfs install` writes."""
_MOVED: Final = ".local"
"""Behind the name of a hook that was there before ours, which ours runs first."""
NAMES: Final = tuple(event + suffix for event in EVENTS for suffix in ("", _MOVED))
_THEIRS: Final = re.compile(
    rb"""command\ -v\ git-lfs\ >/dev/null\ 2>&1\ \|\|\ \{
         \ (?:echo|printf)\ >&2(?:\ "[^"\n]*")+;\ exit\ [0-9]+;\ \}
       | git\ lfs\ (?:pre-push|post-checkout|post-commit|post-merge)\ (?:"\$@"|\$\*)
       | git\ lfs\ push\ --stdin\ (?:"\$@"|\$\*)""",
    re.VERBOSE,
)
"""Every line that any git-lfs since 0.5 wrote into a hook (its `lfs/hook.go`)."""
_SETTINGS: Final = r"^(lfs\.|filter\.lfs\.|remote\..*\.lfs(push)?url$)"


@dataclass(frozen=True, slots=True)
class Hook:
    """One script and what it becomes; None: it goes."""

    name: str
    before: bytes
    after: bytes | None


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What is there; `left` are sentences about what is not ours to remove."""

    directory: Path
    hooks: tuple[Hook, ...]
    settings: tuple[tuple[str, str], ...]
    """Key and value in this repository's own configuration; a key may stand more than once."""
    left: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.hooks or self.settings)


def find(pipes: Pipes, top: Path | None) -> Leftovers:
    """Look for hooks and settings; `top` is the main work tree. Raises GitError, OSError."""
    directory = hooks_directory(pipes, top)
    hooks, left = _hooks(directory)
    if hooks and not directory.is_relative_to(pipes.git_dir):
        names = ", ".join(hook.name for hook in hooks)
        left.append(f"'{directory}' is not this clone's own: remove the LFS lines of {names} there")
        hooks = []
    if settings(pipes, "--global"):
        left.append("LFS is still set up in your global configuration: git lfs uninstall")
    return Leftovers(directory, tuple(hooks), tuple(settings(pipes, "--local")), tuple(left))


def remove(pipes: Pipes, found: Leftovers) -> list[str]:
    """Take it away; gives the names of hooks that somebody changed since, which stay.

    Raises GitError, OSError.
    """
    changed = []
    if found.hooks:
        debris.clear(found.directory)
        with Root(found.directory) as root:
            changed = [hook.name for hook in found.hooks if not _replace(root, hook)]
    for key in dict.fromkeys(key for key, _ in found.settings):
        pipes.run("config", "--local", "--unset-all", key, ok=(0, 5))  # 5: it is gone already
    return changed


def hooks_directory(pipes: Pipes, top: Path | None) -> Path:
    """Give where git looks for hooks; `top` is the main work tree. Raises GitError."""
    # Every command of ours sets core.hooksPath, too: the last value is ours.
    out = pipes.run("config", "--null", "--type=path", "--get-all", "core.hooksPath")
    values = os.fsdecode(out).split("\0")[:-2]
    return (top or pipes.git_dir) / values[-1] if values else pipes.git_dir / "hooks"


def without_lines(text: bytes) -> bytes | None:
    """Give a script without the lines of git-lfs; None when it has nothing else to do."""
    rows = text.splitlines(keepends=True)
    kept = [row for row in rows if not _THEIRS.fullmatch(row.strip())]
    if len(kept) == len(rows):
        return text
    speaks = [row for row in kept[kept[:1] == rows[:1] :] if row.strip()]
    return b"".join(kept) if speaks or not kept or not kept[0].startswith(b"#!") else None


def _hooks(directory: Path) -> tuple[list[Hook], list[str]]:
    found: list[Hook] = []
    left: list[str] = []
    if not directory.is_dir():
        return found, left
    with Root(directory) as root:
        for name in NAMES:
            text = read(root, name)
            if text is None:
                continue
            after = without_lines(text)
            if after != text:
                found.append(Hook(name, text, after))
            if after and re.search(rb"\bgit[ -]lfs\b", after):
                left.append(f"the hook '{name}' still calls git-lfs in a line of its own")
    return found, left


def _replace(root: Root, hook: Hook) -> bool:
    """Put one hook into its new state; False when it is neither in that nor in its old one."""
    now = read(root, hook.name)
    if now == hook.after:
        return True
    if now != hook.before:
        return False
    if hook.after is None:
        root.remove(hook.name, prune=False)
    else:
        root.write_atomic(hook.name, hook.after)
    return True


def read(root: Root, name: str) -> bytes | None:
    """Give a script's bytes; None when there is none, or something else than a file."""
    with suppress(FileNotFoundError, Blocked), os.fdopen(root.open_read(name), "rb") as file:
        return file.read()
    return None


def settings(pipes: Pipes, *scope: str) -> list[tuple[str, str]]:
    """Give LFS's settings in one scope, such as --local; a key may come more than once."""
    # 1: nothing matches; 128 with --global: there is no such file.
    out = pipes.run("config", *scope, "--null", "--get-regexp", _SETTINGS, ok=(0, 1, 128))
    rows = [record.partition("\n") for record in os.fsdecode(out).split("\0")[:-1]]
    return [(key, value) for key, _, value in rows]
