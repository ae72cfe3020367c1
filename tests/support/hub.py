"""A Hugging Face Hub in memory: two origins, one that knows tokens and one that hands out bytes.

What the real client and our own requests were seen to ask is served as the Hub serves it; every
request is kept with its headers, so that a test can say who saw which token.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

LFS_ABOVE = 1000
"""Bytes from which a file is an LFS file here."""


def sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Seen:
    """One request."""

    origin: str
    """`hub` or `cdn`."""
    method: str
    target: str
    headers: dict[str, str]


@dataclass
class HubDouble:
    """State and switches; a context manager that serves it."""

    kind: str = "models"
    repository: str = "owner/tiny"
    revisions: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Commit -> path -> bytes."""
    branches: dict[str, str] = field(default_factory=dict)
    log: list[Seen] = field(default_factory=list)
    page: int = 1000
    """Entries of a tree on one page."""
    token: str | None = None
    """Without it the repository is not to be seen."""
    gated: bool = False
    limited: int = 0
    """So many API requests are answered with 429 first."""
    expired: int = 0
    """So many signed URLs are refused."""
    signature: int = 0
    """Only addresses that were signed with this are good."""
    lie: dict[str, str] = field(default_factory=dict)
    """Path -> sha256 that the listing claims."""
    loop: bool = False
    """Every page of a listing is followed by the same page."""
    serve: Callable[[bytes], bytes] = lambda data: data
    """What becomes of bytes on their way."""

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        sha = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        self.revisions[sha] = files
        self.branches[branch] = sha
        return sha

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._hub.server_port}"

    @property
    def cdn(self) -> str:
        return f"http://localhost:{self._cdn.server_port}"

    def seen(self, origin: str = "", part: str = "") -> list[Seen]:
        return [row for row in self.log if origin in row.origin and part in row.target]

    def saw(self, secret: str, origin: str) -> bool:
        rows = self.seen(origin)
        return any(secret in f"{row.target}{row.headers}" for row in rows)

    def __enter__(self) -> Self:
        self._hub = _serve(self, "hub")
        self._cdn = _serve(self, "cdn")
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._hub, self._cdn):
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True
    request_queue_size = 256

    def __init__(self, double: HubDouble, origin: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.double, self.origin = double, origin


def _serve(double: HubDouble, origin: str) -> _Server:
    server = _Server(double, origin)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"  # a connection a request: nothing stays open behind a test
    server: Any

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        double: HubDouble = self.server.double
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        double.log.append(Seen(self.server.origin, self.command, self.path, dict(self.headers)))
        (self._cdn if self.server.origin == "cdn" else self._hub)(double)

    do_HEAD = do_POST = do_GET  # noqa: N815

    def _say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _json(self, value: object, **headers: str) -> None:
        self._say(200, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def _no(self, status: int, code: str) -> None:
        self._say(status, b"{}", X_Error_Code=code, X_Error_Message=code)

    def _bytes(self, data: bytes, **headers: str) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not found:
            return self._say(200, data, **headers)
        start, end = int(found[1]), min(int(found[2] or len(data)), len(data) - 1)
        if start >= len(data):
            return self._say(416, Content_Range=f"bytes */{len(data)}")
        return self._say(
            206, data[start : end + 1], Content_Range=f"bytes {start}-{end}/{len(data)}", **headers
        )

    def _cdn(self, double: HubDouble) -> None:
        if double.expired:
            double.expired -= 1
            return self._say(403)
        if self.headers.get("Authorization"):
            return self._say(400)  # as S3: only one way to authenticate
        if parse_qs(urlsplit(self.path).query)["Signature"] != [str(double.signature)]:
            return self._say(403)
        wanted = urlsplit(self.path).path.rpartition("/")[2]
        for files in double.revisions.values():
            for data in files.values():
                if sha256(data) == wanted:
                    return self._bytes(double.serve(data))
        return self._say(404)

    def _hub(self, double: HubDouble) -> None:
        parts = urlsplit(self.path)
        api = re.fullmatch(
            r"/api/(models|datasets|spaces)/([^/]+/[^/]+)/(revision|tree|paths-info)/([^/]+)(?:/(.*))?",
            parts.path,
        )
        kind = "" if double.kind == "models" else f"/{double.kind}"
        file = re.fullmatch(rf"{kind}/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", parts.path)
        if api and double.limited:
            double.limited -= 1
            return self._say(429, RateLimit='"api";r=0;t=0', Retry_After="0")
        repository = api[2] if api else file[1] if file else ""
        known = (
            double.token is None or self.headers.get("Authorization") == f"Bearer {double.token}"
        )
        if repository != double.repository or (api and api[1] != double.kind) or not known:
            return self._no(401, "RepoNotFound")
        if double.gated:
            return self._no(403, "GatedRepo")
        revision = unquote(api[4] if api else file[2])
        sha = double.branches.get(revision, revision)
        if sha not in double.revisions:
            return self._no(404, "RevisionNotFound")
        if file:
            return self._file(double, sha, unquote(file[3]))
        return getattr(self, "_" + api[3].replace("-", "_"))(double, sha, unquote(api[5] or ""))

    def _file(self, double: HubDouble, sha: str, path: str) -> None:
        data = double.revisions[sha].get(path)
        if data is None:
            return self._no(404, "EntryNotFound")
        if len(data) < LFS_ABOVE:
            return self._bytes(double.serve(data), ETag=f'"{sha1(data)}"', X_Repo_Commit=sha)
        return self._say(
            302, Location=f"{double.cdn}/signed/{sha256(data)}?Expires=1&Signature={double.signature}",
            X_Repo_Commit=sha, X_Linked_Etag=f'"{sha256(data)}"', X_Linked_Size=str(len(data)),
        )  # fmt: skip

    def _revision(self, double: HubDouble, sha: str, _: str) -> None:
        self._json({"id": double.repository, "_id": "1", "sha": sha, "siblings": [], "tags": [],
                    "private": False, "downloads": 0, "likes": 0})  # fmt: skip

    def _entry(self, double: HubDouble, path: str, data: bytes) -> dict[str, Any]:
        entry = {"type": "file", "path": path, "size": len(data), "oid": sha1(data)}
        if len(data) >= LFS_ABOVE:
            oid = double.lie.get(path, sha256(data))
            entry["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 130}
        return entry

    def _tree(self, double: HubDouble, sha: str, under: str) -> None:
        files = sorted(double.revisions[sha].items())
        inside = [row for row in files if not under or row[0].startswith(under + "/")]
        if under and not inside:
            return self._no(404, "EntryNotFound")
        query = parse_qs(urlsplit(self.path).query)
        at = int(query.get("cursor", ["0"])[0])
        rows = [self._entry(double, *row) for row in inside[at : at + double.page]]
        following = at if double.loop else at + double.page
        if not double.loop and following >= len(inside):
            return self._json(rows)
        target = f"{double.endpoint}{quote(urlsplit(self.path).path)}?recursive=true&expand=false&cursor={following}"
        return self._json(rows, Link=f'<{target}>; rel="next"')

    def _paths_info(self, double: HubDouble, sha: str, _: str) -> None:
        files = double.revisions[sha]
        found = []
        for path in parse_qs(self.body.decode()).get("paths", []):
            if path in files:
                found.append(self._entry(double, path, files[path]))
            elif any(name.startswith(path + "/") for name in files):
                found.append({"type": "directory", "path": path, "oid": "0" * 40, "size": 0})
        self._json(found)
