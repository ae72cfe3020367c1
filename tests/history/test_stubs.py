"""Pointers that stand in for files make way for the files, and come back with an undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from history.test_undo import everything
from support import lfs_repo

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from conftest import Cli


def test_a_clone_that_never_fetched(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = lfs_repo.make(tmp_path / "l")
    monkeypatch.setenv("GIT_LFS_SKIP_SMUDGE", "1")
    clone = first.clone(tmp_path / "clone")
    clone.git("lfs", "install", "--local", "--skip-repo")
    clone.write("model.bin", "my own bytes\n")  # an edit, not a pointer
    clone.write("topic.bin", "version https://git-lfs.github.com/spec/v1\nmine\n")
    run = clone.path / "run.bin"
    stub = run.read_bytes()
    assert stub.startswith(b"version https://git-lfs")
    assert clone.status  # here git-lfs installs its hooks
    before = everything(clone)

    said = cli("migrate", "--lfs", "--yes", cwd=clone.path).stderr
    assert "LFS pointers stood in for files that were never fetched: git assets pull" in said
    assert not run.exists()
    assert clone.read("model.bin") == b"my own bytes\n"
    assert clone.read("topic.bin").endswith(b"mine\n")
    assert clone.read("fixture.txt").startswith(b"version https")
    # The bytes turn up: the file is brought, and nothing was in the way.
    cached = first.object_of(
        next(s for s, data in first.contents.items() if data[:4] == torture_of("run"))
    )
    target = clone.path / ".git/lfs/objects" / cached.name[:2] / cached.name[2:4] / cached.name
    target.parent.mkdir(parents=True)
    target.write_bytes(cached.read_bytes())
    cli("pull", "--offline", "run.bin", cwd=clone.path)
    assert run.read_bytes() == cached.read_bytes()
    run.unlink()

    cli("migrate", "undo", cwd=clone.path)
    after = everything(clone)
    assert {key for key in before if after[key] != before[key]} == set()
    assert run.read_bytes() == stub


def torture_of(seed: str) -> bytes:
    return lfs_repo.generated(seed, 3000)[:4]


def test_files_that_were_fetched_stay(tmp_path: Path, cli: Cli) -> None:
    repo = lfs_repo.make(tmp_path / "l")
    before = repo.read("run.bin")
    mtime = (repo.path / "run.bin").stat().st_mtime_ns
    cli("migrate", "--lfs", "--yes", cwd=repo.path)
    assert repo.read("run.bin") == before
    assert (repo.path / "run.bin").stat().st_mtime_ns == mtime
