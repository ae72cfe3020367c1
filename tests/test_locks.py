"""Kernel locks: one writer a file, whoever dies; a cache that is cleaned while nobody uses it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.user import as_nobody, give

from gitassets import locks
from gitassets.errors import StoreError
from gitassets.locks import CacheLock, claim

CHECKOUT = Path(__file__).parent.parent


@contextmanager
def holder(code: str, *arguments: object):
    """Run a process that prints a line when it holds its lock."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "held\n"
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


CLAIM = (
    "import sys; from gitassets.locks import claim; kept = claim(sys.argv[1])\n"
    "print('held' if kept else 'refused', flush=True); sys.stdin.read()"
)
CACHE = (
    "import sys; from pathlib import Path; from gitassets.locks import CacheLock\n"
    "kept = CacheLock(Path(sys.argv[1]), 0)\n"
    "print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "name"


def take(path: Path) -> os.stat_result:
    claimed = claim(str(path))
    assert claimed is not None
    descriptor, status = claimed
    assert os.path.samestat(os.fstat(descriptor), path.lstat())
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
    return status


class TestClaim:
    def test_one_process_at_a_time(self, path):
        with holder(CLAIM, path) as other:
            assert claim(str(path)) is None
            other.kill()
            other.wait()
            take(path)

    def test_a_new_file_is_private_and_empty(self, path):
        status = take(path)
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert status.st_size == 0

    def test_an_old_one_is_kept(self, path):
        path.write_bytes(b"12345")
        assert take(path).st_size == 5
        assert path.read_bytes() == b"12345"

    @pytest.mark.parametrize("kind", ["symlink", "dangling", "directory", "fifo", "hardlink"])
    def test_what_is_not_a_file_of_ours_is_replaced(self, path, tmp_path, kind):
        victim = tmp_path / "victim"
        victim.write_bytes(b"untouched")
        before = victim.stat()
        if kind == "symlink":
            path.symlink_to(victim)
        elif kind == "dangling":
            path.symlink_to(tmp_path / "created")
        elif kind == "directory":
            (path / "sub").mkdir(parents=True)
        elif kind == "fifo":
            os.mkfifo(path)
        else:
            path.hardlink_to(victim)
        assert take(path).st_size == 0
        assert path.is_file()
        assert victim.read_bytes() == b"untouched"
        assert victim.stat().st_ino == before.st_ino != path.stat().st_ino
        assert not (tmp_path / "created").exists()

    @pytest.mark.parametrize("fate", ["renamed", "removed", "replaced"])
    def test_the_name_is_looked_at_again_under_the_lock(self, path, monkeypatch, fate):
        """The one who had the lock before may have published the file."""
        real = locks._lock
        first = []

        def race(descriptor, name):
            if not first:
                first.append(os.fstat(descriptor).st_ino)
                path.rename(path.with_name("published"))
                if fate == "removed":
                    path.with_name("published").unlink()
                if fate == "replaced":
                    path.write_bytes(b"new")
            return real(descriptor, name)

        monkeypatch.setattr(locks, "_lock", race)
        status = take(path)
        assert status.st_size == (3 if fate == "replaced" else 0)
        if fate == "renamed":
            assert path.with_name("published").stat().st_ino == first[0]

    def test_one_made_read_only_by_a_process_that_died(self, path):
        path.write_bytes(b"12345")
        path.chmod(0o444)
        give(path.parent)
        as_nobody(lambda: take(path))
        assert path.read_bytes() == b"12345"

    def test_a_directory_without_permission(self, path):
        path.parent.chmod(0o555)
        give(path.parent)

        def refused():
            with pytest.raises(PermissionError):
                claim(str(path))

        as_nobody(refused)

    def test_without_locks_there_is_no_staging(self, path, monkeypatch):
        def refuse(*_):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", refuse)
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(StoreError, match="no locks") as caught:
            claim(str(path))
        assert caught.value.hint
        assert len(os.listdir("/proc/self/fd")) == before


class TestCacheLock:
    def test_many_use_one_cleans(self, path):
        with holder(CACHE, path) as other:
            lock = CacheLock(path, 0)
            with pytest.raises(StoreError, match="is in use"), lock.exclusive(0):
                pass
            other.kill()
            other.wait()
            with lock.exclusive(0), pytest.raises(StoreError, match="is being cleaned"):
                CacheLock(path, 0)
            second = CacheLock(path, 0)  # shared again
            second.close()
            lock.close()
            lock.close()

    def test_waits_for_the_other(self, path):
        with holder(CACHE, path) as other:
            lock = CacheLock(path, 0)
            assert other.stdin is not None
            other.stdin.close()  # it ends now, or in a while
            with lock.exclusive(30):
                pass
            lock.close()
            other.stdin = open(os.devnull, "w")  # noqa: SIM115 - closed by holder

    def test_a_cache_that_is_only_read(self, path):
        path.write_bytes(b"")
        path.chmod(0o444)
        path.parent.chmod(0o555)
        give(path.parent)

        def read():
            lock = CacheLock(path, 0)
            other = CacheLock(path, 0)
            with pytest.raises(StoreError, match="in use"), lock.exclusive(0):
                pass
            other.close()
            lock.close()
            nowhere = CacheLock(path.with_name("other"), 0)
            with pytest.raises(StoreError, match="permission"), nowhere.exclusive(0):
                pass
            nowhere.close()

        as_nobody(read)

    def test_a_file_system_without_locks(self, path, monkeypatch):
        def refuse(*_):
            raise OSError(errno.ENOTSUP, "Not supported")

        monkeypatch.setattr(fcntl, "flock", refuse)
        lock = CacheLock(path, 0)
        with pytest.raises(StoreError, match="no locks"), lock.exclusive(0):
            pass
        lock.close()
