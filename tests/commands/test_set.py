"""`git assets set --move`: the entry, the file and the ignore line move together, or nothing does."""

from __future__ import annotations

import pytest

NAMES = ("assets.lock.toml", ".gitignore")


@pytest.fixture
def project(repo, cli):
    cli("init", cwd=repo.path)
    repo.write("a", b"bytes")
    repo.write("taken", b"mine")
    cli("add", "a", cwd=repo.path)
    return repo


@pytest.mark.parametrize("to", ["a/b", "taken", "taken/b", "a", "../b", ".git/b", "con", "link/b"])
def test_a_move_that_cannot_be_changes_nothing(project, cli, to, tmp_path):
    (project.path / "link").symlink_to(tmp_path)
    before = {name: project.read(name) for name in (*NAMES, "a", "taken")}
    result = cli("set", "a", "--move", to, cwd=project.path, check=False)
    assert result.code in {128, 129}
    assert "Traceback" not in result.stderr
    assert "internal" not in result.stderr
    assert {name: project.read(name) for name in before} == before
    assert cli("status", "--porcelain", cwd=project.path).stdout == ""


def test_the_file_goes_back_when_the_lockfile_cannot_be_written(project, cli):
    """Somebody edits the lockfile between our reading and our writing of it."""
    from gitassets import cli as program
    from gitassets.worktree import WorkTree

    before = project.read("assets.lock.toml")

    def changed(self, new):
        raise program.AssetsError("assets.lock.toml was changed by somebody else")

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.path)
        patch.setattr(WorkTree, "save_lockfile", changed)
        assert program.main(["set", "a", "--move", "deep/b"]) == 128
    assert project.read("a") == b"bytes"
    assert project.read("assets.lock.toml") == before
    assert not (project.path / "deep/b").exists()


def test_an_absent_file_moves_its_entry_only(project, cli):
    (project.path / "a").unlink()
    cli("set", "a", "--move", "deep/b", cwd=project.path)
    assert cli("status", "--porcelain", cwd=project.path).stdout == "C deep/b\n"
    cli("checkout", cwd=project.path)
    assert project.read("deep/b") == b"bytes"
