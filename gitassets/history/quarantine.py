"""New objects, kept apart until they are verified: no ref and no other process can see them.

They are written undeltified into one pack of our own; what is published is a second pack, made of
it by git with deltas. A pack without deltas would stay large for ever: `git gc` does not compare
two objects of one pack that are both whole (git's builtin/pack-objects.c, `try_delta`).
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final, Literal

from gitassets.history.packs import PackWriter

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from gitassets.gitpipes import Pipes

_KEEP: Final = b"git assets migrate\n"


class Quarantine:
    """An object directory of its own, with the repository's as its alternate. A context manager."""

    def __init__(
        self, pipes: Pipes, directory: Path, objects: Path, algorithm: Literal["sha1", "sha256"]
    ) -> None:
        """Begin anew in `directory`; what a killed process left there goes. Raises OSError."""
        shutil.rmtree(directory, ignore_errors=True)
        (directory / "pack").mkdir(parents=True)
        self._directory = directory
        self._made = directory / "deltas"
        self._objects = objects
        self.pipes = pipes.having(
            GIT_OBJECT_DIRECTORY=str(directory), GIT_ALTERNATE_OBJECT_DIRECTORIES=_quoted(objects)
        )
        """Sees the new objects beside the old ones, once `seal` was called."""
        self._pack = PackWriter(directory / "pack" / "pack-new", algorithm=algorithm)
        self._hints = (directory / "hints").open("wb", buffering=1 << 20)
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hints.close()
        self._pack.abandon()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __len__(self) -> int:
        return self._count

    def add(self, kind: bytes, data: bytes, path: bytes) -> bytes:
        """Keep an object, and give its raw id; `path` groups what may be deltas of each other."""
        name = self._pack.add(kind, data)
        if len(self._pack) > self._count:
            self._count += 1
            # A name with a newline would be a line of its own, and is no more than a hint.
            self._hints.write(b"%s %s\n" % (name.hex().encode(), path.replace(b"\n", b"")))
        return name

    def seal(self) -> int:
        """Make the objects readable through `pipes`; gives the bytes they take undeltified."""
        self._hints.close()
        size = self._pack.size
        if self._count:
            self._pack.close()
        else:
            self._pack.abandon()
        return size

    def deltify(self) -> None:
        """Make the pack that will be published, with deltas. Raises GitError, OSError."""
        if not self._count:
            return
        self._made.mkdir()
        with (self._directory / "hints").open("rb") as hints:
            self.pipes.run_file(
                "pack-objects",
                "--quiet",
                "--no-reuse-delta",
                "--delta-base-offset",
                str(self._made / "pack"),
                stdin=hints,
            )

    def publish(self) -> Path | None:
        """Put that pack into the repository; None when there is nothing in it.

        Gives the `.keep` file that guards it until refs hold it. Raises OSError.
        """
        if not self._count:
            return None
        target = self._objects / "pack"
        target.mkdir(exist_ok=True)
        (stem,) = (pack.stem for pack in self._made.glob("*.pack"))
        keep = target / f"{stem}.keep"
        keep.write_bytes(_KEEP)
        # git looks for an index, and then opens the pack beside it.
        for suffix in (".pack", ".rev", ".idx"):
            source = self._made / f"{stem}{suffix}"
            if source.exists():
                _sync(source)
                shutil.move(source, target / source.name)
        return keep


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _quoted(path: Path) -> str:
    """Give a path for a list that colons separate, as git reads it (git(1))."""
    text = str(path)
    if ":" not in text and not text.startswith('"'):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
