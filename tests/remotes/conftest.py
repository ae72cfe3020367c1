"""A place of each kind, and the remote that reaches it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.content import digest
from support.depot import Depot
from support.s3 import S3, serving

from gitassets import remotes
from gitassets.engines.base import Tuning
from gitassets.model import Digest
from gitassets.remotes.base import Named, Surroundings
from gitassets.remotes.content import Content
from gitassets.sources.base import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator


class Place:
    """A remote, and a look behind it."""

    def __init__(self, url: str, tmp_path: Path) -> None:
        self.url = url
        self.tmp_path = tmp_path
        surroundings = Surroundings(tmp_path / "top", Tuning(), Policy(tmp_path / "top"))
        self.remote = remotes.connect(Named("team", url), surroundings)

    def content(self, data: bytes, *, named: bytes | None = None) -> Content:
        """Make a file of `data`, said to be `named`."""
        path = self.tmp_path / "object"
        path.write_bytes(data)
        return Content(path, Digest(digest(data if named is None else named)), len(data))

    def put(self, data: bytes, *, named: bytes | None = None, replace: bool = False) -> None:
        with self.content(data, named=named) as content:
            self.remote.put(content, replace=replace)

    def all(self) -> dict[str, bytes]:
        """List whatever is there, by its path below the remote."""
        raise NotImplementedError


class DirectoryPlace(Place):
    def all(self) -> dict[str, bytes]:
        root = Path(self.url)
        files = [path for path in root.rglob("*") if path.is_file()]
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


class WebPlace(Place):
    def __init__(self, depot: Depot, tmp_path: Path) -> None:
        super().__init__(depot.url(), tmp_path)
        self.depot = depot

    def all(self) -> dict[str, bytes]:
        return {path.removeprefix("/assets/"): data for path, data in self.depot.files.items()}


@pytest.fixture
def depot() -> Iterator[Depot]:
    """Start a server that takes uploads."""
    with Depot() as running:
        yield running


class BucketPlace(Place):
    def __init__(self, tmp_path: Path) -> None:
        super().__init__("s3://bucket/pre/fix", tmp_path)

    def all(self) -> dict[str, bytes]:
        import obstore

        store = obstore.store.from_url("s3://bucket/pre/fix")
        names = [row["path"] for row in obstore.list(store).collect()]
        return {name: bytes(obstore.get(store, name).bytes()) for name in names}


@pytest.fixture
def directory_place(tmp_path: Path) -> Place:
    """Give a directory alone."""
    (tmp_path / "top").mkdir()
    return DirectoryPlace(str(tmp_path / "remote"), tmp_path)


@pytest.fixture(params=["directory", "web", "bucket"])
def spot(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Give a place of each kind."""
    (tmp_path / "top").mkdir()
    found: Place
    if request.param == "directory":
        found = DirectoryPlace(str(tmp_path / "remote"), tmp_path)
    elif request.param == "bucket":
        request.getfixturevalue("s3")
        found = BucketPlace(tmp_path)
    else:
        found = WebPlace(request.getfixturevalue("depot"), tmp_path)
    yield found
    found.remote.close()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """Start an S3 server, and let the environment lead to it."""
    pytest.importorskip("obstore")
    pytest.importorskip("moto.server")
    with serving() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running
