"""Merging lockfiles: by git's own lines, where it must be right or loud, and by meaning."""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gitassets.errors import ConflictedLockfile, LockfileError
from gitassets.lockfile import Lockfile, dump, load
from gitassets.merge import Conflict, Merged, merge, with_markers
from gitassets.model import Asset, AssetPath, Digest, SourceTable, StoreTable, Url

if TYPE_CHECKING:
    from pathlib import Path

A, B, C = (Digest(letter * 64) for letter in "abc")
U, V, W = (Url(f"https://example.org/{name}") for name in "uvw")
TRIALS = 400
DIGESTS = 30


def asset(path: str = "a", sha256: Digest = A, size: int = 1, **others: object) -> Asset:
    return Asset(AssetPath(path), size, sha256, **others)


def pins(*assets: Asset) -> Lockfile:
    return Lockfile().with_assets(assets)


# By lines, as git and every forge do it.


def merged_by_git(
    place: Path, sides: tuple[Lockfile, Lockfile, Lockfile], *options: str
) -> tuple[bool, bytes]:
    """Merge three texts with `git merge-file`; tell whether git called it clean."""
    base, ours, theirs = sides
    for name, side in (("ours", ours), ("base", base), ("theirs", theirs)):
        (place / name).write_text(dump(side))
    command = ["git", "merge-file", "-p", *options, "ours", "base", "theirs"]
    run = subprocess.run(command, cwd=place, capture_output=True, check=False)
    return run.returncode == 0, run.stdout


def random_asset(chance: random.Random, path: str | None = None) -> Asset:
    # Sometimes the bytes of another path, so that two blocks have the same last line.
    number = chance.randrange(DIGESTS)
    return Asset(
        AssetPath(path or f"dir/{chance.randrange(30):02}.bin"),
        number % 7,
        Digest(f"{number:064x}"),
        tuple(chance.sample([U, V, W], chance.randrange(3))),
        groups=tuple(chance.sample(["x", "y", "z"], chance.randrange(3))),
    )


def edited(chance: random.Random, lockfile: Lockfile) -> Lockfile:
    """Change one to three entries as people do: add, remove, repin, rename, regroup."""
    for _ in range(chance.randint(1, 3)):
        some = chance.choice(list(lockfile.assets.values()))
        match chance.randrange(6):
            case 0 | 1:
                lockfile = lockfile.with_asset(random_asset(chance))
            case 2:
                lockfile = lockfile.without([some.path])
            case 3:
                lockfile = lockfile.with_asset(
                    replace(random_asset(chance, some.path), groups=some.groups)
                )
            case 4:
                renamed = replace(some, path=AssetPath(f"{some.path}.{chance.randrange(3)}"))
                lockfile = lockfile.without([some.path]).with_asset(renamed)
            case _:
                lockfile = lockfile.with_asset(replace(some, groups=(chance.choice("xyz"),)))
    return lockfile


def trials(seed: int) -> list[tuple[Lockfile, Lockfile, Lockfile]]:
    chance = random.Random(seed)
    made = []
    for _ in range(TRIALS):
        base = pins(*(random_asset(chance, f"dir/{number:02}.bin") for number in range(0, 30, 3)))
        made.append((base, edited(chance, base), edited(chance, base)))
    return made


def content(pin: object) -> tuple[str, int] | None:
    return (pin.sha256, pin.size) if isinstance(pin, Asset) else None


def mixed_up(found: Lockfile, base: Lockfile, merged: Merged) -> list[str]:
    """Give the paths whose presence or bytes are neither what meaning says nor open to question."""
    names = {conflict.name for conflict in merged.conflicts}
    sides = {
        content(side) for conflict in merged.conflicts for side in (conflict.ours, conflict.theirs)
    }
    wrong = []
    for path in (found.assets.keys() | merged.lockfile.assets.keys()) - names:
        got, meant = content(found.assets.get(path)), content(merged.lockfile.assets.get(path))
        # git follows a renamed path to the bytes that the other side gave to the old one.
        followed = path not in base.assets and got in sides and got is not None
        if got != meant and not followed:
            wrong.append(path)
    return wrong


def verdict(place: Path, sides: tuple[Lockfile, Lockfile, Lockfile], *options: str) -> str:
    clean, text = merged_by_git(place, sides, *options)
    try:
        found = load(text)
    except ConflictedLockfile:
        return "doubled" if clean else "conflict"
    except LockfileError:
        return "invalid"
    return "wrong" if mixed_up(found, sides[0], merge(*sides)) else "right"


