"""A real S3 server that is not ours (moto), and the environment that leads to it."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator


class S3:
    """A running server with one bucket, named `bucket`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.environment = {
            "AWS_ACCESS_KEY_ID": "canary-id",
            "AWS_SECRET_ACCESS_KEY": "canary-secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": url,
            "AWS_ALLOW_HTTP": "true",
        }

    def uploads(self) -> str:
        """Give what the server says of uploads that were begun and not ended."""
        with requests.get(f"{self.url}/bucket?uploads", timeout=10) as answer:
            return answer.text


@contextmanager
def serving() -> Iterator[S3]:
    """Run the server."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports
        from moto.server import ThreadedMotoServer
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        url = f"http://{host}:{port}"
        # Every server of this process has the same buckets.
        for path in ("moto-api/reset", "bucket"):
            method = "POST" if path == "moto-api/reset" else "PUT"
            with requests.request(method, f"{url}/{path}", timeout=10) as answer:
                answer.raise_for_status()
        yield S3(url)
    finally:
        server.stop()
