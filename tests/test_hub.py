"""The grammar of `hf://`: one place, one spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitassets.hub import KINDS, HubPlace, parse, pasted
from gitassets.urls import Url

SHA = "0123456789abcdef0123456789abcdef01234567"
NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True).filter(
    lambda name: name not in {*KINDS, "buckets", "kernels"}
)
PART = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\"), min_size=1, max_size=12
).filter(lambda part: part not in {".", ".."})
REVISION = st.one_of(
    st.sampled_from(
        ["main", SHA, "refs/pr/7", "refs/convert/parquet", "feature/x", "a@b", "v1.0%"]
    ),
    PART.filter(lambda text: ".." not in text and not text.startswith("-")),
)
PLACES = st.builds(
    HubPlace,
    st.sampled_from(KINDS),
    st.builds("{}/{}".format, NAMES, NAMES),
    REVISION,
    st.lists(PART, max_size=4).map("/".join),
)


@given(PLACES)
def test_what_was_written_is_read_again(place):
    assert parse(place.url) == place
    assert Url(str(place.url)) == place.url


@given(PLACES.filter(lambda place: place.path))
def test_an_address_of_the_browser_is_the_same_place(place):
    assert pasted(f"https://huggingface.co{place.file}") == place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("hf://o/n", HubPlace("models", "o/n")),
        ("hf://models/o/n/", HubPlace("models", "o/n")),
        ("hf://datasets/o/n@v1/a/b.bin", HubPlace("datasets", "o/n", "v1", "a/b.bin")),
        ("hf://spaces/o/n@refs/pr/3/f", HubPlace("spaces", "o/n", "refs/pr/3", "f")),
        ("hf://o/n@a%2Fb/x%20y", HubPlace("models", "o/n", "a/b", "x y")),
        (f"hf://o/n@{SHA}", HubPlace("models", "o/n", SHA)),
    ],
)
def test_spellings(text, place):
    assert parse(Url(text)) == place


@pytest.mark.parametrize(
    "text",
    ["hf://o", "hf://datasets/o", "hf://buckets/o/n", "hf://o/n@/f", "hf://o/n@..%2Fx", "hf://o/n/../f",
     "hf://o/n//f", "hf://o/n/a%2Fb", "hf://o/n?x=1", "hf://o/n#f", "hf://o/n%2Fm", "hf://o/n@-x"],
)  # fmt: skip
def test_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse(Url(text))


@pytest.mark.parametrize(
    "text",
    ["https://huggingface.co/o/n", "https://huggingface.co.evil.example/o/n/blob/main/f", "not a url",
     "http://huggingface.co/o/n/resolve/main/f", "https://example.org/o/n/resolve/main/f",
     "https://huggingface.co/o/n/raw/main/f", "https://huggingface.co@evil.example/o/n/blob/main/f"],
)  # fmt: skip
def test_other_addresses_are_not_the_hubs(text):
    assert pasted(text) is None


def test_views_and_endpoints():
    place = HubPlace("datasets", "o/n", "main", "a/b")
    for view in ("blob", "resolve", "tree"):
        assert pasted(f"https://huggingface.co/datasets/o/n/{view}/main/a/b?download=true") == place
    assert pasted("http://hub.test:81/datasets/o/n/tree/main/a/b") is None
    assert pasted("http://hub.test:81/datasets/o/n/tree/main/a/b", ["http://hub.test:81"]) == place
    assert pasted("https://hf.co/o/n/tree/main") == HubPlace("models", "o/n")


def test_a_commit_is_pinned():
    assert HubPlace("models", "o/n", SHA).pinned
    assert not HubPlace("models", "o/n", SHA[:39]).pinned
    assert not HubPlace("models", "o/n", SHA.upper()).pinned
