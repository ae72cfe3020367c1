"""Git processes that read or write many objects, and live as long as there are some.

Replacement refs are never followed and nothing is fetched lazily: what is read is what is stored.
Ids are raw bytes, 20 or 32 of them.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections import deque
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, NamedTuple

from gitassets.errors import GitError
from gitassets.git import program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

_SEALED = (
    "-c", "core.fsmonitor=false",
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.quotePath=false",
    "-c", "core.splitIndex=false",
    "-c", "core.pager=cat",
    "-c", "diff.external=",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
)  # fmt: skip
_KEPT = ("GIT_CONFIG", "GIT_EXEC_PATH", "GIT_CEILING", "GIT_ALLOW_PROTOCOL", "GIT_ASSETS",
         "GIT_AUTHOR_", "GIT_COMMITTER_")  # fmt: skip
"""Beginnings of the variables that may stay; GIT_DIR, GIT_INDEX_FILE and their kind may not."""
_FLUSH_IDS = 512
"""Ids that are written at once; the pipe holds 64 KiB."""
CHUNK = 1 << 20
"""Bytes of a large blob that are in memory at a time."""


class Object(NamedTuple):
    """One object as `cat-file` gives it."""

    id: bytes
    kind: bytes
    data: bytes


class Pipes:
    """The processes on one repository: every call starts its own, and ends it."""

    def __init__(
        self, git_dir: Path, *, extra: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        """Work on `git_dir`, the common directory of all work trees, with `extra` variables."""
        self.git_dir = git_dir
        self._cwd = cwd or git_dir
        self._environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith("GIT_") or name.startswith(_KEPT)
            },
            "GIT_DIR": str(git_dir),
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASSETS_INSIDE": "1",
            "LC_ALL": "C",
            **(extra or {}),
        }

    def having(self, **extra: str) -> Pipes:
        """Give the same repository with more variables in the environment."""
        return Pipes(self.git_dir, extra={**self._environment, **extra}, cwd=self._cwd)

    def within(self, git_dir: Path, top: Path | None, index: Path) -> Pipes:
        """Give one work tree of the repository, with an index file to use instead of its own."""
        where = {"GIT_DIR": str(git_dir), "GIT_INDEX_FILE": str(index)}
        if top:
            where["GIT_WORK_TREE"] = str(top)
        # From inside of a git directory git takes that for a part of the work tree.
        return Pipes(self.git_dir, extra={**self._environment, **where}, cwd=top)

    def run(self, *arguments: str, stdin: bytes | None = None, ok: Sequence[int] = (0,)) -> bytes:
        """Run one command to its end. Raises GitError when its status is not in `ok`."""
        done = subprocess.run(
            [program(), *_SEALED, *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            check=False,
            env=self._environment,
            cwd=self._cwd,
        )
        if done.returncode not in ok:
            raise GitError(arguments, done.returncode, done.stderr.decode(errors="replace"))
        return done.stdout

    def run_file(self, *arguments: str, stdin: IO[bytes]) -> bytes:
        """Run one command that reads a file. Raises GitError."""
        done = subprocess.run(
            [program(), *_SEALED, *arguments],
            stdin=stdin,
            capture_output=True,
            check=False,
            env=self._environment,
            cwd=self._cwd,
        )
        if done.returncode:
            raise GitError(arguments, done.returncode, done.stderr.decode(errors="replace"))
        return done.stdout

    @contextmanager
    def reading(self, *arguments: str, stdin: Iterable[bytes] = ()) -> Iterator[IO[bytes]]:
        """Hold what a command prints, while a thread feeds it `stdin`.

        Leaving early stops the command; at the end of its output a failure raises GitError.
        """
        with subprocess.Popen(
            [program(), *_SEALED, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            cwd=self._cwd,
            bufsize=CHUNK,
        ) as process:
            assert process.stdin  # noqa: S101 - for the type checker: it is a pipe
            assert process.stdout  # noqa: S101
            assert process.stderr  # noqa: S101
            stop = threading.Event()
            feeder = threading.Thread(target=_feed, args=(process.stdin, stdin, stop), daemon=True)
            feeder.start()
            finished = False
            try:
                yield process.stdout
                finished = not process.stdout.peek(1)  # type: ignore[attr-defined]
            finally:
                stop.set()
                if not finished:
                    process.kill()
                feeder.join()
                words = process.stderr.read() if finished else b""
                process.wait()
                with suppress(BrokenPipeError):
                    process.stdin.close()
            if finished and process.returncode:
                raise GitError(arguments, process.returncode, words.decode(errors="replace"))

    def objects(self, ids: Iterable[bytes]) -> Iterator[Object]:
        """Read whole objects, in order. Raises GitError for one that is missing."""
        asked: deque[bytes] = deque()

        def rows() -> Iterator[bytes]:
            for name in ids:
                asked.append(name)
                yield name.hex().encode() + b"\n"

        with self.reading("cat-file", "--batch", "--buffer", stdin=rows()) as out:
            readline, read = out.readline, out.read
            while header := readline():
                words = header.split()
                if len(words) != 3:
                    raise _missing(header)
                data = read(int(words[2]))
                read(1)
                # The caller's own id, and not an equal one: histories have very many of them.
                yield Object(asked.popleft(), words[1], data)

    def streams(self, ids: Iterable[bytes]) -> Iterator[tuple[bytes, int, Iterator[bytes]]]:
        """Read large objects piece by piece: id, size in bytes, pieces that must all be taken."""
        hexes = (name.hex().encode() + b"\n" for name in ids)
        with self.reading("cat-file", "--batch", "--buffer", stdin=hexes) as out:
            while header := out.readline():
                words = header.split()
                if len(words) != 3:
                    raise _missing(header)
                size = int(words[2])
                yield bytes.fromhex(words[0].decode()), size, _pieces(out, size)
                out.read(1)

    def all_objects(self) -> Iterator[tuple[bytes, bytes, int]]:
        """List every stored object, reachable or not: id in hex, kind, size; no content is read."""
        form = "--batch-check=%(objectname) %(objecttype) %(objectsize)"
        with self.reading(
            "cat-file", "--batch-all-objects", "--unordered", "--buffer", form
        ) as out:
            for row in out:
                name, kind, size = row.split()
                yield name, kind, int(size)

    def sizes(self, ids: Iterable[bytes]) -> Iterator[tuple[bytes, bytes, int] | None]:
        """Give id, kind and size of objects, in order; None for one that is missing."""
        hexes = (name.hex().encode() + b"\n" for name in ids)
        with self.reading("cat-file", "--batch-check", "--buffer", stdin=hexes) as out:
            for row in out:
                words = row.split()
                if len(words) == 3:
                    yield bytes.fromhex(words[0].decode()), words[1], int(words[2])
                else:
                    yield None

    def reader(self) -> Reader:
        """Open a reader for objects in any order; a context manager."""
        return Reader(self._environment, self._cwd)


class Reader:
    """One `cat-file --batch` that answers one question at a time."""

    def __init__(self, environment: Mapping[str, str], cwd: Path) -> None:
        self._process = subprocess.Popen(
            [program(), *_SEALED, "cat-file", "--batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            cwd=cwd,
        )
        assert self._process.stdin  # noqa: S101 - for the type checker: it is a pipe
        assert self._process.stdout  # noqa: S101
        self._in, self._out = self._process.stdin, self._process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(BrokenPipeError):
            self._in.close()
        self._process.kill()
        self._out.close()
        self._process.wait()

    def __call__(self, name: bytes) -> bytes:
        """Give the content of an object. Raises GitError when it is missing."""
        return self.named(name)[1]

    def named(self, name: bytes) -> tuple[bytes, bytes]:
        """Give kind and content of an object. Raises GitError when it is missing."""
        self._in.write(name.hex().encode() + b"\n")
        self._in.flush()
        header = self._out.readline()
        words = header.split()
        if len(words) != 3:
            raise _missing(header)
        data = self._out.read(int(words[2]))
        self._out.read(1)
        return words[1], data


def _feed(pipe: IO[bytes], rows: Iterable[bytes], stop: threading.Event) -> None:
    waiting: list[bytes] = []
    with suppress(BrokenPipeError, ValueError):
        for row in rows:
            waiting.append(row)
            if len(waiting) >= _FLUSH_IDS:
                pipe.write(b"".join(waiting))
                waiting.clear()
                if stop.is_set():
                    break
        pipe.write(b"".join(waiting))
        pipe.close()


def _pieces(out: IO[bytes], size: int) -> Iterator[bytes]:
    while size:
        piece = out.read(min(size, CHUNK))
        if not piece:
            raise GitError(("cat-file", "--batch"), 1, "ended in the middle of an object")
        size -= len(piece)
        yield piece


def _missing(header: bytes) -> GitError:
    name = header.split()[:1]
    text = b"".join(name).decode(errors="replace") or "an object"
    return GitError(("cat-file", "--batch"), 128, f"{text} is missing from this repository")
