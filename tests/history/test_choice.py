"""Which files a spec chooses."""

from __future__ import annotations

import pytest

from gitassets.history.choice import Choice
from gitassets.history.spec import Rule, Spec


def takes(rule: Rule, path: str, size: int = 0, *, pointer: bool = False) -> bool:
    return Choice(Spec((rule,))).takes(path.encode(), size=size, pointer=pointer)


@pytest.mark.parametrize(
    ("rule", "path", "size", "pointer", "chosen"),
    [
        (Rule(above=10), "a", 9, False, False),
        (Rule(above=10), "a", 10, False, True),
        (Rule(lfs=True), "a", 10**9, False, False),
        (Rule(lfs=True), "a", 0, True, True),
        (Rule(above=10), "a", 0, True, False),
        (Rule(above=10, lfs=True), "a", 0, True, True),
        (Rule(include=("*.bin",)), "d/a.bin", 0, False, True),
        (Rule(include=("*.bin",)), "d/a.txt", 10**9, False, False),
        (Rule(above=10, include=("*.bin",)), "d/a.bin", 9, False, False),
        (Rule(above=10, exclude=("*.bin",)), "d/a.bin", 10, False, False),
        (Rule(include=("data/**",)), "data/x/y", 0, False, True),
        (Rule(include=("data/",)), "data/x/y", 0, False, True),
        (Rule(include=("data/*",)), "data/x/y", 0, False, False),
        (Rule(include=("/a.bin",)), "d/a.bin", 0, False, False),
        (Rule(include=("**/a.bin",)), "d/e/a.bin", 0, False, True),
        (Rule(include=("[ab].bin",)), "b.bin", 0, False, True),
        (Rule(include=("[!ab].bin",)), "b.bin", 0, False, False),
        (Rule(include=("?.bin",)), "ab.bin", 0, False, False),
        (Rule(include=("a+b.bin",)), "aab.bin", 0, False, False),
    ],
)
def test_a_rule(rule: Rule, path: str, size: int, pointer: bool, chosen: bool) -> None:
    assert takes(rule, path, size, pointer=pointer) is chosen


def test_a_listed_path_is_chosen_in_every_version() -> None:
    choice = Choice(Spec((Rule(above=10),)).with_paths(["d/e/a.bin"]))
    assert choice.takes(b"d/e/a.bin", size=0, pointer=False)
    assert choice.folders == {b"", b"d/", b"d/e/"}
    assert choice.context(b"d/e/") == b"d/e/"
    assert choice.context(b"other/") is None, "elsewhere equal trees are equal"


def test_a_pattern_with_a_slash_makes_every_place_matter() -> None:
    assert Choice(Spec((Rule(include=("d/*.bin",)),))).context(b"other/") == b"other/"
    assert Choice(Spec((Rule(include=("*.bin",)),))).context(b"other/") is None


def test_a_non_utf8_name_can_be_excluded_but_never_chosen() -> None:
    choice = Choice(Spec((Rule(above=10),)))
    assert choice.takes(b"\xe9.bin", size=10, pointer=False)
    assert choice.refusal(b"\xe9.bin") == "not UTF-8"


@pytest.mark.parametrize(
    "name",
    [b"con", b"a:b", b"a\\b", b"end.", b"end ", b".gitattributes", b"assets.lock.toml", b"a\tb",
     b"assets.migration.paths", b"x" * 256],
)  # fmt: skip
def test_names_that_a_lockfile_refuses_are_refused(name: bytes) -> None:
    assert Choice(Spec(())).refusal(name)


def test_other_names_are_not() -> None:
    choice = Choice(Spec(()))
    for name in (b"a b", b"#x", b"!x", "é".encode(), b"[x]", b".hidden"):
        assert choice.refusal(name) is None
