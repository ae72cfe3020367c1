"""A file on its way into the cache: one writer, every claimed byte real, hashed when it is whole."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from gitassets import holes, staging, syscalls
from gitassets.errors import NoSpace
from gitassets.journal import Journal
from gitassets.model import Digest
from gitassets.ranges import Ranges
from gitassets.staging import RESUMED, SMALL, Staging

CHECKOUT = Path(__file__).parent.parent
MIB = 1 << 20
LARGE = 6 * MIB + 12345
CONTENT = random.Random(7).randbytes(LARGE)
SIZES = [0, 1, 10_000, RESUMED, RESUMED + 1, SMALL, SMALL + 1, LARGE]
KILLS = int(os.environ.get("GIT_ASSETS_KILLS", "6"))
"""Rounds of kill -9; a campaign sets a larger number."""


def digest(size: int = LARGE) -> Digest:
    return Digest(sha256(CONTENT[:size]).hexdigest())


@pytest.fixture
def place(tmp_path):
    path = tmp_path / "staging"
    path.mkdir()
    return path


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "journal.db")
    yield opened
    opened.close()


@pytest.fixture
def begin(place, journal):
    """Open a staging file as often as a test likes; all are closed at the end."""
    opened: list[Staging] = []

    def open_one(size: int = LARGE) -> Staging:
        staged = Staging.open(place, digest(size), size, journal)
        assert staged is not None
        opened.append(staged)
        return staged

    yield open_one
    for each in opened:
        each.close()


def put(staged: Staging, start: int, end: int, step: int = 300_000) -> None:
    for at in range(start, end, step):
        stop = min(at + step, end)
        middle = (at + stop) // 2
        staged.write(at, [CONTENT[at:middle], CONTENT[middle:stop]])


def claimed(staged: Staging) -> Ranges:
    ranges = Ranges([(0, staged.size)])
    for start, end in staged.missing():
        ranges.remove(start, end)
    return ranges


def assert_true(staged: Staging) -> Ranges:
    """Compare every byte that the file is said to hold."""
    ranges = claimed(staged)
    for start, end in ranges:
        assert os.pread(staged.descriptor, end - start, start) == CONTENT[start:end]
    return ranges


class TestFresh:
    @pytest.mark.parametrize("size", SIZES)
    def test_to_the_end(self, begin, place, size, tmp_path):
        staged = begin(size)
        assert staged.path == place / digest(size)
        assert staged.path.stat().st_size == size, "engines that are processes need the full size"
        assert staged.missing() == ([(0, size)] if size else [])
        put(staged, 0, size)
        assert staged.missing() == []
        assert staged.hexdigest() == digest(size)
        signature = staged.seal()
        staged.move(str(tmp_path / "object"))
        status = (tmp_path / "object").stat()
        assert (tmp_path / "object").read_bytes() == CONTENT[:size]
        assert status.st_mode & 0o777 == 0o444
        assert signature == (status.st_size, status.st_mtime_ns, status.st_ino)
        staged.close()
        assert os.listdir(place) == []
        assert (tmp_path / "object").exists()

    def test_out_of_order_and_twice(self, begin):
        staged = begin()
        random.Random(1).shuffle(pieces := list(range(0, LARGE, 250_000)))
        for at in [*pieces, *pieces[:3]]:
            put(staged, at, min(at + 250_000, LARGE))
        assert staged.hexdigest() == digest()

    def test_progress_counts_what_is_new(self, begin):
        staged, seen = begin(), []
        staged.on_bytes = seen.append
        staged.write(0, [CONTENT[:1000]])
        staged.write(500, [CONTENT[500:1500]])
        staged.wrote(0, 1200)
        staged.wrote(3000, 4000)
        assert seen == [1000, 500, 1000]
        staged.restart()
        assert sum(seen) == 0
        staged.restart()
        assert len(seen) == 4

    @pytest.mark.parametrize(("offset", "count"), [(-1, 1), (0, 10_001), (10_000, 1), (9_999, 2)])
    def test_never_beyond_the_size(self, begin, offset, count):
        staged = begin(10_000)
        with pytest.raises(ValueError, match="of a file of 10000"):
            staged.write(offset, [b"x" * count])
        with pytest.raises(ValueError, match="of a file of 10000"):
            staged.wrote(offset, offset + count)
        assert staged.path.stat().st_size == 10_000
        assert staged.missing() == [(0, 10_000)]

    def test_short_writes_and_many_chunks(self, begin, monkeypatch):
        real_v, real = os.pwritev, os.pwrite
        monkeypatch.setattr(os, "pwritev", lambda fd, c, at: real(fd, b"".join(c)[:777], at))
        monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, data[:5000], at))
        staged = begin(100_000)
        put(staged, 0, 100_000)
        monkeypatch.setattr(os, "pwritev", real_v)
        assert staged.hexdigest() == digest(100_000)
        other = begin(50_000)
        other.write(0, [CONTENT[at : at + 10] for at in range(0, 50_000, 10)])
        assert other.hexdigest() == digest(50_000)

    @pytest.mark.parametrize("size", [10_000, LARGE])
    def test_no_digest_before_the_last_byte(self, begin, size):
        staged = begin(size)
        put(staged, 0, size - 1)
        assert staged.hexdigest() == ""
        with pytest.raises(ValueError, match="not those of"):
            staged.seal()
        assert list(claimed(staged)) == [(0, size - 1)]

    @pytest.mark.parametrize("size", [10_000, LARGE])
    def test_wrong_bytes_are_not_sealed(self, begin, size):
        staged = begin(size)
        put(staged, 0, size)
        staged.restart()
        put(staged, 0, size - 1)
        staged.write(size - 1, [bytes([CONTENT[size - 1] ^ 1])])
        assert len(staged.hexdigest()) == 64
        with pytest.raises(ValueError, match="not those of"):
            staged.seal()

    def test_a_file_that_was_cut_behind_our_back(self, begin):
        staged = begin(10_000)
        put(staged, 0, 10_000)
        os.truncate(staged.path, 9_999)
        with pytest.raises(ValueError, match="9999 bytes"):
            staged.seal()

    def test_restart_begins_with_nothing(self, begin, place):
        staged = begin()
        put(staged, 0, LARGE)
        control = place / f"{digest()}.aria2"
        control.touch()
        assert staged.hexdigest() == digest()
        staged.restart()
        assert staged.missing() == [(0, LARGE)]
        assert staged.path.stat().st_size == LARGE
        assert not control.exists()
        assert holes._runs(staged.descriptor, LARGE).count == 0
        put(staged, 0, LARGE)
        assert staged.hexdigest() == digest()

    def test_the_pin_of_what_was_not_pinned(self, begin, tmp_path):
        staged = begin(LARGE)
        other = bytes(LARGE)
        staged.write(0, [other])
        staged.rename(Digest(staged.hexdigest()))
        staged.seal()
        staged.move(str(tmp_path / "object"))
        assert (tmp_path / "object").read_bytes() == other


class TestForeignWriter:
    def test_reports(self, begin):
        staged = begin()
        descriptor = os.open(staged.path, os.O_WRONLY)
        for start in range(0, LARGE, MIB):
            end = min(start + MIB, LARGE)
            os.pwrite(descriptor, CONTENT[start:end], start)
            staged.wrote(start, end)
            staged.wrote(0, end)  # said again: nothing new
        os.close(descriptor)
        assert staged.hexdigest() == digest()

    def test_what_it_wrote_again_is_hashed_again(self, begin):
        staged = begin()
        staged.write(0, [bytes(3 * MIB)])  # wrong, and hashed by now
        descriptor = os.open(staged.path, os.O_WRONLY)
        os.pwrite(descriptor, CONTENT, 0)
        os.close(descriptor)
        staged.wrote(0, LARGE)
        assert staged.hexdigest() == digest()


class TestResume:
    @pytest.mark.parametrize("size", SIZES)
    def test_another_run_goes_on(self, begin, size):
        first = begin(size)
        put(first, 0, size // 3)
        first.close()
        second = begin(size)
        have = assert_true(second).count
        assert have == (size // 3 if size > RESUMED else 0)
        for start, end in second.missing():
            put(second, start, end)
        assert second.hexdigest() == digest(size)

    def test_nothing_arrived_nothing_stays(self, begin, place):
        begin().close()
        assert os.listdir(place) == []

    @pytest.mark.parametrize("size", SIZES[1:])
    def test_only_what_can_be_used_is_kept(self, begin, place, size):
        staged = begin(size)
        put(staged, 0, size - size // 2)
        staged.close()
        assert os.listdir(place) == ([digest(size)] if size > RESUMED else [])

    def test_discard(self, begin, place, journal):
        staged = begin()
        put(staged, 0, 2 * MIB)
        staged.close()
        assert journal.ranges(digest(), LARGE).count == 2 * MIB
        again = begin()
        again.discard()
        again.discard()
        again.close()
        assert os.listdir(place) == []
        assert journal.ranges(digest(), LARGE).count == 0

    def test_a_file_of_another_size_begins_anew(self, begin, place, journal):
        (place / digest()).write_bytes(CONTENT[: 3 * MIB])
        journal.save_ranges(digest(), Ranges([(0, MIB)]))
        staged = begin()
        assert staged.missing() == [(0, LARGE)]
        assert holes._runs(staged.descriptor, LARGE).count == 0

    def test_planted_rubbish_costs_one_round(self, begin, place):
        (place / digest()).write_bytes(os.urandom(LARGE))
        staged = begin()
        for start, end in staged.missing():
            put(staged, start, end)
        assert staged.hexdigest() != digest()
        staged.restart()
        put(staged, 0, LARGE)
        assert staged.hexdigest() == digest()

    def test_without_holes_the_journal_alone_is_believed(self, begin, monkeypatch, journal):
        monkeypatch.setattr(holes, "exact", lambda _: False)
        first = begin()
        put(first, 0, 2 * MIB)
        first.close()
        os.truncate(first.path, 0)
        first.path.write_bytes(CONTENT[: 2 * MIB] + bytes(LARGE - 2 * MIB))  # data everywhere
        second = begin()
        assert list(assert_true(second)) == [(0, 2 * MIB)]
        second.close()
        journal.drop_ranges([digest()])
        assert begin().missing() == [(0, LARGE)]

    def test_the_journal_is_written_now_and_then(self, begin, journal, monkeypatch):
        saved = []
        monkeypatch.setattr(journal, "save_ranges", lambda _, ranges: saved.append(ranges.count))
        monkeypatch.setattr(staging, "_SAVE_BYTES", 2 * MIB)
        monkeypatch.setattr(staging, "_SAVE_SECONDS", 10_000.0)
        put(begin(), 0, LARGE, step=MIB)
        assert saved == [2 * MIB, 4 * MIB, 6 * MIB]
        monkeypatch.setattr(staging, "_SAVE_SECONDS", 0.0)
        begin(SMALL + 1).write(0, [b"x"])
        assert saved[3:] == [1]

    def test_a_stream_off_the_grid_is_written_down_at_once(self, begin, journal):
        staged = begin()
        staged.write(MIB, [CONTENT[MIB : MIB + 10]])
        assert journal.ranges(digest(), LARGE).count == 0
        staged.write(3 * MIB + 4096, [CONTENT[3 * MIB + 4096 : 3 * MIB + 4100]])
        assert (3 * MIB + 4096, 3 * MIB + 4100) in list(journal.ranges(digest(), LARGE))

    def test_a_small_file_costs_the_journal_nothing(self, begin, journal, tmp_path):
        staged = begin(10_000)
        put(staged, 0, 10_000)
        staged.seal()
        staged.move(str(tmp_path / "object"))
        assert not (tmp_path / "journal.db").exists()


WRITER = """
import random, sys
from pathlib import Path
from gitassets.journal import Journal
from gitassets.model import Digest
from gitassets.staging import Staging

