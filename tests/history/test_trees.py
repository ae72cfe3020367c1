"""What a rewritten tree holds must be what the everyday commands write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitassets import ignore, lockfile
from gitassets.errors import UnsafePath
from gitassets.history.choice import Choice
from gitassets.history.inventory import Inventory
from gitassets.history.roots import conflicts
from gitassets.history.ropes import MARK, Rope
from gitassets.history.spec import Rule, Spec
from gitassets.history.trees import Facts, TreeRewriter, _escaped
from gitassets.lockfile import Lockfile
from gitassets.model import Asset, AssetPath, Digest
from gitassets.paths import check_together, ignore_line

names = st.sampled_from(["a", "a b", "[x]", "#h", "!n", "é", "a-b", "a.b", "z"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
texts = st.sampled_from(
    [
        "",
        "*.log",
        "*.log\r\n",
        "!*.bin\n",
        f"x\n{ignore.BEGIN}\n/old\n{ignore.END}\ny\n",
        "\udcff\n",
    ]
)


def rewriter() -> TreeRewriter:
    facts = Facts(Choice(Spec((Rule(above=1),))), Inventory(20), frozenset(), {})
    return TreeRewriter(facts, lambda _: b"", None)  # type: ignore[arg-type]


@given(texts, st.lists(paths, min_size=1, max_size=6, unique=True))
def test_ignore_lines_are_those_of_the_managed_block(text: str, chosen: list[str]) -> None:
    pending = Rope(
        tuple(
            b"/" + MARK + b"/".join(_escaped(part.encode()) for part in path.split("/")) + b"\n"
            for path in sorted(chosen, key=str.encode)
        )
    )
    data = text.encode("utf-8", "surrogateescape")
    wanted = ignore.updated(text, "", add=chosen, drop=())
    assert rewriter().with_lines(data, pending) == wanted.encode("utf-8", "surrogateescape")


@given(names)
def test_escaping_goes_by_component(name: str) -> None:
    assert _escaped(name.encode()).decode() == ignore_line(name)[1:]


folding = st.sampled_from(["a", "A", "b", "É", "e\u0301", "é", "ſ", "s", "S"])
twins = st.lists(folding, min_size=1, max_size=3).map("/".join)


@given(st.sets(twins, max_size=6))
def test_without_the_conflicts_a_lockfile_takes_the_rest(chosen: set[str]) -> None:
    # A tree cannot hold a file and a directory of exactly one name.
    chosen = {path for path in chosen if not any(each.startswith(path + "/") for each in chosen)}
    excluded = {path.decode() for path in conflicts(path.encode() for path in chosen)}
    rest = dict.fromkeys(chosen - excluded)
    check_together(rest.keys())
    if not excluded:
        return
    with pytest.raises(UnsafePath):  # the control: all of them would be refused
        check_together(dict.fromkeys(chosen).keys())


def test_what_is_pinned_already_stays() -> None:
    assert conflicts([b"A", b"b/c"], ["a", "B", "x"]) == {b"A", b"b/c"}
    assert conflicts([b"a", b"b"], ["a"]) == frozenset(), "the same path is no conflict"


def test_a_path_that_is_too_long_conflicts() -> None:
    long = b"/".join([b"d" * 200] * 6)
    assert conflicts([long, b"x"]) == {long}


def test_the_block_is_what_dump_writes() -> None:
    asset = Asset(AssetPath("d/é [x].bin"), 5, Digest("0" * 64), executable=True)
    tail = b'size = 5\nsha256 = "%s"\n' % (b"0" * 64)
    spec = Spec((Rule(above=1),))
    text = spec.head() + b'\n[asset."%s"]\nexecutable = true\n%s' % (asset.path.encode(), tail)
    assert lockfile.dump(lockfile.load(text)).encode() == text
    assert lockfile.load(text).assets == Lockfile().with_asset(asset).assets
