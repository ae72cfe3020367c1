"""Who we are for the Hugging Face Hub, and where it is: the environment, as its own tools read it.

Never a committed file: a lockfile names repositories, not endpoints.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gitassets.addresses import is_private_host
from gitassets.errors import ConfigError
from gitassets.urls import Url

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDPOINT: Final = "https://huggingface.co"
_TRUE = frozenset({"1", "ON", "YES", "TRUE"})
"""What huggingface_hub takes for true (`constants.py`), after `upper()`."""


@dataclass(frozen=True, slots=True)
class Account:
    """How the Hub is asked."""

    endpoint: Url
    """Without a slash at the end."""
    token: str | None
    """For the endpoint's own origin only."""
    offline: bool
    """HF_HUB_OFFLINE: the Hub is not asked at all."""
    chosen: bool
    """HF_ENDPOINT was set: the user's own choice, which may be a private host."""


def account(environ: Mapping[str, str] | None = None) -> Account:
    """Read the environment. Raises ConfigError for an endpoint that is no web address."""
    env = os.environ if environ is None else environ
    text = (env.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")
    try:
        endpoint = Url(text)
    except ValueError as error:
        raise ConfigError("HF_ENDPOINT", text, str(error)) from error
    if endpoint.scheme not in {"http", "https"} or "?" in endpoint or "#" in endpoint:
        raise ConfigError("HF_ENDPOINT", text, "not the address of a web server")
    # In the clear only inside this machine or network.
    safe = endpoint.scheme == "https" or is_private_host(endpoint.host)
    return Account(
        endpoint,
        token=_token(env) if safe else None,
        offline=_true(env, "HF_HUB_OFFLINE") or _true(env, "TRANSFORMERS_OFFLINE"),
        chosen=bool(env.get("HF_ENDPOINT")),
    )


def _token(env: Mapping[str, str]) -> str | None:
    if _true(env, "HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        return None
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if found := _clean(env.get(name, "")):
            return found
    base = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    home = Path(env.get("HF_HOME") or base)
    try:
        return _clean(Path(env.get("HF_TOKEN_PATH") or home / "token").expanduser().read_text())
    except (OSError, UnicodeError):
        return None


def _clean(text: str) -> str | None:
    """A token that can stand in a header line, or None."""
    token = text.strip()
    return token if token and token.isascii() and token.isprintable() and " " not in token else None


def _true(env: Mapping[str, str], name: str) -> bool:
    return env.get(name, "").upper() in _TRUE
