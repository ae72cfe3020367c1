"""What is special about directories."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.content import content, digest
from support.depot import key
from support.user import as_nobody, give

from gitassets import remotes
from gitassets.engines.base import Tuning
from gitassets.errors import Cause, TransferError
from gitassets.model import Digest
from gitassets.remotes import directory
from gitassets.remotes.base import Named, Surroundings
from gitassets.remotes.content import Content
from gitassets.sources.base import Policy

DATA = content("d", 0, 5 * 2**20)


def connect(url, top):
    return remotes.connect(Named("disk", str(url)), Surroundings(top, Tuning(), Policy(top)))


def put(remote, tmp_path, data=DATA, *, replace=False):
    path = tmp_path / "object"
    path.write_bytes(data)
    with Content(path, Digest(digest(data)), len(data)) as outgoing:
        remote.put(outgoing, replace=replace)


def left(place):
    return sorted(
        path.relative_to(place).as_posix() for path in Path(place).rglob("*") if path.is_file()
    )


@pytest.fixture(params=[True, False], ids=["O_TMPFILE", "renamed"])
def way(request, monkeypatch):
    """Write in both ways that there are."""
    if not request.param:
        monkeypatch.setattr(directory, "_unnamed", lambda _: None)


@pytest.mark.usefixtures("way")
class TestBothWays:
    def test_put(self, tmp_path):
        remote = connect(tmp_path / "place", tmp_path)
        put(remote, tmp_path)
        put(remote, tmp_path)
        assert left(tmp_path / "place") == [key(DATA)]
        assert (tmp_path / "place" / key(DATA)).read_bytes() == DATA

    def test_a_broken_object_is_replaced(self, tmp_path):
        target = tmp_path / "place" / key(DATA)
        target.parent.mkdir(parents=True)
        target.write_bytes(b"half")
        put(connect(tmp_path / "place", tmp_path), tmp_path, replace=True)
        assert target.read_bytes() == DATA

    def test_a_symlink_leads_nowhere(self, tmp_path):
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (tmp_path / "place").mkdir()
        (tmp_path / "place" / key(DATA)[:2]).symlink_to(elsewhere)
        with pytest.raises(TransferError, match="symlink"):
            put(connect(tmp_path / "place", tmp_path), tmp_path)
        assert list(elsewhere.iterdir()) == []

    def test_a_directory_that_may_not_be_written(self, tmp_path):
        place = tmp_path / "place"
        place.mkdir(mode=0o555)
        (tmp_path / "user").mkdir()
        give(tmp_path / "user")

        def act():
            with pytest.raises(TransferError, match="Permission denied") as caught:
                put(connect(place, tmp_path), tmp_path / "user")
            assert caught.value.cause is Cause.LOCAL

        as_nobody(act)


KILLED = """
import os, signal, sys
from pathlib import Path
from gitassets.engines.base import Tuning
from gitassets.remotes import connect
from gitassets.remotes.base import Named, Surroundings
from gitassets.remotes.content import Content
from gitassets.sources.base import Policy

class Deadly(Content):
    def read(self, count=-1):
        if self.sent > 2**20:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(count)

place, path, digest = sys.argv[1:]
top = Path(place).parent
remote = connect(Named("disk", place), Surroundings(top, Tuning(), Policy(top)))
with Deadly(Path(path), digest, Path(path).stat().st_size) as content:
    remote.put(content, replace=False)
"""


def test_killed_within_a_write(tmp_path):
    path = tmp_path / "object"
    path.write_bytes(DATA)
    words = [sys.executable, "-c", KILLED, str(tmp_path / "place"), str(path), digest(DATA)]
    env = {**os.environ, "PYTHONPATH": str(Path(remotes.__file__).parents[2])}
    assert subprocess.run(words, check=False, env=env).returncode == -signal.SIGKILL
    assert left(tmp_path / "place") == []


def test_the_kill_is_able_to_leave_something(tmp_path, monkeypatch):
    """Positive control: written under a name, the same kill leaves a file behind."""
    path = tmp_path / "object"
    path.write_bytes(DATA)
    naive = KILLED.replace(
        "class Deadly",
        "from gitassets.remotes import directory\ndirectory._unnamed = lambda _: None\nclass Deadly",
    )
    words = [sys.executable, "-c", naive, str(tmp_path / "place"), str(path), digest(DATA)]
    env = {**os.environ, "PYTHONPATH": str(Path(remotes.__file__).parents[2])}
    assert subprocess.run(words, check=False, env=env).returncode == -signal.SIGKILL
    assert len(left(tmp_path / "place")) == 1


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/a/b", "/a/b"),
        ("file:///a/%C3%BC", "/a/ü"),
        ("file:up/stream", "/top/up/stream"),
        ("/a/./b/../c", "/a/c"),
    ],
)
def test_paths(url, path):
    assert directory.path_of(url, Path("/top")) == Path(path)


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("/top/up", "file:up"),
        ("file:a b".replace(" ", "%20"), "file:a%20b"),
        ("/elsewhere", None),
        ("/top", None),
        ("/topper", None),
    ],
)
def test_public_url(url, public):
    assert connect(url, Path("/top")).public_url() == public
