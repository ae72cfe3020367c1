"""Tree bytes: the quick edit is the slow one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitassets.history import entries

names = st.sampled_from([b"a", b"a.b", b"a-b", b"b", b"100644 a", b"z", b"x 100644 b", b"\xff"])
modes = st.sampled_from([b"100644", b"100755", b"40000", b"120000", b"160000"])
objects = st.integers(0, 5).map(lambda number: bytes([number + 60]) * 20)
trees = st.lists(
    st.tuples(modes, names, objects), max_size=7, unique_by=lambda entry: entry[1]
).map(lambda found: sorted(found, key=entries.key))
parse = entries.parser(20)


@given(trees, st.dictionaries(names, st.none() | st.tuples(modes, objects), max_size=4))
def test_quick_and_slow_edits_agree(tree: list[entries.Entry], wanted: dict) -> None:
    data = entries.joined(tree)
    assert parse(data) == tree
    known = {entry[1]: entry for entry in tree}
    edits = {
        name: (known.get(name), (new[0], name, new[1]) if new else None)
        for name, new in wanted.items()
        # A removal needs something to remove, and a place has one kind.
        if name in known or new
    }
    edits = {
        name: (old, new)
        for name, (old, new) in edits.items()
        if not (old and new) or (old[0] == b"40000") == (new[0] == b"40000")
    }
    slow = entries._edited_slowly(tree, edits)
    assert entries.edited(data, tree, edits) == slow
    expected = {**known, **{name: new for name, (_, new) in edits.items()}}
    assert parse(slow) == sorted((entry for entry in expected.values() if entry), key=entries.key)


def test_all_entries_of_a_doubled_name_change() -> None:
    tree = [
        (b"100644", b"a", b"1" * 20),
        (b"100644", b"a", b"2" * 20),
        (b"100644", b"b", b"3" * 20),
    ]
    edits = {b"a": (tree[0], None)}
    assert parse(entries.edited(entries.joined(tree), tree, edits)) == tree[2:]


def test_what_git_would_not_write_is_copied() -> None:
    odd = b"0100644 a\0" + b"1" * 20 + b"40000 .git\0" + b"2" * 20 + b"100664 b\0" + b"3" * 20
    tree = parse(odd)
    assert entries.joined(tree) == odd
    edits = {b"b": (tree[2], None)}
    assert entries.edited(odd, tree, edits) == odd[: -len(b"100664 b\0") - 20]


def test_named() -> None:
    tree = [(b"100644", b"x a", b"1" * 20), (b"100644", b"b", b"2" * 20)]
    data = entries.joined(tree)
    assert entries.named(data, tree, b"a") is None, "the end of a longer name is another name"
    assert entries.named(data, tree, b"b") == tree[1]