place, digest, seed, streams = Path(sys.argv[1]), Digest(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
dice = random.Random(seed)
content = random.Random(7).randbytes(int(sys.argv[5]))
staged = Staging.open(place, digest, len(content), Journal(place.parent / "journal.db"))
todo = []
for start, end in staged.missing():
    while end - start > 2 << 20 and len(todo) < streams:
        todo.append([start, start + (1 << 20)])
        start += 1 << 20
    todo.append([start, end])
print("held", flush=True)
while todo:
    job = dice.choice(todo[:streams])
    step = min(dice.choice([1400, 16384, 16384 - 230, 200000]), job[1] - job[0])
    staged.write(job[0], [content[job[0] : job[0] + step]])
    job[0] += step
    if job[0] == job[1]:
        todo.remove(job)
print(staged.hexdigest(), flush=True)
sys.stdin.read()
"""


@contextmanager
def writer(place: Path, seed: int, streams: int):
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, place, digest(), str(seed), str(streams), str(LARGE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
    finally:
        child.kill()
        child.wait()
        child.communicate()


class TestProcesses:
    def test_one_at_a_time(self, place, journal):
        with writer(place, 1, 1) as child:
            assert Staging.open(place, digest(), LARGE, journal) is None
            assert child.stdout is not None
            assert child.stdout.readline().strip() == digest()
            assert Staging.open(place, digest(), LARGE, journal) is None
        staged = Staging.open(place, digest(), LARGE, journal)
        assert staged is not None
        assert_true(staged)
        staged.close()

    @pytest.mark.parametrize("streams", [1, 4])
    @pytest.mark.parametrize("map_of", ["holes", "journal"])
    def test_kill_9(self, place, journal, streams, map_of, monkeypatch):
        """Killed at any moment, again and again: never a byte too much, at most 1 MiB a stream lost."""
        if map_of == "journal":
            monkeypatch.setattr(holes, "exact", lambda _: False)
        for seed in range(KILLS):
            with writer(place, seed, streams) as child:
                until = random.Random(seed).randrange(0, LARGE)
                name = place / digest()
                while child.poll() is None and written_in(name) < until:
                    pass
                child.kill()
                child.wait()
                written = written_in(name)
            staged = Staging.open(place, digest(), LARGE, journal)
            assert staged is not None
            have = assert_true(staged)
            if map_of == "holes":
                assert written - have.count <= streams * MIB
            staged.close()
        staged = Staging.open(place, digest(), LARGE, journal)
        assert staged is not None
        for start, end in staged.missing():
            put(staged, start, end)
        assert staged.hexdigest() == digest()
        staged.close()


def written_in(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return holes._runs(descriptor, LARGE).count
    finally:
        os.close(descriptor)


class TestFullDisk:
    @pytest.fixture
    def disk(self, tmp_path):
        """A file system of 4 MiB."""
        path = tmp_path / "disk"
        path.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("cannot mount a tmpfs here")
        yield path
        subprocess.run(["umount", str(path)], check=True)

    def test_is_known_before_the_first_byte(self, disk, journal):
        with pytest.raises(NoSpace) as caught:
            Staging.open(disk, digest(), LARGE, journal)
        assert caught.value.needed == LARGE
        assert caught.value.free <= 4 * MIB
        assert caught.value.place == str(disk)
        assert os.listdir(disk) == []

    def test_in_the_middle_of_a_small_file(self, disk, journal):
        staged = Staging.open(disk, digest(SMALL), SMALL, journal)
        assert staged is not None
        put(staged, 0, SMALL // 2)
        free = os.statvfs(disk)
        with (disk / "ballast").open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, free.f_bavail * free.f_frsize)
        with pytest.raises(OSError, match="No space"):
            put(staged, SMALL // 2, SMALL)
        assert_true(staged)
        (disk / "ballast").unlink()
        for start, end in staged.missing():
            put(staged, start, end)
        assert staged.hexdigest() == digest(SMALL)
        staged.discard()

    def test_other_troubles_are_told_as_they_are(self, place, journal, monkeypatch):
        def fail(*_):
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(syscalls, "fallocate", fail)
        with pytest.raises(OSError, match="Input/output"):
            Staging.open(place, digest(), LARGE, journal)
        assert os.listdir(place) == []
