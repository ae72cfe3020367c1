"""Every old commit still works: checked out and pulled, its work tree is what it was, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from history import oracle
from history.test_undo import files
from support import lfs_repo, migrating, torture
from support.repo import Repo

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from conftest import Cli

GENERATED = {".gitignore", ".gitattributes", ".lfsconfig", "assets.lock.toml"}


def content(top: Path) -> dict[str, tuple[bytes | str, bool]]:
    """Give bytes and executable bit of all files but those that a migration writes."""
    return {
        name: (data, bool(mode & 0o100))
        for name, (data, mode) in files(top).items()
        if name.rpartition("/")[2] not in GENERATED
    }


def compare(pairs: Iterable[tuple[str, str]], old: Repo, new: Repo, cli: Cli) -> int:
    """Check out each pair, the new one with `pull`; gives how many assets were pulled."""
    pulled = 0
    for before, after in pairs:
        for repo, commit in ((old, before), (new, after)):
            repo.git("clean", "-ffdxq")
            repo.git("checkout", "-q", "--detach", "--force", commit)
        if (new.path / "assets.lock.toml").exists():
            said = cli("pull", "--offline", "--frozen", "--json", cwd=new.path).json()
            pulled += said["summary"]["linked"]
        assert content(new.path) == content(old.path), before
        assert new.status == "", before
    return pulled


def test_torture(tmp_path: Path, cli: Cli) -> None:
    repo = torture.make(tmp_path / "t", bare=True)
    repo.git("clone", "-q", "--no-local", "--no-checkout", str(repo.path), str(tmp_path / "old"))
    old = Repo(tmp_path / "old")
    cache = tmp_path / "cache"
    outcome = migrating.migrate(repo.path, None, migrating.above(torture.ABOVE), cache)
    assert outcome.run is not None
    mapping = oracle.read_map(outcome.run / "commit-map")
    new = repo.clone(tmp_path / "new")
    names = [
        "first assets", "merge", "evil merge", "octopus", "kinds directory", "kinds small",
        "kinds symlink", "kinds module", "kinds rules", "last", "orphan", "second",
    ]  # fmt: skip
    pairs = [(repo.ids[name], mapping[repo.ids[name]]) for name in names]
    assert compare(pairs, old, new, cli) > 40


def test_off_lfs(tmp_path: Path, cli: Cli) -> None:
    """The old side is checked out by git-lfs itself, the new one by a clone without it.

    But for the commit with a pointer that no pattern covers: git-lfs leaves that one as text.
    """
    repo = lfs_repo.make(tmp_path / "l")
    place = repo.object_of(next(iter(repo.missing)))
    place.write_bytes(repo.contents[place.name])
    repo.git("clone", "-q", "--no-local", "--no-checkout", str(repo.path), str(tmp_path / "old"))
    old = Repo(tmp_path / "old")
    old.git("lfs", "install", "--local", "--skip-repo")
    old.git("config", "lfs.storage", str(repo.path / ".git/lfs"))
    cli("migrate", "--lfs", "--yes", cwd=repo.path)
    mapping = oracle.read_map(repo.path / ".git/assets/migrate/runs/1/commit-map")
    new = repo.clone(tmp_path / "new")
    pairs = [(commit, mapping[commit]) for commit in repo.commits.values()]
    assert compare(pairs[:-1], old, new, cli) > 10
