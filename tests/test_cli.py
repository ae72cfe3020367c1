"""The command line as a whole: verbs, help, exit statuses, and what happens when we are wrong."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from gitassets import __version__, cli, errors
from gitassets.commands import PLUMBING, VERBS, module_of, parser_of


def every_error():
    found, todo = [], [errors.AssetsError]
    while todo:
        kind = todo.pop()
        found.append(kind)
        todo += kind.__subclasses__()
    return found


class TestHelp:
    @pytest.mark.parametrize("verb", VERBS)
    def test_a_verb_explains_itself_and_begins_with_what_to_type(self, cli, verb):
        text = cli(verb, "-h").stdout
        assert text.startswith(f"usage: git assets {verb}")
        assert text.endswith("\n")
        assert VERBS[verb] in re.sub(r"\s+", " ", text)
        examples = text.partition("examples:\n")[2].splitlines()
        assert len(examples) >= 2
        assert all(line.strip().startswith("git assets ") for line in examples[:2])
        assert text == cli("help", verb).stdout

    @pytest.mark.parametrize("verb", VERBS)
    def test_examples_are_command_lines_that_parse(self, verb):
        for line in module_of(verb).EXAMPLES.splitlines()[1:]:
            words = [word.strip("'") for word in re.split(r"  +#?", line.strip())[0].split()]
            if words[:2] == ["git", "assets"] and not {"|", "&&", ">"} & set(words):
                assert words[2] == verb
                parser_of(verb).parse_args(words[3:])

    def test_every_option_says_what_it_does(self):
        for verb in VERBS:
            for action in parser_of(verb)._actions:
                assert action.help or not action.option_strings, (verb, action)

    def test_the_overview_has_every_verb_and_no_plumbing(self, cli):
        text = cli("-h").stdout
        assert all(f"  {verb} " in text and about in text for verb, about in VERBS.items())
        assert not any(f"  {verb} " in text for verb in PLUMBING)
        assert max(map(len, text.splitlines())) <= 100
        assert text == cli("help").stdout

    def test_as_json(self, cli):
        found = cli("help", "pull", "--json").json()
        assert found["verb"] == "pull"
        assert found["text"].startswith("usage: ")

    def test_no_verb(self, cli):
        result = cli(check=129)
        assert result.stdout.startswith("usage: ")

    def test_help_needs_no_repository_and_no_configuration(self, cli, tmp_path):
        cli("pull", "-h", cwd=tmp_path, env={"GIT_ASSETS_JOBS": "nonsense", "HOME": "/nowhere"})


class TestStatuses:
    def test_every_error_has_gits(self):
        assert {kind.status for kind in every_error()} == {128, 129}
        assert errors.UsageError.status == 129

    @pytest.mark.parametrize(
        "word", ["nope", "Pull", "", "--nope", "pull.py", "../cli", "__init__"]
    )
    def test_an_unknown_verb(self, cli, word):
        result = cli(word, check=129)
        assert result.stderr.splitlines()[0] == f"error: '{word}' is not a git assets command"
        assert result.stderr.splitlines()[1] == "hint: git assets -h"

    def test_an_unknown_verb_cannot_draw(self, cli):
        assert "\x1b" not in cli("\x1b[2J\u202e", check=129).stderr

    @pytest.mark.parametrize(
        "args", [("pull", "--jo", "3"), ("status", "--porc"), ("help", "nope"), ("set",)]
    )
    def test_usage(self, repo, cli, args):
        result = cli(*args, cwd=repo.path, check=129)
        assert result.stderr.startswith("error: ")
        assert result.stdout == ""

    def test_the_version(self, cli):
        assert cli("version").stdout == cli("--version").stdout == f"git assets {__version__}\n"
        assert cli("version", "--json").json() == {
            "version": 1,
            "command": "version",
            "gitassets": __version__,
        }

    @pytest.mark.parametrize("args", [("status",), ("pull",), ("list",), ("verify",), ("add", "x")])
    def test_outside_of_a_repository(self, cli, tmp_path, args):
        result = cli(*args, cwd=tmp_path, check=128)
        assert result.stderr.startswith("fatal: not a git repository")

    @pytest.mark.parametrize("args", [("status",), ("pull",), ("add", "x"), ("init",)])
    def test_in_a_bare_repository(self, cli, tmp_path, args):
        subprocess.run(["git", "init", "-q", "--bare", tmp_path / "bare"], check=True)
        result = cli(*args, cwd=tmp_path / "bare", check=128)
        assert result.stderr == "fatal: this operation must be run in a work tree\n"

    def test_without_advice(self, repo, cli):
        assert "hint" not in cli("nope", check=129, env={"GIT_ADVICE": "0"}).stderr


class TestPipes:
    @pytest.mark.parametrize(
        "args",
        [["list"], ["list", "-z"], ["list", "--json"], ["help", "pull"], ["pull", "-h"], ["-h"]],
    )
    def test_nobody_reads(self, repo, args):
        """As `git assets list | head -0`: no traceback, and no wait."""
        repo.lock(
            {f"{at}" * 20: {"size": at, "sha256": "0" * 64} for at in range(3000)}, ignore=False
        )
        reading, writing = os.pipe()
        os.close(reading)
        try:
            done = subprocess.run(
                ["git-assets", *args], cwd=repo.path, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
            )  # fmt: skip
        finally:
            os.close(writing)
        assert done.stderr == ""
        assert done.returncode in ({0} if "-h" in args[1:] else {141, -13})

    def test_a_full_disk_under_the_answer(self, repo):
        repo.lock({})
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                ["git-assets", "list", "--json"], cwd=repo.path, stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )  # fmt: skip
        assert done.returncode == 128
        assert done.stderr == "fatal: No space left on device\n"

    def test_an_encoding_that_lacks_the_characters(self, repo, cli):
        repo.lock({"ü.bin": {"size": 1, "sha256": "0" * 64}}, ignore=False)
        env = {"PYTHONIOENCODING": "ascii"}
        assert "\\xfc.bin" in cli("status", cwd=repo.path, env=env).stdout


class TestCrash:
    CANARY = "https://user:canary1@host/x?X-Amz-Signature=canary2"

    @pytest.fixture
    def crashing(self, monkeypatch, tmp_path):
        """Make `version` raise, and temporary files go to a place of ours."""

        def run(context, arguments):
            raise RuntimeError(f"cannot {self.CANARY}\nsecond line \x1b[2J")

        monkeypatch.setattr(module_of("version"), "run", run)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        return tmp_path

    def test_one_line_and_a_log_without_secrets(self, crashing, capsys):
        assert cli.main(["version"]) == 128
        first, second = capsys.readouterr().err.splitlines()
        assert first.startswith("fatal: internal error: RuntimeError: cannot https://")
        [log] = crashing.glob("git-assets-crash-*.log")
        assert str(log) in second
        text = log.read_text()
        assert "Traceback" in text
        assert __version__ in text
        assert "canary" not in text + first + second
        assert log.stat().st_mode & 0o077 == 0

    def test_verbose_shows_it(self, crashing, capsys):
        assert cli.main(["version", "-v"]) == 128
        said = capsys.readouterr().err
        assert "Traceback" in said
        assert "canary" not in said
        assert "\x1b" not in said

    def test_no_place_for_a_log(self, crashing, capsys, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", "/nowhere")
        assert cli.main(["version"]) == 128
        assert "run it again with -v" in capsys.readouterr().err

    def test_a_machine_that_refuses_is_no_bug(self, crashing, capsys, monkeypatch):
        def run(context, arguments):
            raise OSError(28, "No space left on device", "/some/\x1bplace")

        monkeypatch.setattr(module_of("version"), "run", run)
        assert cli.main(["version"]) == 128
        assert capsys.readouterr().err == "fatal: '/some/\\x1bplace': No space left on device\n"
        assert not list(crashing.glob("*.log"))
