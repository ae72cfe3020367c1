"""Verbs that take revisions take all that git takes."""

from __future__ import annotations

import pytest
from support.repo import pinned

REVISIONS = ["HEAD~1", ":/One", "v1", "main~1", "HEAD^", "v1^{commit}", "main@{0}~1"]


@pytest.fixture
def project(repo, server):
    repo.lock({"x.bin": pinned(500, "s", server.blob(500, "s"))})
    repo.commit("One")
    repo.git("tag", "-am", "x", "v1")
    repo.lock({})
    repo.commit("Two")
    return repo


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_way_to_name_a_commit(project, cli, revision):
    rows = cli("list", revision, "--json", cwd=project.path).json()["assets"]
    assert [row["path"] for row in rows] == ["x.bin"]
    found = cli("fetch", revision, "--json", cwd=project.path).json()
    assert found["summary"]["fetched"] == 1


@pytest.mark.parametrize(
    "revision", ["nope", "HEAD:assets.lock.toml", "HEAD^{tree}", "--", "HEAD\nHEAD", ":/Nobody"]
)
def test_what_is_none(project, cli, revision):
    for verb in ("list", "fetch"):
        assert cli(verb, "--", revision, cwd=project.path, check=129).stderr.startswith("error: ")


def test_one_without_a_lockfile_is_named_as_it_was_typed(project, cli):
    for verb in ("list", "fetch"):
        assert "main~2" in cli(verb, "main~2", cwd=project.path, check=129).stderr
