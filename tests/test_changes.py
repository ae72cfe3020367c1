"""Two lockfile texts, compared block by block: the same answer as reading both whole."""

from __future__ import annotations

import random

import pytest
from support.repo import lockfile_text, pinned_bytes

from gitassets import changes, lockfile


def text(rng: random.Random, names: list[str]) -> bytes:
    entries = {}
    for name in names:
        entry = pinned_bytes(bytes([rng.randrange(4)]) * rng.randrange(3), "https://a.example/x")
        if rng.random() < 0.2:
            entry["groups"] = ["train"]
        entries[name] = entry
    stores = {"main": "https://b.example"} if rng.random() < 0.5 else None
    return lockfile_text(entries, stores).encode()


def judged_whole(old: bytes, new: bytes) -> tuple[dict[str, object], set[str]]:
    before, after = lockfile.load(old).assets, lockfile.load(new).assets
    changed = {path: asset for path, asset in after.items() if before.get(path) != asset}
    return changed, before.keys() - after.keys()


def test_random_pairs_agree_with_two_whole_readings() -> None:
    rng = random.Random(3)
    pool = [f"d{number % 7}/{number:03}.bin" for number in range(40)]
    same = 0
    for _ in range(600):
        names = sorted(rng.sample(pool, rng.randrange(30)))
        other = names if rng.random() < 0.5 else sorted(rng.sample(pool, rng.randrange(30)))
        old, new = text(rng, names), text(rng, other)
        found = changes.between(old, new)
        assert found is not None
        changed, gone = judged_whole(old, new)
        assert dict(found.lockfile.assets) == changed
        assert set(found.gone) == gone
        whole = lockfile.load(new)
        assert set(found.digests) == {asset.sha256 for asset in whole.assets.values()}
        assert found.lockfile.stores == whole.stores
        same += not changed
    assert same < 400  # the comparison above had something to compare


ONE = lockfile_text({"a": pinned_bytes(b"a")}).encode()
TWO = lockfile_text({"a": pinned_bytes(b"a"), "b": pinned_bytes(b"b")}).encode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ONE, TWO.replace(b"size = 1\n", b"size=1\n")),  # not canonical
        (ONE, TWO + b"\n[extra]\nkey = 1\n"),
        (ONE, TWO + TWO[TWO.index(b"\n[asset.") :]),  # a path twice
        (ONE, b"<<<<<<< ours\n" + TWO),
        (ONE, lockfile_text({"a": pinned_bytes(b"a"), "a/b": pinned_bytes(b"b")}).encode()),
        (ONE, lockfile_text({"a": pinned_bytes(b"a"), "A": pinned_bytes(b"b")}).encode()),
        (ONE, lockfile_text({"../a": pinned_bytes(b"b")}).encode()),
        (ONE, b"\xff" + TWO),
        (ONE + b"note = '''\n[asset.\"b\"]\n'''\n", TWO),
        (ONE, b""),
    ],
)
def test_what_is_not_canonical_is_left_to_the_reader(old: bytes, new: bytes) -> None:
    assert changes.between(old, new) is None


def test_nothing_changed() -> None:
    found = changes.between(TWO, TWO)
    assert found is not None
    assert not found.lockfile.assets
    assert found.gone == ()
    assert len(found.digests) == 2
