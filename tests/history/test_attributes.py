"""The filter of `.gitattributes`, with git's own `check-attr` as the judge."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gitassets.history.attributes import has_lfs, lfs_patterns, without_lfs

if TYPE_CHECKING:
    from pathlib import Path

LFS = b"filter=lfs diff=lfs merge=lfs"
TABLE = {
    "nothing": (b"*.c text\n", b"*.c text\n"),
    "git lfs track": (b"*.bin " + LFS + b" -text\n", b"*.bin -text\n"),
    "all of it": (b"*.bin " + LFS + b"\n", b""),
    "lockable": (b"*.psd " + LFS + b" lockable\n*.c text\n", b"*.c text\n"),
    "others keep place and blanks": (
        b"*.bin\tfilter=lfs \t eol=lf  diff=lfs\tx=1 merge=lfs \r\n",
        b"*.bin \t eol=lf\tx=1 \r\n",
    ),
    "quoted": (b'"a b.bin" filter=lfs x\n', b'"a b.bin" x\n'),
    "quote without a blank": (b'"a b.bin"filter=lfs x\n', b'"a b.bin" x\n'),
    "quote that does not end": (b'"a b.bin filter=lfs\n', b'"a b.bin\n'),
    "space class": (b"a[[:space:]]b.bin " + LFS + b" -x\n", b"a[[:space:]]b.bin -x\n"),
    "macro": (b"[attr]big " + LFS + b" -text\n*.mm big\n", b"[attr]big -text\n*.mm big\n"),
    "macro of nothing else": (b"[attr]big " + LFS + b"\n*.mm big\n", b"[attr]big\n*.mm big\n"),
    "quoted macro": (b'"[attr]big" filter=lfs\n', b'"[attr]big"\n'),
    "export's lines": (b"*.bin !text !filter !merge !diff\n", b"*.bin !text !filter !merge !diff\n"),
    "other filters": (b"*.x filter=lfsx diff=lfs2\n", b"*.x filter=lfsx diff=lfs2\n"),
    "comment": (b"# *.bin filter=lfs\n", b"# *.bin filter=lfs\n"),
    "comment and line": (b"# big\n*.b filter=lfs\n", b"# big\n"),
    "hash is no comment later": (b"*.b filter=lfs #x\n", b"*.b #x\n"),
    "no final newline": (b"*.c text\n*.bin filter=lfs", b"*.c text\n"),
    "no final newline, kept": (b"*.bin filter=lfs x", b"*.bin x"),
    "only blank lines left": (b"\n*.bin filter=lfs\r\n\r\n", b""),
    "blank lines kept": (b"\n*.bin filter=lfs\n\nx y", b"\n\nx y"),
    "BOM": (b"\xef\xbb\xbf*.bin filter=lfs\n*.c x\n", b"\xef\xbb\xbf*.c x\n"),
    "BOM alone": (b"\xef\xbb\xbf*.bin filter=lfs\n", b""),
    "not UTF-8": (b"\xe9.bin filter=lfs \xff=lfs\n", b"\xe9.bin \xff=lfs\n"),
    "UTF-16": ("*.bin filter=lfs\n".encode("utf-16"), "*.bin filter=lfs\n".encode("utf-16")),
    "empty": (b"", b""),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), TABLE.values(), ids=TABLE)
def test_table(before: bytes, after: bytes) -> None:
    assert without_lfs(before) == after
    assert has_lfs(before) is (before != after)
    assert without_lfs(after) == after


def test_text_line_goes_when_allowed() -> None:
    asked = []

    def drop(pattern: bytes) -> bool:
        asked.append(pattern)
        return pattern != b"kept.bin"

    lines = (
        b'"a\\tb\\303\\251.bin" filter=lfs -text\n'
        b"kept.bin filter=lfs -text\n"
        b"*.own -text\n"
        b"*.two filter=lfs -text x\n"
        b"[attr]big filter=lfs -text\n"
    )
    left = b"kept.bin -text\n*.own -text\n*.two -text x\n[attr]big -text\n"
    assert without_lfs(lines, drop_text=drop) == left
    assert asked == [b"a\tb\xc3\xa9.bin", b"kept.bin"]


def test_patterns() -> None:
    data = b'*.a filter=lfs\n[attr]big filter=lfs\n"b c" big\n*.d diff=lfs\n*.e -filter\n'
    assert lfs_patterns(data) == [b"*.a", b"b c"]


PATHS = ["a.bin", "b.c", "a b.bin", "sub/a.bin", "sub/b.c", "é.bin", "sub/deep/a.bin"]


def attributes(files: dict[str, bytes], place: Path) -> dict[tuple[str, str], str]:
    """Ask git for every attribute of every path."""
    for name in (".gitattributes", "sub/.gitattributes"):
        (place / name).write_bytes(files.get(name, b""))
    out = subprocess.run(
        ["git", "check-attr", "-z", "--stdin", "--all"],
        input="".join(f"{path}\0" for path in PATHS).encode(),
        capture_output=True,
        cwd=place,
        check=True,
    ).stdout
    fields = out.decode("utf-8", "surrogateescape").split("\0")[:-1]
    return dict(zip(zip(fields[::3], fields[1::3], strict=True), fields[2::3], strict=True))


patterns = st.sampled_from(
    [b"*.bin", b"*.c", b"*", b"a.bin", b"/a.bin", b"sub/", b"sub/*.bin", b"sub/**", b'"a b.bin"',
     b'"\\303\\251.bin"', b"a[[:space:]]b.bin", b"?.bin", b"[ab].*", b'"*.bin', b"!*.bin",
     b"[attr]big", b"[attr]lfs", b'"[attr]odd"', b"#x"]
)  # fmt: skip
words = st.sampled_from(
    [b"filter=lfs", b"diff=lfs", b"merge=lfs", b"lockable", b"-text", b"text", b"eol=lf", b"x=1",
     b"-filter", b"!filter", b"filter=own", b"diff", b"-merge", b"big", b"lfs", b"-big", b"binary",
     b"-lockable", b"odd", b"filter=lfsx", b"#x", b"=lfs"]
)  # fmt: skip
blanks = st.sampled_from([b" ", b"  ", b"\t", b" \t", b"\r"])


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    parts = [draw(st.sampled_from([b"", b"", b" ", b"\t"])), draw(patterns)]
    for word in draw(st.lists(words, max_size=5)):
        parts += [draw(blanks), word]
    return b"".join(parts) + draw(st.sampled_from([b"\n", b"\n", b"\r\n", b" \n"]))


texts = st.lists(lines(), max_size=6).map(b"".join)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("attributes")
    subprocess.run(["git", "init", "-q", str(path)], check=True)
    (path / "sub").mkdir()
    return path


def is_lfs(attribute: str, value: str | None) -> bool:
    if attribute == "lockable":
        return value == "set"
    return attribute in {"filter", "diff", "merge"} and value == "lfs"


@given(root=texts, nested=texts)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(root=b"* filter=own\n[attr]big filter=lfs -text\n*.bin big\n", nested=b"*.bin -big\n")
@example(root=b"*.bin filter=own filter=lfs\n", nested=b"")
def test_nothing_else_changes(place: Path, root: bytes, nested: bytes) -> None:
    files = {".gitattributes": root, "sub/.gitattributes": nested}
    before = attributes(files, place)
    cut = {name: without_lfs(data) for name, data in files.items()}
    after = attributes(cut, place)
    for key in before.keys() | after.keys():
        if is_lfs(key[1], before.get(key)):
            assert not is_lfs(key[1], after.get(key)), key
        else:
            assert after.get(key) == before.get(key), key
    assert not any(has_lfs(data) for data in cut.values())


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    assert without_lfs(data) == data or has_lfs(data)
    assert without_lfs(without_lfs(data)) == without_lfs(data)


def test_control(place: Path) -> None:
    """Cutting at blanks and dropping whole lines, as home-made scripts do, changes attributes."""
    text = b'"a b.bin" filter=lfs eol=lf\n'
    before = attributes({".gitattributes": text}, place)
    naive = b"".join(row for row in text.splitlines(keepends=True) if b"filter=lfs" not in row)
    after = attributes({".gitattributes": naive}, place)
    assert before["a b.bin", "eol"] == "lf"
    assert ("a b.bin", "eol") not in after
