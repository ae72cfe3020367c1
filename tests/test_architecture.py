"""The house: module length, layers, every verb tested, and what a start-up may not load."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gitassets.commands import PLUMBING, VERBS

CHECKOUT = Path(__file__).parent.parent
PACKAGE = CHECKOUT / "gitassets"
LONGEST = 300
"""Lines: a longer module has two reasons to change."""
HEAVY = {
    "requests",
    "urllib3",
    "rich",
    "pycurl",
    "git",
    "gitdb",
    "huggingface_hub",
    "asyncio",
    "email",
    "http",
    "ssl",
}
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def too_long(paths):
    return [str(path) for path in paths if len(path.read_text().splitlines()) > LONGEST]


def test_modules_are_short():
    assert too_long(MODULES) == []


def test_a_long_module_is_seen(tmp_path):
    (tmp_path / "long.py").write_text("pass\n" * (LONGEST + 1))
    assert too_long(tmp_path.glob("*.py")) == [str(tmp_path / "long.py")]


def test_every_module_says_what_it_is():
    for path in MODULES:
        text = path.read_text()
        assert not text or text.lstrip().startswith('"""'), path


def test_names_are_nouns_of_the_domain():
    assert not {path.stem for path in MODULES} & {
        "utils",
        "util",
        "helpers",
        "common",
        "misc",
        "tools",
    }


class TestVerbs:
    def test_each_has_a_module_and_each_module_a_verb(self):
        modules = {path.stem.replace("_", "-") for path in (PACKAGE / "commands").glob("[!_]*.py")}
        assert modules == {*VERBS, *PLUMBING}

    @pytest.mark.parametrize("verb", VERBS)
    def test_each_is_run_by_a_test(self, verb):
        """As a word of a command line that some test gives to the program."""
        word = re.compile(
            rf"""(?:cli\(|\[)\s*(?:"git-assets",\s*|"git",\s*"assets",\s*)?["']{verb}["']"""
        )
        texts = (path.read_text() for path in (CHECKOUT / "tests").rglob("test_*.py"))
        assert any(word.search(text) for text in texts)


class TestLayers:
    def lint(self, place):
        program = Path(sys.executable).parent / "lint-imports"
        if not program.exists():
            pytest.skip("import-linter is not installed")
        return subprocess.run(
            [program, "--no-cache"], cwd=place, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(place)}
        )  # fmt: skip

    def test_contracts_hold(self):
        done = self.lint(CHECKOUT)
        assert done.returncode == 0, done.stdout

    @pytest.mark.parametrize(
        ("module", "line", "broken"),
        [
            ("plan.py", "from gitassets import store", "one way"),
            (
                "commands/pull.py",
                "from gitassets.commands import list as _",
                "commands do not call",
            ),
            ("sync.py", "import subprocess", "processes"),
            ("commands/status.py", "import rich", "rich"),
        ],
    )
    def test_a_wrong_import_is_seen(self, tmp_path, module, line, broken):
        shutil.copytree(
            PACKAGE, tmp_path / "gitassets", ignore=shutil.ignore_patterns("__pycache__")
        )
        shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
        place = tmp_path / "gitassets" / module
        place.write_text(place.read_text() + f"\n{line}\n")
        done = self.lint(tmp_path)
        assert done.returncode != 0
        assert any(broken in row and "BROKEN" in row for row in done.stdout.splitlines())


class TestStart:
    """Nobody waits for a library that is not used."""

    def loaded(self, tmp_path, *words, cwd):
        code = (
            "import json, os, sys\nfrom gitassets import cli\n"
            "status = cli.main(sys.argv[1:]) if sys.argv[1:] else 0\n"
            "open(os.environ['SEEN'], 'w').write(json.dumps([status, *sys.modules]))"
        )
        seen = tmp_path / "seen"
        env = {"SEEN": str(seen), "PYTHONPATH": str(CHECKOUT)}
        subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=cwd,
            env={**os.environ, **env},
            check=True,
            capture_output=True,
        )
        status, *modules = json.loads(seen.read_text())
        assert status == 0
        return {name.partition(".")[0] for name in modules}

    @pytest.mark.parametrize(
        "words", [[], ["version"], ["-h"], ["list"], ["status"], ["pull"], ["checkout"]]
    )
    def test_nothing_heavy(self, repo, cli, tmp_path, words):
        repo.write("a", b"bytes")
        cli("init", cwd=repo.path)
        cli("add", "a", cwd=repo.path)
        assert self.loaded(tmp_path, *words, cwd=repo.path) & HEAVY == set()

    def test_a_heavy_one_is_seen(self, repo, server, cli, tmp_path):
        """Positive control: `add URL` does load requests, and curl pycurl."""
        cli("init", cwd=repo.path)
        found = self.loaded(tmp_path, "add", server.blob(10, "s", name="x"), cwd=repo.path)
        assert {"requests", "pycurl"} <= found
