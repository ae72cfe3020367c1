"""Which assets a command is about; `git check-ignore` says what a glob means."""

from __future__ import annotations

import argparse
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.repo import Repo, pinned_bytes

from gitassets import git, lockfile, selection
from gitassets.errors import UsageError
from gitassets.selection import globs

PATHS = [
    "a.bin",
    "b.txt",
    "data/a.bin",
    "data/deep/a.bin",
    "data/deep/c",
    "models/data/x",
    "data2/a",
    "aXb/c.bin",
    "[x]",
    "x",
]
PATTERNS = [
    "*.bin", "a.bin", "data", "data/", "/data", "/data/", "data/*", "data/**", "**/a.bin", "data/**/a.bin", "**/deep",
    "**/deep/**", "*/a.bin", "deep/a.bin", "?.bin", "[ab].*", "[!a].txt", "[^a].txt", "[a-c]", "a?b", "a[!b]b/*", "**", "*",
    "d*a/", "data/d??p", "da**a", "/*.bin", "**/", "x", "[[]x]", "deep", "data/deep/", "*/*/*", "nothing",
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    path = tmp_path_factory.mktemp("globs")
    subprocess.run(["git", "init", "-q", path], check=True)
    return Repo(path)


def ignored(place, pattern, paths):
    place.write(".gitignore", pattern + "\n")
    asked = "".join(f"{path}\0" for path in paths)
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin", "-z"],
        cwd=place.path, input=asked, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return set(done.stdout.split("\0")[:-1])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_globs_mean_what_they_mean_in_gitignore(place, pattern):
    matches = globs([pattern])
    assert {path for path in PATHS if matches(path)} == ignored(place, pattern, PATHS)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "*", "?", "**", "/", "[ab]"]), min_size=1, max_size=6).map(
        "".join
    )
)
def test_any_glob(place, pattern):
    if "//" in pattern or pattern.strip("/") == "":
        return
    paths = ["a", "b", "ab", "a/b", "b/a", "a/b/a", "ab/ab", "b/ab/a/b"]
    matches = globs([pattern])
    assert {path for path in paths if matches(path)} == ignored(place, pattern, paths)


def test_fnmatch_would_be_caught(place):
    """Positive control: where `*` crosses slashes."""
    import fnmatch

    assert {p for p in PATHS if fnmatch.fnmatch(p, "data/*.bin")} != ignored(
        place, "data/*.bin", PATHS
    )


class TestSelect:
    @pytest.fixture
    def pick(self, repo, monkeypatch):
        repo.lock({
            "a.bin": pinned_bytes(b"1", groups=["x"]), "d/b.bin": pinned_bytes(b"2", groups=["x", "y"]),
            "d/c.txt": pinned_bytes(b"3"),
        })  # fmt: skip
        monkeypatch.chdir(repo.path)
        locked = lockfile.load(repo.read("assets.lock.toml"))
        parser = argparse.ArgumentParser()
        selection.configure(parser)

        def run(*words):
            return [
                str(asset.path)
                for asset in selection.select(locked, git.locate(), parser.parse_args(words))
            ]

        return run

    @pytest.mark.parametrize(
        ("words", "chosen"),
        [
            ([], ["a.bin", "d/b.bin", "d/c.txt"]), (["d"], ["d/b.bin", "d/c.txt"]), (["d", "a.bin"], ["a.bin", "d/b.bin", "d/c.txt"]),
            (["--group", "y"], ["d/b.bin"]), (["--group", "y", "--group", "x"], ["a.bin", "d/b.bin"]),
            (["--include", "*.bin"], ["a.bin", "d/b.bin"]), (["--exclude", "d"], ["a.bin"]),
            (["d", "--include", "*.bin", "--group", "x", "--exclude", "b.*"], []), (["--include", "nothing"], []),
            (["--include", "a.*", "--include", "*.txt"], ["a.bin", "d/c.txt"]),
        ],
    )  # fmt: skip
    def test_all_conditions_together(self, pick, words, chosen):
        assert pick(*words) == chosen

    @pytest.mark.parametrize(("words", "said"), [(["nope"], "pathspec 'nope' matches no asset"), (["--group", "z"], "group 'z'"),
                                                ([":(bad)x"], "pathspec"), (["../x"], "outside")])  # fmt: skip
    def test_what_matches_nothing_is_said(self, pick, words, said):
        with pytest.raises(UsageError, match=r".") as caught:
            pick(*words)
        assert said in str(caught.value)
        assert caught.value.hint
