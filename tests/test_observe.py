"""What stands at each asset's path, with one lstat a file, and hashing only what is not known."""

from __future__ import annotations

import os

import pytest
from support.content import digest

from gitassets import git, observe
from gitassets.applied import Record
from gitassets.model import Asset, AssetPath, Digest, Signature
from gitassets.plan import State
from gitassets.worktree import WorkTree

PINNED, EARLIER = b"pinned bytes", b"earlier pin."
SHA, OLD = Digest(digest(PINNED)), Digest(digest(EARLIER))


def asset(path="d/x.bin", **more):
    return Asset(AssetPath(path), len(PINNED), SHA, **more)


@pytest.fixture
def tree(repo, monkeypatch):
    monkeypatch.chdir(repo.path)
    with WorkTree(git.locate()) as opened:
        yield opened


@pytest.fixture
def hashes(monkeypatch):
    """List what is hashed."""
    seen = []
    real = observe.hashed

    def counted(tree, path):
        seen.append(path)
        return real(tree, path)

    monkeypatch.setattr(observe, "hashed", counted)
    return seen


@pytest.fixture
def look(tree, tmp_path):
    def run(*assets):
        return [
            (row.state, row.why)
            for row in observe.observe(tree, assets or [asset()], tmp_path / "objects")
        ]

    return run


def record(tree, path="d/x.bin", sha=SHA):
    facts = (tree.place.top / path).stat()
    tree.records[path] = Record(sha, Signature(facts.st_size, facts.st_mtime_ns, facts.st_ino))


def test_nothing(look, hashes):
    assert look() == [(State.ABSENT, "")]
    assert hashes == []


def test_as_it_was_left(repo, tree, look, hashes):
    repo.write("d/x.bin", PINNED)
    record(tree)
    assert look() == [(State.RIGHT, "")]
    assert hashes == []


def test_an_earlier_pin_as_it_was_left(repo, tree, look, hashes):
    repo.write("d/x.bin", EARLIER)
    record(tree, sha=OLD)
    assert look() == [(State.PREVIOUS, "")]
    assert hashes == []


def test_unknown_but_right_is_hashed_once_and_adopted(repo, look, hashes):
    repo.write("d/x.bin", PINNED)
    assert look() == look() == [(State.RIGHT, "")]
    assert hashes == ["d/x.bin"]


def test_touched_is_hashed_and_adopted(repo, tree, look, hashes):
    place = repo.write("d/x.bin", PINNED)
    record(tree)
    os.utime(place, (1, 1))
    assert look() == look() == [(State.RIGHT, "")]
    assert hashes == ["d/x.bin"]


def test_edited(repo, tree, look, hashes):
    repo.write("d/x.bin", PINNED)
    record(tree)
    repo.write("d/x.bin", PINNED + b"more")
    assert look() == [(State.FOREIGN, "was modified")]
    assert hashes == [], "its size says enough"
    place = repo.write("d/x.bin", PINNED[::-1])
    os.utime(place, (1, 1))
    assert look() == [(State.FOREIGN, "was modified")]
    assert hashes == ["d/x.bin"]


def test_foreign(repo, look):
    repo.write("d/x.bin", PINNED[::-1])
    assert look() == [(State.FOREIGN, "holds other bytes than the pin")]


def test_what_is_no_file(repo, look, tmp_path):
    repo.write("d/x.bin/y", b"")
    assert look() == [(State.FOREIGN, "is a directory")]
    os.mkfifo(repo.path / "d/pipe")
    assert look(asset("d/pipe")) == [(State.FOREIGN, "is not a regular file")]
    (repo.path / "d/link").symlink_to(tmp_path)
    assert look(asset("d/link")) == [(State.FOREIGN, "is a symlink")]
    [(state, why)] = look(asset("d/link/x"))
    assert state is State.FOREIGN
    assert "symlink" in why


def test_a_file_where_a_directory_must_be(repo, look):
    repo.write("d", b"mine")
    assert look()[0][0] in {State.ABSENT, State.FOREIGN}


def test_links_into_the_cache(repo, look, tmp_path, hashes):
    objects = tmp_path / "objects"
    (objects / SHA[:2]).mkdir(parents=True)
    (repo.path / "d").mkdir()
    link = repo.path / "d/x.bin"
    link.symlink_to(objects / SHA[:2] / SHA[2:])
    assert look() == [(State.PREVIOUS, "")], "it leads nowhere: to be brought"
    (objects / SHA[:2] / SHA[2:]).write_bytes(PINNED)
    assert look() == [(State.RIGHT, "")]
    link.unlink()
    link.symlink_to(objects / OLD[:2] / OLD[2:])
    assert look() == [(State.PREVIOUS, "")]
    assert hashes == []


def test_the_executable_bit_is_part_of_it(repo, tree, look):
    place = repo.write("d/x.bin", PINNED)
    record(tree)
    assert look(asset(executable=True)) == [(State.PREVIOUS, "")]
    place.chmod(0o755)
    assert look(asset(executable=True)) == [(State.RIGHT, "")]
    assert look() == [(State.PREVIOUS, "")]


def test_many_in_order(repo, look):
    names = [f"{directory}/{at}" for directory in "cab" for at in range(3)]
    for name in names[::2]:
        repo.write(name, PINNED)
    states = [state for state, _ in look(*map(asset, names))]
    assert states == [State.RIGHT if at % 2 == 0 else State.ABSENT for at in range(9)]
