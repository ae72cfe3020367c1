"""Cases that take large files out of a history: a generated one, by commits and by bytes."""

from __future__ import annotations

import random
import shutil
import subprocess
from typing import IO, TYPE_CHECKING

from benchmarks.run import Contender, Failed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.bench import Bench
    from benchmarks.run import Samples

LIMIT = 500_000
"""Bytes above which a file leaves."""


def commands(commits: int, large: int, size: int) -> Iterator[bytes]:
    """Write a history for git-fast-import(1).

    Small edits of 400 files, `large` versions of ten large files in between, and a merge each
    twentieth commit.
    """
    dice = random.Random(7)
    block = dice.randbytes(size)
    every = max(1, commits // max(1, large))
    for number in range(1, commits + 1):
        path = f"source/{dice.randrange(20):02}/{dice.randrange(20):02}.txt"
        text = b"".join(b"line %d of %d\n" % (n, dice.randrange(100)) for n in range(40))
        yield b"commit refs/heads/main\nmark :%d\n" % number
        yield b"committer A <a@example.org> %d +0000\ndata 12\ncommit %05d\n" % (
            1_600_000_000 + number * 60, number % 100_000,
        )  # fmt: skip
        if number > 1:
            yield b"from :%d\n" % (number - 1)
        if number > 20 and number % 20 == 0:
            yield b"merge :%d\n" % (number - 10)
        yield b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(text), text)
        if number % every == 0 and number // every <= large:
            version = number // every
            mark = b"%d." % version
            yield b"M 100644 inline large/%02d.bin\ndata %d\n" % (version % 10, size)
            yield mark + block[len(mark) :] + b"\n"
    yield b"done\n"


def make(bench: Bench, place: Path, commits: int, large: int, size: int) -> None:
    """Make the repository, packed as a server would hand it out."""
    bench.git(bench.root, "init", "-q", "--bare", str(place))
    process = subprocess.Popen(
        ["git", "fast-import", "--quiet", "--done"], cwd=place, env=bench.environment,
        stdin=subprocess.PIPE,
    )  # fmt: skip
    pipe: IO[bytes] | None = process.stdin
    assert pipe is not None
    with pipe:
        pipe.writelines(commands(commits, large, size))
    if process.wait() != 0:
        raise Failed("git fast-import failed")
    bench.git(place, "-c", "core.bigFileThreshold=400k", "repack", "-adfq", "--window=5")


def compare(bench: Bench, commits: int, large: int, size: int) -> Samples:
    """Rewrite fresh clones with each program."""
    bench.need_verb("migrate")
    place = bench.place("history")
    origin = place / "origin.git"
    make(bench, origin, commits, large, size)
    before = bench.git(origin, "rev-list", "--count", "main").strip()

    def contender(name: str, *argv: str, most: int | None = None) -> Contender:
        clone = place / "".join(filter(str.isalnum, name))

        def fresh() -> None:
            shutil.rmtree(clone, ignore_errors=True)
            shutil.rmtree(place / "cache", ignore_errors=True)
            bench.git(place, "clone", "-q", "--no-local", str(origin), str(clone))

        def check() -> None:
            if bench.git(clone, "rev-list", "--count", "main").strip() != before:
                raise Failed("commits are missing")
            # MODE SP TYPE SP ID SP SIZE TAB PATH
            for line in bench.git(clone, "ls-tree", "-r", "-l", "main", "large").splitlines():
                if int(line.split()[3]) > LIMIT:
                    raise Failed("a large file is still in the history")

        return Contender(
            name, argv, clone, fresh, check,
            environment={"GIT_ASSETS_CACHE": str(place / "cache")}, most=most,
        )  # fmt: skip

    return bench.compare([
        contender("migrate", "git", "assets", "migrate", "--above", f"{LIMIT}", "--yes"),
        contender(
            "git filter-repo", "git-filter-repo", "--quiet", "--force",
            "--strip-blobs-bigger-than", str(LIMIT),
        ),
        contender(
            "git lfs migrate", "git-lfs", "migrate", "import", "--everything",
            f"--above={LIMIT}b", "--yes", most=1,
        ),
    ])  # fmt: skip


def bytes_of_history(bench: Bench) -> Samples:
    """9,560 commits, 239 blobs of 1.8 MB."""
    if bench.quick:
        return compare(bench, 60, 6, LIMIT + 1000)
    return compare(bench, 9560, 239, 1_787_000)


def commits_of_history(bench: Bench) -> Samples:
    """82,000 commits, 239 blobs of 0.6 MB."""
    if bench.quick:
        return compare(bench, 100, 4, LIMIT + 1000)
    return compare(bench, 82_000, 239, 600_000)
