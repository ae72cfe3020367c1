"""Ids in messages: only those of ancestors, whatever else the repository holds."""

from __future__ import annotations

import hashlib

from gitassets.history.mentions import Mentions


def commit(seed: str) -> bytes:
    return hashlib.sha1(seed.encode()).digest()


def chain() -> tuple[Mentions, dict[str, bytes], dict[bytes, bytes]]:
    """root - a - b, and root - side."""
    ids = {name: commit(name) for name in ("root", "a", "b", "side")}
    known = Mentions(20)
    known.record(ids["root"], [])
    known.record(ids["side"], [ids["root"]])
    known.record(ids["a"], [ids["root"]])
    known.record(ids["b"], [ids["a"]])
    return known, ids, {name: commit(name.hex()) for name in ids.values()}


def replaced(text: str, name: str = "b") -> tuple[str, int]:
    known, ids, new = chain()
    words = {key: each.hex() for key, each in ids.items()}
    found, count = known.replaced(text.format(**words).encode(), ids[name], new)
    for each in ids.values():
        for length in (40, 12, 7):
            found = found.replace(new[each].hex()[:length].encode(), b"<%d>" % length)
    return found.decode(), count


def test_full_and_short_ids_of_ancestors_keep_their_length() -> None:
    assert replaced("Revert {a}") == ("Revert <40>", 1)
    assert replaced("see {a:.12}, {root:.7}.") == ("see <12>, <7>.", 2)


def test_no_other_commit_is_named() -> None:
    known, ids, new = chain()
    text = ids["side"].hex().encode() + b" " + ids["b"].hex().encode()
    assert known.replaced(text, ids["b"], new) == (text, 0)
    assert known.replaced(text, ids["side"], new) == (text, 0), "nor the commit itself"


def test_words_that_only_look_like_ids_stay() -> None:
    _, ids, _ = chain()
    short = ids["a"].hex()
    for text in ("decade2001", short[:6], f"x{short}", f"{short}0", f"_{short}", short.upper()):
        assert replaced(text)[1] == 0


def test_an_ambiguous_abbreviation_stays() -> None:
    known = Mentions(20)
    one, two, last = b"\xab" * 10 + b"1" * 10, b"\xab" * 10 + b"2" * 10, commit("last")
    known.record(one, [])
    known.record(two, [one])
    known.record(last, [two])
    new = {one: commit("1"), two: commit("2")}
    assert known.replaced(b"abababab", last, new) == (b"abababab", 0)
    assert known.replaced(one.hex().encode(), last, new)[1] == 1
    # For the commit between them only one of the two is an ancestor.
    assert known.replaced(b"abababab", two, new)[1] == 1