def test_no_merge_of_lines_gives_a_valid_but_wrong_lockfile(tmp_path: Path) -> None:
    verdicts = Counter(verdict(tmp_path, sides) for sides in trials(7))
    print(verdicts)
    assert not verdicts["wrong"]
    assert not verdicts["invalid"]
    assert verdicts["right"] > TRIALS / 2
    assert verdicts["conflict"] > TRIALS / 20


def test_the_control_union_is_caught(tmp_path: Path) -> None:
    verdicts = Counter(verdict(tmp_path, sides, "--union") for sides in trials(7))
    assert verdicts["wrong"], verdicts


def test_the_known_limit_of_lines_is_a_conflict_by_meaning(tmp_path: Path) -> None:
    # Ours gives "a" the bytes of its neighbour "b" and drops "b"; theirs repins "b". The end of
    # the old "b" is the end of our new "a" line by line, so git changes that.
    base = pins(asset("a", A, urls=(U,), groups=("x",)), asset("b", B, groups=("y",)))
    ours = pins(asset("a", B, urls=(U, W)))
    theirs = base.with_asset(asset("b", C, groups=("y",)))
    clean, text = merged_by_git(tmp_path, (base, ours, theirs))
    assert clean
    assert content(load(text).assets["a"]) == (C, 1)
    merged = merge(base, ours, theirs)
    assert content(merged.lockfile.assets["a"]) == (B, 1)
    assert [conflict.name for conflict in merged.conflicts] == ["b"]


# By meaning.


def test_what_one_side_changed_is_taken() -> None:
    for base, ours, theirs in trials(8)[:100]:
        assert merge(base, base, theirs).lockfile == theirs
        unchanged = merge(base, ours, base)
        assert (unchanged.lockfile, unchanged.taken) == (ours, ())
        assert merge(base, ours, ours).lockfile == ours


def test_sides_differ_only_in_who_wins() -> None:
    conflicted = 0
    for base, ours, theirs in trials(9):
        one, other = merge(base, ours, theirs), merge(base, theirs, ours)
        assert [conflict.name for conflict in one.conflicts] == [
            conflict.name for conflict in other.conflicts
        ]
        conflicted += bool(one.conflicts)
        mine = merge(base, ours, theirs, favour="ours")
        assert not mine.conflicts
        assert sizes(mine.lockfile) == sizes(merge(base, theirs, ours, favour="theirs").lockfile)
        for result in (one, other, mine):
            assert load(dump(result.lockfile).encode()) == result.lockfile
    assert conflicted >= TRIALS / 40


def sizes(lockfile: Lockfile) -> dict[str, tuple[int, str, frozenset[str]]]:
    return {path: (a.size, a.sha256, frozenset(a.urls)) for path, a in lockfile.assets.items()}


def side_of(text: str, side: str) -> str:
    """Take one side of every conflict, as a person would in an editor."""
    kept, where = [], "both"
    for line in text.splitlines(keepends=True):
        if line.startswith(("<<<<<<< ", "=======", ">>>>>>> ")):
            where = {"<": "ours", "=": "theirs", ">": "both"}[line[0]]
        elif where in ("both", side):
            kept.append(line)
    return "".join(kept)


def test_markers_stand_around_whole_blocks() -> None:
    seen = 0
    for base, ours, theirs in trials(10):
        merged = merge(base, ours, theirs)
        text = with_markers(merged)
        if not merged.conflicts:
            assert text == dump(merged.lockfile)
            continue
        seen += 1
        with pytest.raises(ConflictedLockfile):
            load(text.encode())
        for side in ("ours", "theirs"):
            expected = merge(base, ours, theirs, favour=side).lockfile
            assert load(side_of(text, side).encode()) == expected
    assert seen >= TRIALS / 40


def test_the_text_of_a_conflict() -> None:
    merged = merge(pins(asset()), pins(asset(sha256=B)), pins())
    assert merged.conflicts == (Conflict("asset", "a", asset(sha256=B), None),)
    block = f'[asset."a"]\nsize = 1\nsha256 = "{B}"\n'
    assert with_markers(merged).endswith(
        f"revision = 0\n\n<<<<<<< ours\n{block}=======\n>>>>>>> theirs\n"
    )


