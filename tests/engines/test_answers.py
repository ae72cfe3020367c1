"""Every answer is judged by its head alone: what is used, what is refused, and why."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitassets.engines.answers import Answer, Asked, judge, retry_after
from gitassets.errors import Cause, TransferError

SOURCE = "https://example.org/file"
NOW = "Fri, 20 Nov 2026 20:00:00 GMT"
PART = Asked(SOURCE, "https://cdn.example.org/a/file?sig=secret", 100, 200, 1000)
FULL = PART._replace(start=0, end=1000)
LATER = PART._replace(validator='"v1"')
OK = ("Content-Range: bytes 100-199/1000", "Content-Length: 100")


def head(status: int | str, *fields: str) -> list[bytes]:
    lines = [f"HTTP/1.1 {status} Whatever", *fields, ""]
    return [line.encode("latin-1") + b"\r\n" for line in lines]


def refused(asked: Asked, status: int | str, *fields: str) -> TransferError:
    with pytest.raises(TransferError) as caught:
        judge(head(status, *fields), asked)
    error = caught.value
    assert error.url == SOURCE
    assert "secret" not in error.reason
    assert error.reason.isprintable()
    return error


class TestUsed:
    def test_exactly_what_was_asked_for(self) -> None:
        assert judge(head(206, *OK), PART) == Answer(whole=False, etag=None, sized=True)

    def test_without_a_length_the_end_is_unknown(self) -> None:
        assert not judge(head(206, OK[0], "Transfer-Encoding: chunked"), PART).sized

    @pytest.mark.parametrize(
        "length", [("Content-Length: 1000",), (), ("Content-Length: 1000",) * 2]
    )
    def test_the_whole_file_instead_of_its_first_bytes(self, length: tuple[str, ...]) -> None:
        answer = judge(head(200, *length), PART._replace(start=0, end=100))
        assert answer == Answer(whole=True, etag=None, sized=bool(length))

    @pytest.mark.parametrize(
        ("field", "etag"),
        [
            ('"abc"', '"abc"'), ('W/"abc"', None), ("abc", None), ('"', None), ('"a b"', None),
            ('"a\x1b[31m"', None), ('"\xe9"', None), ('""', '""'),
        ],
    )  # fmt: skip
    def test_only_a_strong_etag_that_fits_a_header(self, field: str, etag: str | None) -> None:
        assert judge(head(206, *OK, f"ETag: {field}"), PART).etag == etag

    def test_names_and_units_in_any_case(self) -> None:
        lines = head(206, "CONTENT-RANGE:bytes 100-199/1000  ", "content-LENGTH:  100")
        assert judge(lines, PART).sized

    def test_the_last_block_counts(self) -> None:
        lines = head(103, "Content-Length: 7") + head(100) + head(206, *OK)
        assert not judge(lines, PART).whole

    def test_http2_and_bare_line_ends(self) -> None:
        lines = [b"HTTP/2 206\n", b"content-range: bytes 100-199/1000\n", b"\n"]
        assert not judge(lines, PART).sized

    def test_a_pinned_page_is_a_file_like_others(self) -> None:
        page = "Content-Type: text/html; charset=utf-8"
        assert judge(head(200, page, "Content-Length: 1000"), FULL).whole
        assert judge(head(200, page), FULL._replace(url="http://h/doc/index.HTML?x")).whole
        assert judge(head(206, page, *OK), PART)

    def test_the_same_version_again(self) -> None:
        assert judge(head(206, *OK, 'ETag: "v1"'), LATER).etag == '"v1"'
        assert judge(head(206, *OK), LATER).etag is None


class TestLying:
    @pytest.mark.parametrize(
        "content_range",
        [
            None, "", "bytes 100-199/*", "bytes 100-198/1000", "bytes 101-199/1000",
            "bytes 0-99/1000", "bytes 100-199/1001", "bytes 100-199/999", "bytes 100-200/1000",
            "bytes */1000", "100-199/1000", "items 100-199/1000", "bytes 100-199/1000, 1-2/3",
            "bytes -100-199/1000", "bytes 1e2-199/1000", "bytes 100-199/" + "9" * 30,
            "bytes \u00b9\u00b2-199/1000",
        ],
    )  # fmt: skip
    def test_any_other_range(self, content_range: str | None) -> None:
        field = [] if content_range is None else [f"Content-Range: {content_range}"]
        assert refused(PART, 206, *field).cause is Cause.LYING

    def test_two_ranges(self) -> None:
        assert refused(PART, 206, OK[0], OK[0]).cause is Cause.LYING

    @pytest.mark.parametrize(
        "fields",
        [
            ["Content-Length: 99"], ["Content-Length: 101"], ["Content-Length: 100", "Content-Length: 99"],
            ["Content-Length: -100"], ["Content-Length: +100"], ["Content-Length: 1e2"],
            ["Content-Length: "], ["Content-Length: 100, 99"], ["Content-Length: \u00b2"],
            ["Content-Encoding: gzip"], ["Content-Encoding: br"], ["Content-Encoding: identity, gzip"],
            ["Content-Type: multipart/byteranges; boundary=x"],
        ],
    )  # fmt: skip
    def test_a_contradiction(self, fields: list[str]) -> None:
        assert refused(PART, 206, OK[0], *fields).cause is Cause.LYING
        assert refused(FULL, 200, *fields).cause is Cause.LYING

    def test_another_size_names_both(self) -> None:
        assert (
            refused(PART, 206, "Content-Range: bytes 100-199/77").reason == "has 77 bytes, not 1000"
        )
        assert refused(FULL, 200, "Content-Length: 77").reason == "has 77 bytes, not 1000"

    @pytest.mark.parametrize("length", [[], ["Content-Length: 77"]])
    def test_a_login_page(self, length: list[str]) -> None:
        error = refused(FULL, 200, "Content-Type: text/html", *length)
        assert error.cause is Cause.LYING
        assert "HTML" in error.reason

    @pytest.mark.parametrize(
        "status", [0, 100, 204, 205, 207, 300, 304, 405, 416, 418, 501, 999, "2OO", ""]
    )
    def test_an_answer_that_is_none(self, status: int | str) -> None:
        assert refused(PART, status).cause is Cause.LYING

    def test_no_head_at_all(self) -> None:
        with pytest.raises(TransferError):
            judge([], PART)

    def test_content_that_changed(self) -> None:
        for error in (
            refused(LATER, 206, *OK, 'ETag: "v2"'),
            refused(LATER, 200, "Content-Length: 1000", 'ETag: "v2"'),
            refused(LATER, 200, "Content-Length: 1001"),
        ):
            assert error.cause is Cause.LYING
            assert error.reason == "content changed between two ranges"


def test_the_whole_file_where_a_later_part_was_asked_for() -> None:
    assert refused(PART, 200, "Content-Length: 1000").cause is Cause.UNRANGED
    assert refused(PART, 200).cause is Cause.UNRANGED


class TestStatus:
    @pytest.mark.parametrize(
        ("statuses", "cause"),
        [
            ([408, 425, 500, 502, 504, 520, 521, 522, 523, 524, 525, 529, 530], Cause.TRANSIENT),
            ([429, 503], Cause.LIMITED),
            ([400, 401, 403, 407, 410], Cause.DENIED),
            ([404], Cause.GONE),
        ],
    )
    def test_cause(self, statuses: list[int], cause: Cause) -> None:
        for status in statuses:
            error = refused(PART, status)
            assert (error.cause, error.http_status) == (cause, status)
            assert error.reason == f"HTTP {status}"

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize(
        ("target", "location"),
        [
            ("https://b.example/x?y=1&z=%2F#f", "https://b.example/x?y=1&z=%2F#f"),
            ("/x", "https://cdn.example.org/x"),
            ("x", "https://cdn.example.org/a/x"),
            ("//b.example/x", "https://b.example/x"),
            ("?sig=2", "https://cdn.example.org/a/file?sig=2"),
            ("http://b.example/a b\x1b\xe9", "http://b.example/a%20b%1B%E9"),
        ],
    )
    def test_redirect(self, status: int, target: str, location: str) -> None:
        error = refused(PART, status, f"Location: {target}")
        assert error.cause is Cause.REDIRECT
        assert error.location == location

    @pytest.mark.parametrize("fields", [[], ["Location: "], ["Location: //[x"]])
    def test_redirect_to_nowhere(self, fields: list[str]) -> None:
        assert refused(PART, 302, *fields).cause is Cause.LYING


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("fields", "seconds"),
        [
            ({}, None),
            ({"retry-after": "120"}, 120),
            ({"retry-after": "1.5"}, 1.5),
            ({"retry-after": "-5"}, -5),
            ({"retry-after": "1" * 40}, float("1" * 40)),
            ({"retry-after": "1" * 400}, None),
            ({"retry-after": "nan"}, None),
            ({"retry-after": "soon"}, None),
            ({"retry-after": NOW}, None),
            ({"retry-after": "Fri, 99 Nov 2026 20:00:00 GMT", "date": NOW}, None),
            ({"ratelimit": '"resolvers";r=0;t=55'}, 55),
            ({"ratelimit": '"default"; r=0; t=55'}, 55),
            ({"ratelimit": '"resolvers";r=7;t=55'}, None),
            ({"ratelimit": "limit=100, remaining=0, reset=9"}, 9),
            ({"ratelimit": '"x";r=0'}, None),
            ({"retry-after": "3", "ratelimit": '"x";r=0;t=55'}, 3),
        ],
    )
    def test_as_the_server_says_it(self, fields: dict[str, str], seconds: float | None) -> None:
        raw = {name.encode(): value.encode() for name, value in fields.items()}
        assert retry_after(raw) == seconds

    @pytest.mark.parametrize("ahead", [0, 61, -3600])
    def test_a_date_is_read_against_the_servers_clock(self, ahead: int) -> None:
        then = format_datetime(parsedate_to_datetime(NOW) + timedelta(seconds=ahead), usegmt=True)
        assert retry_after({b"retry-after": then.encode(), b"date": NOW.encode()}) == ahead

    def test_only_where_it_is_meant(self) -> None:
        assert refused(PART, 503, "Retry-After: 7").retry_after == 7
        assert refused(PART, 500, "Retry-After: 7").retry_after is None


@given(st.lists(st.binary(max_size=40), max_size=12), st.sampled_from([200, 206, 302, 429, 503]))
def test_no_head_breaks_the_judge(lines: list[bytes], status: int) -> None:
    block = [b"HTTP/1.1 %d x\r\n" % status, *lines, b"Content-Range: bytes 100-199/1000\r\n"]
    with contextlib.suppress(TransferError):
        judge(block, PART)
