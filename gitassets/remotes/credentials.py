"""Who we are for a web server: a token of the environment, or what git's credential helpers know.

Asked at most once for each remote and run, and only after the host has said 401. No redirect is
followed with it, so no other host gets it; a public host gets it over https only.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from base64 import b64encode
from urllib.parse import urlsplit

from gitassets import git
from gitassets.addresses import is_private_host
from gitassets.errors import GitError


def token(name: str) -> str | None:
    """Give the bearer token for the remote `name`: GIT_ASSETS_TOKEN_NAME, in upper case."""
    key = re.sub(r"[^A-Z0-9]", "_", name.upper())
    return os.environ.get(f"GIT_ASSETS_TOKEN_{key}") or None


class Credentials:
    """What is known of one origin."""

    def __init__(self, name: str, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._filled: dict[str, str] | None = None
        self._header: str | None = None
        parts = urlsplit(url)
        if parts.scheme == "http" and not is_private_host(parts.hostname or ""):
            self._filled = {}  # everybody on the way would read it
        elif found := token(name):
            self._header = f"Bearer {found}"

    def headers(self) -> dict[str, str]:
        """Give the headers to send; empty while nobody asked who we are."""
        return {"Authorization": self._header} if self._header else {}

    def ask(self) -> bool:
        """Ask git for a user name and a password, once; tells whether there is anything to send.

        A prompt needs a terminal, and GIT_TERMINAL_PROMPT other than 0.
        """
        with self._lock:
            if self._filled is None:
                self._filled = {} if self._header else self._fill()
                if "password" in self._filled:
                    pair = f"{self._filled.get('username', '')}:{self._filled['password']}"
                    self._header = f"Basic {b64encode(pair.encode()).decode()}"
            return self._header is not None

    def settle(self, *, good: bool) -> None:
        """Tell git's helpers, once, whether what they gave was right."""
        with self._lock:
            if self._filled and "password" in self._filled:
                rows = "".join(f"{key}={value}\n" for key, value in self._filled.items())
                action = "approve" if good else "reject"
                git.run("credential", action, stdin=rows.encode(), ok=range(256))
                self._filled = {}

    def _fill(self) -> dict[str, str]:
        parts = urlsplit(self._url)
        asked = f"protocol={parts.scheme}\nhost={parts.netloc}\n\n"
        prompt = sys.stderr.isatty() and os.environ.get("GIT_TERMINAL_PROMPT") != "0"
        extra = {"GIT_TERMINAL_PROMPT": "1" if prompt else "0"}
        try:
            out = git.run("credential", "fill", stdin=asked.encode(), extra=extra)
        except GitError:
            return {}
        rows = (row.partition("=") for row in out.decode().splitlines())
        return {key: value for key, _, value in rows if key}
