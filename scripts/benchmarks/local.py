"""Cases that need no network: nothing to do, status, start-up, verify, a branch switch."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from benchmarks import data, pulls
from benchmarks.bench import interpreter
from benchmarks.run import Contender

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.bench import Bench
    from benchmarks.run import Samples


def ours(name: str, cwd: Path, *words: str) -> Contender:
    """One command of ours, in a work tree that stays as it is."""
    return Contender(name, ("git", "assets", *words), cwd)


def nothing_to_do(bench: Bench) -> Samples:
    """Everything is there: 10 and 10,000 assets, and the same in Git LFS."""
    place = bench.place("nothing")
    few, many = place / "few", place / "many"
    data.present(bench, few, 10, 20)
    count = bench.count(10_000, 20)
    made = data.present(bench, many, count, 20)
    lfs = place / "lfs"
    environment = pulls.lfs_home(bench, place / "lfs-home")
    data.blobs(lfs / "assets", count, 20)
    bench.git(lfs, "init", "-q", **environment)
    if bench.has("git-lfs"):
        (lfs / ".gitattributes").write_text(data.LFS_RULE)
        bench.git(lfs, "add", "-A", **environment)
        bench.git(lfs, "commit", "-q", "-m", "files", **environment)
    return bench.compare(
        [
            ours("pull, 10 assets", few, "pull"),
            ours("pull, 10,000 assets", many, "pull"),
            Contender(
                "git lfs pull",
                ("git-lfs", "pull"),
                lfs,
                check=lambda: pulls.whole(lfs / "assets", made),
                environment=environment,
            ),
        ],
        times=2,
    )


def many_assets(bench: Bench) -> Samples:
    """A hundred thousand assets, beside as many files that git tracks."""
    place = bench.place("many")
    count = bench.count(100_000, 100)
    there, fresh, tracked = place / "there", place / "fresh", place / "tracked"
    data.present(bench, there, count, 20)
    bench.git(place, "clone", "-q", str(there), str(fresh))
    data.blobs(tracked, count, 20)
    bench.git(tracked, "init", "-q")
    bench.git(tracked, "add", "-A")
    bench.git(tracked, "commit", "-q", "-m", "files")
    return bench.compare([
        ours("status", there, "status"),
        ours("pull, nothing to do", there, "pull"),
        Contender(
            "pull --dry-run", ("git", "assets", "pull", "--dry-run"), fresh,
            environment={"GIT_ASSETS_CACHE": str(place / "empty-cache")},
        ),
        Contender("git status", ("git", "status"), tracked),
    ])  # fmt: skip


def start_up(bench: Bench) -> Samples:
    """The shortest command, beside the interpreter alone."""
    place = bench.place("start")
    bench.git(place, "init", "-q")
    return bench.compare(
        [
            ours("version", place, "version"),
            Contender("python3 -c pass", (interpreter(), "-c", "pass"), place),
        ],
        times=4,
    )


def verify(bench: Bench) -> Samples:
    """4 GiB in 40 files."""
    place = bench.place("verify")
    there = place / "there"
    made = data.present(bench, there, 40, bench.count(4096 * data.MIB // 40, 10_000))
    paths = [f"assets/{blob.path}" for blob in made]
    return bench.compare([
        ours("verify", there, "verify"),
        Contender("sha256sum", ("sha256sum", *paths), there),
    ])  # fmt: skip


def switch_equal(bench: Bench) -> Samples:
    """Two commits with one lockfile, 100,000 tracked files; with our hooks, and without."""
    bench.need_verb("install")
    place = bench.place("equal")
    plain, hooked = place / "plain", place / "hooked"
    data.blobs(plain / "source", bench.count(100_000, 100), 20)
    data.present(bench, plain, 10, 20)
    bench.git(plain, "switch", "-q", "-c", "other")
    data.commit(bench, plain, {"README": "changed\n"})
    shutil.copytree(plain, hooked)
    bench.git(hooked, "assets", "install")
    for clone in (plain, hooked):
        bench.git(clone, "status")  # the index gets the stat data of the copies
    switch = ("git", "switch", "-q", "-")
    bench.git(plain, *switch[1:3], "main")
    bench.git(hooked, *switch[1:3], "main")
    return bench.compare(
        [Contender("with hooks", switch, hooked), Contender("without", switch, plain)], times=4
    )


def switch_changed(bench: Bench) -> Samples:
    """A switch that changes each of 1,000 assets of 1 MiB, all cached; objects local in Git LFS."""
    bench.need_verb("install")
    place = bench.place("changed")
    count = bench.count(1000, 5)
    versions = {}
    for seed, branch in enumerate(("one", "two")):
        source = bench.served / "changed" / branch
        versions[branch] = data.blobs(source, count, data.MIB, seed=seed), source
    return bench.compare([
        _hooked(bench, place / "ours", versions), _smudged(bench, place / "lfs", versions),
    ])  # fmt: skip


def _hooked(
    bench: Bench, clone: Path, versions: Mapping[str, tuple[list[data.Blob], Path]]
) -> Contender:
    clone.mkdir()
    bench.git(clone, "init", "-q")
    for branch, (made, _) in versions.items():
        bench.git(clone, "switch", "-q", "-c", branch)
        url = f"{bench.origin.url}/changed/{branch}"
        text = data.lockfile(made, url)
        data.commit(bench, clone, {"assets.lock.toml": text, ".gitignore": "/assets/\n"})
        bench.git(clone, "assets", "pull", "-q")
    bench.git(clone, "assets", "install")
    bench.git(clone, "switch", "-q", "one")
    return _switching("switch, hooks", clone, versions, {})


def _smudged(
    bench: Bench, clone: Path, versions: Mapping[str, tuple[list[data.Blob], Path]]
) -> Contender:
    environment = pulls.lfs_home(bench, clone.with_name("lfs-home"))
    clone.mkdir()
    if not bench.has("git-lfs"):
        return Contender("switch, git-lfs", ("git-lfs",), clone)
    bench.git(clone, "init", "-q", **environment)
    for branch, (made, source) in versions.items():
        bench.git(clone, "switch", "-q", "-c", branch, **environment)
        for blob in made:
            place = clone / ".git/lfs/objects" / blob.sha256[:2] / blob.sha256[2:4]
            place.mkdir(parents=True, exist_ok=True)
            (place / blob.sha256).hardlink_to(source / blob.path)
        data.commit(bench, clone, data.pointers(made))
    bench.git(clone, "lfs", "checkout", **environment)
    bench.git(clone, "switch", "-q", "one", **environment)
    return _switching("switch, git-lfs", clone, versions, environment)


def _switching(
    name: str,
    clone: Path,
    versions: Mapping[str, tuple[list[data.Blob], Path]],
    environment: Mapping[str, str],
) -> Contender:
    state = {"at": "one"}

    def check() -> None:
        state["at"] = "two" if state["at"] == "one" else "one"
        made, source = versions[state["at"]]
        pulls.whole(clone / "assets", made)
        pulls.same(clone / "assets", source, made[0])

    return Contender(
        name, ("git", "switch", "-q", "-"), clone, check=check, environment=environment
    )
