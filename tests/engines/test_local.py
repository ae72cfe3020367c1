"""The local engine: what it copies, and what it will not open."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from support.content import content
from support.process import no_new_descriptors
from support.sink import FileSink, ListJobs

from gitassets.engines import load
from gitassets.engines.base import Failed, Fetched, Job, Tuning
from gitassets.errors import Cause
from gitassets.model import Request, Url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MIB = 1 << 20
SOME = 2 * MIB + 77


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "root" / "deep").mkdir(parents=True)
    with no_new_descriptors():
        yield tmp_path / "root"


def ask(path: Path | str, root: Path) -> Request:
    url = "file://" + quote(str(path))
    return Request(url, Url("file:x"), root=str(root))


def copy(request: Request, sink: FileSink) -> Fetched | Failed:
    job = Job("a" * 64, sink.size, (request,), sink)
    (result,) = load("local", Tuning()).fetch(ListJobs([job]))
    assert result.job is job
    assert sink.breaches == []
    return result


def refused(result: Fetched | Failed, cause: Cause) -> None:
    assert isinstance(result, Failed)
    assert result.error.cause is cause, result.error.reason
    assert result.count == 0


class TestCopies:
    @pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, SOME])
    @pytest.mark.parametrize("name", ["plain", "deep/x", "sp ace", "ä%20#?", "-x"])
    def test_size_and_bytes(self, root: Path, tmp_path: Path, size: int, name: str) -> None:
        (root / name).write_bytes(content("s", 0, size))
        sink = FileSink(tmp_path / "staging", size)
        result = copy(ask(root / name, root), sink)
        assert isinstance(result, Fetched)
        assert result.count == size
        assert sink.wrong("s") == []

    def test_only_what_is_missing(self, root: Path, tmp_path: Path) -> None:
        (root / "x").write_bytes(content("s", 0, SOME))
        sink = FileSink(tmp_path / "staging", SOME)
        sink.preload("s", [(10, 20), (MIB, MIB + 5)])
        result = copy(ask(root / "x", root), sink)
        assert result.count == SOME - 15
        assert sink.wrong("s") == []
        assert [each for each in sink.writes if each[0] < MIB + 5] == [(0, 10), (20, MIB)]

    def test_nothing_missing_opens_nothing(self, root: Path, tmp_path: Path) -> None:
        sink = FileSink(tmp_path / "staging", 5)
        sink.preload("s", [(0, 5)])
        assert isinstance(copy(ask(root / "absent", root), sink), Fetched)

    def test_jobs_that_are_ready_later(self, root: Path, tmp_path: Path) -> None:
        class Later(ListJobs):
            asked = 0

            def take(self) -> Job | None:
                self.asked += 1
                return super().take() if self.asked % 2 == 0 else None

        (root / "x").write_bytes(content("s", 0, 9))
        jobs = Later()
        for name in "ab":
            sink = FileSink(tmp_path / name, 9)
            jobs.add(Job(name, 9, (ask(root / "x", root),), sink))
        assert [type(each) for each in load("local", Tuning()).fetch(jobs)] == [Fetched] * 2


class TestRefuses:
    @pytest.mark.parametrize("difference", [-1, 1])
    def test_another_size(self, root: Path, tmp_path: Path, difference: int) -> None:
        (root / "x").write_bytes(content("s", 0, SOME + difference))
        refused(copy(ask(root / "x", root), FileSink(tmp_path / "s", SOME)), Cause.LYING)

    def test_what_is_not_there(self, root: Path, tmp_path: Path) -> None:
        (root / "file").touch()
        for path in (root / "x", root / "no" / "x", root / "file" / "x"):
            refused(copy(ask(path, root), FileSink(tmp_path / "s", 1)), Cause.GONE)
        refused(copy(ask("/no/x", Path("/no")), FileSink(tmp_path / "s", 1)), Cause.GONE)

    def test_what_is_no_regular_file(self, root: Path, tmp_path: Path) -> None:
        """And a FIFO without a writer is not waited for."""
        os.mkfifo(root / "fifo")
        (root / "link").symlink_to("/etc/passwd")
        (root / "away").symlink_to(tmp_path)
        (tmp_path / "outside").write_bytes(b"x")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(root / "socket"))
            for name in ("fifo", "link", "away/outside", "deep", "socket"):
                refused(copy(ask(root / name, root), FileSink(tmp_path / "s", 1)), Cause.REFUSED)

    def test_what_is_not_below_the_root(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "outside").write_bytes(b"x")
        for path in (tmp_path / "outside", f"{root}/../outside", root, f"{root}/a\0b"):
            refused(copy(ask(path, root), FileSink(tmp_path / "s", 1)), Cause.REFUSED)

    def test_one_that_shrinks_while_it_is_read(self, root: Path, tmp_path: Path) -> None:
        (root / "x").write_bytes(content("s", 0, SOME))

        class Shrinking(FileSink):
            def write(self, offset: int, chunks: Sequence[bytes]) -> None:
                super().write(offset, chunks)
                os.truncate(root / "x", MIB + 1)

        result = copy(ask(root / "x", root), Shrinking(tmp_path / "s", SOME))
        assert isinstance(result, Failed)
        assert result.error.cause is Cause.LYING
        assert result.count == MIB

    def test_a_disk_that_takes_no_more(self, root: Path, tmp_path: Path) -> None:
        (root / "x").write_bytes(b"x")

        class Full(FileSink):
            def write(self, offset: int, chunks: Sequence[bytes]) -> None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        result = copy(ask(root / "x", root), Full(tmp_path / "s", 1))
        refused(result, Cause.LOCAL)
        assert isinstance(result, Failed)
        assert "No space left" in result.error.reason

    def test_a_file_that_may_not_be_read(self, root: Path, tmp_path: Path) -> None:
        (root / "x").write_bytes(b"x")
        (root / "x").chmod(0)
        if os.access(root / "x", os.R_OK):
            pytest.skip("root may read everything")
        refused(copy(ask(root / "x", root), FileSink(tmp_path / "s", 1)), Cause.DENIED)

    def test_handles_only_absolute_files_with_a_root(self) -> None:
        engine = load("local", Tuning())
        url = Url("file:x")
        assert engine.unavailable() is None
        assert engine.handles(Request("file:///a/b", url, root="/a"))
        assert not engine.handles(Request("file:///a/b", url))
        assert not engine.handles(Request("http://a/b", url, root="/a"))
