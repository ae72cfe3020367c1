"""Bytes on their way from git into the cache."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from gitassets.errors import GitError
from gitassets.gitpipes import Pipes
from gitassets.history import destination, harvest
from gitassets.history.harvest import Content
from gitassets.model import Digest
from gitassets.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from support.repo import Repo


@pytest.fixture
def blobs(repo: Repo) -> dict[bytes, bytes]:
    """Many blobs, a large one among them, by id."""
    texts = [b"%d" % n * 50 for n in range(300)] + [b"", bytes(3 * 2**20 + 5)]
    data = b"".join(b"blob\ndata %d\n%s\n" % (len(text), text) for text in texts)
    (repo.path / "in").write_bytes(data)
    repo.git("fast-import", "--quiet", data=data.decode())
    return {hashlib.sha1(b"blob %d\0%s" % (len(text), text)).digest(): text for text in texts}


def expected(blobs: dict[bytes, bytes]) -> dict[bytes, Content]:
    return {
        name: Content(Digest(hashlib.sha256(data).hexdigest()), len(data))
        for name, data in blobs.items()
    }


def test_every_blob_is_an_object_and_counted(
    repo: Repo, blobs: dict[bytes, bytes], tmp_path: Path
) -> None:
    seen: list[int] = []
    pipes = Pipes(repo.path / ".git")
    with Store.open(tmp_path / "cache", fsync=False) as store:
        found = harvest.contents(pipes, blobs, store, seen.append)
        assert found == expected(blobs)
        assert sum(seen) == sum(map(len, blobs.values()))
        wanted = {content.sha256: content.size for content in found.values()}
        assert store.present(wanted) == set(wanted)
        assert not list((tmp_path / "cache/staging").iterdir())
        # Once more: what is there stays.
        assert harvest.contents(pipes, blobs, store, seen.append) == found
        assert not list((tmp_path / "cache/staging").iterdir())


def test_without_a_store_it_only_hashes(repo: Repo, blobs: dict[bytes, bytes]) -> None:
    pipes = Pipes(repo.path / ".git")
    assert harvest.contents(pipes, blobs, None, lambda _: None) == expected(blobs)


def test_a_missing_blob_leaves_nothing_in_staging(
    repo: Repo, blobs: dict[bytes, bytes], tmp_path: Path
) -> None:
    pipes = Pipes(repo.path / ".git")
    with (
        Store.open(tmp_path / "cache", fsync=False) as store,
        pytest.raises(GitError, match="missing"),
    ):
        harvest.contents(pipes, [*blobs, b"\1" * 20], store, lambda _: None)
    assert not list((tmp_path / "cache/staging").iterdir())


def test_the_tail_is_what_a_lockfile_says() -> None:
    assert Content(Digest("0" * 64), 7).tail == b'size = 7\nsha256 = "' + b"0" * 64 + b'"\n'


def test_a_destination_gets_whole_objects_only(
    repo: Repo, blobs: dict[bytes, bytes], tmp_path: Path
) -> None:
    pipes = Pipes(repo.path / ".git")
    place = tmp_path / "My Store"
    with Store.open(tmp_path / "cache", fsync=False) as store:
        found = harvest.contents(pipes, blobs, store, lambda _: None)
        todo = {content.sha256: content.size for content in found.values()}
        first = next(iter(todo))
        half = place / first[:2] / first
        half.parent.mkdir(parents=True)
        half.write_bytes(b"half of it")
        assert destination.upload(store, place, todo, lambda _: None) == len(todo)
        assert destination.upload(store, place, todo, lambda _: None) == 0
    files = {path.name: path for path in place.rglob("*") if path.is_file()}
    assert set(files) == set(todo)
    for name, path in files.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == name
    assert destination.store_table(place)[0] == "my-store"
    assert destination.directory(destination.store_table(place)[1]) == place
