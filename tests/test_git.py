"""Git asked as git is asked: place, pathspecs, what is tracked, lockfiles of revisions."""

from __future__ import annotations

import os
import stat

import pytest
from support.repo import Repo

from gitassets import git, gitpaths
from gitassets.errors import GitError, NotARepository


@pytest.fixture
def inside(repo, monkeypatch):
    monkeypatch.chdir(repo.path)
    return repo


class TestLocate:
    def test_at_the_top_and_below(self, inside, monkeypatch):
        place = git.locate()
        assert (place.top, place.prefix) == (inside.path, "")
        assert place.git_dir == place.common_dir == inside.path / ".git"
        assert place.state == inside.path / ".git/assets"
        (inside.path / "a b/ü").mkdir(parents=True)
        monkeypatch.chdir(inside.path / "a b/ü")
        assert git.locate().prefix == "a b/ü/"

    def test_in_a_linked_work_tree(self, inside, tmp_path, monkeypatch):
        linked = inside.worktree(tmp_path / "linked")
        monkeypatch.chdir(linked.path)
        place = git.locate()
        assert place.top == linked.path
        assert place.common_dir == inside.path / ".git"
        assert place.git_dir == inside.path / ".git/worktrees/linked"

    def test_in_an_archive(self, tmp_path, monkeypatch):
        (tmp_path / "archive/deep").mkdir(parents=True)
        (tmp_path / "archive/assets.lock.toml").touch()
        monkeypatch.chdir(tmp_path / "archive/deep")
        place = git.locate()
        assert (place.top, place.prefix) == (tmp_path / "archive", "deep/")
        assert place.git_dir is place.common_dir is place.state is None

    def test_nowhere(self):
        with pytest.raises(NotARepository, match="not a git repository"):
            git.locate()

    def test_in_the_git_directory_itself(self, inside, monkeypatch):
        monkeypatch.chdir(inside.path / ".git")
        with pytest.raises(NotARepository, match="must be run in a work tree"):
            git.locate()

    def test_git_that_dies_without_a_word(self, inside, tmp_path, monkeypatch):
        fake = tmp_path / "bin/git"
        fake.parent.mkdir()
        fake.write_text("#!/bin/sh\nkill -9 $$\n")
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
        with pytest.raises(NotARepository, match="said nothing"):
            git.locate()


