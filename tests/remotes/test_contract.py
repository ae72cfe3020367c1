"""What every remote promises, for every kind of place."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.content import content, digest
from support.depot import key

from gitassets.errors import StoreError
from gitassets.model import Digest
from gitassets.remotes.content import Stopped

DATA = content("seed", 0, 300_000)
SIZES = [0, 1, 65_536, 3 * 2**20 + 5]


def sha(data):
    return Digest(digest(data))


@pytest.mark.parametrize("size", SIZES)
def test_what_was_put_is_there_by_content(spot, size):
    data = content("seed", 0, size)
    assert spot.remote.stat(sha(data)) is None
    spot.put(data)
    assert spot.all() == {key(data): data}
    held = spot.remote.stat(sha(data))
    assert held.size == size
    assert held.sha256 in {None, sha(data)}


def test_a_repeated_put_is_quiet(spot):
    spot.put(DATA)
    spot.put(DATA)
    spot.put(DATA, replace=True)
    assert spot.all() == {key(DATA): DATA}


def test_what_is_wrong_there_can_be_replaced(spot):
    spot.put(DATA)
    other = DATA[:-1] + b"x"
    spot.put(other, replace=True)
    assert spot.all() == {key(DATA): DATA, key(other): other}


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_wrong_bytes_never_become_an_object(spot, size):
    with pytest.raises(StoreError, match="holds other bytes"):
        spot.put(DATA[:size], named=b"something else")
    assert spot.all() == {}


def test_an_interrupted_put_is_invisible(spot):
    with spot.content(DATA) as outgoing:
        real = outgoing.read

        def read(count=-1):
            piece = real(min(1000, count) if count > 0 else 1000)
            if outgoing.sent > 100_000:
                outgoing.stop()
            return piece

        outgoing.read = read
        with pytest.raises(Stopped):
            spot.remote.put(outgoing, replace=False)
    assert 0 < outgoing.sent < len(DATA)
    assert spot.remote.stat(sha(DATA)) is None
    assert spot.all() == {}
    spot.put(DATA)
    assert spot.all() == {key(DATA): DATA}


def test_a_file_that_shrinks_is_refused(spot):
    with spot.content(DATA) as outgoing:
        (spot.tmp_path / "object").write_bytes(DATA[:200_000])
        with pytest.raises(StoreError, match="became shorter"):
            spot.remote.put(outgoing, replace=False)
    assert spot.all() == {}


def test_many_at_once(spot, tmp_path):
    objects = [content(str(seed), 0, 10_000) for seed in range(40)]

    def put(data):
        from gitassets.remotes.content import Content

        path = tmp_path / digest(data)
        path.write_bytes(data)
        with Content(path, sha(data), len(data)) as outgoing:
            spot.remote.put(outgoing, replace=False)
        return spot.remote.stat(sha(data)).size

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(put, objects)) == [10_000] * 40
    assert spot.all() == {key(data): data for data in objects}
