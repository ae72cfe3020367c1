"""The map that a killed writer leaves: every claimed byte is really there."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from gitassets import holes, syscalls
from gitassets.holes import CAUTION, GRID
from gitassets.ranges import Ranges

MIB = 1 << 20
SIZE = 8 * MIB
NOTHING = Ranges()


@pytest.fixture(params=["disk", "memory"])
def place(request, tmp_path):
    """The file system of the tests, and tmpfs."""
    if request.param == "disk":
        yield tmp_path
        return
    memory = Path("/dev/shm") / f"{os.getpid()}-{tmp_path.name}"
    if not os.access(memory.parent, os.W_OK):
        pytest.skip("no tmpfs at /dev/shm")
    memory.mkdir()
    yield memory
    for left in memory.iterdir():
        left.unlink()
    memory.rmdir()


@pytest.fixture(params=["reserved", "sparse"])
def file(request, place):
    if not holes.exact(place):
        pytest.skip("the file system does not report holes by the page")
    descriptor = os.open(place / "file", os.O_RDWR | os.O_CREAT, 0o600)
    if request.param == "reserved":
        holes.reserve(descriptor, SIZE)
    else:
        os.ftruncate(descriptor, SIZE)
    yield descriptor
    os.close(descriptor)


def fill(descriptor: int, start: int, end: int) -> None:
    os.pwrite(descriptor, b"x" * (end - start), start)


class TestArrived:
    def test_nothing(self, file):
        assert list(holes.arrived(file, SIZE, NOTHING)) == []

    def test_never_a_byte_that_was_not_written(self, file):
        """Streams on the grid, stopped anywhere, also right before the start of the next one."""
        written = Ranges()
        for block, length in enumerate(
            (MIB, 5000, MIB - 1, MIB - 4095, MIB, MIB - CAUTION, 1, MIB)
        ):
            start = block * GRID
            fill(file, start, start + length)
            written.add(start, start + length)
        claimed = holes.arrived(file, SIZE, NOTHING)
        assert claimed.within(written).count == claimed.count
        assert claimed.count >= written.count - 8 * (CAUTION + 4096)

    def test_the_kernel_alone_claims_too_much(self, file):
        """The control: pages are not bytes."""
        fill(file, 0, MIB - 100)
        fill(file, MIB, 2 * MIB)
        assert list(holes._runs(file, SIZE)) == [(0, 2 * MIB)]
        assert list(holes.arrived(file, SIZE, NOTHING)) == [
            (0, MIB - CAUTION),
            (MIB, 2 * MIB - CAUTION),
        ]

    def test_what_the_journal_knows_is_whole(self, file):
        fill(file, 0, 3 * MIB)
        known = Ranges([(0, 2 * MIB + 77)])
        assert list(holes.arrived(file, SIZE, known)) == [(0, 3 * MIB - CAUTION)]

    def test_a_stream_off_the_grid_is_a_seam_when_it_was_written_down(self, file):
        seam = 2 * MIB + 3 * 4096
        fill(file, 2 * MIB, seam - 10)  # killed ten bytes before the start of the next stream
        fill(file, seam, 3 * MIB)
        known = Ranges([(seam, seam + 1)])
        claimed = holes.arrived(file, SIZE, known)
        assert list(claimed)[-1] == (seam, 3 * MIB - CAUTION)
        assert all(end <= seam - CAUTION for _, end in list(claimed)[:-1])

    def test_the_journal_is_not_believed_against_the_file(self, file):
        """After a power loss the journal may know what the disk does not."""
        fill(file, MIB, 2 * MIB)
        known = Ranges([(0, 4 * MIB)])
        assert list(holes.arrived(file, SIZE, known)) == [(MIB, 2 * MIB)]

    def test_a_run_that_begins_in_the_middle_of_a_page(self, file):
        fill(file, MIB + 5000, MIB + 200_000)
        (start, _), *rest = holes.arrived(file, SIZE, NOTHING)
        assert start >= MIB + 5000
        assert not rest

    def test_a_whole_file_is_never_quite_whole(self, file):
        fill(file, 0, SIZE)
        claimed = holes.arrived(file, SIZE, NOTHING)
        assert claimed.missing(SIZE)[-1] == (SIZE - CAUTION, SIZE)
        assert holes.arrived(file, SIZE, Ranges([(0, SIZE)])).missing(SIZE) == []

    def test_100_gib_without_a_journal_is_quick(self, place):
        """Every seam of the grid is a border: not one may cost more than the one before."""
        size = 100 << 30
        borders = []

        class Fake(Ranges):
            def add(self, start, end):
                borders.append(start)
                return super().add(start, end)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(holes, "_runs", lambda *_: Ranges([(0, size)]))
            patch.setattr(holes, "Ranges", Fake)
            claimed = holes.arrived(0, size, NOTHING)
        assert len(borders) == size // GRID
        assert claimed.count == size - len(borders) * CAUTION


class TestReadAhead:
    """A hole that is read ahead of the reader looks like data: readers must say that they jump."""

    def grows(self, file, advice):
        fill(file, 0, 2 * MIB)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(file, 0, 0, advice)
        for at in range(0, 2 * MIB, MIB):
            os.pread(file, MIB, at)
        return holes._runs(file, SIZE).count > 2 * MIB

    def test_not_with_the_advice(self, file):
        assert not self.grows(file, os.POSIX_FADV_RANDOM)

    def test_the_control(self, file):
        if not self.grows(file, os.POSIX_FADV_NORMAL):
            pytest.skip("here a page that was read ahead does not count as data")


class TestExact:
    @pytest.fixture(autouse=True)
    def forget(self):
        holes.exact.cache_clear()
        yield
        holes.exact.cache_clear()

    def test_leaves_nothing_behind(self, place):
        names, before = os.listdir(place), len(os.listdir("/proc/self/fd"))
        holes.exact(place)
        assert os.listdir(place) == names
        assert len(os.listdir("/proc/self/fd")) == before

    def test_no_holes_at_all(self, place, monkeypatch):
        def lseek(_, at, whence):
            return at if whence == os.SEEK_DATA else 4 * MIB

        monkeypatch.setattr(os, "lseek", lseek)
        assert holes.exact(place) is False

    def test_holes_by_two_mib(self, place, monkeypatch):
        real = os.lseek

        def lseek(descriptor, at, whence):
            found = real(descriptor, at, whence)
            return found - found % (2 * MIB) + (2 * MIB if whence == os.SEEK_HOLE else 0)

        monkeypatch.setattr(os, "lseek", lseek)
        assert holes.exact(place) is False

    def test_no_file_can_be_made(self, place):
        assert holes.exact(place / "absent") is False

    def test_a_tmpfs_of_huge_pages(self, tmp_path):
        tmp_path /= "huge"
        tmp_path.mkdir()
        options = ["-o", "huge=always,size=64m"]
        mount = ["mount", "-t", "tmpfs", *options, "tmpfs", str(tmp_path)]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("cannot mount a tmpfs of huge pages here")
        try:
            descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
            os.ftruncate(descriptor, 4 * MIB)
            fill(descriptor, 2 * MIB, 2 * MIB + 1)
            coarse = holes._runs(descriptor, 4 * MIB).count > CAUTION
            os.close(descriptor)
            assert holes.exact(tmp_path) is not coarse
        finally:
            subprocess.run(["umount", str(tmp_path)], check=True)


class TestReserve:
    def test_the_whole_file_is_a_hole_that_has_its_blocks(self, file, place):
        assert os.fstat(file).st_size == SIZE
        assert holes._runs(file, SIZE).count == 0
        other = os.open(place / "other", os.O_RDWR | os.O_CREAT, 0o600)
        holes.reserve(other, SIZE)
        assert os.fstat(other).st_blocks * 512 >= SIZE
        os.close(other)

    def test_without_fallocate(self, place, monkeypatch):
        def refuse(*_):
            raise OSError(errno.EOPNOTSUPP, "not here")

        monkeypatch.setattr(syscalls, "fallocate", refuse)
        descriptor = os.open(place / "file", os.O_RDWR | os.O_CREAT, 0o600)
        holes.reserve(descriptor, SIZE)
        assert os.fstat(descriptor).st_size == SIZE
        monkeypatch.setattr(
            syscalls, "fallocate", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full"))
        )
        with pytest.raises(OSError, match="full"):
            holes.reserve(descriptor, SIZE)
        os.close(descriptor)

    def test_a_function_that_the_c_library_does_not_have(self):
        with pytest.raises(OSError, match="no such_thing") as caught:
            syscalls._call("such_thing")
        assert caught.value.errno in syscalls.UNSUPPORTED
        with pytest.raises(OSError, match="Bad file"):
            syscalls.syncfs(-1)