Change = dict[str, object]


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "result"),
    [
        # Groups and URLs are ordered sets.
        ({"urls": (U,)}, {"urls": (U, V)}, {"urls": (U, W)}, {"urls": (U, V, W)}),
        ({"urls": (U, V)}, {"urls": (V,)}, {"urls": (U, V, W)}, {"urls": (V, W)}),
        ({"urls": (U, V)}, {"urls": (V, U)}, {"urls": (U, V)}, {"urls": (V, U)}),
        ({"groups": ("x",)}, {"groups": ()}, {"groups": ("x", "y")}, {"groups": ("y",)}),
        # Other keys one by one.
        ({}, {"groups": ("x",)}, {"executable": True}, {"groups": ("x",), "executable": True}),
        (
            {},
            {"extra": {"note": "n"}},
            {"extra": {"license": "l"}},
            {"extra": {"note": "n", "license": "l"}},
        ),
        ({"extra": {"note": "n"}}, {}, {"extra": {"note": "n", "x": 1}}, {"extra": {"x": 1}}),
        ({}, {"extra": {"note": "n"}}, {"extra": {"note": "m"}}, None),
        # Bytes.
        ({}, {"sha256": B}, {"sha256": B, "groups": ("x",)}, {"sha256": B, "groups": ("x",)}),
        ({}, {"sha256": B}, {"groups": ("x",)}, {"sha256": B, "groups": ("x",)}),
        (
            {},
            {"groups": ("x",)},
            {"sha256": B, "urls": (U,)},
            {"sha256": B, "groups": ("x",), "urls": (U,)},
        ),
        ({}, {"sha256": B}, {"urls": (U,)}, None),
        ({}, {"sha256": B}, {"sha256": C}, None),
        ({}, {"sha256": B}, {"size": 2}, None),
        # Added by both.
        (None, {"urls": (U,)}, {"urls": (V,)}, {"urls": (U, V)}),
        (None, {"sha256": A}, {"sha256": B}, None),
        # Removed by one.
        ({}, "gone", {"groups": ("x",)}, "gone"),
        ({}, "gone", {"sha256": B}, None),
        ({}, "gone", "gone", "gone"),
    ],
)
def test_one_asset(
    base: Change | None, ours: Change | str, theirs: Change | str, result: Change | str | None
) -> None:
    def made(change: Change | str | None) -> Lockfile:
        return Lockfile() if change in (None, "gone") else pins(asset(**change))

    for one, other, keep in ((ours, theirs, True), (theirs, ours, False)):
        merged = merge(made(base), made(one), made(other))
        if result is None:
            assert [conflict.name for conflict in merged.conflicts] == ["a"]
            assert merged.lockfile == made(one)
        elif keep:
            assert merged.lockfile == made(result)
            assert not merged.conflicts
        else:
            assert sizes(merged.lockfile) == sizes(made(result))


def test_too_many_mirrors_are_a_conflict() -> None:
    def many(start: int) -> Asset:
        return asset(urls=tuple(Url(f"https://h/{number}") for number in range(start, start + 9)))

    assert merge(Lockfile(), pins(many(0)), pins(many(9))).conflicts


@pytest.mark.parametrize(
    ("mine", "foreign"), [("model", "Model"), ("a", "a/b"), ("a/b", "a"), ("É", "e\u0301")]
)
def test_paths_that_cannot_be_in_one_work_tree(mine: str, foreign: str) -> None:
    ours, theirs = pins(asset(mine)), pins(asset(foreign))
    merged = merge(Lockfile(), ours, theirs)
    assert merged.lockfile == ours
    assert merged.conflicts == (Conflict("asset", foreign, None, asset(foreign)),)
    assert load(side_of(with_markers(merged), "ours").encode()) == ours
    assert merge(Lockfile(), ours, theirs, favour="ours").lockfile == ours
    assert merge(Lockfile(), ours, theirs, favour="theirs").lockfile == theirs


def test_a_rename_meets_a_change_at_the_new_path() -> None:
    base = pins(asset("old"), asset("other", C))
    renamed = pins(asset("new"), asset("other", C))
    changed = pins(asset("old", B, groups=("x",)), asset("other", C))
    expected = pins(asset("new", B, groups=("x",)), asset("other", C))
    for ours, theirs in ((renamed, changed), (changed, renamed)):
        merged = merge(base, ours, theirs)
        assert (merged.lockfile, merged.conflicts) == (expected, ())
    assert merge(base, changed, renamed).taken == ("'old' renamed to 'new' as in theirs",)
    # Two new paths for the same bytes, or two names for one path, leave nothing to follow.
    twice = pins(asset("new"), asset("new2"), asset("other", C))
    assert [conflict.name for conflict in merge(base, twice, changed).conflicts] == ["old"]
    elsewhere = pins(asset("elsewhere"), asset("other", C))
    assert list(merge(base, renamed, elsewhere).lockfile.assets) == ["elsewhere", "new", "other"]


