"""The pack that we write, read by git."""

from __future__ import annotations

import hashlib
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from gitassets.history import packs
from gitassets.history.packs import PackWriter

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    Algorithm = Literal["sha1", "sha256"]

SIZES = [0, 1, 15, 16, 17, 2047, 2048, 2049, 65535, 65536, 300_000]


def git(*arguments: str, data: bytes = b"", ok: bool = True) -> bytes:
    done = subprocess.run(["git", *arguments], input=data, capture_output=True, check=False)
    assert done.returncode == 0 or not ok, done.stderr
    return done.stdout + done.stderr


def bare(path: Path, algorithm: str) -> Path:
    git("init", "-q", "--bare", f"--object-format={algorithm}", str(path))
    return path


def fill(writer: PackWriter) -> list[bytes]:
    """Add a little history and blobs of every length of header; give the ids."""
    blobs = [
        writer.add(b"blob", bytes(range(256)) * (size // 256) + b"x" * (size % 256))
        for size in SIZES
    ]
    tree = writer.add(
        b"tree", b"".join(b"100644 %02d\0" % n + name for n, name in enumerate(blobs))
    )
    who = b"A <a@b> 1700000000 +0000"
    commit = writer.add(
        b"commit", b"tree %s\nauthor %s\ncommitter %s\n\nOne\n" % (tree.hex().encode(), who, who)
    )
    tag = writer.add(
        b"tag", b"object %s\ntype commit\ntag v1\ntagger %s\n\nv1\n" % (commit.hex().encode(), who)
    )
    return [*blobs, tree, commit, tag]  # fmt: skip


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_git_reads_it(tmp_path: Path, algorithm: Algorithm, level: int) -> None:
    repo = bare(tmp_path / "r", algorithm)
    writer = PackWriter(repo / "objects/pack/pack-ours", algorithm=algorithm, level=level)
    names = fill(writer)
    assert len(writer) == len(set(names)) == len(names)
    pack, index = writer.close()
    at = ("-C", str(repo))
    git(*at, "verify-pack", str(pack))
    git(*at, "update-ref", "refs/tags/v1", names[-1].hex())
    said = git(*at, "fsck", "--strict", "--full")
    assert b"error" not in said
    assert git(*at, "rev-list", "--objects", "--all").count(b"\n") == len(names)
    # git's own index of the same pack is the same file.
    git(
        *at,
        "index-pack",
        f"--object-format={algorithm}",
        "-o",
        str(tmp_path / "theirs.idx"),
        str(pack),
    )
    assert (tmp_path / "theirs.idx").read_bytes() == index.read_bytes()
    assert sorted(path.name for path in pack.parent.iterdir()) == [
        "pack-ours.idx",
        "pack-ours.pack",
    ]


def test_one_object_once(tmp_path: Path) -> None:
    with PackWriter(tmp_path / "p") as writer:
        first = writer.add(b"blob", b"x")
        size = writer.size
        assert writer.add(b"blob", b"x") == first == hashlib.sha1(b"blob 1\0x").digest()
        assert writer.size == size
        assert first in writer
        assert bytes(20) not in writer


def test_empty(tmp_path: Path) -> None:
    repo = bare(tmp_path / "r", "sha1")
    pack, _ = PackWriter(repo / "objects/pack/pack-none").close()
    git("-C", str(repo), "verify-pack", str(pack))


def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    with PackWriter(tmp_path / "p") as writer:
        writer.add(b"blob", b"x" * 100)
        with pytest.raises(KeyError):
            writer.add(b"bloob", b"x")
    assert not list(tmp_path.glob("p*"))


def test_nothing_is_left_when_the_index_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: object) -> None:
        if str(getattr(file, "name", "")).endswith(".idx"):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(packs, "_sync", full)
    with PackWriter(tmp_path / "p") as writer:
        writer.add(b"blob", b"x")
        with pytest.raises(OSError, match="No space"):
            writer.close()
    assert not list(tmp_path.glob("p*"))


def test_offsets_beyond_two_gibibytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the boundary moved down, the second table of the index is used; git must find all."""
    monkeypatch.setattr(packs, "_LARGE", 1000)
    with PackWriter(tmp_path / "p") as writer:
        names = fill(writer)
        _, index = writer.close()
    data = index.read_bytes()
    count = len(names)
    near = struct.unpack_from(f">{count}I", data, 8 + 1024 + 24 * count)
    beyond = [offset for offset in near if offset >= 1000]
    assert len(beyond) == len(data[8 + 1024 + 28 * count : -40]) // 8 > 0
    assert beyond == list(range(1000, 1000 + len(beyond)))


def test_large_offsets_are_read_by_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack with a hole of 2 GiB before its last object: only the index leads to it."""
    repo = bare(tmp_path / "r", "sha1")
    writer = PackWriter(repo / "objects/pack/pack-ours")
    near = writer.add(b"blob", b"near")
    writer._file.seek(2**31 + 5)
    writer._offset = 2**31 + 5
    far = writer.add(b"blob", b"far")
    monkeypatch.setattr(PackWriter, "_checksum", lambda self: bytes(20))
    writer.close()
    for name, data in ((near, b"near"), (far, b"far")):
        assert git("-C", str(repo), "cat-file", "blob", name.hex()) == data
