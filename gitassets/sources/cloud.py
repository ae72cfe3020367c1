"""Who we are for an object store, and where it is: as the cloud's own tools read it.

Keys of the environment, instance credentials and service accounts are read by obstore. What it does
not know are the files of the AWS tools and their variables for endpoints.
"""

from __future__ import annotations

import os
from configparser import ConfigParser, Error
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
}
"""Of a profile (AWS CLI, "Configuration and credential file settings"), and obstore's names."""


def settings(scheme: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give what obstore has to be told for `s3`, `gs` or `az` beyond what it finds by itself."""
    if scheme != "s3":
        return {}
    env = os.environ if environ is None else environ
    profile = _profile(env)
    found: dict[str, str] = {}
    if not env.get("AWS_ACCESS_KEY_ID"):
        found |= {ours: profile[theirs] for theirs, ours in _KEYS.items() if theirs in profile}
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or profile.get("region")
    found["region"] = region or "us-east-1"
    endpoint = env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL")
    if endpoint := endpoint or profile.get("endpoint_url"):
        found["endpoint"] = endpoint.rstrip("/")
    return found


def _profile(env: Mapping[str, str]) -> dict[str, str]:
    """Read the profile that AWS_PROFILE names, or the default one; what cannot be read is empty."""
    name = env.get("AWS_PROFILE") or env.get("AWS_DEFAULT_PROFILE") or "default"
    home = Path.home() / ".aws"
    found: dict[str, str] = {}
    for variable, file, sections in (
        ("AWS_CONFIG_FILE", "config", (f"profile {name}", name)),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", (name,)),
    ):
        parser = ConfigParser(interpolation=None)
        try:
            parser.read(Path(env.get(variable) or home / file).expanduser(), encoding="utf-8")
        except (Error, OSError, UnicodeError):
            continue
        for section in sections:
            if parser.has_section(section):
                found |= dict(parser.items(section))
                break
    return found
