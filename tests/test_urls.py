"""URLs: checked once when made, and shown without what is secret or dangerous."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitassets.urls import MAX_SHOWN, Url, name_of, redacted, safe, same_origin

KEPT = [
    "https://example.org",
    "https://example.org/",
    "https://example.org:8443/a/b.tar?download=true&x=%20#part",
    "http://127.0.0.1:1/x",
    "https://[::1]:80/x",
    "https://h/a%20b/%C3%BC%25",
    "https://h/~u/a(b)[c],;=@!$&'*+x",
    "https://h_1.example/x",
    "https://example.org?q=1",
    "hf://example/model@main/sub/a@b.bin",
    "hf://datasets/o/n@refs%2Fpr%2F1/x",
    "s3://bucket.name/key",
    "gs://b/k",
    "az://container/blob",
    "github-release://owner/repo/v1/x.zip",
    "lfs+https://h/r.git/info/lfs",
    "lfs+http://localhost:8080/x",
    "file:///srv/data/x",
    "file:samples/x.bin",
    "file:samples/",
    "file:x",
    "https://h/" + "x" * 4086,
    "https://h/?" + "x" * 4085,
]
CHANGED = {
    "HTTPS://Example.org/X": "https://Example.org/X",
    "https://h/ü日": "https://h/%C3%BC%E6%97%A5",
    "https://h/?q=ü": "https://h/?q=%C3%BC",
    'https://h/a"<>^`{|}': "https://h/a%22%3C%3E%5E%60%7B%7C%7D",
    "https://h/\u202e\x85": "https://h/%E2%80%AE%C2%85",
    "file:/srv/x": "file:///srv/x",
    "file:ü": "file:%C3%BC",
}
REFUSED = {
    "": "no scheme",
    "example.org/x": "no scheme",
    "//example.org/x": "no scheme",
    "1https://h/": "no scheme",
    "gopher://h/": "unknown scheme 'gopher'",
    "javascript:alert(1)": "unknown scheme",
    "ext::sh": "unknown scheme",
    "h:80/x": "unknown scheme 'h'",
    "https:/h/x": "no host",
    "https:h/x": "no host",
    "https://": "no host",
    "https:///x": "no host",
    "https://:80/x": "no host",
    "https://?x": "no host",
    "s3:///key": "no host",
    "hf:model": "no host",
    "https://u@h/": "user name",
    "https://u:p@h/": "user name",
    "https://good@evil/": "user name",
    "https://good%40evil/": "bad host",
    "https://good\\@evil/": "backslash",
    "https://good\\evil/": "backslash",
    "https://h/a b": "space",
    "https://h /": "space",
    " https://h/": "scheme",
    "https://h/\n": "control",
    "https://h/\t": "control",
    "https://h/\x7f": "control",
    "https://h/\0": "control",
    "https://h/%0a": "escaped control",
    "https://h/%0D%0Ahost=evil": "escaped control",
    "https://h/%00": "escaped control",
    "https://h/%7f": "escaped control",
    "https://h%0aevil/": "escaped control",
    "https://h%20evil/": "bad host",
    "https://h/%": "begins no escape",
    "https://h/%4": "begins no escape",
    "https://h/%zz": "begins no escape",
    "https://h:/": "bad port",
    "https://h:0/": "bad port",
    "https://h:65536/": "bad port",
    "https://h:99999999/": "bad port",
    "https://h:8o/": "bad port",
    "https://h:٣/": "bad port",
    "s3://bucket:80/x": "bad port",
    "https://h:80:80/": "bad port",
    "https://bücher.example/": "ASCII",
    "https://-ok.example*/": "bad host",
    "https://[::1/": "bad host",
    "https://[::1]x/": "bad host",
    "https://[fe80::1%25eth0]/": "bad host",
    "https://" + "h" * 254 + "/": "bad host",
    "https://h/\ud800": "surrogate",
    "https://h/" + "x" * 4087: "longer than 4096",
    "https://h/" + "ü" * 700: "longer than 4096",
    "file:": "neither",
    "file:///": None,
    "file://host/x": "host in a file",
    "file://localhost/x": "host in a file",
    "file:////host/share": "host in a file",
    "file:///%2Fhost/share": "host in a file",
    "file:../x": "'..'",
    "file:a/../../x": "'..'",
    "file:a/%2e%2e/x": "'..'",
    "file:a%2F..%2Fx": "'..'",
    "file:///a/../x": "'..'",
    "file:a//b": "neither",
    "file:./a": "neither",
    "file:C:/x": "neither",
    "file:a%5C..%5Cb": "backslash",
    "file:a?b": "%3F",
    "file:a#b": "%23",
}


@pytest.mark.parametrize("text", KEPT, ids=lambda text: text[:40])
def test_kept_as_written(text: str) -> None:
    assert Url(text) == text
    assert Url(Url(text)) == text


@pytest.mark.parametrize(("text", "url"), CHANGED.items())
def test_made_well_formed(text: str, url: str) -> None:
    assert Url(text) == url
    assert Url(url) == url


@pytest.mark.parametrize(("text", "why"), REFUSED.items(), ids=lambda text: ascii(text)[:40])
def test_refused_with_a_reason(text: str, why: str | None) -> None:
    if why is None:  # the root of a file system is a place like any other
        assert Url(text) == text
        return
    with pytest.raises(ValueError, match=why) as caught:
        Url(text)
    assert not isinstance(caught.value, UnicodeError)


@given(
    st.text(st.characters(max_codepoint=0x250), max_size=20),
    st.sampled_from(["https://h", "hf://o/", "file:", "s3://b/"]),
)
def test_whatever_is_accepted_is_clean(tail: str, head: str) -> None:
    try:
        url = Url(head + tail)
    except ValueError:
        return
    assert url.isascii()
    assert not any(character <= " " or character in "\x7f\\" for character in url)
    assert Url(url) == url
    if url.scheme != "file":
        assert (
            "@" not in url.partition("://")[2].replace("?", "/").replace("#", "/").partition("/")[0]
        )


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port"),
    [
        ("https://Example.ORG/x", "https", "example.org", 443),
        ("http://h:8080", "http", "h", 8080),
        ("https://[::1]:9/x", "https", "::1", 9),
        ("lfs+https://h/x", "https", "h", 443),
        ("hf://example/m@main", "hf", "example", 0),
        ("file:a/b", "file", "", 0),
    ],
)
def test_parts(text: str, scheme: str, host: str, port: int) -> None:
    url = Url(text)
    assert url.scheme == text.partition(":")[0]
    assert url.host == host
    assert url.origin == (scheme, host, port)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("https://h/a", "https://H:443/b?c", True),
        ("http://h", "http://h:80/", True),
        ("lfs+https://h/x", "https://h/y", True),
        ("https://h/", "http://h/", False),
        ("https://h/", "https://h:444/", False),
        ("https://h/", "https://h.evil/", False),
        ("https://h/", "https://h@evil/", False),
        ("https://evil/", "https://h\\@evil/", False),
        ("https://h/", "https://h\t/", False),
        ("https://h/", "https://h:x/", False),
        ("https://h/", "/relative", False),
        ("file:a", "file:a", False),
        ("https://[::1", "https://[::1", False),
    ],
)
def test_same_origin(a: str, b: str, same: bool) -> None:
    assert same_origin(a, b) is same
    assert same_origin(b, a) is same


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h/a/b.tar.gz", "b.tar.gz"),
        ("https://h/a/b%20c%C3%BC?x=/y#/z", "b cü"),
        ("https://h/a/", "a"),
        ("https://h/a%2F..%2Fb", "b"),
        ("https://h/%252F", "%2F"),
        ("https://h", ""),
        ("https://h/?x=/y", ""),
        ("hf://o/m@main/sub/w.bin", "w.bin"),
        ("file:samples/x", "x"),
        ("file:x", "x"),
        ("file:///x", "x"),
    ],
)
def test_name_of(url: str, name: str) -> None:
    assert name_of(Url(url)) == name


# What people may see.

SECRETS = [
    "https://user:S3CRET@h/p",
    "https://S3CRET@h/p",
    "https://user:pa/S3CRET@h/p",
    "https://h/p?X-Amz-Signature=S3CRET",
    "https://h/p?a=1&sig=S3CRET&b=2",
    "https://h/p?a=1;sig=S3CRET",
    "https://h/p?S3CRET",
    "https://h/p?a=b?c=S3CRET",
    "https://h/p?a=b=S3CRET",
    "https://h/p?a='S3CRET'",
    "https://h/p?" + "k" * 500 + "=S3CRET",
    "https://h/p#access_token=S3CRET",
    "GET /p?token=S3CRET HTTP/1.1",
    "cannot fetch 'https://h/p?x=S3CRET': 403, see https://u:S3CRET@h2/?y=S3CRET.",
    "HTTPS://U:S3CRET@H/",
    "wrapped (https://h/?next=https://u:S3CRET@h/?q=S3CRET)",
    "ftp://u:S3CRET@h/ and\nhttps://u:S3CRET@h/",
    "https://u:S3CRET@[::1]/",
    "https://u:S3CRET\\@h/",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_hidden(text: str) -> None:
    assert "S3CRET" not in redacted(text)
    assert "***" in redacted(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET 'https://u:p@h/p?a=1&b=2': failed", "GET 'https://***@h/p?a=***&b=***': failed"),
        ("hf://o/m@main/x@y and https://h:80/a@b#c", "hf://o/m@main/x@y and https://h:80/a@b#c"),
        ("really? yes & no; a=b @ home", "really? yes & no; a=b @ home"),
        ("http://[::1]:80/x@y", "http://[::1]:80/x@y"),
        ("a.b@example.org", "a.b@example.org"),
        ("", ""),
    ],
)
def test_everything_else_stays(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_long_messages_are_cut_and_cost_little() -> None:
    for text in (
        "?a=" * 90_000,
        "://" * 90_000,
        "://a@" * 60_000,
        "?" * 300_000,
        "?a=" + ")" * 300_000,
    ):
        assert len(redacted(text)) <= MAX_SHOWN * 4
    assert redacted("x" * 20_000) == "x" * MAX_SHOWN + "..."


DANGEROUS = {
    "a\nb": "a\\x0ab",
    "\x1b]0;title\x07": "\\x1b]0;title\\x07",
    "\x9b2J": "\\x9b2J",
    "\x7f": "\\x7f",
    "a\u202eb": "a\\u202eb",
    "a\u200bb": "a\\u200bb",
    "a\u2028b\u2029": "a\\u2028b\\u2029",
    "a\udcff": "a\\udcff",
    "\U000e0041": "\\U000e0041",
    "é日😀 [bold]\u00a0": "é日😀 [bold]\u00a0",
}


@pytest.mark.parametrize(("text", "shown"), DANGEROUS.items(), ids=ascii)
def test_made_safe(text: str, shown: str) -> None:
    assert safe(text) == shown


@given(st.text(), st.integers(3, 40))
def test_safe_text_is_one_harmless_line_of_bounded_length(text: str, limit: int) -> None:
    shown = safe(text, limit)
    assert len(shown) <= limit
    assert not {unicodedata.category(character) for character in shown} & {
        "Cc",
        "Cf",
        "Cs",
        "Zl",
        "Zp",
    }
    if len(text) <= limit and text.isprintable():
        assert shown == text


def test_safe_cuts() -> None:
    assert safe("x" * 100, 10) == "x" * 7 + "..."
    assert safe("\0" * 10, 10) == "\\x00\\x" + "0..."
    assert len(safe("\0" * 10**7)) == 1024
