"""The frozen spec: one text for every lockfile, read back exactly, joined without loss."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitassets import lockfile
from gitassets.errors import AssetsError
from gitassets.history.choice import Choice
from gitassets.history.spec import MAX_PATHS, Rule, Spec

globs = st.lists(st.sampled_from(["*.bin", "data/**", "/a", "x y"]), max_size=2).map(tuple)
rules = st.builds(
    Rule, st.none() | st.integers(0, 2**40), st.booleans(), include=globs, exclude=globs
)
paths = st.lists(st.sampled_from(["a", "b/c", "é.bin", "d e/f"]), max_size=3)
specs = st.builds(
    lambda some, names, url: Spec(tuple(some)).with_paths(names).with_stores(url),
    st.lists(rules, max_size=3),
    paths,
    st.sampled_from([{}, {"lfs": "lfs+https://example.org/x.git/info/lfs"}]),
)


@given(specs)
def test_a_lockfile_gives_the_spec_back_and_dump_writes_the_same_bytes(spec: Spec) -> None:
    head = spec.head()
    found = lockfile.load(head)
    assert Spec.read(found) == spec
    assert lockfile.dump(found).encode() == head
    assert lockfile.read_canonical(head) is not None, "the fast reader knows it, too"


@given(specs, specs, st.binary(max_size=4), st.integers(0, 2**41), st.booleans())
def test_joined_chooses_what_either_chooses(
    one: Spec, other: Spec, name: bytes, size: int, pointer: bool
) -> None:
    joined = one.joined(other)
    path = b"data/" + name.replace(b"/", b"") + b".bin"
    asked = {"size": size, "pointer": pointer}
    either = Choice(one).takes(path, **asked) or Choice(other).takes(path, **asked)
    assert Choice(joined).takes(path, **asked) == either
    assert joined.joined(other) == joined, "joining again adds nothing"


def test_many_paths_stand_in_a_file_of_their_own() -> None:
    spec = Spec(()).with_paths(f"p{number:03}" for number in range(MAX_PATHS))
    assert spec.paths_text == b""
    more = spec.with_paths(["q"])
    assert more.paths_text.splitlines()[-1] == b"q"
    read = lockfile.load(more.head())
    assert Spec.read(read, more.paths_text) == more
    with pytest.raises(AssetsError, match="edited"):
        Spec.read(read, more.paths_text + b"r\n")


def test_a_newer_format_and_an_edited_table_are_refused() -> None:
    spec = Spec((Rule(above=5),))
    with pytest.raises(AssetsError, match="newer"):
        Spec.read(lockfile.load(spec.head().replace(b"format = 1", b"format = 2")))
    with pytest.raises(AssetsError, match="edited"):
        Spec.read(lockfile.load(spec.head().replace(b"above = 5", b"above = 5\nmore = 1")))
    assert Spec.read(lockfile.Lockfile()) is None


def test_only_an_unlimited_rule_leaves_lfs() -> None:
    assert Spec((Rule(lfs=True),)).leaves_lfs
    assert not Spec((Rule(lfs=True, include=("*.bin",)),)).leaves_lfs
    assert not Spec((Rule(above=1),)).leaves_lfs
    assert replace(Spec((Rule(lfs=True),)), rules=()).leaves_lfs is False
