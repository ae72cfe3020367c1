"""`s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, through obstore.

Credentials, regions and endpoints come from the environment and the machine, as the cloud's own
tools read them; nothing of them is kept. A small object goes as one request that the store checks
(its sha256, and that nobody was first), a large one in parts that become an object together.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from gitassets.engines.routes import proxy_for
from gitassets.errors import Cause, TransferError, UsageError
from gitassets.model import Url
from gitassets.remotes.base import Held, place
from gitassets.sources import cloud

if TYPE_CHECKING:
    from gitassets.model import Digest
    from gitassets.remotes.base import Named, Surroundings
    from gitassets.remotes.content import Content

_PART: Final = 8 * 2**20
"""Bytes of one request; S3 takes no part below 5 MiB but the last."""
_PARTS: Final = 9000
"""S3 takes 10,000 parts of one object."""
_AT_ONCE: Final = 4
"""Parts of one object under way, each in memory."""
_RETRIES: Final = {"max_retries": 2}
"""Of one request, so that a part does not cost the whole object; the rest is ours to decide."""
_TIMEOUT: Final = "600s"
"""Of one request, its body included: 8 MiB at 14 KiB/s."""
_METADATA: Final = "169.254.169.254"
"""Where a machine in a cloud is asked for its own credentials."""
_TIMES: Final = re.compile(r" in [0-9.]+(?:ns|µs|ms|s)(?:, after [0-9]+ retries,[^-]*(?= - ))?")


class Bucket:
    """A bucket and a prefix in it."""

    def __init__(self, named: Named, surroundings: Surroundings) -> None:
        self.name = named.name
        self.url = named.url
        self._public = named.public
        try:
            import obstore  # noqa: PLC0415 - an extra
            import obstore.store  # noqa: PLC0415
        except ImportError as error:
            raise UsageError(
                f"remote '{named.name}' needs obstore, which is not installed",
                hint="python3 -m pip install 'gitassets[store]'",
            ) from error
        self._obstore: Any = obstore  # its stubs know a type for each cloud
        self._store = self._open(surroundings)

    def stat(self, digest: Digest) -> Held | None:
        """Send a HEAD. Raises TransferError."""
        try:
            return Held(self._obstore.head(self._store, place(digest))["size"])
        except FileNotFoundError:
            return None
        except self._obstore.exceptions.BaseError as error:
            raise self._failed(error) from error

    def put(self, content: Content, *, replace: bool) -> None:
        """Upload in one request or in parts. Raises TransferError, and what reading raises."""
        target = place(content.digest)
        try:
            if content.size <= _PART:
                mode = "overwrite" if replace else "create"
                data = b"".join(content)
                self._obstore.put(self._store, target, data, mode=mode, use_multipart=False)
            else:
                part = max(_PART, content.size // _PARTS + 1)
                self._obstore.put(
                    self._store, target, iter(content),
                    use_multipart=True, chunk_size=part, max_concurrency=_AT_ONCE,
                )  # fmt: skip
        except self._obstore.exceptions.AlreadyExistsError:
            return
        except FileNotFoundError as error:
            raise TransferError(self.url, "there is no such bucket", Cause.GONE) from error
        except self._obstore.exceptions.BaseError as error:
            raise self._failed(error) from error

    def public_url(self) -> Url | None:
        """Give the URL itself: who may read there is the store's to say."""
        return self._public or Url(self.url)

    def close(self) -> None:
        """Leave it to obstore, which pools connections for the process."""

    def _open(self, surroundings: Surroundings) -> Any:
        tuning = surroundings.tuning
        client = {"user_agent": tuning.user_agent, "timeout": _TIMEOUT}
        scheme = self.url.partition(":")[0]
        config = cloud.settings(scheme)
        if scheme == "s3":
            config["checksum_algorithm"] = "SHA256"
        client["allow_http"] = str(config.get("endpoint", "").startswith("http://")).lower()
        if proxy := proxy_for("https://" + self.url.partition("://")[2], tuning):
            client["proxy_url"] = proxy
        try:
            return self._obstore.store.from_url(
                self.url, config=config, client_options=client, retry_config=_RETRIES
            )
        except (self._obstore.exceptions.BaseError, ValueError) as error:
            raise UsageError(f"cannot use '{self.url}': {_line(error)}") from error

    def _failed(self, error: Exception) -> TransferError:
        denied = (
            self._obstore.exceptions.PermissionDeniedError,
            self._obstore.exceptions.UnauthenticatedError,
        )
        reason = _line(error)
        hint = "set what the cloud's own tools read: AWS_ACCESS_KEY_ID, AWS_PROFILE, ..."
        if _METADATA in reason:  # obstore's last resort, after everything else had none
            reason = "no credentials: neither the environment nor this machine has any"
            return TransferError(self.url, reason, Cause.DENIED, hint=hint)
        if isinstance(error, denied):
            return TransferError(self.url, f"denied: {reason}", Cause.DENIED, hint=hint)
        return TransferError(self.url, reason, Cause.TRANSIENT)


def _line(error: Exception) -> str:
    """Give the first line, without times: what follows is obstore's own view of the matter."""
    first = str(error).partition("\n")[0].strip().rstrip(":")
    return _TIMES.sub("", first)
