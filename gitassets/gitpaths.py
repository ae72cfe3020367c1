"""What git says about paths: tracked, ignored, chosen by a pathspec. Nobody here decides it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gitassets import git

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitassets.git import Place


def tracked(paths: Iterable[str], place: Place) -> set[str]:
    """Which of `paths` git tracks: as a file, or as a directory that holds one."""
    wanted = list(paths)
    if not wanted or not place.git_dir:
        return set()
    few = len(wanted) <= 200
    asked = [f":(top,literal){path}" for path in wanted] if few else []
    out = git.run("ls-files", "-z", "--full-name", "--", *asked, cwd=place.top)
    listed = set(out.decode(errors="surrogateescape").split("\0")[:-1])
    found = listed.intersection(wanted)
    for path in listed - found:
        while "/" in path:
            path = path.rpartition("/")[0]  # noqa: PLW2901 - walking up
            found.add(path)
    return found.intersection(wanted)


def matching(pathspecs: Sequence[str], paths: Sequence[str], place: Place) -> set[str]:
    """Which of `paths` git's own pathspecs choose, seen from the user's directory.

    git matches them in a throw-away index, so that magic and prefixes are exactly its own. Raises
    GitError, with git's own words, for a pathspec that matches nothing.
    """
    import tempfile  # noqa: PLC0415 - only for pathspecs

    empty = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    with tempfile.TemporaryDirectory(prefix="git-assets-") as directory:
        index = {"GIT_INDEX_FILE": str(Path(directory, "index"))}
        where = (
            {}
            if place.git_dir
            else {"GIT_DIR": str(Path(directory, "git")), "GIT_WORK_TREE": str(place.top)}
        )
        if not place.git_dir:
            git.run("init", "--quiet", "--bare", where["GIT_DIR"])
        width = (
            64
            if place.git_dir and git.run("rev-parse", "--show-object-format").strip() == b"sha256"
            else 40
        )
        blob = empty.ljust(width, "0")
        rows = "".join(f"100644 {blob} 0\t{path}\0" for path in paths).encode()
        git.run(
            "update-index",
            "-z",
            "--index-info",
            stdin=rows,
            extra={**where, **index},
            cwd=place.top,
        )
        out = git.run(
            "ls-files", "-z", "--full-name", "--error-unmatch", "--", *pathspecs,
            extra={**where, **index},
        )  # fmt: skip
    return set(out.decode().split("\0")[:-1])


def not_ignored(paths: Iterable[str], place: Place) -> set[str]:
    """Which of `paths` git would offer to commit; none where there is no repository."""
    wanted = set(paths)
    if not wanted or not place.git_dir:
        return set()
    asked = "".join(f"{path}\0" for path in wanted).encode()
    words = ("check-ignore", "--no-index", "--stdin", "-z")
    out = git.run(*words, stdin=asked, cwd=place.top, ok=(0, 1))
    return wanted.difference(out.decode().split("\0"))


def untrack(paths: Sequence[str], top: Path) -> None:
    """Take `paths` out of the index; the files stay where they are."""
    git.run(
        "rm", "--cached", "--quiet", "--", *(f":(top,literal){path}" for path in paths), cwd=top
    )
