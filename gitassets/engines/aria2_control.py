"""What aria2c reads and writes about one file: control file, bitfield, Metalink. Pure.

A control file (`NAME.aria2`, version 1, big-endian; described in aria2's technical notes) names the
pieces that are in the file and, for pieces in flight, their blocks of 16 KiB. We write it from what
our own map says, so that aria2c asks for exactly what is missing, and read it back for the blocks
that the RPC interface does not show.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from gitassets.engines.programs import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Range = tuple[int, int]

MIB = 1 << 20
BLOCK = 16 * 1024
"""Bytes; aria2's `Piece::BLOCK_LENGTH`."""
_MAX_PIECES = 1 << 18
"""So that a bitfield, which every poll carries as hex digits, stays at 64 KiB."""
_HEAD = struct.Struct(">HIIIQQI")
"""Version, extension, length of the info hash, piece length, total, uploaded, bytes of bitfield."""
_COUNT = struct.Struct(">I")
_PIECE = struct.Struct(">III")
"""Index, bytes of the piece, bytes of its bitmap."""


def piece_length(size: int) -> int:
    """Bytes of a piece in a file of `size` bytes: 1 MiB, aria2's least, up to 256 GiB."""
    return MIB * max(1, -(-size // (_MAX_PIECES * MIB)))


def encode(size: int, missing: Sequence[Range]) -> bytes:
    """Give the control file of a file of `size` bytes in which the half-open ranges `missing` lack.

    `missing` is in order. Of a piece only the blocks before its first gap count: with blocks behind
    one, aria2c (1.36) takes the piece for complete when the gap is filled, and writes the rest of
    that stream into the next piece. And a piece of which blocks are there is named complete as long
    as the one before it is asked for: a stream that runs into it is thrown away with all that is
    under way. So what is complete then may lack once more, and the second time it does not.
    """
    piece = piece_length(size)
    cells = -(-size // piece)
    whole = (1 << cells) - 1
    begun: dict[int, int] = {}
    seen = -1
    for start, end in missing:
        first, last = start // piece, -(-end // piece)
        whole &= ~(((1 << (last - first)) - 1) << (cells - last))
        if first != seen and start % piece >= BLOCK:
            begun[first] = start % piece // BLOCK
        seen = last - 1
    partial = []
    for index, count in begun.items():
        if index and not whole >> (cells - index) & 1:
            whole |= 1 << (cells - 1 - index)
        else:
            partial.append(_in_flight(index, min(piece, size - index * piece), count))
    bitfield = _packed(whole, cells)
    head = _HEAD.pack(1, 0, 0, piece, size, 0, len(bitfield))
    return b"".join([head, bitfield, _COUNT.pack(len(partial)), *partial])


def decode(control: bytes, size: int) -> tuple[str, list[Range]]:
    """Give the bitfield of `control` as hex digits, and the ranges of finished blocks beside it.

    Raises ValueError when it is no control file of ours for a file of `size` bytes.
    """
    piece = piece_length(size)
    ranges: list[Range] = []
    try:
        version, extension, info, length, total, _, count = _HEAD.unpack_from(control)
        if (version, extension, info, length, total) != (1, 0, 0, piece, size):
            raise ValueError("the control file of another file")
        at = _HEAD.size + count
        bitfield = control[_HEAD.size : at]
        _unpacked(bitfield, -(-size // piece))
        (partial,) = _COUNT.unpack_from(control, at)
        at += _COUNT.size
        for _ in range(partial):
            index, length, count = _PIECE.unpack_from(control, at)
            at += _PIECE.size
            if length != min(piece, size - index * piece):
                raise ValueError("a piece that the file does not have")
            blocks = _unpacked(control[at : at + count], -(-length // BLOCK))
            ranges += _runs(blocks, index * piece, length, BLOCK)
            at += count
    except struct.error as error:
        raise ValueError("a control file that is cut short") from error
    return bitfield.hex(), ranges


def pieces(bitfield: str, known: str, size: int) -> list[Range]:
    """Give the ranges of the pieces that `bitfield` names and `known` does not.

    Both are hex digits as in `aria2.tellStatus`, or empty. Raises ValueError when one is not that
    of a file of `size` bytes.
    """
    piece = piece_length(size)
    cells = -(-size // piece)
    now, before = (
        _unpacked(bytes.fromhex(text), cells) if text else 0 for text in (bitfield, known)
    )
    return list(_runs(now & ~before, 0, size, piece))


def metalink(name: str, size: int, urls: Iterable[str]) -> bytes:
    """Describe one file to aria2c (RFC 5854): exact size, mirrors in order, nothing to be guessed.

    No hash: with one, aria2c reads the file again at 150 MB/s when it is done.
    """
    mirrors = "".join(
        f'<url priority="{priority}">{escape(one_line(url))}</url>'
        for priority, url in enumerate(urls, 1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><metalink xmlns="urn:ietf:params:xml:ns:metalink">'
        f'<file name="{escape(name, {chr(34): "&quot;"})}"><size>{size}</size>{mirrors}</file>'
        "</metalink>"
    ).encode()


def _in_flight(index: int, length: int, count: int) -> bytes:
    """Describe a piece of which the first `count` blocks are there."""
    blocks = -(-length // BLOCK)
    bitmap = _packed(((1 << count) - 1) << (blocks - count), blocks)
    return _PIECE.pack(index, length, len(bitmap)) + bitmap


def _runs(mask: int, start: int, length: int, cell: int) -> Iterator[Range]:
    """Give the byte ranges that the bits of `mask` stand for, neighbours joined."""
    cells = -(-length // cell)
    for run in re.finditer("1+", f"{mask:0{cells}b}"):
        yield start + run.start() * cell, start + min(run.end() * cell, length)


def _packed(mask: int, cells: int) -> bytes:
    return (mask << (-cells % 8)).to_bytes(-(-cells // 8), "big")


def _unpacked(bitmap: bytes, cells: int) -> int:
    if len(bitmap) != -(-cells // 8):
        raise ValueError("a bitmap of another length")
    return int.from_bytes(bitmap, "big") >> (-cells % 8)