class TestProgram:
    def test_never_from_the_current_directory(self, tmp_path, monkeypatch):
        fake = tmp_path / "git"
        fake.write_text("#!/bin/sh\n")
        fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
        monkeypatch.chdir(tmp_path)
        real = git.program()
        for path in (
            f".:{os.environ['PATH']}",
            f":{os.environ['PATH']}",
            f"{tmp_path.name}:{os.environ['PATH']}",
        ):
            monkeypatch.setenv("PATH", path)
            assert git.program() == real

    def test_no_git(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(NotARepository, match="not installed"):
            git.program()

    @pytest.mark.parametrize(
        ("key", "value"),
        [("core.fsmonitor", "{evil}"), ("core.hooksPath", "{here}"), ("core.pager", "{evil}"), ("diff.external", "{evil}"),
         ("core.sshCommand", "{evil}"), ("core.editor", "{evil}")],
    )  # fmt: skip
    def test_what_a_repository_says_is_not_run(self, inside, tmp_path, key, value):
        evil = tmp_path / "evil"
        evil.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\n")
        evil.chmod(0o755)
        (tmp_path / "post-index-change").symlink_to(evil)
        inside.git("config", key, value.format(evil=evil, here=tmp_path))
        place = git.locate()
        git.config()
        gitpaths.tracked(["a"], place)
        gitpaths.matching([":(glob)**"], ["a"], place)
        git.lockfiles(["HEAD"])
        git.refs()
        gitpaths.not_ignored(["a"], place)
        assert not (tmp_path / "was-run").exists()


class TestPaths:
    PATHS = ("a.bin", "data/b.bin", "data/deep/c.txt", "ü/[x].bin", "sp ace.bin")

    @pytest.mark.parametrize(
        ("pathspecs", "prefix", "chosen"),
        [
            (["."], "", {*PATHS}),
            (["data"], "", {"data/b.bin", "data/deep/c.txt"}),
            (["data/"], "", {"data/b.bin", "data/deep/c.txt"}),
            (["*.bin"], "", {"a.bin", "data/b.bin", "ü/[x].bin", "sp ace.bin"}),
            ([":(glob)*.bin"], "", {"a.bin", "sp ace.bin"}),
            ([":(top,literal)ü/[x].bin"], "data", {"ü/[x].bin"}),
            ([":(icase)DATA"], "", {"data/b.bin", "data/deep/c.txt"}),
            ([".", ":!deep"], "data", {"data/b.bin"}),
            (["deep", "../a.bin"], "data", {"data/deep/c.txt", "a.bin"}),
            ([":/sp*"], "data/deep", {"sp ace.bin"}),
        ],
    )
    def test_pathspecs_are_gits(self, inside, monkeypatch, pathspecs, prefix, chosen):
        (inside.path / "data/deep").mkdir(parents=True)
        monkeypatch.chdir(inside.path / prefix)
        before = inside.git("status", "--porcelain", "--ignored")
        assert gitpaths.matching(pathspecs, self.PATHS, git.locate()) == chosen
        assert inside.git("status", "--porcelain", "--ignored") == before
        assert inside.git("ls-files") == ""

    @pytest.mark.parametrize("pathspec", ["nothing", "../outside", ":(nonsense)x", "", "/etc"])
    def test_what_matches_nothing_is_gits_complaint(self, inside, pathspec):
        with pytest.raises(GitError):
            gitpaths.matching([pathspec], self.PATHS, git.locate())

    def test_tracked(self, inside):
        inside.commit("Track", {"data/b.bin": b"", "-f": b"", "glob*": b"", "ü": b""})
        wanted = ["data/b.bin", "dat", "-f", "glob*", "globe", "ü", "a.bin"]
        found = {"data/b.bin", "-f", "glob*", "ü"}
        assert gitpaths.tracked(wanted, git.locate()) == found
        many = [f"none/{at}" for at in range(300)]
        assert gitpaths.tracked(wanted + many, git.locate()) == found
        assert gitpaths.tracked(["data", "dat"], git.locate()) == {"data"}
        assert gitpaths.tracked([], git.locate()) == set()

    def test_untrack(self, inside):
        inside.commit("Track", {"a*": b"1", "ab": b"2"})
        gitpaths.untrack(["a*"], inside.path)
        assert inside.git("ls-files") == "ab"
        assert inside.read("a*") == b"1"


class TestRevisions:
    def test_lockfiles(self, inside):
        inside.commit("None")
        inside.git("tag", "none")
        inside.commit("One", {"assets.lock.toml": b"one\n\nno end"})
        inside.git("tag", "one")
        inside.git("tag", "blob", inside.git("rev-parse", "HEAD:assets.lock.toml"))
        inside.commit("Two", {"assets.lock.toml": b""})
        asked = ["HEAD", "none", "one", "nonsense", "HEAD~1", "blob", "refs/tags/one"]
        text = b"one\n\nno end"
        assert git.lockfiles(asked) == {
            "HEAD": b"", "one": text, "HEAD~1": text, "refs/tags/one": text
        }  # fmt: skip
        assert git.lockfiles([]) == {}

    def test_commits(self, inside):
        head = inside.git("rev-parse", "HEAD")
        assert git.commit_of("HEAD") == git.commit_of("main") == head
        for name in ("nope", "", "--help", "HEAD:x", "HEAD^{tree}", "a b", "HEAD\nHEAD"):
            assert git.commit_of(name) is None

    def test_refs(self, inside, tmp_path):
        other = inside.commit("More")
        inside.git("tag", "-am", "x", "v1")
        inside.worktree(tmp_path / "linked", "HEAD~1")
        inside.git("checkout", "-q", "--detach")
        found = git.refs()
        assert {"refs/heads/main", "refs/tags/v1", other, inside.git("rev-parse", "HEAD~1")} == set(
            found
        )

    def test_the_default_branch(self, inside, tmp_path, monkeypatch):
        assert git.default_branch() is None
        clone = inside.clone(tmp_path / "clone")
        monkeypatch.chdir(clone.path)
        assert git.default_branch() == "refs/remotes/origin/HEAD"
        clone.git("remote", "set-head", "origin", "-d")
        assert git.default_branch() == "refs/remotes/origin/main"

    def test_a_sha256_repository(self, tmp_path, monkeypatch):
        (tmp_path / "new").mkdir()
        repo = Repo(tmp_path / "new")
        repo.git("init", "-q", "--object-format=sha256")
        repo.commit("One", {"assets.lock.toml": b"text", "t": b""})
        monkeypatch.chdir(repo.path)
        assert git.lockfiles(["HEAD"]) == {"HEAD": b"text"}
        assert gitpaths.matching(["x"], ["x", "y"], git.locate()) == {"x"}


def test_set_config(inside):
    git.set_config("assets.allow", "one", add=True)
    git.set_config("assets.allow", "--two", add=True)
    assert inside.git("config", "--get-all", "assets.allow") == "one\n--two"
    git.set_config("assets.allow", "three")
    assert inside.git("config", "--get-all", "assets.allow") == "three"


def test_an_error_is_gits_first_line(inside):
    with pytest.raises(GitError, match=r"git rev-parse --verify nope failed \(128\): fatal: "):
        git.run("rev-parse", "--verify", "nope")
