"""The managed block of `.gitignore`, with git as the judge of what it ignores."""

from __future__ import annotations

import contextlib
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.repo import Repo

from gitassets import ignore
from gitassets.errors import UnsafePath
from gitassets.ignore import BEGIN, END, home, updated
from gitassets.paths import AssetPath

ODD = [
    "#a",
    "!b",
    "c[1].bin",
    "e(1)",
    "ü",
    "-f",
    "a b",
    " lead",
    "~x",
    "$(x)",
    "d.e.f",
    "{a,b}",
    "a'b",
    "😀",
]


TEXT = st.text(st.sampled_from("ab*!#/\\ \r\n\t\x0c\u2028")).map(lambda text: text and text + "\n")
"""Of a user; that a last line gets its end is the one thing which stays."""


def block(*lines):
    return "".join(f"{line}\n" for line in (BEGIN, *lines, END))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    path = tmp_path_factory.mktemp("ignore")
    subprocess.run(["git", "init", "-q", path], check=True)
    return Repo(path)


def ignored(place, paths):
    asked = "".join(f"{path}\0" for path in paths)
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin", "-z"],
        cwd=place.path, input=asked, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return set(done.stdout.split("\0")[:-1])


class TestText:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("", block("/x")),
            ("*.o\n", "*.o\n" + block("/x")),
            ("*.o", "*.o\n" + block("/x")),
            ("*.o\r\n", "*.o\r\n" + block("/x")),
            (block("/a", "/z"), block("/a", "/x", "/z")),
            ("one\n" + block("/a") + "two\n", "one\n" + block("/a", "/x") + "two\n"),
            ("a\x0cb\x85c\u2028d\n", "a\x0cb\x85c\u2028d\n" + block("/x")),
            ("\udce9\n", "\udce9\n" + block("/x")),
            (f"{BEGIN}\r\n/a\r\n{END}\r\n*.o\r\n", block("/a", "/x") + "*.o\r\n"),
        ],
    )
    def test_add(self, before, after):
        assert updated(before, "", add=["x"], drop=[]) == after
        assert updated(after, "", add=["x"], drop=[]) == after

    @pytest.mark.parametrize(
        "around", [("", ""), ("*.o\n", ""), ("*.o\n", "*.a"), ("a\r\n", "b\r\n")]
    )
    def test_drop_leaves_the_rest_byte_for_byte(self, around):
        before, after = around
        assert updated(before + block("/x") + after, "", add=[], drop=["x"]) == before + after
        assert (
            updated(before + block("/x", "/y") + after, "", add=[], drop=["x"])
            == before + block("/y") + after
        )

    def test_dropping_what_is_not_there_changes_nothing(self):
        for text in ("", "*.o", "/x\n", block("/y")):
            assert updated(text, "", add=[], drop=["x"]) == text

    def test_a_line_of_the_users_is_not_ours_to_drop(self):
        assert updated("/x\n" + block("/x"), "", add=[], drop=["x"]) == "/x\n"

    def test_an_end_that_was_deleted_loses_no_line(self):
        text = updated(f"one\n{BEGIN}\n/a\ntwo\n", "", add=["x"], drop=[])
        assert set(text.splitlines()) == {"one", BEGIN, "/a", "two", "/x", END}

    @given(TEXT, st.sets(st.sampled_from(ODD)), st.sets(st.sampled_from(ODD)))
    def test_there_and_back(self, text, one, two):
        start = updated(text, "", add=one, drop=[])
        back = updated(updated(start, "", add=two, drop=[]), "", add=[], drop=two - one)
        assert back == start
        assert updated(start, "", add=[], drop=one) == text


class TestHome:
    @pytest.mark.parametrize(
        ("path", "have", "where"),
        [("x", [], ""), ("a/b/x", [], ""), ("a/b/x", ["a"], "a"), ("a/b/x", ["a", "a/b"], "a/b"),
         ("a/b/x", ["b", "a/b/x"], ""), ("ab/x", ["a"], "")],
    )  # fmt: skip
    def test_the_deepest_on_the_way(self, path, have, where):
        assert home(path, have) == where


class TestJudgedByGit:
    def test_exactly_the_odd_names(self, place):
        paths = [*ODD, *(f"dir/{name}" for name in ODD)]
        place.write(".gitignore", updated("", "", add=paths, drop=[]))
        others = (
            [f"{path}2" for path in paths]
            + [f"deep/{path}" for path in paths]
            + ["b", "c1.bin", "a"]
        )
        assert ignored(place, [*paths, *others]) == set(paths)

    def test_a_line_without_an_escape_would_be_caught(self, place):
        """Positive control: the path itself as the pattern."""
        place.write(".gitignore", "".join(f"{name}\n" for name in ODD))
        assert ignored(place, ODD) != set(ODD)

    def test_below_a_directory_that_says_the_opposite(self, place):
        place.write(".gitignore", "")
        place.write(
            "data/.gitignore",
            updated("!*.bin\n", "data", add=["data/a.bin", "data/e/b.bin"], drop=[]),
        )
        assert ignored(place, ["data/a.bin", "data/e/b.bin", "data/c.bin"]) == {
            "data/a.bin",
            "data/e/b.bin",
        }

    @settings(max_examples=25, deadline=None)
    @given(
        st.lists(
            st.text(st.sampled_from("ab #!~$&(){}[]^%=+,;.-"), min_size=1, max_size=8),
            min_size=1,
            max_size=20,
        )
    )
    def test_any_name_that_a_path_may_have(self, place, names):
        good = []
        for name in names:
            with contextlib.suppress(UnsafePath):
                good.append(AssetPath(name))
        place.write(".gitignore", updated("", "", add=good, drop=[]))
        assert ignored(place, good) == set(good)
        assert not ignored(place, [f"{name}x" for name in good if f"{name}x" not in good])


def test_the_module_knows_no_disk():
    assert not {"os", "pathlib", "subprocess"} & set(vars(ignore))
