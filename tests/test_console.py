"""What a person reads: nothing from outside can draw, nothing secret is shown, git's quoting."""

from __future__ import annotations

import io
import json

import pytest
from support.repo import Repo

from gitassets import bars, report
from gitassets.console import Console, human, plural, quoted
from gitassets.errors import AssetsError, UsageError
from gitassets.model import Asset, AssetPath, Digest, Outcome, Status

CORPUS = [
    "\x1b[2J", "\x1b]0;title\x07", "\x1b]8;;http://evil\x1b\\x", "\x9b31m", "\x00", "\x08\x08", "a\rb", "a\nb", "\x7f",
    "\u202egnp.exe", "\u2066x\u2069", "\u200b", "\ufeff", "\u2028", "\u2029", "\x85", "\U000e0041", "\udc9b", "\x0b\x0c",
    "[bold red]markup[/]", "x" * 100_000, "\u061c",
]  # fmt: skip
CANARY = "https://user:canary@host/x?X-Amz-Signature=canary&a=canary#t=canary"
ASSET = Asset(AssetPath("a.bin"), 5, Digest("0" * 64))
OUTPUTS = {
    "answer": lambda console, text: console.answer(text),
    "say": lambda console, text: console.say(text),
    "detail": lambda console, text: console.detail(text),
    "warning": lambda console, text: console.warning(text, hint=text),
    "error": lambda console, text: console.error(text, hint=text),
    "complain": lambda console, text: console.complain(text, [text, text], text),
    "failure": lambda console, text: console.failure(AssetsError(text, hint=text)),
    "usage": lambda console, text: console.failure(UsageError(text)),
    "progress": lambda console, text: bars.make("auto", terminal=False, total=1, files=1, word="fetching").noted(text),
    "report": lambda console, text: report.finish(
        console, [Outcome(ASSET, Status.FAILED, errors=(text, text), hint=text), Outcome(ASSET, Status.LINKED, errors=(text,))], 1.0
    ),
}  # fmt: skip


def harmless(said):
    """Nothing but printable characters and the ends of our own lines."""
    return all(line.isprintable() for line in said.split("\n"))


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_nothing_from_outside_can_draw(capsys, name, text):
    OUTPUTS[name](Console(verbose=True), f"before {text} after")
    out, err = capsys.readouterr()
    assert harmless(out + err)
    assert "before" in out + err
    assert max(map(len, (out + err).split("\n"))) < 2100


@pytest.mark.parametrize("text", CORPUS[:-3], ids=range(len(CORPUS) - 3))
def test_a_plain_print_would_be_seen(text):
    """Positive control. The last three of the corpus are not about control characters."""
    assert not harmless(text) or text == "a\nb" or text.startswith("[bold")


@pytest.mark.parametrize("name", sorted(OUTPUTS.keys() - {"answer", "say"}))
def test_secrets_are_hidden(capsys, name):
    OUTPUTS[name](Console(verbose=True), f"cannot fetch {CANARY}, said '{CANARY}'.")
    out, err = capsys.readouterr()
    assert "canary" not in out + err
    assert "host/x" in out + err


def test_quiet_and_verbose(capsys):
    Console(quiet=True).say("x")
    Console().detail("x")
    assert capsys.readouterr() == ("", "")
    Console(quiet=True).error("x")
    assert capsys.readouterr() == ("", "error: x\n")


def test_json_is_one_document(capsys):
    Console().json("pull", {"text": "\x1b\u202eü\udce9"})
    out, err = capsys.readouterr()
    assert harmless(out)
    assert err == ""
    assert out.isascii()
    assert json.loads(out) == {"version": 1, "command": "pull", "text": "\x1b\u202eü\udce9"}


def test_a_terminal_that_lacks_a_character(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    Console().answer("ü😀")
    assert stream.buffer.getvalue() == b"\\xfc\\U0001f600\n"


NAMES = [
    "a",
    "a b",
    " a",
    "ü",
    "a'b",
    "$x",
    "~",
    "#a",
    "!a",
    "😀",
    "a{b}",
    "a&b",
    "a;b",
    "-a",
    "a(1)",
]
REFUSED = ["tab\t", 'q"q', "back\\slash", "nl\nx", "\x01", "\x7f", "bell\a", "v\x0b", "b\udce9"]


def test_names_are_quoted_as_git_quotes_them(tmp_path):
    """`git -c core.quotePath=true status --porcelain` is the judge."""
    repo = Repo.init(tmp_path / "names")
    for name in NAMES + REFUSED:
        (
            repo.path / name.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
        ).touch()
    shown = repo.git("-c", "core.quotePath=true", "status", "--porcelain").split("\n")
    assert sorted(f"?? {quoted(name)}" for name in NAMES + REFUSED) == sorted(shown)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (2**30, "1.0 GiB"), (2**62, "4096.0 PiB")]
)  # fmt: skip
def test_sizes(count, text):
    assert human(count) == text


def test_plurals():
    assert [plural(count, "file") for count in (0, 1, 1000)] == ["0 files", "1 file", "1,000 files"]
