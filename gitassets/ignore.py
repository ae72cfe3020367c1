"""The managed block of `.gitignore` files: git ignores exactly the assets, wherever a rule stands.

A root rule loses against a nested `!*.bin`, because git lets the last line of the deepest file win
(gitignore(5)); so a line goes into the deepest `.gitignore` on the way to the asset. Text in, text
out: who writes it is not this module's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets.paths import ignore_line

if TYPE_CHECKING:
    from collections.abc import Iterable

BEGIN = "# git assets: begin (managed, do not edit)"
END = "# git assets: end"


def home(path: str, have: Iterable[str]) -> str:
    """Give the directory whose `.gitignore` speaks for `path`: the deepest of `have` above it.

    Directories are relative to the top, "" being the top itself, which needs no file yet.
    """
    known = set(have)
    directory = path.rpartition("/")[0]
    while directory and directory not in known:
        directory = directory.rpartition("/")[0]
    return directory


def updated(text: str, directory: str, *, add: Iterable[str], drop: Iterable[str]) -> str:
    """Give the text of `directory`'s `.gitignore` with lines for `add` and without those of `drop`.

    Paths are relative to the top and lie below `directory`. Everything outside the block stays as
    it was, byte for byte; a block that becomes empty goes.
    """
    cut = len(directory) + 1 if directory else 0
    before, lines, after = _split(text)
    wanted = (set(lines) - {ignore_line(path[cut:]) for path in drop}) | {
        ignore_line(path[cut:]) for path in add
    }
    if not wanted:
        return before + after
    if before and not before.endswith("\n"):
        before += "\n"
    block = "".join(f"{line}\n" for line in (BEGIN, *sorted(wanted), END))
    return before + block + after


def _split(text: str) -> tuple[str, list[str], str]:
    """Cut `text` into what stands before the block, the block's lines, and what comes after."""
    rows = text.splitlines(keepends=True)
    bare = [row.rstrip("\r\n") for row in rows]
    if BEGIN not in bare:
        return text, [], ""
    first = bare.index(BEGIN)
    last = bare.index(END, first) if END in bare[first:] else len(bare) - 1
    inside = bare[first + 1 : last + (bare[last] != END)]
    return "".join(rows[:first]), inside, "".join(rows[last + 1 :])
