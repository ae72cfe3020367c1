"""The embedded server: static files with ranges, and what nginx cannot do; a program of its own.

`--rate` holds each *connection* to so many bytes a second, however many requests it carries (the
`limit_rate` of nginx is per request); `--delay` waits before the first byte of every answer;
`--lfs` answers the Git LFS batch API with addresses below a base URL. Prints its port, logs
`BYTES PATH` for every answer, and ends when its stdin does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import socket
import sys
import urllib.parse
from email.utils import formatdate
from pathlib import Path

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_CHUNK = 256 * 1024


class Bucket:
    """A token bucket: `rate` bytes a second, a twentieth of a second's worth at once."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.tokens = rate / 20
        self.at = asyncio.get_running_loop().time()

    async def take(self, count: int) -> None:
        """Wait until `count` bytes may go."""
        now = asyncio.get_running_loop().time()
        self.tokens = min(self.rate / 20, self.tokens + (now - self.at) * self.rate) - count
        self.at = now
        if self.tokens < 0:
            await asyncio.sleep(-self.tokens / self.rate)


class Server:
    """Serves files below `root`."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.root = Path(options.root)
        self.rate: float = options.rate
        self.delay: float = options.delay
        self.lfs: str | None = options.lfs
        self.log = Path(options.log).open("wb", buffering=0)  # noqa: SIM115 - as long as we live

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests until the other side leaves."""
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bucket = Bucket(self.rate) if self.rate else None
        if bucket is not None:  # what waits in the kernel has passed the bucket: keep it short
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
            writer.transport.set_write_buffer_limits(64 * 1024)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target, _ = head.split("\r\n", 1)[0].split(" ", 2)
                fields = {
                    name.strip().lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
                }
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                if self.delay:
                    await asyncio.sleep(self.delay)
                if method == "POST":
                    self.batch(writer, body)
                else:
                    await self.file(writer, method, target, fields.get("range", ""), bucket)
                await writer.drain()
                if fields.get("connection", "").lower() == "close":
                    break
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def file(
        self, writer: asyncio.StreamWriter, method: str, target: str, wanted: str,
        bucket: Bucket | None,
    ) -> None:  # fmt: skip
        """Answer with a file, or the part of it that was asked for."""
        path = self.root / urllib.parse.unquote(target.partition("?")[0]).lstrip("/")
        try:
            source = path.open("rb")
        except OSError:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        with source:
            size = os.fstat(source.fileno()).st_size
            start, end, status, extra = 0, size, "200 OK", ""
            if match := _RANGE.fullmatch(wanted):
                start = int(match[1])
                end = min(size, int(match[2]) + 1) if match[2] else size
                status, extra = (
                    "206 Partial Content",
                    f"Content-Range: bytes {start}-{end - 1}/{size}\r\n",
                )
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Length: {end - start}\r\nAccept-Ranges: bytes\r\n"
                f"Last-Modified: {formatdate(path.stat().st_mtime, usegmt=True)}\r\n"
                f"{extra}\r\n".encode()
            )
            sent = 0
            try:
                if method == "GET":
                    source.seek(start)
                    while sent < end - start:
                        piece = source.read(min(_CHUNK, end - start - sent))
                        if bucket is not None:
                            await bucket.take(len(piece))
                        writer.write(piece)
                        await writer.drain()
                        sent += len(piece)
            finally:
                self.log.write(f"{sent} {target}\n".encode())

    def batch(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        """Say where each object is (git-lfs docs/api/batch.md)."""
        objects = [
            {**each, "actions": {"download": {"href": f"{self.lfs}/{each['oid']}"}}}
            for each in json.loads(body)["objects"]
        ]
        answer = json.dumps({"transfer": "basic", "objects": objects}).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.git-lfs+json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(answer), answer)
        )


async def serve(options: argparse.Namespace) -> None:
    """Serve until stdin ends."""
    server = Server(options)
    listener = await asyncio.start_server(server.converse, "127.0.0.1", options.port, backlog=1024)
    sys.stdout.write(f"{listener.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)  # clients keep connections open: nobody waits for them


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--log", default=os.devnull)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--lfs")
    asyncio.run(serve(parser.parse_args()))
