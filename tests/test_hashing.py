"""The digest of a growing file is that of its bytes, in whatever order they came."""

from __future__ import annotations

import os
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitassets import hashing
from gitassets.hashing import BLOCK, INLINE, Follower, Progressive, sha256_of
from gitassets.ranges import Ranges

CONTENT = os.urandom(3 * BLOCK + 12345)
MOST = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, len(CONTENT)]


@pytest.fixture
def descriptor(tmp_path):
    opened = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


class Writer:
    """A file with the books that staging keeps for it."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor, self.size, self.ranges = descriptor, size, Ranges()
        os.ftruncate(descriptor, 0)
        os.ftruncate(descriptor, size)
        self.hash = Progressive(descriptor, size)

    def write(self, offset: int, data: bytes) -> None:
        self.hash.writing(offset)
        os.pwrite(self.descriptor, data, offset)
        self.hash.written([data[:100], data[100:]])
        self.ranges.add(offset, offset + len(data))
        self.hash.advance(self.ranges.prefix())


@pytest.mark.parametrize("size", MOST)
def test_of_a_finished_file(descriptor, size):
    os.pwrite(descriptor, CONTENT[:size], 0)
    os.lseek(descriptor, 5, os.SEEK_SET)
    assert sha256_of(descriptor) == sha256(CONTENT[:size]).hexdigest()
    assert os.lseek(descriptor, 0, os.SEEK_CUR) == 5
    head = sha256(CONTENT[: size // 2])
    assert sha256_of(descriptor, size // 2, head) == sha256(CONTENT[:size]).hexdigest()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(size=st.sampled_from(MOST), step=st.integers(1 << 14, 1 << 21), random=st.randoms())
def test_in_any_order(descriptor, size, step, random):
    pieces = list(range(0, size, step))
    if random.random() < 0.5:
        random.shuffle(pieces)
    writer = Writer(descriptor, size)
    for at in pieces:
        writer.write(at, CONTENT[at : min(at + step, size)])
    try:
        assert writer.hash.digest() == sha256(CONTENT[:size]).hexdigest()
        assert writer.hash.digest() == sha256(CONTENT[:size]).hexdigest()
    finally:
        writer.hash.stop()


@pytest.mark.parametrize("size", [1000, len(CONTENT)])
def test_bytes_written_a_second_time_are_hashed_a_second_time(descriptor, size):
    """The digest must be of what is in the file, not of what was there when the hash went by."""
    writer = Writer(descriptor, size)
    writer.write(0, bytes(size // 2))
    if writer.hash._follower:
        with writer.hash._follower._changed:
            pass
    writer.write(0, CONTENT[: size // 2])
    writer.write(size // 2, CONTENT[size // 2 : size])
    assert writer.hash._follower is None
    assert writer.hash.digest() == sha256(CONTENT[:size]).hexdigest()
    writer.write(0, b"!")
    assert writer.hash.digest() == sha256(b"!" + CONTENT[1:size]).hexdigest()
    writer.hash.stop()


def test_small_files_in_order_are_never_read(descriptor, monkeypatch):
    monkeypatch.setattr(os, "preadv", None)
    writer = Writer(descriptor, INLINE)
    writer.write(0, CONTENT[:1000])
    writer.write(1000, CONTENT[1000:INLINE])
    assert writer.hash.digest() == sha256(CONTENT[:INLINE]).hexdigest()


class TestFollower:
    def test_reads_nothing_beyond_the_prefix(self, descriptor, monkeypatch):
        reads = []
        real = os.preadv

        def watched(descriptor, buffers, offset):
            reads.append(offset + len(buffers[0]))
            return real(descriptor, buffers, offset)

        monkeypatch.setattr(os, "preadv", watched)
        size = len(CONTENT)
        os.pwrite(descriptor, CONTENT, 0)
        follower = Follower(descriptor, size)
        follower.advance(2 * BLOCK + 7)
        assert follower.limit == 2 * BLOCK
        wait = follower._thread
        while len(reads) < 2:
            wait.join(0.001)
        follower.stop()
        assert reads == [BLOCK, 2 * BLOCK]
        assert not wait.is_alive()

    def test_is_ready_right_behind_the_last_byte(self, descriptor):
        os.pwrite(descriptor, CONTENT, 0)
        follower = Follower(descriptor, len(CONTENT))
        follower.advance(len(CONTENT))
        assert follower.limit == len(CONTENT)
        follower._thread.join()  # ends by itself: nobody has asked yet
        assert follower.digest() == sha256(CONTENT).hexdigest()

    def test_a_file_that_is_too_short(self, descriptor):
        os.pwrite(descriptor, CONTENT[:-1], 0)
        follower = Follower(descriptor, len(CONTENT))
        with pytest.raises(OSError, match="shorter"):
            follower.digest()

    def test_a_file_that_cannot_be_read(self, descriptor, monkeypatch):
        def fail(*_):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(hashing.os, "preadv", fail)
        follower = Follower(descriptor, len(CONTENT))
        with pytest.raises(OSError, match="Input/output"):
            follower.digest()
