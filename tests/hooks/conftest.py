"""A repository with hooks, two lines of history, and a cache that holds every asset of both."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from support.hooked import World
from support.repo import Repo

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Cli


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the scripts start git-assets through a program that notes each event."""
    log, real = tmp_path / "started", shutil.which("git-assets")
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\necho "$3" >>"{log}"\nexec "{real}" "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("GIT_ASSETS_PROGRAM", str(wrapper))
    return log


@pytest.fixture
def world(tmp_path: Path, cli: Cli, program: Path) -> World:
    """Make `main` (a and b in version 1), `side` (a in version 2, c, no b; then d) and `clash`."""
    repo = Repo.init(tmp_path / "world")
    here = World(repo, program)
    repo.write(".gitignore", "*.bin\n")
    here.commit({"a.bin": 1, "b.bin": 1}, "Begin to pin", note="one\n")
    here.quietly("branch", "begin")
    here.quietly("switch", "-q", "-c", "side")
    here.commit({"a.bin": 2, "c.bin": 1}, "Change a, add c, drop b")
    here.commit({"a.bin": 2, "c.bin": 1, "d.bin": 1}, "Add d")
    here.quietly("switch", "-q", "-c", "clash", "begin")
    here.commit({"a.bin": 3, "b.bin": 1}, "Change a otherwise")
    here.quietly("switch", "-q", "main")
    here.commit({"a.bin": 1, "b.bin": 1}, "Say more", note="two\n")
    cli("install", cwd=repo.path)
    cli("pull", "-q", cwd=repo.path)
    assert here.wrong() == {}
    assert here.acted() == []
    return here


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Write an executable script."""

    def write(path: Path, text: str, mode: int = 0o755) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    return write
