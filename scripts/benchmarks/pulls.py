"""Cases that bring bytes over loopback into an empty work tree and an empty cache."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from benchmarks import data
from benchmarks.run import Contender, Failed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.bench import Bench
    from benchmarks.data import Blob
    from benchmarks.run import Samples

ARIA2 = ("aria2c", "--no-conf", "--quiet", "--file-allocation=none", "--auto-file-renaming=false")
"""What makes it faster than its defaults here: nothing drawn, nothing written twice."""


def whole(directory: Path, made: Sequence[Blob]) -> None:
    """Raise Failed unless every file is there with its size."""
    for blob in made:
        path = directory / blob.path
        size = path.stat().st_size if path.exists() else None
        if size != blob.size:
            raise Failed(f"{blob.path}: {size} bytes instead of {blob.size}")


def same(directory: Path, source: Path, blob: Blob) -> None:
    """Raise Failed unless a file holds the bytes of its source."""
    if (directory / blob.path).read_bytes() != (source / blob.path).read_bytes():
        raise Failed(f"{blob.path}: other bytes")


def empty(*directories: Path) -> None:
    """Remove what an earlier run made."""
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


class Job:
    """Files that are served, and every way of getting them."""

    def __init__(
        self, bench: Bench, name: str, count: int, size: int, url: str | None = None
    ) -> None:
        self.bench = bench
        self.place = bench.place(name)
        self.source = bench.served / name
        self.made = data.blobs(self.source, count, size)
        self.url = f"{url or bench.origin.url}/{name}"
        self.origin = data.pinned(bench, self.place / "origin", self.made, self.url)

    def ours(self, name: str, *options: str) -> Contender:
        """`git assets pull` in a fresh clone."""
        place = self.place / "".join(filter(str.isalnum, name))
        clone = place / "clone"

        def before() -> None:
            empty(place)
            self.bench.git(self.place, "clone", "-q", str(self.origin), str(clone))

        return Contender(
            name, ("git", "assets", "pull", *options), clone,
            before, lambda: whole(clone / "assets", self.made),
            lambda: empty(place), {"GIT_ASSETS_CACHE": str(place / "cache")},
        )  # fmt: skip

    def aria2c(self, name: str, *options: str) -> Contender:
        """The list of addresses, as `aria2c -i` takes it."""
        place = self.place / "".join(filter(str.isalnum, name))
        listing = self.place / "aria2c.list"
        listing.write_text("".join(f"{self.url}/{b.path}\n  out={b.path}\n" for b in self.made))
        return self._program(name, place, (*ARIA2, *options, f"-d{place}", f"-i{listing}"))

    def curl(self, name: str, *options: str) -> Contender:
        """The same list, as `curl --config` takes it."""
        place = self.place / "".join(filter(str.isalnum, name))
        listing = self.place / "curl.list"
        listing.write_text(
            "".join(f'url = "{self.url}/{b.path}"\noutput = "{b.path}"\n' for b in self.made)
        )
        argv = ("curl", "-q", "-sS", "--fail", "--create-dirs", *options, "--config", str(listing))
        return self._program(name, place, argv)

    def lfs(self) -> Contender:
        """`git lfs pull` in a fresh clone; nginx serves the objects, we only say where they are."""
        objects = self.source / "lfs"
        data.by_content(self.made, self.source, objects)
        batch = self.bench.server(
            "lfs-server", f"--lfs={self.bench.origin.url}/{self.source.name}/lfs"
        )
        origin = data.repository(
            self.bench, self.place / "lfs-origin",
            {**data.pointers(self.made), ".lfsconfig": f"[lfs]\n\turl = {batch.url}\n"},
        )  # fmt: skip
        clone, home = self.place / "lfs-clone", self.place / "lfs-home"
        environment = lfs_home(self.bench, home)

        def before() -> None:
            empty(clone)
            self.bench.git(
                self.place, "clone", "-q", str(origin), str(clone),
                GIT_LFS_SKIP_SMUDGE="1", **environment,
            )  # fmt: skip

        return Contender(
            "git lfs pull", ("git-lfs", "pull"), clone,
            before, lambda: whole(clone / "assets", self.made),
            lambda: empty(clone), environment,
        )  # fmt: skip

    def dvc(self) -> Contender:
        """`dvc pull` of one tracked directory from an http remote: the files of DVC's own cache."""
        if not self.bench.has("dvc"):
            return Contender("dvc pull", ("dvc", "pull"), self.place)
        origin, clone = self.place / "dvc-origin", self.place / "dvc-clone"
        shutil.copytree(self.source, origin / "assets", ignore=shutil.ignore_patterns("lfs"))
        self.bench.git(origin, "init", "-q")
        for words in (
            ("init", "-q"), ("config", "core.analytics", "false"), ("add", "-q", "assets"),
            ("remote", "add", "-q", "-d", "web", f"{self.bench.origin.url}/{self.source.name}/dvc"),
        ):  # fmt: skip
            self.bench.meter.run(Contender("dvc", ("dvc", *words), origin))
        (origin / ".dvc" / "cache").rename(self.source / "dvc")
        shutil.rmtree(origin / "assets")
        self.bench.git(origin, "add", "-A")
        self.bench.git(origin, "commit", "-q", "-m", "files")

        def before() -> None:
            empty(clone, self.bench.root / "home" / "dvc")
            self.bench.git(self.place, "clone", "-q", str(origin), str(clone))

        return Contender(
            "dvc pull", ("dvc", "pull", "-q"), clone,
            before, lambda: whole(clone / "assets", self.made), lambda: empty(clone),
        )  # fmt: skip

    def _program(self, name: str, place: Path, argv: tuple[str, ...]) -> Contender:
        def before() -> None:
            empty(place)
            place.mkdir()

        return Contender(
            name, argv, place, before, lambda: whole(place, self.made), lambda: empty(place)
        )


