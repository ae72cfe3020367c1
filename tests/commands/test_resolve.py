"""`git assets resolve` and the merge driver, in real merges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import tomli
from support.repo import LOCKFILE, Repo, lockfile_text, pinned_bytes

if TYPE_CHECKING:
    from conftest import Cli

A1, A2, A3 = (pinned_bytes(f"a{number}".encode(), "https://a.example/a") for number in (1, 2, 3))
B, C, D = (pinned_bytes(name, "https://a.example/" + name.decode()) for name in (b"b", b"c", b"d"))


@pytest.fixture
def merging(repo: Repo):
    """Make `main` and `side` from a common base, and merge or rebase; gives git's status."""

    def make(base, ours, theirs, command: str = "merge", driver: str | None = None) -> Repo:
        repo.write(LOCKFILE, lockfile_text(base))
        repo.write(".gitattributes", f"{LOCKFILE} text eol=lf merge=gitassets\n")
        if driver:
            repo.git("config", "merge.gitassets.driver", driver)
        repo.commit("Base")
        repo.git("switch", "-q", "-c", "side")
        repo.write(LOCKFILE, lockfile_text(theirs))
        repo.commit("Theirs")
        repo.git("switch", "-q", "main")
        repo.write(LOCKFILE, lockfile_text(ours))
        repo.commit("Ours")
        repo.git(*command.split(), "side", check=False)
        return repo

    return make


def pins(repo: Repo) -> dict[str, str]:
    found = tomli.loads(repo.read(LOCKFILE).decode())
    return {path: asset["sha256"] for path, asset in found.get("asset", {}).items()}


def expect(**entries) -> dict[str, str]:
    return {name: entry["sha256"] for name, entry in entries.items()}


def test_what_git_cannot_merge_and_meaning_can(merging, cli: Cli) -> None:
    repo = merging({"a": A1}, {"a": A1, "b": B}, {"a": A1, "c": C})
    assert "UU" in repo.status
    out = cli("resolve", cwd=repo.path)
    assert pins(repo) == expect(a=A1, b=B, c=C)
    assert "'c' taken as in theirs" in out.stdout
    assert repo.status == f"M  {LOCKFILE}"
    assert repo.read(LOCKFILE).decode() == lockfile_text({"a": A1, "b": B, "c": C})
    repo.git("commit", "-q", "--no-edit")
    assert "nothing to do" in cli("resolve", cwd=repo.path).stdout


@pytest.mark.parametrize(("side", "entry"), [("--ours", A2), ("--theirs", A3)])
def test_different_bytes_need_a_decision(merging, cli: Cli, side: str, entry) -> None:
    repo = merging({"a": A1}, {"a": A2, "b": B}, {"a": A3, "c": C})
    out = cli("resolve", cwd=repo.path, check=1)
    assert "'a': ours is" in out.stderr
    marked = repo.read(LOCKFILE).decode()
    assert marked.count("<<<<<<< ") == 1
    assert '[asset."b"]' in marked
    assert "UU" in repo.status
    assert cli("status", cwd=repo.path, check=128).stderr.count("git assets resolve") == 1
    document = cli("resolve", "--json", cwd=repo.path, check=1).json()
    assert [row["name"] for row in document["conflicts"]] == ["a"]
    cli("resolve", side, cwd=repo.path)
    assert pins(repo) == expect(a=entry, b=B, c=C)


def test_deleted_against_changed(merging, cli: Cli) -> None:
    repo = merging({"a": A1, "d": D}, {"d": D}, {"a": A2, "d": D})
    out = cli("resolve", cwd=repo.path, check=1)
    assert "ours is deleted" in out.stderr
    cli("resolve", "--ours", cwd=repo.path)
    assert pins(repo) == expect(d=D)


