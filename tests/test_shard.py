"""The split is complete, even, and the same on every machine."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitassets import shard
from gitassets.model import Digest
from gitassets.shard import Shard


def named(number):
    return Digest(hashlib.sha256(str(number).encode()).hexdigest())


@given(st.lists(st.integers(0, 10**12), max_size=60), st.integers(1, 9), st.randoms())
def test_every_content_is_in_one_part(sizes, count, chance):
    contents = {named(number): size for number, size in enumerate(sizes)}
    rows = list(contents.items())
    chance.shuffle(rows)
    parts = [Shard(index, count).of(contents) for index in range(1, count + 1)]
    assert sorted(digest for part in parts for digest in part) == sorted(contents)
    assert parts == [Shard(index, count).of(dict(rows)) for index in range(1, count + 1)]


@pytest.mark.parametrize("count", [2, 3, 8])
def test_parts_are_even(count):
    chance = random.Random(1)
    contents = {named(number): int(chance.paretovariate(1) * 1000) for number in range(2000)}
    loads = [sum(contents[d] for d in Shard(i + 1, count).of(contents)) for i in range(count)]
    fair = max(sum(contents.values()) / count, *contents.values())
    assert max(loads) <= fair * 4 / 3


def test_many_empty_files_are_spread():
    contents = {named(number): 0 for number in range(100)}
    assert [len(Shard(i, 4).of(contents)) for i in (1, 2, 3, 4)] == [25] * 4


def test_reading():
    assert shard.read("3/8") == Shard(3, 8)


@pytest.mark.parametrize(
    "text", ["", "1", "0/3", "4/3", "1/0", "-1/3", "a/b", "1/2/3", "1/99999999", "١/٢"]
)
def test_bad_text(text):
    with pytest.raises(ValueError, match="I"):
        shard.read(text)
