"""What was last put where: a round trip, and "nothing known" for anything torn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitassets.applied import Applied, Record
from gitassets.model import Digest, Signature

NUMBER = st.integers(-(2**63), 2**63 - 1)
RECORD = st.builds(
    Record,
    st.binary(min_size=32, max_size=32).map(lambda data: Digest(data.hex())),
    st.builds(Signature, NUMBER, NUMBER, NUMBER),
)
PATH = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
RECORDS = st.dictionaries(PATH, RECORD, max_size=8)
SOME = {
    name: Record(Digest(f"{at:064x}"), Signature(at, at * 10**18, at))
    for at, name in enumerate(("a", "dir/ü", "line\nbreak", "z"))
}


def filled(records):
    new = Applied()
    new.update(records)
    return new


def load(data):
    return dict(Applied.load(data))


WRITTEN = filled(SOME).dump()


@given(RECORDS)
def test_round_trip(records):
    assert load(filled(records).dump()) == records


@given(RECORDS)
def test_the_same_facts_are_the_same_bytes(records):
    data = filled(records).dump()
    assert filled(dict(reversed(records.items()))).dump() == data
    assert not records or Applied.load(data).dump() == data


@given(RECORDS, st.lists(st.tuples(st.sampled_from([*SOME, "new"]), st.none() | RECORD)))
def test_it_is_a_dictionary(records, changes):
    """Whatever is changed after it was read: as if it had been a plain dictionary."""
    model = {**SOME, **records}
    it = Applied.load(filled(model).dump())
    assert not it.dirty
    before = dict(model)
    for path, record in changes:
        if record is not None:
            it[path] = model[path] = record
        else:
            assert it.pop(path, None) == model.pop(path, None)
    assert dict(it) == model
    assert len(it) == len(model)
    assert it.newest >= max((row.signature.mtime_ns for row in model.values()), default=0)
    assert it.dirty or model == before
    assert load(it.dump()) == model


def test_only_a_change_makes_it_dirty():
    it = Applied.load(WRITTEN)
    it["a"] = SOME["a"]
    assert it.pop("none", None) is None
    assert not it.dirty
    it["a"] = SOME["z"]
    assert it.dirty


def test_digests_are_digests():
    assert all(type(row.sha256) is Digest for row in Applied.load(WRITTEN).values())


@pytest.mark.parametrize("count", range(len(WRITTEN)))
def test_every_torn_file_is_nothing_known(count):
    assert load(WRITTEN[:count]) == {}


def test_more_than_was_written_is_nothing_known():
    assert load(WRITTEN + b"\0") == {}


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_never_raises(place, change):
    data = bytearray(WRITTEN)
    data[place % len(data)] ^= change
    assert len(load(bytes(data))) in {0, len(SOME) - 1, len(SOME)}


@given(st.binary())
def test_rubbish_is_nothing_known(data):
    assert load(data) == {}


@pytest.mark.parametrize(
    "header",
    [b"{}", b"[]", b"null", b"3", b'{"format": 2, "count": 0, "names": 0, "order": "little"}',
     b'{"format": 1, "count": -1, "names": 56, "order": "little"}',
     b'{"format": 1, "count": 1.0, "names": 0, "order": "little"}'],
)  # fmt: skip
def test_a_strange_header_is_nothing_known(header):
    assert load(header + b"\n" + b"\0" * 56) == {}