def test_in_a_rebase(merging, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = merging({"a": A1}, {"a": A1, "b": B}, {"a": A1, "c": C}, "rebase")
    cli("resolve", cwd=repo.path)
    monkeypatch.setenv("GIT_EDITOR", "true")
    repo.git("rebase", "--continue")
    assert pins(repo) == expect(a=A1, b=B, c=C)
    assert repo.status == ""


def test_a_path_that_a_clean_merge_left_twice(merging, cli: Cli) -> None:
    """git sees no conflict any more: the sides are the parents."""
    repo = merging({"a": A1}, {"a": A1, "b": B}, {"a": A1, "b": C})
    twice = repo.git("show", f"main:{LOCKFILE}") + "\n"
    twice += lockfile_text({"b": C}).partition("revision = 0\n")[2]
    for finished in (False, True):
        repo.write(LOCKFILE, twice)
        repo.git("add", LOCKFILE)
        if finished:
            repo.git("commit", "-q", "--no-edit")
        assert "a second time" in cli("status", cwd=repo.path, check=128).stderr
        cli("resolve", "--theirs", cwd=repo.path)
        assert pins(repo) == expect(a=A1, b=C)


def test_nothing_to_take_the_sides_from(repo: Repo, cli: Cli) -> None:
    repo.write(LOCKFILE, "<<<<<<< x\n")
    repo.commit("Broken")
    assert "no merge" in cli("resolve", cwd=repo.path, check=128).stderr


def test_one_side_has_deleted_the_lockfile(repo: Repo, cli: Cli) -> None:
    repo.write(LOCKFILE, lockfile_text({"a": A1}))
    repo.commit("Base")
    repo.git("switch", "-q", "-c", "side")
    repo.git("rm", "-q", LOCKFILE)
    repo.commit("Delete")
    repo.git("switch", "-q", "main")
    repo.write(LOCKFILE, lockfile_text({"a": A2}))
    repo.commit("Change")
    repo.git("merge", "side", check=False)
    assert "one side has deleted" in cli("resolve", cwd=repo.path, check=128).stderr


def installed(cli: Cli, repo: Repo) -> str:
    """Give the driver as `install` writes it."""
    cli("install", cwd=repo.path)
    line = repo.git("config", "merge.gitassets.driver")
    cli("uninstall", cwd=repo.path)
    return line


def test_the_driver_merges_by_meaning(merging, repo: Repo, cli: Cli) -> None:
    driver = installed(cli, repo)
    repo = merging({"a": A1}, {"a": A1, "b": B}, {"a": A1, "c": C}, "merge --no-edit", driver)
    assert repo.status == ""
    assert pins(repo) == expect(a=A1, b=B, c=C)


def test_the_driver_leaves_markers(merging, repo: Repo, cli: Cli) -> None:
    driver = installed(cli, repo)
    repo = merging({"a": A1}, {"a": A2, "b": B}, {"a": A3, "c": C}, "merge", driver)
    assert "UU" in repo.status
    marked = repo.read(LOCKFILE).decode()
    assert marked.count("<<<<<<< ") == marked.count(">>>>>>> ") == 1
    assert '[asset."c"]' in marked
    cli("resolve", "--theirs", cwd=repo.path)
    assert pins(repo) == expect(a=A3, b=B, c=C)


def test_both_sides_add_a_lockfile(repo: Repo, cli: Cli) -> None:
    repo.git("config", "merge.gitassets.driver", installed(cli, repo))
    repo.write(".gitattributes", f"{LOCKFILE} merge=gitassets\n")
    repo.commit("Base")
    repo.git("branch", "side")
    for branch, entries in (("main", {"a": A1}), ("side", {"b": B})):
        repo.git("switch", "-q", branch)
        repo.write(LOCKFILE, lockfile_text(entries))
        repo.commit(branch)
    repo.git("merge", "-q", "--no-edit", "main")
    assert pins(repo) == expect(a=A1, b=B)


@pytest.mark.parametrize("gone", [True, False])
def test_the_driver_falls_back_to_lines(merging, repo: Repo, cli: Cli, gone: bool) -> None:
    """Without the program, and for a lockfile that cannot be read, git merges as it always has."""
    driver = installed(cli, repo)
    if gone:
        driver = driver.replace("git-assets", "no-such-program")
    base = {"a": A1, "b": B, "c": C}
    repo = merging(base, {**base, "a": A2}, {**base, "c": D}, "merge --no-edit", driver)
    assert repo.status == ""
    assert pins(repo) == expect(a=A2, b=B, c=D)
    sides = []
    for name, text in (("o", "x\ny\nz\n"), ("a", "x1\ny\nz\n"), ("b", "x\ny\nz1\n")):
        repo.write(name, text)
        sides.append(name)
    cli("merge-driver", *sides, "7", LOCKFILE, cwd=repo.path)
    assert repo.read("a") == b"x1\ny\nz1\n"
    repo.write("b", "x2\ny\nz\n")
    cli("merge-driver", *sides, "7", LOCKFILE, cwd=repo.path, check=1)
    assert b"<<<<<<<" in repo.read("a")
