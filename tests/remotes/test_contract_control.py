"""The contract is able to fail: remotes that break one promise each are caught."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import pytest
from support.content import content
from support.depot import key

from gitassets.errors import StoreError
from gitassets.remotes.base import Held, place

# By its place: the engines have a suite of the same name.
_SPEC = importlib.util.spec_from_file_location(
    "remote_contract", Path(__file__).with_name("test_contract.py")
)
contract = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(contract)


class Naive:
    """Writes under the final name, as it comes."""

    name = "naive"

    def __init__(self, root: Path) -> None:
        self.url = str(root)
        self.root = root

    def stat(self, digest):
        path = self.root / place(digest)
        return Held(path.stat().st_size) if path.exists() else None

    def put(self, outgoing, *, replace):
        path = self.root / place(outgoing.digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for piece in outgoing:
                file.write(piece)


class Trusting(Naive):
    """Reads past the check, so that anything becomes an object."""

    def put(self, outgoing, *, replace):
        outgoing.digest, right = (
            hashlib.sha256((self.root.parent / "object").read_bytes()).hexdigest(),
            outgoing.digest,
        )
        try:
            data = b"".join(outgoing)
        finally:
            outgoing.digest = right
        path = self.root / place(right)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


class Loud(Naive):
    """Takes a repeated put for a mistake."""

    def put(self, outgoing, *, replace):
        if self.stat(outgoing.digest):
            raise FileExistsError(outgoing.digest)
        super().put(outgoing, replace=replace)


class Flat(Naive):
    """Keeps objects elsewhere than where a store is asked for them."""

    def put(self, outgoing, *, replace):
        self.root.mkdir(exist_ok=True)
        (self.root / outgoing.digest).write_bytes(b"".join(outgoing))

    def stat(self, digest):
        path = self.root / digest
        return Held(path.stat().st_size) if path.exists() else None


@pytest.fixture
def flawed(directory_place):
    """Put a flawed remote in the place of the real one."""

    def make(kind):
        directory_place.remote = kind(Path(directory_place.url))
        return directory_place

    return make


@pytest.mark.parametrize(
    ("kind", "promise"),
    [
        (Naive, contract.test_an_interrupted_put_is_invisible),
        (Naive, contract.test_a_file_that_shrinks_is_refused),
        (Loud, contract.test_a_repeated_put_is_quiet),
    ],
)
def test_caught(flawed, kind, promise):
    with pytest.raises((AssertionError, OSError)):
        promise(flawed(kind))


def test_wrong_bytes_are_caught(flawed):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        contract.test_wrong_bytes_never_become_an_object(flawed(Trusting), 1)


def test_another_layout_is_caught(flawed):
    with pytest.raises(AssertionError):
        contract.test_what_was_put_is_there_by_content(flawed(Flat), 5)


def test_the_content_itself_refuses(flawed):
    """What every remote relies on: the last bytes of a wrong object are never handed over."""
    spot = flawed(Naive)
    data = content("x", 0, 2 * 2**20)
    with pytest.raises(StoreError):
        spot.put(data, named=b"other")
    assert len(spot.all()[key(b"other")]) < len(data)