# Sources, stores, and what is not known.


def at(revision: str, *assets: Asset, original: str = "hf://o/r@main") -> Lockfile:
    table = SourceTable("s", Url(original), Url(f"hf://o/r@{revision * 40}"))
    return Lockfile().with_source(table).with_assets(assets)


def pinned(path: str = "a", sha256: Digest = A) -> Asset:
    return asset(path, sha256, origin="s:x")


def test_a_source_that_moved_on_both_sides() -> None:
    base = at("0", pinned())
    # The bytes agree: either revision will do.
    merged = merge(base, at("1", pinned()), at("2", pinned()))
    assert not merged.conflicts
    assert merged.lockfile == at("1", pinned())
    # They do not: a person decides about both.
    merged = merge(base, at("1", pinned(sha256=B)), at("2", pinned(sha256=C)))
    assert [(conflict.kind, conflict.name) for conflict in merged.conflicts] == [
        ("source", "s"),
        ("asset", "a"),
    ]
    assert load(side_of(with_markers(merged), "theirs").encode()) == at("2", pinned(sha256=C))
    # An asset on one side only is no agreement.
    merged = merge(base, at("1", pinned(), pinned("b")), at("2", pinned()))
    assert [conflict.kind for conflict in merged.conflicts] == ["source"]
    # What was asked for is no matter of bytes.
    other = at("2", pinned(), original="hf://o/r@v2")
    assert merge(base, at("1", pinned(), original="hf://o/r@v1"), other).conflicts


def test_a_source_that_one_side_dropped_stays_while_it_is_used() -> None:
    base = at("0", pinned())
    ours = Lockfile()
    theirs = base.with_asset(pinned("b"))
    for one, other in ((ours, theirs), (theirs, ours)):
        merged = merge(base, one, other)
        assert not merged.conflicts
        assert merged.lockfile == at("0", pinned("b"))
        assert load(dump(merged.lockfile).encode()) == merged.lockfile


def with_store(url: str) -> Lockfile:
    return Lockfile().with_store(StoreTable("s", Url(url)))


def test_stores() -> None:
    base = with_store("https://h/1")
    assert merge(base, base, with_store("https://h/2")).lockfile == with_store("https://h/2")
    merged = merge(base, with_store("https://h/3"), with_store("https://h/2"))
    assert merged.conflicts[0].kind == "store"
    assert load(side_of(with_markers(merged), "theirs").encode()) == with_store("https://h/2")
    assert merge(base, Lockfile(), with_store("https://h/2")).conflicts
    noted = Lockfile().with_store(StoreTable("s", Url("https://h/1"), {"note": "n"}))
    both = Lockfile().with_store(StoreTable("s", Url("https://h/2"), {"note": "n"}))
    assert merge(base, noted, with_store("https://h/2")).lockfile == both


@pytest.mark.parametrize(
    "values", [(1, 2, 3), ({"k": 1}, {"k": 2}, {"k": 3}), (1, {"k": 1}, 2), (1, 0, "")]
)
def test_unknown_keys_and_the_revision(values: tuple[object, object, object]) -> None:
    def made(value: object, revision: int) -> Lockfile:
        return Lockfile(revision=revision, extra={"future": value})

    base, ours, theirs = (made(value, number) for number, value in enumerate(values))
    assert merge(base, base, theirs).lockfile == theirs
    merged = merge(base, ours, theirs)
    assert [(conflict.kind, conflict.name) for conflict in merged.conflicts] == [
        ("extra", "future")
    ]
    assert merged.lockfile == made(values[1], 2)
    for side, value in (("ours", values[1]), ("theirs", values[2])):
        assert load(side_of(with_markers(merged), side).encode()) == made(value, 2)
    assert merge(base, replace(ours, extra={}), base).lockfile.extra == {}


def test_what_was_taken_is_said() -> None:
    base = pins(asset("a"), asset("b"), asset("c"), asset("d"))
    ours = pins(asset("a"), asset("b"), asset("c", groups=("x",)), asset("d", B))
    theirs = pins(asset("a", B), asset("c", executable=True), asset("d", C), asset("e", C, 2))

    def say(favour: str) -> tuple[str, ...]:
        return merge(base, ours, theirs, favour=favour).taken

    assert say("theirs") == (
        "'a' taken as in theirs",
        "'b' removed as in theirs",
        "'c' taken as in both sides",
        "'d' taken as in theirs, in conflict",
        "'e' taken as in theirs",
    )
    assert say("ours")[3] == "'d' taken as in ours, in conflict"