def lfs_home(bench: Bench, home: Path) -> dict[str, str]:
    """Make a home directory in which git-lfs is installed; nothing when there is no git-lfs."""
    shutil.copytree(bench.root / "home", home, dirs_exist_ok=True)
    if bench.has("git-lfs"):
        bench.git(home, "lfs", "install", "--skip-repo", HOME=str(home))
    return {"HOME": str(home)}


def one_large(bench: Bench) -> Samples:
    """One file of 2 GiB."""
    job = Job(bench, "large", 1, bench.count(2048, 2) * data.MIB)
    [blob] = job.made
    checksum = f"--checksum=sha-256={blob.sha256}"
    return bench.compare([
        job.ours("pull, curl", "--engine", "curl"),
        job.ours("pull, aria2c", "--engine", "aria2c"),
        job.aria2c("aria2c -x8 -s8", "-x8", "-s8"),
        job.aria2c("aria2c -x8 -s8 --checksum", "-x8", "-s8", checksum),
        job.lfs(),
    ])  # fmt: skip


def medium(bench: Bench) -> Samples:
    """A thousand files of 1 MiB."""
    job = Job(bench, "medium", bench.count(1000, 4), data.MIB)
    return bench.compare([job.ours("pull"), job.aria2c("aria2c -j16 -i", "-j16")])


def small(bench: Bench) -> Samples:
    """Ten thousand files of 10 KiB."""
    job = Job(bench, "small", bench.count(10_000, 20), 10 * 1024)
    return bench.compare([
        job.ours("pull"),
        job.aria2c("aria2c -j16 -i", "-j16"),
        job.curl("curl --parallel", "--parallel"),
        job.lfs(),
        job.dvc(),
    ])  # fmt: skip


def throttled(bench: Bench) -> Samples:
    """One file of 512 MiB, each connection held to 20 MB/s."""
    server = bench.server("throttled", f"--rate={bench.count(20_000_000, 200_000_000)}")
    job = Job(bench, "held", 1, bench.count(512, 1) * data.MIB, server.url)
    return bench.compare([
        job.ours("pull, curl", "--engine", "curl"),
        job.ours("pull, aria2c", "--engine", "aria2c"),
        job.curl("curl"),
    ])  # fmt: skip


def distant(bench: Bench) -> Samples:
    """Two thousand files of 10 KiB, each 50 ms away."""
    server = bench.server("distant", "--delay=0.05")
    job = Job(bench, "distant-files", bench.count(2000, 8), 10 * 1024, server.url)
    return bench.compare([job.ours("pull"), job.aria2c("aria2c -j16 -i", "-j16")])
