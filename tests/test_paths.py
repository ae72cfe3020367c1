"""Asset paths: git is the oracle, and our own rules come on top."""

from __future__ import annotations

import re
import subprocess
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitassets import paths as module
from gitassets.errors import UnsafePath
from gitassets.paths import AssetPath, check_together, ignore_line

if TYPE_CHECKING:
    from pathlib import Path

BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"

REFUSED = {
    "": "empty",
    "/": "absolute",
    "/x": "absolute",
    "//host/share": "absolute",
    "a/": "empty component",
    "a//b": "empty component",
    ".": "'.'",
    "..": "'..'",
    "./a": "'.'",
    "a/.": "'.'",
    "../x": "'..'",
    "a/../b": "'..'",
    "a/..": "'..'",
    "..\\x": "\\",
    "a\\..\\b": "\\",
    "\\\\host\\share": "\\",
    "C:/x": ":",
    "C:x": ":",
    "a:stream": ":",
    "a\nb": "control",
    "a\rb": "control",
    "a\0b": "control",
    "\x1b[2J": "control",
    "a\x7f": "control",
    "a\x9b": "control",
    "a\u200bb": "invisible",
    "a\u202egnp.exe": "invisible",
    "a\u2066b": "invisible",
    "\ufeffa": "invisible",
    "a\u2028b": "separator",
    "a\u2029b": "separator",
    "a\udcffb": "surrogate",
    "x.": "dot or a space",
    "x ": "dot or a space",
    "x./y": "dot or a space",
    "x /y": "dot or a space",
    "...": "dot or a space",
    " ": "dot or a space",
    ".git": "git's own",
    ".git/hooks/pre-commit": "git's own",
    ".GIT/x": "git's own",
    ".Git": "git's own",
    "a/.git/x": "git's own",
    ".g\u0130t": None,
    ".g\u200cit/x": "invisible",
    ".git /x": "dot or a space",
    ".git./x": "dot or a space",
    ".git::$INDEX_ALLOCATION/x": ":",
    "a\\.git\\x": "\\",
    "git~1": "short form",
    "git~1/x": "short form",
    "GIT~1/x": "short form",
    "git~2/x": "short form",
    "a/git~12": "short form",
    "gitmod~1": "short form",
    "GITATT~1": "short form",
    "gi7eba~1": "short form",
    "assets~1.tom": "short form",
    ".gitattributes": "git acts",
    "sub/.GitAttributes": "git acts",
    ".gitmodules": "git acts",
    ".gitmodule\u017f": "git acts",
    ".gitignore": "git acts",
    ".lfsconfig": "git-lfs acts",
    "assets.lock.toml": "lockfile",
    "sub/Assets.Lock.TOML": "lockfile",
    "aux": "device",
    "AUX": "device",
    "con.txt": "device",
    "nul.tar.gz": "device",
    "nul .txt": "device",
    "prn/x": "device",
    "com1": "device",
    "COM9.log": "device",
    "com\u00b9": "device",
    "lpt0.x": "device",
    "conin$": "device",
    "CLOCK$.x": "device",
    "a<b": "<",
    "a>b": ">",
    'a"b': '"',
    "a|b": "\\|",
    "a?b": "\\?",
    "a*b": "\\*",
    "x" * 256: "255 bytes",
    "é" * 128: "255 bytes",
    "x/" * 512 + "x": "1024 bytes",
    "é/" * 342: "1024 bytes",
}

ACCEPTED = [
    *(
        "a",
        "a/b/c.bin",
        "-rf",
        "--",
        "!a",
        "#a",
        "~/x",
        "[a]",
        "{a}",
        "a b",
        " a",
        "a\u00a0b",
        "%2e%2e",
    ),
    *("..a", "a..b", "a...b", ".hidden", ".gitkeep", ".github/x", "git", "gitx", "git~x", "xgit~1"),
    *(
        "console",
        "con-1.x",
        "auxiliary",
        "com10",
        "com",
        "lpt",
        "nulls.txt",
        "xcon",
        "a.con",
        "a.aux",
    ),
    *("données/日本語.bin", "ﬁle", "e\u0301", "😀.png", "x" * 255, "é" * 127, "x/" * 511 + "xx"),
    *(
        "assets.lock.toml.bak",
        "assets.lock",
        "lock.toml",
        "a$b",
        "a'b",
        "a;b",
        "a&b",
        "a,b",
        "a@b=c",
    ),
]


