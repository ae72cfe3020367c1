"""A bug of ours: one line for the user, a log to send for us, nothing secret in it."""

from __future__ import annotations

import platform
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from gitassets import __version__
from gitassets.urls import redacted, safe

if TYPE_CHECKING:
    from gitassets.console import Console


def report(error: Exception, console: Console, *, verbose: bool) -> int:
    """Write the log beside other temporary files, say where; gives the exit status."""
    text = "".join(
        (
            f"git assets {__version__}, Python {sys.version.split()[0]}, {platform.platform()}\n",
            *traceback.format_exception(type(error), error, error.__traceback__),
        )
    )
    lines = [redacted(line) for line in text.splitlines()]
    name = f"git-assets-crash-{time.strftime('%Y%m%d-%H%M%S')}-"
    hint = "run it again with -v, and report what you see"
    try:
        with tempfile.NamedTemporaryFile("w", prefix=name, suffix=".log", delete=False) as log:
            log.write("\n".join(lines) + "\n")
        hint = f"please report it with the log: {Path(log.name)}"
    except OSError:
        pass
    words = traceback.format_exception_only(type(error), error)[-1].strip().splitlines()[0]
    console.error(f"internal error: {words}", hint=hint, word="fatal")
    if verbose:
        sys.stderr.write("".join(f"{safe(line)}\n" for line in lines))
    return 128
