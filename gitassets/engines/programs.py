"""Programs that engines start: where they are, what they say they are, what they are given."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from gitassets.model import Request

_PASSED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What a program and its loader may need; no proxy, no credential, no configuration."""
_PATIENCE = 5.0
"""Seconds that a program has to say its version."""
_GRAPHS = "".join(map(chr, range(0x21, 0x7F)))


def find(name: str) -> str | None:
    """Give the absolute path of the program `name`, or None.

    Empty and relative entries of PATH mean the current directory, which may be a work tree that
    somebody else filled: they are skipped.
    """
    for entry in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = Path(entry, name)
        if path.is_absolute() and os.access(path, os.X_OK) and path.is_file():
            return str(path)
    return None


def may_see(request: Request) -> bool:
    """Tell whether a program may see `request`: http or https, no header, nothing secret."""
    web = request.url.startswith(("http://", "https://"))
    return web and not request.secret and not request.headers


def version(program: str) -> str:
    """Give what `program --version` prints. Raises OSError when it does not start, or not end."""
    try:
        said = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(),
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(errno.ETIMEDOUT, "does not say its version") from error
    return said.stdout.decode(errors="replace")


def environment(home: str = "/") -> dict[str, str]:
    """Give the whole environment of a program; `home` must hold no configuration of its."""
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return {**passed, "HOME": home, "LC_ALL": "C"}


def one_line(url: str) -> str:
    """Give `url` in ASCII, without a byte that ends a line or that XML does not know."""
    return quote(url, safe=_GRAPHS, errors="replace")
