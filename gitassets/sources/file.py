"""`file:`: a directory on this machine, or one that the repository carries.

`file:///absolute/path` needs `assets.allow` unless it lies below the work tree;
`file:relative/path` is relative to the top of the work tree and can never leave it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from gitassets.errors import Cause, TransferError
from gitassets.model import Request
from gitassets.sources.base import Source

if TYPE_CHECKING:
    from gitassets.model import Url
    from gitassets.sources.control import Control


class File(Source):
    """A file below a directory that the user allowed."""

    def __init__(self, control: Control) -> None:
        self._policy = control.policy

    def resolve(self, url: Url) -> Request:
        """Name the file and the directory that it may not leave. Raises TransferError."""
        text = unquote(url.removeprefix("file:"))
        if text.startswith("///"):
            text = text[2:]
        path = Path(os.path.normpath(self._policy.top / text))
        root = self._policy.directory(path)
        if root is None or ".git" in (part.lower() for part in path.relative_to(root).parts):
            raise TransferError(
                url,
                "file: URLs reach below the work tree, or below a directory that you allowed",
                Cause.REFUSED,
                hint=f"git config --add assets.allow '{path.parent}'",
            )
        return Request(url="file://" + quote(str(path)), source=url, root=str(root))
