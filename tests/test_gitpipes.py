"""Long-lived git processes: in order, complete, and gone afterwards."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from support.repo import Repo

from gitassets.errors import GitError
from gitassets.gitpipes import Pipes

if TYPE_CHECKING:
    from pathlib import Path


def blobs(repo: Repo, count: int) -> list[bytes]:
    data = "".join(f"blob\ndata {len(str(n))}\n{n}\n" for n in range(count))
    repo.git("fast-import", "--quiet", data=data)
    return [hashlib.sha1(b"blob %d\0%d" % (len(str(n)), n)).digest() for n in range(count)]


def test_objects_come_in_order_and_complete(repo: Repo) -> None:
    ids = blobs(repo, 3000)
    pipes = Pipes(repo.path / ".git")
    found = list(pipes.objects(reversed(ids)))
    assert [each.data for each in found] == [b"%d" % n for n in reversed(range(3000))]
    assert all(each.id is name for each, name in zip(found, reversed(ids), strict=True))
    assert list(pipes.objects([])) == []


def test_a_missing_object_is_an_error_not_a_hole(repo: Repo) -> None:
    ids = blobs(repo, 2)
    pipes = Pipes(repo.path / ".git")
    with pytest.raises(GitError, match="missing"):
        list(pipes.objects([ids[0], b"\0" * 20, ids[1]]))
    with pytest.raises(GitError, match="missing"):
        list(pipes.streams([b"\0" * 20]))
    with pipes.reader() as read, pytest.raises(GitError, match="missing"):
        read(b"\0" * 20)
    assert list(pipes.sizes([ids[1], b"\0" * 20])) == [(ids[1], b"blob", 1), None]


def test_who_leaves_early_leaves_no_process(repo: Repo) -> None:
    ids = blobs(repo, 3000)
    for each in Pipes(repo.path / ".git").objects(ids):
        assert each.data == b"0"
        break  # the seal around every test looks for processes and threads that are left


def test_a_failing_command_says_why(repo: Repo) -> None:
    pipes = Pipes(repo.path / ".git")
    with pytest.raises(GitError, match=r"single revision|ambiguous|unknown|bad"):
        pipes.run("rev-parse", "--verify", "no-such-thing^{tree}")
    with pytest.raises(GitError), pipes.reading("rev-list", "no-such-thing") as out:
        out.read()


def test_large_objects_come_in_pieces(repo: Repo) -> None:
    data = bytes(3 * 2**20 + 17)
    repo.write("large", data)
    name = bytes.fromhex(repo.git("hash-object", "-w", "large"))
    ((found, size, pieces),) = (
        (name, size, list(pieces))
        for name, size, pieces in Pipes(repo.path / ".git").streams([name])
    )
    assert (found, size) == (name, len(data))
    assert len(pieces) == 4
    assert b"".join(pieces) == data


def test_foreign_variables_do_not_reach_git(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Repo.init(tmp_path / "other")
    other.commit("other", {"x": "x"})
    head = repo.git("rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "no"))
    assert Pipes(repo.path / ".git").run("rev-parse", "HEAD").decode().strip() == head


def test_replacements_are_not_followed(repo: Repo) -> None:
    one, other = (repo.commit(name) for name in ("one", "other"))
    repo.git("replace", one, other)
    with Pipes(repo.path / ".git").reader() as read:
        assert read(bytes.fromhex(one)).endswith(b"one\n")
    assert repo.git("cat-file", "-p", one).endswith("other"), "the control: git itself does"
