"""The pointer grammar, with git-lfs itself as the judge."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from gitassets.history.pointers import MAX_SIZE, MIN_SIZE, Pointer, parse, resembles

if TYPE_CHECKING:
    from pathlib import Path

SHA = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
VERSION = "version https://git-lfs.github.com/spec/v1\n"
OID = f"oid sha256:{SHA}\n"
SIZE = "size 12345\n"
EXT = f"ext-0-foo sha256:{'1' * 64}\n"
PLAIN = VERSION + OID + SIZE

# Text, what we say of it: "yes" canonical, "lenient", or "no".
TABLE = {
    "canonical": (PLAIN, "yes"),
    "extension": (VERSION + EXT + OID + SIZE, "yes"),
    "two extensions": (VERSION + EXT + EXT.replace("0-foo", "1-a") + OID + SIZE, "yes"),
    "extensions out of order": (
        VERSION + EXT.replace("0-foo", "1-a") + EXT + OID + SIZE,
        "lenient",
    ),
    "extension before version": (EXT + VERSION + OID + SIZE, "lenient"),
    "extension before size": (VERSION + OID + EXT + SIZE, "lenient"),
    "extension after size": (PLAIN + EXT, "no"),
    "extension twice": (VERSION + EXT + EXT + OID + SIZE, "lenient"),
    "one priority twice": (VERSION + EXT + EXT.replace("foo", "bar") + OID + SIZE, "no"),
    "priority of two digits": (VERSION + EXT.replace("0", "10", 1) + OID + SIZE, "no"),
    "extension without a name": (VERSION + EXT.replace("foo", "") + OID + SIZE, "no"),
    "extension with a dot": (VERSION + EXT.replace("foo", "a.b") + OID + SIZE, "yes"),
    "extension with sha512": (VERSION + EXT.replace("256", "512") + OID + SIZE, "no"),
    "no final newline": (PLAIN[:-1], "lenient"),
    "CRLF": (PLAIN.replace("\n", "\r\n"), "lenient"),
    "two CR": (PLAIN.replace("v1\n", "v1\r\r\n"), "no"),
    "newline before": ("\n" + PLAIN, "lenient"),
    "newline after": (PLAIN + "\n", "lenient"),
    "empty line between": (VERSION + "\n" + OID + SIZE, "lenient"),
    "blank line between": (VERSION + " \n" + OID + SIZE, "no"),
    "blanks at the end": (PLAIN[:-1] + " \t\n", "lenient"),
    "blanks after the oid": (PLAIN.replace("\nsize", " \nsize"), "no"),
    "Unicode blanks around": ("\u2003" + PLAIN + "\u0085\u3000", "lenient"),
    "file separator around": ("\x1c" + PLAIN, "no"),
    "hawser": (PLAIN.replace("git-lfs.", "hawser."), "lenient"),
    "git-media": (PLAIN.replace("https://git-lfs.github.com/spec/v1", "http://git-media.io/v/2"), "lenient"),
    "leading zeros": (PLAIN.replace("12345", "00012345"), "lenient"),
    "plus": (PLAIN.replace("12345", "+12345"), "lenient"),
    "size 0": (PLAIN.replace("12345", "0"), "lenient"),
    "size -0": (PLAIN.replace("12345", "-0"), "lenient"),
    "largest size": (PLAIN.replace("12345", str(2**63 - 1)), "yes"),
    "size too large": (PLAIN.replace("12345", str(2**63)), "no"),
    "negative": (PLAIN.replace("12345", "-1"), "no"),
    "Arabic digits": (PLAIN.replace("12345", "١٢"), "no"),
    "underscore": (PLAIN.replace("12345", "12_345"), "no"),
    "no size": (PLAIN.replace("12345", ""), "no"),
    "BOM": ("\ufeff" + PLAIN, "no"),
    "upper case": (PLAIN.replace(SHA, SHA.upper()), "no"),
    "short oid": (PLAIN.replace(SHA, SHA[:-1]), "no"),
    "long oid": (PLAIN.replace(SHA, SHA + "0"), "no"),
    "sha512": (PLAIN.replace("sha256", "sha512"), "no"),
    "other version": (PLAIN.replace("v1", "v2"), "no"),
    "other order": (VERSION + SIZE + OID, "no"),
    "doubled": (VERSION + OID + OID + SIZE, "no"),
    "unknown key": (VERSION + "mode 0644\n" + OID + SIZE, "no"),
    "tab": (PLAIN.replace("size ", "size\t"), "no"),
    "two blanks": (PLAIN.replace("size ", "size  "), "no"),
    "padded to 1023": (PLAIN + "\n" * (1023 - len(PLAIN)), "lenient"),
    "NUL": (PLAIN + "\0", "no"),
}  # fmt: skip


def judged(data: bytes, tmp_path: Path) -> str:
    """Ask git-lfs."""
    path = tmp_path / "pointer"
    path.write_bytes(data)
    answers = [
        subprocess.run(
            ["git", "lfs", "pointer", "--check", *strict, "--file", str(path)],
            capture_output=True,
            check=False,
        ).returncode
        for strict in ([], ["--strict"])
    ]
    return "no" if answers[0] else "lenient" if answers[1] else "yes"


def ours(data: bytes) -> str:
    found = parse(data)
    return "no" if found is None else "yes" if found.canonical else "lenient"


@pytest.mark.parametrize(("text", "verdict"), TABLE.values(), ids=TABLE)
def test_forms(text: str, verdict: str, tmp_path: Path) -> None:
    data = text.encode()
    assert (ours(data), judged(data, tmp_path)) == (verdict, verdict)


def test_values() -> None:
    assert parse(PLAIN.encode()) == Pointer(SHA, 12345, extensions=False, canonical=True)
    found = parse((VERSION + EXT + OID + "size +007").encode())
    assert found == Pointer(SHA, 7, extensions=True, canonical=False)


@pytest.mark.parametrize("size", [0, 1, MIN_SIZE - 1, MAX_SIZE + 1, 100_000])
def test_size_decides(size: int) -> None:
    assert parse((PLAIN + "\n" * size).encode()[:size]) is None


def test_meant_as_a_pointer() -> None:
    broken = PLAIN.replace(SHA, SHA.upper()).encode()
    assert resembles(broken)
    assert not resembles(b"version https://git-lfs" + bytes(2000))
    assert not resembles(b"content")


@given(st.binary(max_size=1100))
@example(b"\xff" * 200)
def test_never_raises(data: bytes) -> None:
    parse(data)
    parse(PLAIN.encode() + data)
    parse(data + PLAIN.encode())


pieces = st.sampled_from(
    [*map(str.encode, (VERSION, OID, SIZE, EXT, EXT.replace("0", "3", 1), "\n", "\r\n", " ", "\t"))]
)


@given(st.data())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
def test_agrees_with_git_lfs(tmp_path: Path, data: st.DataObject) -> None:
    """A pointer with a few bytes put in, taken out or shuffled: both say the same."""
    rows = [VERSION.encode(), OID.encode(), SIZE.encode()]
    for _ in range(data.draw(st.integers(0, 3))):
        rows.insert(data.draw(st.integers(0, len(rows))), data.draw(pieces))
    text = bytearray(b"".join(rows))
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    assume(MIN_SIZE <= len(text) <= MAX_SIZE)
    assert ours(bytes(text)) == judged(bytes(text), tmp_path)
