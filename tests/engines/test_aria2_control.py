"""Control files, bitfields and Metalinks: pure text and bytes, and the aria2c that reads them."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitassets.engines.aria2_control import (
    BLOCK,
    MIB,
    decode,
    encode,
    metalink,
    piece_length,
    pieces,
)
from gitassets.ranges import Ranges

NAMESPACE = "{urn:ietf:params:xml:ns:metalink}"


@st.composite
def files(draw: st.DrawFn) -> tuple[int, Ranges]:
    """Draw a size and what has arrived of it, with borders where it hurts."""
    size = draw(st.integers(1, 20 * MIB))
    border = st.one_of(
        st.integers(0, size),
        st.builds(
            lambda n, d: min(size, max(0, n * MIB + d)), st.integers(0, 20), st.integers(-2, 2)
        ),
        st.builds(
            lambda n, d: min(size, max(0, n * BLOCK + d)), st.integers(0, 1280), st.integers(-1, 1)
        ),
    )
    pairs = draw(st.lists(st.tuples(border, border), max_size=12))
    return size, Ranges((min(pair), max(pair)) for pair in pairs)


def claimed(control: bytes, size: int) -> Ranges:
    """Give what a control file says has arrived."""
    bitfield, blocks = decode(control, size)
    return Ranges([*pieces(bitfield, "", size), *blocks])


class TestControlFile:
    @given(files())
    def test_claims_what_arrived_or_puts_it_off(self, file: tuple[int, Ranges]) -> None:
        """Of each piece the blocks before its first gap; or all of it, where a stream ends before."""
        size, have = file
        claim = claimed(encode(size, have.missing(size)), size)
        asked = True
        for start in range(0, size, MIB):
            end = min(start + MIB, size)
            kept = claim.within(Ranges([(start, end)])).count
            gap = min(
                max(low, start)
                for low, high in [*have.missing(size), (end, end + 1)]
                if high > start
            )
            arrived = min(gap, end) - start
            if arrived < end - start and kept == end - start:
                assert start, "nobody asks for the first piece"
                assert asked
                assert arrived >= BLOCK
                asked = False
                continue
            assert kept == (arrived if arrived == end - start else arrived // BLOCK * BLOCK)
            assert not (asked and start and 0 < kept < end - start), "a stream would run into it"
            asked = kept < end - start

    @given(files())
    def test_two_rounds_bring_everything(self, file: tuple[int, Ranges]) -> None:
        size, have = file
        for _ in range(2):
            for start, end in claimed(encode(size, have.missing(size)), size).missing(size):
                have.add(start, end)
        assert have.missing(size) == []

    def test_layout(self) -> None:
        """Byte for byte, as aria2's technical notes have it."""
        control = encode(2 * MIB + 5, [(BLOCK + 1, 2 * MIB)])
        assert control == bytes.fromhex(
            "0001 00000000 00000000 00100000 0000000000200005 0000000000000000 00000001 20"
            "00000001 00000000 00100000 00000008 8000000000000000"
        )

    @given(files(), st.data())
    def test_a_damaged_one_is_no_map(self, file: tuple[int, Ranges], data: st.DataObject) -> None:
        size, have = file
        control = encode(size, have.missing(size))
        with pytest.raises(ValueError, match=r"cut short|bitmap"):
            decode(control[: data.draw(st.integers(0, len(control) - 1))], size)
        with pytest.raises(ValueError, match="another file"):
            decode(control, size + 1)

    @given(st.binary(max_size=200), st.integers(1, 1 << 40))
    def test_garbage_is_refused_or_read(self, garbage: bytes, size: int) -> None:
        try:
            decode(garbage, size)
        except ValueError:
            return

    def test_pieces_stay_at_a_mebibyte_where_streams_are_counted_in_them(self) -> None:
        assert piece_length(1) == piece_length(256 << 30) == MIB
        assert piece_length((256 << 30) + 1) == 2 * MIB
        assert len(encode(1 << 44, [(0, 1 << 44)])) < 64 << 10


class TestPieces:
    def test_only_what_is_new(self) -> None:
        size = 10 * MIB - 1
        assert pieces("ffc0", "", size) == [(0, size)]
        assert pieces("ffc0", "8000", size) == [(MIB, size)]
        assert pieces("a040", "8000", size) == [(2 * MIB, 3 * MIB), (9 * MIB, size)]
        assert pieces("8000", "ffc0", size) == []
        assert pieces("", "", size) == []

    def test_another_file_s_is_refused(self) -> None:
        for bitfield in ("ff", "ffffff", "zz"):
            with pytest.raises(ValueError, match=r"bitmap|hexadecimal"):
                pieces(bitfield, "", 10 * MIB)


class TestMetalink:
    def test_says_size_and_mirrors_in_order(self) -> None:
        urls = ["https://a.example/x?a=1&b=<2>", "http://b.example/%20"]
        (file,) = ET.fromstring(metalink("ab" * 32, 77, urls))
        assert file.get("name") == "ab" * 32
        assert file.findtext(f"{NAMESPACE}size") == "77"
        assert [url.text for url in file.iter(f"{NAMESPACE}url")] == urls
        assert [url.get("priority") for url in file.iter(f"{NAMESPACE}url")] == ["1", "2"]
        assert not list(file.iter(f"{NAMESPACE}hash"))

    @given(st.text(), st.lists(st.text(min_size=1), min_size=1, max_size=3))
    def test_no_text_leaves_its_place(self, path: str, hosts: list[str]) -> None:
        urls = [f"http://{host}/{path}" for host in hosts]
        (file,) = ET.fromstring(metalink("a" * 64, 1, urls))
        found = [url.text or "" for url in file.iter(f"{NAMESPACE}url")]
        assert len(found) == len(urls)
        assert all(text.isascii() and text.isprintable() and " " not in text for text in found)
