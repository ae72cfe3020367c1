"""The text of the hook scripts: where they are shipped, what marks them, how a block is taken out.

The scripts in `hooks/` are the ones that git runs; only the program's place is written into a copy.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

EVENTS: Final = (
    "post-checkout", "post-merge", "post-rewrite", "post-commit", "post-applypatch",
    "post-index-change",
)  # fmt: skip
GUARDS: Final = ("pre-commit", "pre-push")
SHARED: Final = "git-assets.sh"
"""What all scripts source, from their own directory; git has no event of this name."""
EARLIER: Final = ".local"
"""Behind the name of a hook that was there before ours, and that ours runs first."""
REFUSED: Final = 3
"""The one exit status of `git assets hook` that a script passes on to git. Python's own are 1 and
2, a shell's are 126 and more: no broken installation is taken for a refusal."""

_BLOCK = re.compile(rb"^# >>> git assets >>>.*?^# <<< git assets <<<\n", re.MULTILINE | re.DOTALL)
_FIRST_LINE: Final = b"#!/bin/sh\n"
_PROGRAM: Final = "program=git-assets\n"


def directory() -> Path:
    """Where the scripts are: in the package, or in the checkout of an editable install."""
    package = Path(__file__).parent
    shipped = package / "_hooks"
    return shipped if shipped.is_dir() else package.parent / "hooks"


def program() -> str:
    """The `git-assets` of this installation, absolute when it can be told."""
    beside = Path(sys.executable).with_name("git-assets")
    started = Path(sys.argv[0])
    for path in (started, beside):
        if path.name == "git-assets" and path.is_absolute() and os.access(path, os.X_OK):
            return str(path)
    return "git-assets"


def texts(events: Sequence[str]) -> dict[str, bytes]:
    """The files to install for these events, by name; the shared one is first."""
    source = directory()
    shared = (source / SHARED).read_text(encoding="ascii")
    baked = shared.replace(_PROGRAM, f"program={shlex.quote(program())}\n", 1)
    return {
        SHARED: os.fsencode(baked),
        **{event: (source / event).read_bytes() for event in events},
    }


def is_ours(text: bytes) -> bool:
    """Tell whether a script holds our block."""
    return _BLOCK.search(text) is not None


def renewed(text: bytes, new: bytes) -> bytes:
    """Put the block of the script `new` in the place of the one in `text`."""
    block = _BLOCK.search(new)
    return _BLOCK.sub(lambda _: block[0], text, count=1) if block else text


def rest(text: bytes) -> bytes | None:
    """What stands around our block; None when that is nothing but the first line."""
    left = _BLOCK.sub(b"", text)
    return None if left == _FIRST_LINE else left


def chain(event: str, text: bytes) -> bytes:
    """Replace our block by a line that only runs the earlier hook."""
    line = f'[ ! -x "${{0%/*}}/{event}{EARLIER}" ] || "${{0%/*}}/{event}{EARLIER}" "$@"\n'
    return _BLOCK.sub(lambda _: line.encode(), text)


def execute(event: str, arguments: Sequence[str], top: Path) -> NoReturn:
    """Become the script of `event`, as git would start it: at the top of the work tree."""
    os.environ["GIT_ASSETS_PROGRAM"] = program()
    os.chdir(top)
    script = str(directory() / event)
    os.execv("/bin/sh", ["sh", script, *arguments])  # noqa: S606 - a constant program, no shell text
