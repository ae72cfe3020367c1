"""`s3:`, `gs:` and `az:`: objects of a bucket, by signed URLs that any engine can have.

The signature is made on this machine; the secret key goes nowhere.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from gitassets.errors import Cause, TransferError
from gitassets.model import Request
from gitassets.sources import cloud
from gitassets.sources.base import Source

if TYPE_CHECKING:
    from gitassets.model import Url
    from gitassets.sources.control import Control

_LIFE: Final = timedelta(hours=1)
"""Of a signed URL; resolved anew when it ends in the middle of a file."""
_CLIENT: Final = {"timeout": "10s", "connect_timeout": "2s"}
"""For the one thing that is asked: the credentials of an instance."""
_RETRY: Final = {"max_retries": 1, "retry_timeout": timedelta(seconds=10)}


class Buckets(Source):
    """The object stores of the environment."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._stores: dict[tuple[str, str], Any] = {}
        """By scheme and bucket."""

    def resolve(self, url: Url) -> Request:
        """Sign a GET. Raises TransferError when nobody knows who we are."""
        obstore = _obstore(url)
        bucket, _, key = url.removeprefix(f"{url.scheme}://").partition("/")
        if not key or "?" in url or "#" in url:
            raise TransferError(url, f"not of the form {url.scheme}://BUCKET/KEY", Cause.LYING)
        told = cloud.settings(url.scheme)
        try:
            if (url.scheme, bucket) not in self._stores:
                self._stores[url.scheme, bucket] = _open(obstore, url.scheme, bucket, told)
            store = self._stores[url.scheme, bucket]
            signed = obstore.sign(store, "GET", unquote(key), _LIFE)
        except (obstore.exceptions.BaseError, ValueError) as error:
            raise TransferError(
                url, f"cannot sign a request for '{bucket}': {_line(error)}", Cause.DENIED,
                hint="the credentials are the environment's, as for the cloud's own tools; "
                "of a public bucket, use the https URL",
            ) from error  # fmt: skip
        return Request(signed, url, private="endpoint" in told)

    def explain(self, url: Url, error: TransferError) -> TransferError:
        """Say which object of which bucket is missing, or closed to us."""
        why = {
            403: "the credentials of the environment may not read it, or it does not exist",
            404: "no such object, or no such bucket",
        }.get(error.http_status or 0)
        if why is None:
            return error
        bucket, _, key = url.removeprefix(f"{url.scheme}://").partition("/")
        reason = f"HTTP {error.http_status} for '{unquote(key)}' in '{bucket}': {why}"
        return TransferError(url, reason, error.cause, status=error.http_status, hint=error.hint)


def _obstore(url: Url) -> Any:
    try:
        import obstore  # noqa: PLC0415 - an extra, and 50 ms
        import obstore.store  # noqa: PLC0415
    except ImportError as error:
        raise TransferError(
            url, f"{url.scheme}: URLs need obstore, which is not installed", Cause.GONE,
            hint="python3 -m pip install 'gitassets[store]'",
        ) from error  # fmt: skip
    return obstore


def _open(obstore: Any, scheme: str, bucket: str, told: dict[str, str]) -> Any:
    kind = {
        "s3": obstore.store.S3Store,
        "gs": obstore.store.GCSStore,
        "az": obstore.store.AzureStore,
    }[scheme]
    plain = told.get("endpoint", "").startswith("http://")
    client = {**_CLIENT, "allow_http": True} if plain else _CLIENT
    return kind(bucket, config=told, client_options=client, retry_config=_RETRY)


def _line(error: Exception) -> str:
    """Give the first line: the others are obstore's own view of the matter."""
    return str(error).partition("\n")[0].strip().rstrip(":")
