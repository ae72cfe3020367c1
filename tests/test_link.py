"""Each way to make a file from an object, and what happens where it does not exist."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import contextmanager

import pytest

from gitassets import link
from gitassets.link import MODES, Linker, make

CONTENT = os.urandom(3_000_000)
FALL_THROUGH = ("EPERM", "ENOTSUP", "EOPNOTSUPP", "EXDEV", "ENOTTY", "ENOSYS", "EINVAL")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "object"
    path.write_bytes(CONTENT)
    path.chmod(0o444)
    return path


@pytest.fixture
def tree(tmp_path):
    path = tmp_path / "tree"
    path.mkdir()
    return path


@pytest.fixture
def place(tree):
    descriptor = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def cloning(monkeypatch):
    """A file system that can reflink: no usual test machine has one."""
    real = fcntl.ioctl

    def ioctl(target, request, argument):
        if request != link._FICLONE:
            return real(target, request, argument)
        size = os.fstat(argument).st_size
        return os.pwrite(target, os.pread(argument, size, 0), 0)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)


def failing(monkeypatch, mode: str, number: int) -> list[str]:
    """Let one mode fail as the kernel would; returns the list of calls that it will have seen."""
    calls: list[str] = []
    real = link.make

    def fail(asked, *arguments, executable):
        calls.append(asked)
        if asked == mode:
            raise OSError(number, os.strerror(number))
        real(asked, *arguments, executable=executable)

    monkeypatch.setattr(link, "make", fail)
    return calls


@contextmanager
def umask(mask: int):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


class TestMake:
    @pytest.mark.parametrize("mode", MODES)
    def test_the_same_bytes(self, source, tree, place, cloning, mode):
        make(mode, source, place, "a", executable=False)
        assert (tree / "a").read_bytes() == CONTENT
        with pytest.raises(FileExistsError):
            make(mode, source, place, "a", executable=False)
        assert (tree / "a").read_bytes() == CONTENT

    def test_what_is_shared(self, source, tree, place, cloning):
        for mode in MODES:
            make(mode, source, place, mode, executable=False)
        inode = source.stat().st_ino
        assert (tree / "hardlink").stat().st_ino == inode
        assert os.readlink(tree / "symlink") == str(source)
        for own in ("reflink", "copy"):
            assert (tree / own).stat().st_ino != inode
            (tree / own).write_bytes(b"changed")
        assert source.read_bytes() == CONTENT

    def test_a_symlink_is_absolute(self, source, tree, place, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        make("symlink", source.relative_to(tmp_path), place, "a", executable=False)
        assert (tree / "a").read_bytes() == CONTENT

    @pytest.mark.parametrize("mode", ["reflink", "copy"])
    @pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
    def test_modes_come_from_us_and_the_umask(self, source, tree, place, cloning, mode, mask):
        source.chmod(0o6777)  # whatever an object has
        with umask(mask):
            make(mode, source, place, "plain", executable=False)
            make(mode, source, place, "program", executable=True)
        assert stat.S_IMODE((tree / "plain").stat().st_mode) == 0o644 & ~mask
        assert stat.S_IMODE((tree / "program").stat().st_mode) == 0o755 & ~mask

    @pytest.mark.parametrize("mode", ["reflink", "copy"])
    def test_the_source_is_an_object_not_a_link_to_one(self, source, tree, place, mode):
        alias = source.with_name("alias")
        alias.symlink_to(source)
        with pytest.raises(OSError, match="symbolic links"):
            make(mode, alias, place, "a", executable=False)
        assert os.listdir(tree) == []

    @pytest.mark.parametrize("left", [(), ("_copy_file_range",), ("_copy_file_range", "_sendfile")])
    def test_copies_by_what_the_kernel_has(self, source, tree, place, monkeypatch, left):
        for name in left:
            monkeypatch.setattr(link, name, lambda *_: refuse(errno.EXDEV))
        monkeypatch.setattr(link, "_COPIED_AT_ONCE", 1_000_000)
        make("copy", source, place, "a", executable=False)
        assert (tree / "a").read_bytes() == CONTENT

    def test_goes_on_where_one_way_stopped(self, source, tree, place, monkeypatch):
        real = link._copy_file_range
        monkeypatch.setattr(link, "_COPIED_AT_ONCE", 1_000_000)
        monkeypatch.setattr(
            link, "_copy_file_range", lambda o, t, at: real(o, t, at) if at < 10**6 else refuse(22)
        )
        make("copy", source, place, "a", executable=False)
        assert (tree / "a").read_bytes() == CONTENT

    def test_a_copy_that_fails_leaves_nothing(self, source, tree, place, monkeypatch):
        monkeypatch.setattr(link, "_copy_file_range", lambda *_: refuse(errno.ENOSPC))
        with pytest.raises(OSError, match="No space"):
            make("copy", source, place, "a", executable=False)
        for name in ("_copy_file_range", "_sendfile", "_read_and_write"):
            monkeypatch.setattr(link, name, lambda *_: 0)
        with pytest.raises(OSError, match="ends after 0"):
            make("copy", source, place, "a", executable=False)
        assert os.listdir(tree) == []


def refuse(number: int) -> int:
    raise OSError(number, os.strerror(number))


class TestLinker:
    def test_the_first_that_works(self, source, tree, place):
        linker = Linker(("reflink", "hardlink", "copy"))
        used = linker.link(source, place, "a", executable=False)
        assert used in ("reflink", "hardlink")  # what the file system below the tests can do
        assert Linker(("symlink",)).link(source, place, "b", executable=False) == "symlink"
        assert (tree / "a").read_bytes() == (tree / "b").read_bytes() == CONTENT

    @pytest.mark.parametrize("name", FALL_THROUGH)
    @pytest.mark.parametrize("mode", ["reflink", "hardlink", "symlink"])
    def test_falls_through_and_does_not_ask_again(self, source, place, monkeypatch, mode, name):
        calls = failing(monkeypatch, mode, getattr(errno, name))
        linker = Linker((mode, "copy"))
        for number in range(3):
            assert linker.link(source, place, str(number), executable=False) == "copy"
        assert calls == [mode, "copy", "copy", "copy"]

    @pytest.mark.parametrize("name", ["EMLINK", "EACCES"])
    def test_one_object_says_nothing_of_the_next(self, source, place, monkeypatch, name):
        calls = failing(monkeypatch, "hardlink", getattr(errno, name))
        linker = Linker(("hardlink", "copy"))
        for number in range(2):
            assert linker.link(source, place, str(number), executable=False) == "copy"
        assert calls == ["hardlink", "copy"] * 2

    @pytest.mark.parametrize("name", ["ENOSPC", "EIO", "EROFS", "EDQUOT", "ENAMETOOLONG"])
    def test_other_failures_are_failures(self, source, tree, place, monkeypatch, name):
        failing(monkeypatch, "hardlink", getattr(errno, name))
        with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what matters
            Linker(("hardlink", "copy")).link(source, place, "a", executable=False)
        assert caught.value.errno == getattr(errno, name)
        assert os.listdir(tree) == []

    def test_the_last_mode_is_always_tried(self, source, place, monkeypatch):
        calls = failing(monkeypatch, "hardlink", errno.EXDEV)
        linker = Linker(("hardlink",))
        for _ in range(2):
            with pytest.raises(OSError, match="cross-device"):
                linker.link(source, place, "a", executable=False)
        assert calls == ["hardlink", "hardlink"]

    def test_another_pair_is_tried_on_its_own(self, source, place, tmp_path, monkeypatch):
        calls = failing(monkeypatch, "hardlink", errno.EXDEV)
        linker = Linker(("hardlink", "copy"))
        linker.link(source, place, "a", executable=False)
        real = os.fstat(place)
        elsewhere = os.stat_result([*real[:2], real.st_dev + 1, *real[3:]])
        monkeypatch.setattr(link.os, "fstat", lambda _: elsewhere)
        linker._make = lambda *_, executable: calls.append("tried")  # type: ignore[method-assign]
        assert linker.link(source, place, "b", executable=False) == "hardlink"

    def test_an_executable_has_its_own_inode(self, source, tree, place):
        for modes in (("hardlink",), ("symlink",), ("reflink", "hardlink", "symlink", "copy")):
            name = "-".join(modes)
            assert Linker(modes).link(source, place, name, executable=True) in ("reflink", "copy")
            assert (tree / name).lstat().st_ino != source.stat().st_ino
            assert os.access(tree / name, os.X_OK)

    @pytest.mark.parametrize("mode", MODES)
    def test_an_existing_file_stays(self, source, tree, place, cloning, mode):
        (tree / "a").write_bytes(b"mine")
        with pytest.raises(FileExistsError):
            Linker((mode,)).link(source, place, "a", executable=False)
        assert (tree / "a").read_bytes() == b"mine"
        assert os.listdir(tree) == ["a"]

    def test_a_copy_never_shows_half_of_itself(self, source, tree, place, monkeypatch):
        seen = []
        real = link._copy_file_range

        def watched(origin, target, at):
            seen.append((tree / "a").exists())
            return real(origin, target, at)

        monkeypatch.setattr(link, "_COPIED_AT_ONCE", 1_000_000)
        monkeypatch.setattr(link, "_copy_file_range", watched)
        Linker(("copy",)).link(source, place, "a", executable=False)
        assert len(seen) >= 3
        assert not any(seen)
        assert os.listdir(tree) == ["a"]

    def test_a_name_that_cannot_be_given_leaves_nothing(self, source, tree, place, monkeypatch):
        monkeypatch.setattr(os, "rename", lambda *_, **__: refuse(errno.EIO))
        with pytest.raises(OSError, match="Input/output"):
            Linker(("copy",)).link(source, place, "a", executable=False)
        assert os.listdir(tree) == []

    def test_no_descriptor_is_left(self, source, place, monkeypatch):
        before = len(os.listdir("/proc/self/fd"))
        Linker(("copy",)).link(source, place, "a", executable=False)
        monkeypatch.setattr(link, "_copy_file_range", lambda *_: refuse(errno.EIO))
        with pytest.raises(OSError, match="Input/output"):
            Linker(("copy",)).link(source, place, "b", executable=False)
        assert len(os.listdir("/proc/self/fd")) == before

    def test_no_mode_at_all(self, source, place):
        with pytest.raises(ValueError, match="no link mode"):
            Linker(()).link(source, place, "a", executable=False)
