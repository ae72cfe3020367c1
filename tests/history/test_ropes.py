"""Texts joined along a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets.history import ropes
from gitassets.history.ropes import MARK, Joiner, Rope

if TYPE_CHECKING:
    import pytest


def leaf(name: bytes) -> bytes:
    return b"/" + MARK + name + b"\n"


def test_every_piece_gets_the_path_above_it() -> None:
    inner = Rope((leaf(b"x"), leaf(b"y")))
    middle = Rope(((b"c/", inner), leaf(b"z")))
    root = Rope((leaf(b"a"), (b"b/", middle), (b"d/", inner)))
    joiner = Joiner()
    text = b"/a\n/b/c/x\n/b/c/y\n/b/z\n/d/x\n/d/y\n"
    assert joiner.text(root) == text
    assert joiner.text(root) == text, "a remembered text is the same"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ropes, "_LIMIT", 100)
    joiner = Joiner()
    for number in range(50):
        name = b"%030d" % number
        assert joiner.text(Rope((leaf(name),))) == b"/" + name + b"\n"
        assert joiner._bytes == sum(map(len, joiner._texts.values())) <= 100
