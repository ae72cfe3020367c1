"""`git assets diff`: what changed, in lines for people and in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.repo import LOCKFILE, Repo, lockfile_text, pinned_bytes

if TYPE_CHECKING:
    from conftest import Cli

KEPT = pinned_bytes(b"kept", "https://a.example/kept")
OLD = {
    "changed.bin": pinned_bytes(b"1" * 1024, "https://a.example/changed"),
    "gone.bin": pinned_bytes(b"gone", "https://a.example/gone"),
    "kept.bin": KEPT,
    "moved.bin": pinned_bytes(b"moved" * 400, "https://a.example/moved"),
    "served.bin": pinned_bytes(b"served", "https://a.example/served"),
}
NEW = {
    "changed.bin": pinned_bytes(b"2" * 2048, "https://a.example/changed"),
    "kept.bin": KEPT,
    "new.bin": pinned_bytes(b"new!", "https://b.example/new"),
    "served.bin": pinned_bytes(b"served", "https://b.example/served"),
    "to/moved.bin": pinned_bytes(b"moved" * 400, "https://a.example/moved"),
}
WHOLE = """\
M  changed.bin                1.0 KiB -> 2.0 KiB  a.example
D  gone.bin                          4 B  a.example
A  new.bin                           4 B  b.example
E  served.bin                        6 B  a.example -> b.example
R  moved.bin -> to/moved.bin     2.0 KiB  a.example
"""


@pytest.fixture
def two(repo: Repo) -> Repo:
    """Commit OLD as v1 and NEW as v2."""
    for tag, entries in (("v1", OLD), ("v2", NEW)):
        repo.write(LOCKFILE, lockfile_text(entries))
        repo.commit(tag)
        repo.git("tag", tag)
    return repo


@pytest.mark.parametrize("args", [("v1", "v2"), ("v1..v2",), ("v1",), ("v1..",)])
def test_two_revisions(two: Repo, cli: Cli, args: tuple[str, ...]) -> None:
    out = cli("diff", *args, cwd=two.path)
    assert out.stdout == WHOLE
    assert out.stderr == "5 differ; 2.0 KiB of new bytes\n"
    assert cli("diff", "--exit-code", *args, cwd=two.path, check=1).stdout == WHOLE


def test_nothing(two: Repo, cli: Cli) -> None:
    out = cli("diff", "--exit-code", cwd=two.path)
    assert (out.stdout, out.stderr) == ("", "no difference\n")


def test_work_tree_against_head(two: Repo, cli: Cli) -> None:
    two.write(LOCKFILE, lockfile_text({**NEW, "z.bin": pinned_bytes(b"z")}))
    assert cli("diff", cwd=two.path).stdout.split() == ["A", "z.bin", "1", "B"]
    (two.path / LOCKFILE).unlink()
    assert cli("diff", cwd=two.path).stdout.count("D  ") == len(NEW)


def test_json(two: Repo, cli: Cli) -> None:
    found = cli("diff", "v1", "v2", "--json", cwd=two.path).json()
    assert found["summary"] == {"added": 1, "removed": 1, "changed": 1, "moved": 1, "edited": 1}
    by_path = {row["path"]: row for row in found["assets"]}
    assert by_path["new.bin"]["old"] is None
    assert by_path["gone.bin"]["new"] is None
    assert by_path["to/moved.bin"]["old"]["path"] == "moved.bin"
    assert by_path["served.bin"]["new"] == {
        "path": "served.bin",
        "size": 6,
        "sha256": NEW["served.bin"]["sha256"],
        "hosts": ["b.example"],
    }


def test_before_there_was_a_lockfile(two: Repo, cli: Cli) -> None:
    assert cli("diff", "v1~1", "v1", cwd=two.path).stdout.count("A  ") == len(OLD)


def test_no_such_revision(two: Repo, cli: Cli) -> None:
    assert "'nowhere' is not a revision" in cli("diff", "nowhere", cwd=two.path, check=129).stderr


def test_before_the_first_commit(repo: Repo, cli: Cli, tmp_path) -> None:
    fresh = Repo(tmp_path / "fresh")
    fresh.path.mkdir()
    fresh.git("init", "-q")
    fresh.write(LOCKFILE, lockfile_text(OLD))
    assert cli("diff", cwd=fresh.path).stdout.count("A  ") == len(OLD)
