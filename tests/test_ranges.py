"""The set of byte ranges, against a set of integers."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from gitassets.ranges import Ranges

SIZE = 40
SPAN = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE))
STEPS = st.lists(st.tuples(st.booleans(), SPAN), max_size=12)


def model(ranges: Ranges) -> set[int]:
    return {at for start, end in ranges for at in range(start, end)}


def apply(steps: list[tuple[bool, tuple[int, int]]]) -> tuple[Ranges, set[int]]:
    ranges, expected = Ranges(), set()
    for add, (start, end) in steps:
        span = set(range(start, end))
        if add:
            assert ranges.add(start, end) == len(span - expected)
            expected |= span
        else:
            ranges.remove(start, end)
            expected -= span
        assert model(ranges) == expected
        assert ranges.count == len(expected)
    return ranges, expected


@given(STEPS)
def test_behaves_as_a_set(steps):
    ranges, expected = apply(steps)
    missing = [at for start, end in ranges.missing(SIZE) for at in range(start, end)]
    assert missing == sorted(set(range(SIZE)) - expected)
    assert ranges.prefix() == next((at for at in range(SIZE + 1) if at not in expected), SIZE)
    runs = list(ranges)
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(runs))
    for position in range(1, SIZE):
        assert ranges.touches(position) == (position - 1 in expected)


@given(STEPS, STEPS)
def test_within_is_the_intersection(one, other):
    (a, in_a), (b, in_b) = apply(one), apply(other)
    assert model(a.within(b)) == in_a & in_b
    assert model(a) == in_a


@given(STEPS)
def test_survives_the_journal(steps):
    ranges, _ = apply(steps)
    assert list(Ranges.load(ranges.dump(), SIZE)) == list(ranges)


def test_rubbish_is_nothing_known():
    good = Ranges([(0, 5), (10, 20)]).dump()
    assert list(Ranges.load(good, 20)) == [(0, 5), (10, 20)]
    assert list(Ranges.load(good, 19)) == []
    assert list(Ranges.load(good[:-1], 20)) == []
    assert list(Ranges.load(good[16:] + good[:16], 20)) == []
    assert list(Ranges.load(b"", 20)) == []


def test_a_stream_begins_at_the_start_or_where_something_ends():
    ranges = Ranges([(10, 20)])
    assert [at for at in (0, 9, 10, 11, 20, 21) if ranges.touches(at)] == [0, 11, 20]
