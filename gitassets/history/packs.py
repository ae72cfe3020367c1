"""A pack and its index, written in one pass by ourselves (gitformat-pack(5)).

No process is started for an object and none for the index: git's `index-pack` would read
everything a second time. There are no deltas; whoever keeps the pack lets `pack-objects` make them.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO

    from typing_extensions import Self

__all__ = ["PackWriter"]

_TYPES: Final = {b"commit": 1, b"tree": 2, b"blob": 3, b"tag": 4}
_BUFFER: Final = 1 << 20
"""Bytes gathered before a write(2)."""
_LARGE: Final = 2**31
"""Offsets from here on stand in the index's table of eight-byte offsets."""


class PackWriter:
    """A pack that is being written; `close` makes it one that git can use.

    `path` is the pack's name without `.pack`; both files exist under their names only after
    `close`, and after anything else than a `close` there are none.
    """

    def __init__(
        self, path: Path, *, algorithm: Literal["sha1", "sha256"] = "sha1", level: int = 0
    ) -> None:
        """Begin; `level` is zlib's: 0 stores, since compressing costs more than all the rest."""
        self._pack = path.with_name(path.name + ".pack")
        self._index = path.with_name(path.name + ".idx")
        self._part = path.with_name(path.name + ".part")
        self._new = getattr(hashlib, algorithm)
        self._level = level
        self._objects: dict[bytes, tuple[int, int]] = {}  # id: offset, CRC-32 of the packed bytes
        self._file = self._part.open("xb", buffering=_BUFFER)
        self._offset = self._file.write(b"PACK" + struct.pack(">II", 2, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abandon()

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, name: bytes) -> bool:
        return name in self._objects

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._offset

    def add(self, kind: bytes, data: bytes) -> bytes:
        """Add an object, unless it is there, and give its raw id. Raises OSError."""
        name: bytes = self._new(b"%s %d\0%s" % (kind, len(data), data)).digest()
        if name not in self._objects:
            packed = _header(_TYPES[kind], len(data)) + zlib.compress(data, self._level)
            self._objects[name] = (self._offset, zlib.crc32(packed))
            self._offset += self._file.write(packed)
        return name

    def close(self) -> tuple[Path, Path]:
        """Write what is missing, sync, and name the pack and its index. Raises OSError."""
        self._file.seek(0)
        self._file.write(b"PACK" + struct.pack(">II", 2, len(self._objects)))
        self._file.flush()
        checksum = self._checksum()
        self._file.seek(0, os.SEEK_END)
        self._file.write(checksum)
        _sync(self._file)
        self._file.close()
        with self._index.open("xb", buffering=_BUFFER) as file:
            digest = self._new()
            for piece in self._index_pieces(checksum):
                digest.update(piece)
                file.write(piece)
            file.write(digest.digest())
            _sync(file)
        # git looks for an index and then opens its pack.
        self._part.rename(self._pack)
        return self._pack, self._index

    def abandon(self) -> None:
        """Leave nothing of a pack that was not closed. May be repeated."""
        if not self._file.closed:
            with suppress(OSError):  # what is buffered may not fit on the disk any more
                self._file.close()
        if self._part.exists():
            self._part.unlink()
            self._index.unlink(missing_ok=True)

    def _checksum(self) -> bytes:
        """Hash the file: its count of objects, which stands in front, is known only now."""
        digest = self._new()
        with self._part.open("rb", buffering=0) as file:
            while piece := file.read(_BUFFER):
                digest.update(piece)
        done: bytes = digest.digest()
        return done

    def _index_pieces(self, checksum: bytes) -> list[bytes]:
        """Give the index, version 2, up to its own checksum."""
        names = sorted(self._objects)
        fan = [0] * 256
        for name in names:
            fan[name[0]] += 1
        for first in range(1, 256):
            fan[first] += fan[first - 1]
        rows = [self._objects[name] for name in names]
        large = [offset for offset, _ in rows if offset >= _LARGE]
        beyond = iter(range(_LARGE, _LARGE + len(large)))
        near = [offset if offset < _LARGE else next(beyond) for offset, _ in rows]
        return [
            b"\xfftOc" + struct.pack(">I", 2),
            struct.pack(">256I", *fan),
            b"".join(names),
            struct.pack(f">{len(rows)}I", *(check for _, check in rows)),
            struct.pack(f">{len(near)}I", *near),
            struct.pack(f">{len(large)}Q", *large),
            checksum,
        ]


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _header(kind: int, size: int) -> bytes:
    """Give an object's header: the type, and the size in groups of seven bits, lowest first."""
    byte = kind << 4 | size & 15
    size >>= 4
    out = bytearray()
    while size:
        out.append(byte | 128)
        byte = size & 127
        size >>= 7
    out.append(byte)
    return bytes(out)
