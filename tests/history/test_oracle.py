"""The judges of a migration agree with each other, and each of them can say no."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from history import differential, oracle
from history.oracle import History, Selection
from support import lfs_repo, torture
from support.odb import Objects

from gitassets.lockfile import Lockfile

if TYPE_CHECKING:
    from pathlib import Path


def test_slow_rewrite_passes(tmp_path: Path) -> None:
    """What git-filter-repo writes for every branch of the torture repository is a right answer."""
    old = History(torture.make(tmp_path / "t", bare=True).path)
    selection = Selection.sticking(old, above=torture.ABOVE)
    roots = differential.roots(
        old, tmp_path / "new", selection, Lockfile(), leave=["refs/heads/main"]
    )
    new = History(tmp_path / "new")
    assert len(roots) == 6
    for ref, tree in roots.items():
        oracle.check_tree(old, new, ref, tree, selection)
        odb = Objects(new.path)
        assert differential.root(old, ref, selection, Lockfile(), odb) == tree
    pins = new.pins("refs/heads/names")
    assert {name for name in torture.ODD_NAMES if name.endswith(b".bin")} <= pins.keys()
    assert not pins.keys() & set(torture.REFUSED)


def test_slow_rewrite_off_lfs(tmp_path: Path) -> None:
    repo = lfs_repo.make(tmp_path / "l")
    old = History(repo.path)
    selection = Selection.sticking(old, lfs=True)
    roots = differential.roots(old, tmp_path / "new", selection, Lockfile())
    new = History(tmp_path / "new")
    for ref, tree in roots.items():
        oracle.check_tree(old, new, ref, tree, selection)
    pins = new.pins("refs/heads/main")
    assert {pin.sha256 for pin in pins.values()} <= repo.contents.keys()
    assert pins[b"run.bin"].executable
    assert b"uncovered.ptr" in pins
    assert b"fixture.txt" not in pins
    assert b"raw.bin" not in pins


def _spoilt(old: History, new: History, selection: Selection, how: str) -> str:
    """Write the right tree of `main` with one fault."""
    files = differential.rewritten(old, "refs/heads/main", selection, Lockfile())
    odb = Objects(new.path)
    whole = {
        path: (mode, odb.blob(data) if isinstance(data, bytes) else data)
        for path, (mode, data) in files.items()
    }
    lock = old_lock = new.blob(whole[b"assets.lock.toml"][1])
    if how == "asset stays":
        whole[b"models/exact.bin"] = (
            "100644",
            old.entries("refs/heads/main")[b"models/exact.bin"].id,
        )
    elif how == "mode":
        whole[b"bin/small"] = ("100644", whole[b"bin/small"][1])
    elif how == "content":
        whole[b"README"] = ("100644", odb.blob("other"))
    elif how == "lost":
        del whole[b"README"]
    elif how == "added":
        whole[b"more"] = whole[b"README"]
    elif how == "ignore":
        whole[b"data/.gitignore"] = (
            "100644",
            old.entries("refs/heads/main")[b"data/.gitignore"].id,
        )
    elif how == "rules lost":
        text = new.blob(whole[b".gitignore"][1])
        whole[b".gitignore"] = ("100644", odb.blob(text.replace(b"*.o\n", b"")))
    elif how == "attributes":
        whole[b".gitattributes"] = ("100644", odb.blob("*.c text\n"))
    elif how == "digest":
        lock = lock.replace(b'sha256 = "', b'sha256 = "0', 1).replace(b'"\n\n', b"0\n\n", 0)
        start = lock.index(b'sha256 = "0') + 10
        lock = lock[: start + 64] + b'"' + lock[start + 66 :]
    elif how == "size":
        lock = lock.replace(b"size = 2000", b"size = 2001", 1)
    elif how == "executable":
        lock = lock.replace(b"executable = true\n", b"", 1)
    assert (lock == old_lock) is (how not in {"digest", "size", "executable"})
    whole[b"assets.lock.toml"] = ("100644", odb.blob(lock))
    return odb.tree(whole)


FAULTS = (
    "asset stays", "mode", "content", "lost", "added", "ignore", "rules lost", "attributes", "digest",
    "size", "executable",
)  # fmt: skip


def test_every_fault_is_seen(tmp_path: Path) -> None:
    old = new = History(torture.make(tmp_path / "t", bare=True).path)
    selection = Selection.sticking(old, above=torture.ABOVE)
    oracle.check_tree(
        old, new, "refs/heads/main", _spoilt(old, new, selection, "nothing"), selection
    )
    for fault in FAULTS:
        tree = _spoilt(old, new, selection, fault)
        with pytest.raises(AssertionError):
            oracle.check_tree(old, new, "refs/heads/main", tree, selection)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (b"author A U Thor", b"author A  U Thor"),
        (b"HG:rename-source hg\n", b""),
        (b"\n\nsecond", b"\n\nsecond "),
        (b"\ncommitter", b"\ngpgsig x\ncommitter"),
        (b"parent ", b"parent 0"),
    ],
)
def test_commit_faults_are_seen(tmp_path: Path, was: bytes, now: bytes) -> None:
    repo = torture.make(tmp_path / "t", bare=True)
    history, odb = History(repo.path), Objects(repo.path)
    raw = history.raw(repo.ids["second"])
    same_tree = raw.replace(
        history.id(f"{repo.ids['second']}^{{tree}}").encode(), repo.ids["root^{tree}"].encode()
    )
    good = odb.add("commit", same_tree)
    oracle.check_commit(history, history, repo.ids["second"], {repo.ids["second"]: good})
    bad = odb.add("commit", same_tree.replace(was, now, 1))
    assert bad != good
    with pytest.raises(AssertionError):
        oracle.check_commit(history, history, repo.ids["second"], {repo.ids["second"]: bad})