@pytest.mark.parametrize(("path", "rule"), REFUSED.items(), ids=ascii)
def test_refused(path: str, rule: str | None) -> None:
    if rule is None:  # no file system takes it for another name
        assert AssetPath(path) == path
        return
    with pytest.raises(
        UnsafePath, match=rule.replace("\\", "\\\\") if rule == "\\" else rule
    ) as caught:
        AssetPath(path)
    assert caught.value.path == path
    # Below another directory, and as a directory, every name is as bad.
    if "component" not in caught.value.rule and caught.value.rule != "absolute" and path:
        for outer in (f"dir/{path}", f"{path}/file"):
            with pytest.raises(UnsafePath):
                AssetPath(outer)


@pytest.mark.parametrize("path", ACCEPTED, ids=ascii)
def test_accepted(path: str) -> None:
    assert AssetPath(path) == path
    assert AssetPath(path) == path, "the memo of folders says the same"
    assert isinstance(AssetPath(path), str)


def test_the_memo_is_bounded_and_never_holds_what_was_refused() -> None:
    for number in range(module._MEMO_LIMIT * 2):
        AssetPath(f"folder-{number}/x")
        assert len(module._good_folders) <= module._MEMO_LIMIT
    for _ in range(2):
        with pytest.raises(UnsafePath):
            AssetPath("fresh/../x")
        with pytest.raises(UnsafePath):
            AssetPath("fresh/.git/x")


# The oracle.


def index(repository: Path, paths: list[str]) -> set[str]:
    """Give those of `paths` that git takes into an index."""
    safe = [
        "-c",
        "core.protectNTFS=true",
        "-c",
        "core.protectHFS=true",
        "-c",
        "core.hooksPath=/dev/null",
    ]
    git = ["git", "-C", str(repository), *safe]
    listing = b"".join(
        b"100644 %s\t%s\0" % (BLOB.encode(), path.encode("utf-8", "surrogateescape"))
        for path in paths
    )
    (repository / ".git/index").unlink(missing_ok=True)
    subprocess.run(
        [*git, "update-index", "-z", "--index-info"], input=listing, capture_output=True, check=True
    )
    found = subprocess.run([*git, "ls-files", "-z"], capture_output=True, check=True).stdout
    return {path.decode("utf-8", "surrogateescape") for path in found.split(b"\0") if path}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("oracle")
    subprocess.run(["git", "init", "-q", str(place)], check=True)
    return place


def ours(path: str) -> bool:
    try:
        AssetPath(path)
    except UnsafePath:
        return False
    return True


def rejected_by_git(repository: Path, paths: list[str]) -> list[str]:
    # One at a time where a path may be another's directory, which git resolves by replacing.
    return [path for path in paths if path not in index(repository, [path])]


# git's own alphabets: t0060, t1014, t7450, and what its HFS and NTFS checks look for.
PIECES = [
    *(
        ".",
        "..",
        ".git",
        ".GIT",
        ".gIt",
        "git~1",
        "GIT~1",
        "git~2",
        ".git ",
        ".git.",
        ".git...",
        ".git . .",
    ),
    *(
        ".git::$INDEX_ALLOCATION",
        ".git:x",
        ".g\u200cit",
        ".\u200dgit",
        ".gi\u202et",
        ".git\ufeff",
        "\u206a.git",
    ),
    *(
        ".gitmodules",
        "gitmod~1",
        "gi7eba~1",
        "",
        " ",
        "a",
        "b.c",
        "con",
        "x:",
        "\\",
        ".git\\x",
        "a\\.git\\x",
    ),
]
SEPARATORS = ["/", "//", "\\", "/./", "/../"]
candidates = st.builds(
    lambda parts, joints: "".join(
        part + joint for part, joint in zip(parts, [*joints, ""], strict=False)
    ),
    st.lists(
        st.sampled_from(PIECES) | st.text("gGiItT.~12 :\\\u200c", max_size=6),
        min_size=1,
        max_size=3,
    ),
    st.lists(st.sampled_from(SEPARATORS), min_size=2, max_size=2),
)


