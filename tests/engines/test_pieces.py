"""A file in pieces: every byte is asked for once, in file order, and the tail is shared."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitassets.engines.pieces import LARGE, MIB, Piece, Pieces

GIB = 1 << 30


def taken(pieces: Pieces) -> list[tuple[int, int]]:
    """Bring every piece, one after the other."""
    found = []
    while piece := pieces.next():
        found.append((piece.position, piece.end))
        piece.position = piece.end
        pieces.arrived(piece)
    return found


@pytest.mark.parametrize("size", [1, 1000, LARGE - 1])
def test_a_small_file_is_one_piece(size: int) -> None:
    pieces = Pieces(size, [(0, size)], connections=8)
    first = pieces.next()
    assert first
    assert (first.position, first.end) == (0, size)
    assert pieces.next() is None
    assert not pieces.exhausted
    pieces.arrived(first)
    assert pieces.exhausted


@pytest.mark.parametrize("size", [LARGE, LARGE + 1, 100 * MIB, GIB, 3 * GIB + 12_345])
def test_a_large_file_in_file_order(size: int) -> None:
    ranges = taken(Pieces(size, [(0, size)], connections=8))
    assert ranges[0][0] == 0
    assert ranges[-1][1] == size
    assert all(before[1] == after[0] for before, after in pairwise(ranges))
    assert all(end - start <= 33 * MIB for start, end in ranges)
    assert all(end - start >= 7 * MIB for start, end in ranges[:-1])


def test_short_at_both_ends_and_long_between() -> None:
    sizes = [end - start for start, end in taken(Pieces(8 * GIB, [(0, 8 * GIB)], connections=8))]
    assert sizes[0] == sizes[-2] == 8 * MIB
    assert sizes[-1] < 9 * MIB
    assert max(sizes) == 32 * MIB
    assert len(sizes) < 8 * GIB // (24 * MIB), "most of the file in long pieces"


def test_a_size_costs_no_memory() -> None:
    """A petabyte is cut as it is asked for (a list of all its pieces would not end)."""
    pieces = Pieces(1 << 50, [(0, 1 << 50)], connections=8)
    assert [piece.position for piece in iter(pieces.next, None)][:2] == [0, 8 * MIB]


def test_only_the_gaps() -> None:
    gaps = [(5, 10), (20 * MIB, 21 * MIB), (50 * MIB, 90 * MIB)]
    ranges = taken(Pieces(100 * MIB, gaps, connections=4))
    assert ranges[:2] == gaps[:2]
    assert sum(end - start for start, end in ranges) == 5 + MIB + 40 * MIB
    assert ranges[2][0] == 50 * MIB
    assert ranges[-1][1] == 90 * MIB


def test_no_crumb_at_the_end_of_a_gap() -> None:
    size = 8 * MIB + 5
    assert taken(Pieces(size, [(0, size)], connections=8)) == [(0, size)]


@pytest.mark.parametrize(
    ("size", "connections", "width"),
    [(LARGE, 8, 2), (16 * MIB, 8, 4), (GIB, 8, 8), (GIB, 1, 1), (GIB, 16, 16), (1000, 8, 1)],
)
def test_how_many_at_once(size: int, connections: int, width: int) -> None:
    pieces = Pieces(size, [(0, size)], connections=connections)
    assert len(list(iter(pieces.next, None))) == width


def test_one_stream_is_never_cut() -> None:
    pieces = Pieces(GIB, [(0, GIB)], connections=8, cut=False)
    piece = pieces.next()
    assert piece
    assert (piece.position, piece.end) == (0, GIB)
    assert pieces.next() is None


class TestHalving:
    def test_the_largest_is_halved(self) -> None:
        pieces = Pieces(16 * MIB, [(0, 16 * MIB)], connections=8)
        first, second, third = pieces.next(), pieces.next(), pieces.next()
        assert first
        assert second
        assert third
        assert (first.position, first.end) == (0, 4 * MIB)
        assert (third.position, third.end) == (4 * MIB, 8 * MIB)
        assert second.end == 16 * MIB

    def test_what_arrived_stays_with_the_donor(self) -> None:
        pieces = Pieces(8 * MIB, [(0, 8 * MIB)], connections=8)
        donor = pieces.next()
        assert donor
        donor.position = 3 * MIB + 7
        rest = pieces.next()
        assert rest
        assert donor.position < donor.end == rest.position
        assert rest.end == 8 * MIB

    def test_crumbs_are_not_worth_a_request(self) -> None:
        pieces = Pieces(8 * MIB, [(0, 8 * MIB)], connections=8)
        donor = pieces.next()
        assert donor
        donor.position = 6 * MIB + 1
        assert pieces.next() is None
        assert donor.end == 8 * MIB

    def test_what_stopped_comes_before_halves(self) -> None:
        pieces = Pieces(16 * MIB, [(0, 16 * MIB)], connections=8)
        first, second = pieces.next(), pieces.next()
        assert first
        assert second
        first.position = 5
        pieces.again(first)
        assert pieces.next() is first
        assert second.end == 16 * MIB


def test_a_piece_that_stopped_at_its_end_is_not_asked_again() -> None:
    pieces = Pieces(10, [(0, 10)], connections=8)
    piece = pieces.next()
    assert piece
    piece.position = 10
    pieces.again(piece)
    assert pieces.exhausted


def test_the_whole_file_replaces_every_other_piece() -> None:
    pieces = Pieces(GIB, [(0, GIB)], connections=8)
    piece = pieces.next()
    assert piece
    pieces.whole(piece, GIB)
    assert piece.end == GIB
    assert pieces.next() is None
    pieces.arrived(piece)
    assert pieces.exhausted


@given(
    size=st.integers(LARGE, 300 * MIB),
    connections=st.integers(1, 16),
    steps=st.lists(
        st.tuples(st.integers(0, 15), st.integers(0, 9 * MIB), st.booleans()), max_size=200
    ),
)
def test_every_byte_arrives_exactly_once(
    size: int, connections: int, steps: list[tuple[int, int, bool]]
) -> None:
    """Connections of any speed, which fail at any time: nothing is missed, nothing comes twice."""
    pieces = Pieces(size, [(0, size)], connections=connections)
    flying: list[Piece] = []
    arrived: list[tuple[int, int]] = []

    def move(piece: Piece, count: int, *, fails: bool) -> None:
        end = min(piece.position + count, piece.end)
        arrived.append((piece.position, end))
        piece.position = end
        if piece.position == piece.end:
            flying.remove(piece)
            pieces.arrived(piece)
        elif fails:
            flying.remove(piece)
            pieces.again(piece)

    for which, count, fails in steps:
        flying += list(iter(pieces.next, None))
        assert len(flying) <= connections
        if flying:
            move(flying[which % len(flying)], count, fails=fails)
    while flying or (flying := list(iter(pieces.next, None))):
        move(flying[0], size, fails=False)
    assert pieces.exhausted
    place = 0
    for start, end in sorted(span for span in arrived if span[0] < span[1]):
        assert start == place
        place = end
    assert place == size
