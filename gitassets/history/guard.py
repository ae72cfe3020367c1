"""What keeps old history from coming back: a pre-push hook, and the lines for a CI job.

A collaborator's `git pull && git push` with a stale clone joins both histories, and everything that
left is back. Whoever has a *first changed* commit, one that the migration rewrote and whose parents
it did not, has the old history. The hook reads their ids from this clone each time it runs.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from gitassets.beneath import Root
from gitassets.errors import Blocked
from gitassets.history import debris, lfs_leftovers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gitassets.gitpipes import Pipes

__all__ = ["FIRST_CHANGED", "HOOK", "ci", "install", "uninstall"]

HOOK: Final = "pre-push"
FIRST_CHANGED: Final = "assets/migrate/runs/*/first-changed"
"""Below the common git directory, one file a migration: one id a line."""
_ADVICE: Final = "run 'git assets migrate adopt origin'"
_BEGIN: Final = "# >>> git assets: no old history >>>\n"
_END: Final = "# <<< git assets: no old history <<<\n"
_FIRST_LINE: Final = b"#!/bin/sh\n"
_SHELL: Final = re.compile(rb"#![^\n]*\b(?:ba|da|k|z)?sh\b[^\n]*\n")
_BLOCK: Final = re.compile(
    re.escape(_BEGIN.encode()) + rb".*?" + re.escape(_END.encode()), re.DOTALL
)
# Whatever follows in the script, or is called by it, gets the list of refs as git gave it.
_TEXT: Final = f"""\
{_BEGIN}\
assets_refs=$(cat)
assets_old=$(
  set --
  for assets_file in "$(git rev-parse --git-common-dir)"/{FIRST_CHANGED}; do
    [ ! -s "$assets_file" ] || set -- "$@" -f "$assets_file"
  done
  [ $# -eq 0 ] ||
    printf '%s\\n' "$assets_refs" | while read -r _ assets_new _; do
      case $assets_new in *[!0]*) printf '%s\\n' "$assets_new" ;; esac
    done | GIT_NO_REPLACE_OBJECTS=1 git rev-list --stdin | grep -Fx "$@" || :
)
if [ -n "$assets_old" ]; then
  echo "error: this push would bring back the history from before the migration" >&2
  echo "hint: {_ADVICE}" >&2
  exit 1
fi
if [ -n "$assets_refs" ]; then
  exec <<GIT_ASSETS_REFS
$assets_refs
GIT_ASSETS_REFS
else
  exec </dev/null
fi
{_END}"""


def install(pipes: Pipes, top: Path | None) -> str | None:
    """Put the guard in front of what the pre-push hook does; `top` is the main work tree.

    Gives a sentence with what to do instead where the hook is not a shell script of this clone.
    Raises GitError, OSError.
    """
    directory = lfs_leftovers.hooks_directory(pipes, top)
    place = directory / HOOK
    if not directory.is_relative_to(pipes.git_dir):
        return f"'{place}' is not this clone's own; put these lines in front:\n{_TEXT}"
    directory.mkdir(exist_ok=True)
    debris.clear(directory)
    with Root(directory) as root:
        try:
            text = _read(root) or _FIRST_LINE
        except Blocked:
            return f"'{place}' is not a regular file; put these lines in front:\n{_TEXT}"
        first = _SHELL.match(text)
        if first is None:
            return f"'{place}' is no shell script; call one with these lines in front:\n{_TEXT}"
        rest = _BLOCK.sub(b"", text[first.end() :])
        root.write_atomic(HOOK, first[0] + _TEXT.encode() + rest, 0o755)
    return None


def uninstall(pipes: Pipes, top: Path | None) -> None:
    """Take the guard away; a hook that does nothing else goes. Raises GitError, OSError."""
    directory = lfs_leftovers.hooks_directory(pipes, top)
    if not directory.is_dir():
        return
    with suppress(Blocked), Root(directory) as root:
        text = _read(root)
        if text is None or not _BLOCK.search(text):
            return
        rest = _BLOCK.sub(b"", text)
        if rest == _FIRST_LINE:
            root.remove(HOOK, prune=False)
        else:
            root.write_atomic(HOOK, rest)


def ci(first: Iterable[str]) -> str:
    """Give the lines of a CI job that fails on old history; its clone must not be shallow."""
    words = " ".join(f"-e {name}" for name in first)
    return (
        f"if git rev-list HEAD | grep -qxF {words}; then\n"
        '  echo "This branch holds the history from before the migration." >&2\n'
        f'  echo "In the clone that it came from, {_ADVICE}." >&2\n'
        "  exit 1\n"
        "fi\n"
    )


def _read(root: Root) -> bytes | None:
    try:
        with os.fdopen(root.open_read(HOOK), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
