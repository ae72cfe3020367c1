"""Nothing is read or written outside the root, whoever swaps a directory for a symlink."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from gitassets import syscalls
from gitassets.beneath import Root
from gitassets.errors import Blocked

if TYPE_CHECKING:
    from pathlib import Path

ATTEMPTS = int(os.environ.get("GIT_ASSETS_SWAPS", "3000"))
"""Writes against the swapper; a campaign sets a larger number."""

SWAPPER = """
import os, shutil, sys
os.chdir(sys.argv[1])
print("swapping", flush=True)
while True:
    os.rename("d", "d.real")
    try:
        os.symlink(sys.argv[2], "d")
        os.unlink("d")
        os.rename("d.real", "d")
    except OSError:  # the other side has made a directory in between
        while os.path.lexists("d.real"):
            shutil.rmtree("d", ignore_errors=True)
            try:
                os.rename("d.real", "d")
            except OSError:
                pass
"""


@pytest.fixture(params=["openat2", "walk"], autouse=True)
def way(request, monkeypatch):
    """Run every test with and without openat2."""
    if request.param == "walk":
        monkeypatch.setattr(syscalls, "has_openat2", lambda: False)
    elif not syscalls.has_openat2():
        pytest.skip("this kernel has no openat2, or a filter forbids it")
    return request.param


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "tree"
    path.mkdir()
    return path


@pytest.fixture
def root(base):
    with Root(base) as opened:
        yield opened


def snapshot(path: Path) -> dict[str, object]:
    return {
        str(each.relative_to(path)): (each.lstat().st_ino, each.lstat().st_mtime_ns)
        for each in [path, *path.rglob("*")]
    }


def put(data: bytes):
    def write(directory: int, name: str) -> None:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory)
        os.write(descriptor, data)
        os.close(descriptor)

    return write


class TestPaths:
    @pytest.mark.parametrize(
        "bad",
        ["/a", "a/", "a//b", ".", "..", "a/../b", "./a", "../a", "a/..", "a\0b", "", "a/.", "\0"],
    )
    def test_only_plain_relative_ones(self, root, base, bad):
        before = snapshot(base)
        for act in (
            root.stat,
            root.open_read,
            root.remove,
            lambda path: root.place(path, put(b"")),
            lambda path: root.write_atomic(path, b""),
            lambda path: root.rename(path, "x"),
        ):
            with pytest.raises(ValueError, match=r"plain|empty"):
                act(bad)
        assert snapshot(base) == before

    def test_a_directory_must_be_plain_too(self, root):
        for bad in ("..", "a/../..", "/", "a/", "."):
            with pytest.raises(ValueError, match="plain"), root.directory(bad):
                pass

    def test_odd_but_plain_names_work(self, root, base):
        for name in ("-rf", " x ", "a\nb", "ä/ö", "..x", "x..", "...", "con", "n" * 255):
            root.write_atomic(name, b"1")
            assert (base / name).read_bytes() == b"1"


class TestReading:
    def test_stat_and_open(self, root, base):
        (base / "a/b").mkdir(parents=True)
        (base / "a/b/c").write_bytes(b"12345")
        found = root.stat("a/b/c")
        assert found is not None
        assert found.st_size == 5
        descriptor = root.open_read("a/b/c")
        assert os.read(descriptor, 10) == b"12345"
        assert not os.get_inheritable(descriptor)
        os.close(descriptor)

    def test_absent_is_none(self, root, base):
        (base / "file").touch()
        assert root.stat("x") is None
        assert root.stat("x/y/z") is None
        assert root.stat("file/x") is None
        assert root.scan("x/y", ["a"]) == {}
        assert root.scan("file", ["a"]) == {}
        with pytest.raises(FileNotFoundError):
            root.open_read("x/y")

    def test_scan_finds_those_that_exist(self, root, base):
        (base / "d").mkdir()
        for name in ("a", "b", "c"):
            (base / "d" / name).write_text(name)
        (base / "d/l").symlink_to("nowhere")
        found = root.scan("d", ["a", "c", "l", "x"])
        assert sorted(found) == ["a", "c", "l"]
        assert stat.S_ISLNK(found["l"].st_mode)

    def test_only_regular_files_are_opened(self, root, base, tmp_path):
        os.mkfifo(base / "fifo")
        (base / "directory").mkdir()
        (tmp_path / "secret").write_text("s")
        (base / "link").symlink_to(tmp_path / "secret")
        (base / "loop").symlink_to("loop")
        for name in ("fifo", "directory", "link", "loop"):
            with pytest.raises(Blocked, match="regular"):
                root.open_read(name)


class TestWriting:
    def test_keeps_the_mode_and_replaces_as_a_whole(self, root, base):
        root.write_atomic("new", b"1")
        assert stat.S_IMODE((base / "new").stat().st_mode) == 0o644
        (base / "new").chmod(0o600)
        before = (base / "new").stat().st_ino
        root.write_atomic("new", b"2" * 100_000)
        assert (base / "new").read_bytes() == b"2" * 100_000
        assert stat.S_IMODE((base / "new").stat().st_mode) == 0o600
        assert (base / "new").stat().st_ino != before
        assert os.listdir(base) == ["new"]

    @pytest.mark.parametrize(("mask", "mode"), [(0o000, 0o644), (0o077, 0o600), (0o027, 0o640)])
    def test_obeys_the_umask(self, root, base, mask, mode):
        before = os.umask(mask)
        try:
            root.write_atomic("a/b", b"1")
        finally:
            os.umask(before)
        assert stat.S_IMODE((base / "a/b").stat().st_mode) == mode
        assert stat.S_IMODE((base / "a").stat().st_mode) == 0o777 & ~mask

    def test_syncs_the_file_before_its_name_and_the_directory_after(self, root, base, monkeypatch):
        done = []
        fsync, rename = os.fsync, os.rename
        monkeypatch.setattr(
            os, "fsync", lambda fd: (done.append(stat.S_ISDIR(os.fstat(fd).st_mode)), fsync(fd))
        )
        monkeypatch.setattr(os, "rename", lambda *a, **k: (done.append("rename"), rename(*a, **k)))
        root.write_atomic("a/b", b"1")
        assert done == [False, "rename", True]
        done.clear()
        root.write_atomic("a/b", b"1", sync=False)
        assert done == ["rename"]

    def test_something_else_in_its_place_stays(self, root, base):
        (base / "link").symlink_to("target")
        (base / "directory").mkdir()
        for name in ("link", "directory"):
            with pytest.raises(Blocked):
                root.write_atomic(name, b"1")
        with pytest.raises(Blocked, match="directory"):
            root.place("directory", put(b"1"))
        with pytest.raises(Blocked, match="directory"):
            root.remove("directory")
        assert sorted(os.listdir(base)) == ["directory", "link"]

    def test_a_file_where_a_directory_is_needed(self, root, base):
        (base / "a").write_bytes(b"mine")
        with pytest.raises(Blocked):
            root.write_atomic("a/b/c", b"1")
        assert (base / "a").read_bytes() == b"mine"
        assert root.remove("a/b") is False

    def test_place_replaces_a_symlink_not_its_target(self, root, base, tmp_path):
        (tmp_path / "outside").write_bytes(b"theirs")
        (base / "a").symlink_to(tmp_path / "outside")
        root.place("a", put(b"ours"))
        assert (tmp_path / "outside").read_bytes() == b"theirs"
        assert not (base / "a").is_symlink()

    def test_place_leaves_nothing_when_put_fails(self, root, base):
        def fail(directory: int, name: str) -> None:
            put(b"half")(directory, name)
            raise OSError(28, "No space left on device")

        (base / "a").write_bytes(b"old")
        for error, act in ((OSError, fail), (KeyboardInterrupt, interrupt)):
            with pytest.raises(error):
                root.place("a", act)
        assert os.listdir(base) == ["a"]
        assert (base / "a").read_bytes() == b"old"

    def test_place_of_a_link_to_the_same_inode(self, root, base):
        (base / "object").write_bytes(b"1")
        (base / "a").hardlink_to(base / "object")
        root.place("a", lambda fd, name: os.link(base / "object", name, dst_dir_fd=fd))
        assert sorted(os.listdir(base)) == ["a", "object"]

    def test_rename(self, root, base):
        root.write_atomic("a", b"1")
        root.rename("a", "x/y/z")
        assert (base / "x/y/z").read_bytes() == b"1"
        with pytest.raises(FileNotFoundError):
            root.rename("nothing", "q")

    def test_remove_prunes_up_to_the_first_that_is_not_empty(self, root, base):
        root.write_atomic("a/b/c/d", b"1")
        root.write_atomic("a/keep", b"1")
        assert root.remove("a/b/c/d") is True
        assert sorted(str(p.relative_to(base)) for p in base.rglob("*")) == ["a", "a/keep"]
        assert root.remove("a/b/c/d") is False
        root.write_atomic("q/r", b"1")
        root.remove("q/r", prune=False)
        assert (base / "q").is_dir()
        root.remove("a/keep")
        assert os.listdir(base) == ["q"]
        assert base.is_dir()

    def test_remove_takes_a_symlink_not_its_target(self, root, base, tmp_path):
        (tmp_path / "outside").write_bytes(b"theirs")
        (base / "a").symlink_to(tmp_path / "outside")
        assert root.remove("a") is True
        assert (tmp_path / "outside").exists()


def interrupt(directory: int, name: str) -> None:
    put(b"half")(directory, name)
    raise KeyboardInterrupt


class TestHeld:
    def test_a_held_directory_is_opened_once(self, root, base, monkeypatch):
        (base / "a/b").mkdir(parents=True)
        opened = []
        real = Root._open_directory
        monkeypatch.setattr(
            Root,
            "_open_directory",
            lambda self, path, *, create: (opened.append(path), real(self, path, create=create))[1],
        )
        with root.directory("a/b") as outer, root.directory("a/b") as inner:
            assert outer == inner
            for number in range(5):
                root.place(f"a/b/{number}", put(b"1"))
                assert root.stat(f"a/b/{number}")
        assert opened == ["a/b"]
        root.stat("a/b/1")
        assert opened == ["a/b", "a/b"]

    def test_no_descriptor_is_left(self, root, base, tmp_path):
        (base / "link").symlink_to(tmp_path)
        before = os.listdir("/proc/self/fd")
        root.write_atomic("a/b/c", b"1")
        for path in ("link/x", "a/b/c/d", "no/such"):
            with suppress(Blocked, OSError):
                root.open_read(path)
            with suppress(Blocked, OSError):
                root.remove(path)
        assert len(os.listdir("/proc/self/fd")) == len(before)


class TestSymlinks:
    @pytest.mark.parametrize("depth", [0, 1, 2])
    @pytest.mark.parametrize("target", ["outside", "inside", "dangling", "itself"])
    def test_in_the_way(self, base, root, tmp_path, depth, target):
        outside = tmp_path / "outside"
        (outside / "c/c/c").mkdir(parents=True)
        (base / "real/c/c").mkdir(parents=True)
        parent = base.joinpath(*["c"] * depth)
        parent.mkdir(parents=True, exist_ok=True)
        where = {"outside": outside, "inside": base / "real", "dangling": "no", "itself": "c"}
        (parent / "c").symlink_to(where[target])
        before = snapshot(outside), snapshot(base)
        path = "c/c/c/victim"
        for act in (
            lambda: root.write_atomic(path, b"1"),
            lambda: root.place(path, put(b"1")),
            lambda: root.open_read(path),
            lambda: root.stat(path),
            lambda: root.scan("c/c/c", ["victim"]),
            lambda: root.remove(path),
            lambda: root.rename("real", path),
        ):
            with pytest.raises(Blocked, match="symlink"):
                act()
        assert (snapshot(outside), snapshot(base)) == before


@contextmanager
def swapper(base: Path, outside: Path):
    child = subprocess.Popen(
        [sys.executable, "-c", SWAPPER, base, outside], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "swapping\n"
        yield
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()


@pytest.fixture
def prey(base, tmp_path):
    """A directory `d` that is swapped for a link to another, which has the same names in it."""
    outside = tmp_path / "outside"
    for path in (base / "d", outside):
        path.mkdir()
        (path / "victim").write_bytes(b"untouched")
    return outside


def naive(base: Path, number: int) -> None:
    """Check, then use: what git-lfs, dvc and others did."""
    path = base / "d" / f"n{number}"
    if os.path.realpath(path.parent) == str(path.parent):
        path.write_bytes(b"1")


class TestSwapper:
    def test_the_naive_writer_escapes(self, base, prey):
        """The control: the swapper is fast enough to be dangerous."""
        escaped = 0
        with swapper(base, prey):
            for number in range(50 * ATTEMPTS):
                with suppress(OSError):
                    naive(base, number)
                if number % 500 == 0:
                    escaped = len(os.listdir(prey)) - 1
                    if escaped:
                        break
        assert escaped

    def test_nothing_of_ours_escapes(self, base, prey, root):
        written = blocked = 0
        with swapper(base, prey):
            for number in range(ATTEMPTS):
                try:
                    root.write_atomic(f"d/n{number % 7}", b"1", sync=False)
                    written += 1
                except (Blocked, OSError):
                    blocked += 1
                with suppress(Blocked, OSError):
                    root.remove(f"d/n{number % 5}", prune=False)
                with suppress(Blocked, OSError):
                    root.remove("d/victim", prune=False)
                with suppress(Blocked, OSError):
                    root.place("d/victim", put(b"ours"))
                with suppress(Blocked, OSError):
                    root.rename(f"d/n{number % 7}", "d/moved")
        assert os.listdir(prey) == ["victim"]
        assert (prey / "victim").read_bytes() == b"untouched"
        assert written, "the swapper never let us through: nothing was tried"
        assert blocked, "the swapper was never in the way: nothing was tried"