@given(st.lists(candidates, min_size=1, max_size=30, unique=True))
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_what_git_rejects_we_reject(repository: Path, paths: list[str]) -> None:
    accepted = [path for path in paths if path and ours(path)]
    # Each in a directory of its own, so that none replaces another.
    placed = [f"{number}/{path}" for number, path in enumerate(accepted)]
    assert set(placed) == index(repository, placed)
    # And at the top, where git's checks begin.
    for path in accepted[:2]:
        assert index(repository, [path]) == {path}


def test_hand_made_names_and_the_positive_control(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [path for path in REFUSED if path and "\0" not in path] + ACCEPTED
    rejected = rejected_by_git(repository, paths)
    assert len(rejected) > 15
    assert not [path for path in rejected if ours(path)]
    # Our policy without its rule for git~N is caught.
    monkeypatch.setattr(module, "_SHORT_NAME", re.compile("(?!)"))
    monkeypatch.setattr(module, "_good_folders", set())
    assert {path for path in rejected if ours(path)} == {"git~1", "git~1/x", "GIT~1/x"}


# Paths together.


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("model", "Model"),
        ("MODEL", "Model"),
        ("a/B/c", "A/b/C"),
        ("é", unicodedata.normalize("NFD", "é")),
        ("É", "é"),
        ("É", unicodedata.normalize("NFD", "é")),
        ("straße", "STRASSE"),
        ("straße", "strasse"),
        ("İ", "i\u0307"),
        ("ς", "σ"),
        ("a", "a/b"),
        ("a/b", "a/b/c/d"),
        ("A", "a/b"),
        ("a", "A/b/c"),
        ("É", unicodedata.normalize("NFD", "é") + "/x"),
        ("1", "1/2"),
    ],
)
def test_paths_that_do_not_go_together(first: str, second: str) -> None:
    for pair in ([first, second], [second, first], ["0", first, "m/n", second, "z"]):
        with pytest.raises(UnsafePath) as caught:
            check_together(dict.fromkeys(map(AssetPath, pair)).keys())
        assert caught.value.path in (first, second)
        assert any(
            path in caught.value.rule for path in (first, second) if path != caught.value.path
        )


def test_paths_that_go_together() -> None:
    check_together(
        {
            *map(
                AssetPath,
                ["a", "ab", "a.b", "b/a", "b/ab", "B2/a", "é", "e", "É2/x", "É2/y", "1", "12/1"],
            )
        }
    )
    check_together(set())


@given(st.sets(st.text("aAbéÉ/", min_size=1, max_size=5).filter(ours), max_size=6))
def test_together_is_what_folding_says(paths: set[str]) -> None:
    folded = [module.fold(path) for path in paths]
    clash = len(set(folded)) < len(folded) or any(
        other.startswith(one + "/") for one in folded for other in folded
    )
    try:
        check_together({AssetPath(path) for path in paths})
    except UnsafePath:
        assert clash
    else:
        assert not clash


# Ignore lines.


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a", "/a"),
        ("a/b.c", "/a/b.c"),
        ("!a", "/!a"),
        ("#a", "/#a"),
        ("a[1]", "/a\\[1]"),
        ("a\\b", "/a\\\\b"),
        ("a*?", "/a\\*\\?"),
        ("a b", "/a b"),
        ("a  ", "/a\\ \\ "),
        (" a", "/ a"),
    ],
)
def test_ignore_lines(path: str, line: str) -> None:
    assert ignore_line(path) == line


@given(
    st.lists(
        st.text("ab[]!#*?\\ -{}^é", min_size=1, max_size=5), min_size=1, max_size=8, unique=True
    )
)
@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_git_ignores_exactly_the_path(repository: Path, names: list[str]) -> None:
    path = names[0]
    (repository / ".gitignore").write_text(ignore_line(path) + "\n")
    others = [
        *names,
        path + "x",
        "x" + path,
        f"sub/{path}",
        path.replace("*", "a").replace("?", "a"),
    ]
    asked = "\0".join(others).encode()
    command = ["git", "-C", str(repository), "check-ignore", "-z", "--no-index", "--stdin"]
    found = subprocess.run(command, input=asked, capture_output=True, check=False).stdout
    assert set(filter(None, found.decode().split("\0"))) == {path}
