"""LFS leaves a clone: its own lines and settings, and nothing of anybody else."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from gitassets.gitpipes import Pipes
from gitassets.history import lfs_leftovers
from gitassets.history.lfs_leftovers import EVENTS, find, remove, without_lines

if TYPE_CHECKING:
    from pathlib import Path

    from support.repo import Repo

PRINTF = (
    b'command -v git-lfs >/dev/null 2>&1 || { printf >&2 "\\n%s\\n\\n" "This repository is configured '
    b"for Git LFS but 'git-lfs' was not found on your path. If you no longer wish to use Git LFS, remove "
    b"this hook by deleting the 'pre-push' file in the hooks directory (set by 'core.hookspath'; usually "
    b"'.git/hooks').\"; exit 2; }\n"
)
OLD = (
    b'command -v git-lfs >/dev/null 2>&1 || { echo >&2 "\\nThis repository has been set up with Git LFS '
    b'but Git LFS is not installed.\\n"; exit 0; }\n'
)


def pipes(repo: Repo) -> Pipes:
    return Pipes(repo.path / ".git")


def state(repo: Repo) -> dict[str, tuple[bytes, int]]:
    """Everything that git-lfs might have touched."""
    places = [repo.path / ".git/config", *(repo.path / ".git/hooks").iterdir()]
    return {place.name: (place.read_bytes(), place.stat().st_mode) for place in places}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'#!/bin/sh\ngit lfs pre-push "$@"\n', None),
        (b"#!/bin/sh\n" + PRINTF + b'git lfs pre-push "$@"\n', None),
        (b"#!/bin/sh\r\n" + OLD + b'git lfs post-merge "$@"\r\n\r\n', None),
        (b"#!/bin/sh\ngit lfs push --stdin $*\n", None),
        (b'#!/bin/sh\ngit lfs pre-push "$@"', None),
        (b'#!/bin/sh\nmine\ngit lfs pre-push "$@"\nexit 0', b"#!/bin/sh\nmine\nexit 0"),
        (b'# ours\ngit lfs pre-push "$@"\n', b"# ours\n"),
        (b'#!/bin/sh\n# why\ngit lfs pre-push "$@"\n', b"#!/bin/sh\n# why\n"),
        (b'#!/bin/sh\ngit lfs pre-push "$@" || exit 1\n',) * 2,
        (b"#!/bin/sh\ncommand -v git-lfs >/dev/null 2>&1 || { rm -rf /; exit 2; }\n",) * 2,
        (b"#!/bin/sh\n",) * 2,
        (b"",) * 2,
        (b"\0\xff\n",) * 2,
    ],
)  # fmt: skip
def test_lines(before: bytes, after: bytes | None) -> None:
    assert without_lines(before) == after


def test_everything_that_install_wrote_goes(repo: Repo) -> None:
    before = state(repo)
    repo.git("lfs", "install", "--local")
    repo.git("config", "lfs.https://lfs.example.org/x.locksverify", "true")
    repo.git("config", "--add", "remote.origin.lfsurl", "https://lfs.example.org/a")
    repo.git("config", "--add", "remote.origin.lfsurl", "https://lfs.example.org/b")
    found = find(pipes(repo), repo.path)
    assert [hook.name for hook in found.hooks] == list(EVENTS)
    assert found.left == ()
    assert remove(pipes(repo), found) == []
    assert state(repo) == before
    assert not find(pipes(repo), repo.path)
    assert remove(pipes(repo), found) == []
    assert state(repo) == before


def test_others_keep_what_is_theirs(repo: Repo) -> None:
    repo.git("lfs", "install", "--local")
    repo.git("config", "filter.other.clean", "cat")
    repo.git("config", "remote.origin.url", "https://example.org/lfs.git")
    hook = repo.path / ".git/hooks/pre-push"
    hook.write_bytes(hook.read_bytes() + b"echo mine\n")
    odd = repo.write(".git/hooks/post-commit", '#!/bin/sh\nsomething && git lfs post-commit "$@"\n')
    found = find(pipes(repo), repo.path)
    assert found.left == ("the hook 'post-commit' still calls git-lfs in a line of its own",)
    remove(pipes(repo), found)
    assert hook.read_bytes() == b"#!/bin/sh\necho mine\n"
    assert os.access(hook, os.X_OK)
    assert b"git lfs post-commit" in odd.read_bytes()
    assert not (repo.path / ".git/hooks/post-merge").exists()
    keys = repo.git("config", "--local", "--list", "--name-only").split("\n")
    assert {"filter.other.clean", "remote.origin.url"} <= set(keys)
    assert not [key for key in keys if key.startswith(("lfs", "filter.lfs"))]


def test_a_hook_that_changed_meanwhile_stays(repo: Repo) -> None:
    repo.git("lfs", "install", "--local")
    found = find(pipes(repo), repo.path)
    repo.write(".git/hooks/pre-push", "#!/bin/sh\nnew\n")
    assert remove(pipes(repo), found) == ["pre-push"]
    assert repo.read(".git/hooks/pre-push") == b"#!/bin/sh\nnew\n"


def test_moved_hooks_and_symlinks(repo: Repo) -> None:
    hooks = repo.path / ".git/hooks"
    repo.write(".git/hooks/post-merge.local", '#!/bin/sh\ngit lfs post-merge "$@"\n')
    target = repo.write("hook.sh", '#!/bin/sh\ngit lfs post-commit "$@"\n')
    (hooks / "post-commit").symlink_to(target)
    found = find(pipes(repo), repo.path)
    assert [hook.name for hook in found.hooks] == ["post-merge.local"]
    remove(pipes(repo), found)
    assert not (hooks / "post-merge.local").exists()
    assert target.exists()


@pytest.mark.parametrize("value", [".husky", "/nowhere/hooks"])
def test_hooks_elsewhere_are_named(repo: Repo, value: str, tmp_path: Path) -> None:
    value = value.replace("/nowhere", str(tmp_path))
    repo.git("config", "core.hooksPath", value)
    place = (repo.path / value).resolve() / "pre-push"
    place.parent.mkdir()
    place.write_text('#!/bin/sh\ngit lfs pre-push "$@"\n')
    found = find(pipes(repo), repo.path)
    assert found.hooks == ()
    assert "not this clone's own: remove the LFS lines of pre-push there" in found.left[0]
    assert lfs_leftovers.hooks_directory(pipes(repo), repo.path) == place.parent


def test_global_settings_are_named(repo: Repo) -> None:
    subprocess.run(["git", "lfs", "install", "--skip-repo"], check=True, capture_output=True)
    found = find(pipes(repo), repo.path)
    assert not found
    assert "git lfs uninstall" in found.left[0]


def test_bare(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "b")], check=True)
    found = find(Pipes(tmp_path / "b"), None)
    assert not found
    assert found.directory == tmp_path / "b/hooks"
