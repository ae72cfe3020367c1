"""Where a URL may lead: private hosts, redirects, headers, directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitassets.engines.base import Tuning
from gitassets.errors import Cause, TransferError
from gitassets.model import Request, Url
from gitassets.sources import SOURCES, Resolver, control, remote
from gitassets.sources.base import MAX_HOPS, Policy
from gitassets.sources.control import Control
from gitassets.urls import SCHEMES

TOP = Path("/work/tree")
SECRETS = [
    "Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "Api-Key", "X-Auth-Token",
    "X-Access-Token", "X-Amz-Security-Token", "X-Goog-Api-Key", "X-Ms-Version", "Private-Token",
    "Job-Token", "X-JFrog-Art-Api", "X-Something-Nobody-Has-Heard-Of", "Referer", "authorization",
]  # fmt: skip
"""A literal list, and names that no list has: what may cross is listed, not what may not."""


def policy(*allowed, explicit=True):
    return Policy(TOP, frozenset(allowed), explicit=explicit)


def request(url="https://one.example/x", **facts):
    return Request(url, Url(url), **facts)


def refused(act, *arguments):
    with pytest.raises(TransferError) as caught:
        act(*arguments)
    return caught.value


class TestPrivate:
    HOSTS = (
        "127.0.0.1",
        "localhost",
        "10.0.0.7",
        "192.168.1.1",
        "0x7f.1",
        "2130706433",
        "[::1]",
        "a.localhost",
    )

    @pytest.mark.parametrize("host", HOSTS)
    def test_a_person_may_and_it_is_noted(self, host):
        rules = policy()
        assert rules.private(Url(f"http://{host}:8080/x"))
        assert rules.asked == {host.strip("[]")}

    @pytest.mark.parametrize("host", HOSTS)
    def test_a_hook_may_not(self, host):
        rules = policy(explicit=False)
        error = refused(rules.private, Url(f"http://{host}/x"))
        assert error.cause is Cause.REFUSED
        assert rules.asked == set()
        assert error.hint == f"git config --add assets.allow {host.strip('[]')}"

    @pytest.mark.parametrize("entry", ["10.0.0.7", "10.0.0.7:8080"])
    def test_what_is_recorded_is_not_noted_again(self, entry):
        rules = policy(entry, explicit=False)
        assert rules.private(Url("http://10.0.0.7:8080/x"))
        assert rules.asked == set()

    @pytest.mark.parametrize(
        "entry", ["10.0.0.7:80", "10.0.0.8", "0.0.0.7", "http://10.0.0.7", "/10.0.0.7"]
    )
    def test_what_is_recorded_is_exact(self, entry):
        refused(policy(entry, explicit=False).private, Url("http://10.0.0.7:8080/x"))

    @pytest.mark.parametrize(
        ("url", "entry"),
        [("https://10.0.0.7/x", "10.0.0.7:443"), ("http://10.0.0.7/x", "10.0.0.7:80")],
    )
    def test_the_usual_port_needs_no_number(self, url, entry):
        assert policy(entry, explicit=False).private(Url(url))

    def test_a_public_host_is_not_private(self):
        rules = policy()
        assert not rules.private(Url("https://example.org/x"))
        assert rules.asked == set()

    def test_a_name_of_the_users_own_network(self):
        """A name says nothing about its addresses; recorded, it may have private ones."""
        assert policy("nas.example.org").private(Url("https://nas.example.org/x"))


class TestHop:
    @pytest.mark.parametrize(
        ("location", "where"),
        [("/y", "https://one.example/y"), ("y", "https://one.example/a/y"), ("?q=1", "https://one.example/a/x?q=1"),
         ("//two.example/y", "https://two.example/y"), ("https://two.example:8443/", "https://two.example:8443/"),
         ("", "https://one.example/a/x"), ("y#fragment", "https://one.example/a/y#fragment")],
    )  # fmt: skip
    def test_where_it_goes(self, location, where):
        hopped = policy().hop(request("https://one.example/a/x"), location)
        assert (hopped.url, hopped.hops, hopped.source) == (where, 1, "https://one.example/a/x")

    @pytest.mark.parametrize(
        "location",
        ["http://one.example/x", "file:///etc/passwd", "file:x", "ftp://h/x", "javascript:alert(1)", "data:,x",
         "http://[::zz/%%%", "https://u:canary@two.example/x", "https://two.example/a b",
         "https://two.example/%0d%0a", "https://two.example/\\x", "https://two.example:99999/", "https://h\u00fc/",
         "gopher://h/", "s3://bucket/x", "hf://a/b", "https://[fe80::1%eth0]/", "/" + "x" * 5000, "https://h:x/"],
    )  # fmt: skip
    def test_where_it_may_not_go(self, location):
        error = refused(policy().hop, request(), location)
        assert error.cause is Cause.LYING
        assert "canary" not in f"{error.reason}{error.hint}"

    def test_from_http_to_https_it_may(self):
        assert (
            policy()
            .hop(request("http://one.example/x"), "https://one.example/x")
            .url.startswith("https:")
        )

    def test_not_for_ever(self):
        at = request()
        for _ in range(MAX_HOPS):
            at = policy().hop(at, "/x")
        assert "redirects" in refused(policy().hop, at, "/x").reason

    @pytest.mark.parametrize("name", SECRETS)
    @pytest.mark.parametrize(
        "location",
        ["https://two.example/x", "https://one.example:8443/x", "https://sub.one.example/x", "https://one.example.evil/x"],
    )  # fmt: skip
    def test_no_header_crosses_to_another_origin(self, name, location):
        headers = (("Accept", "*/*"), (name, "canary"), ("User-Agent", "x"))
        hopped = policy().hop(request(headers=headers, secret=True), location)
        assert hopped.headers == (("Accept", "*/*"), ("User-Agent", "x"))
        assert not hopped.secret, "nothing is left that another process may not see"

    def test_within_an_origin_they_stay(self):
        headers = (("Authorization", "canary"),)
        for location in ("/y", "https://one.example:443/y", "HTTPS://ONE.example/y"):
            assert policy().hop(request(headers=headers), location).headers == headers

    def test_a_header_that_was_dropped_does_not_come_back(self):
        away = policy().hop(request(headers=(("Cookie", "canary"),)), "https://two.example/")
        assert policy().hop(away, "https://one.example/x").headers == ()

    def test_a_list_of_what_may_not_would_be_caught(self):
        """Positive control: what requests does (`Authorization` and `Cookie` only)."""
        kept = [name for name in SECRETS if name.lower() not in {"authorization", "cookie"}]
        assert kept

    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "localhost", "10.1.2.3", "[::1]", "0x7f000001", "[::ffff:10.0.0.1]"]
    )
    def test_from_public_to_private_it_may_not(self, host):
        error = refused(policy().hop, request(), f"https://{host}/x")
        assert error.cause is Cause.REFUSED
        assert "private" in error.reason

    def test_from_private_to_private_it_may(self):
        hopped = policy().hop(request("http://127.0.0.1/x", private=True), "http://localhost/x")
        assert hopped.private

    def test_over_a_public_host_the_permission_is_lost(self):
        away = policy().hop(request("http://127.0.0.1/x", private=True), "http://two.example/x")
        assert not away.private
        refused(policy().hop, away, "http://127.0.0.1/x")

    def test_what_is_recorded_may_always(self):
        assert policy("10.1.2.3").hop(request(), "https://10.1.2.3/x").private

    def test_metadata_is_never_private(self):
        """Never asked: the engines refuse the address when they dial, unless it is private."""
        hopped = policy().hop(
            request("http://127.0.0.1/x", private=True), "http://169.254.169.254/latest"
        )
        assert not hopped.private


class TestFile:
    def resolve(self, text, *allowed):
        return Resolver(policy(*allowed), Tuning()).resolve(Url(text))

    @pytest.mark.parametrize(
        ("text", "url"),
        [("file:a/b", "file:///work/tree/a/b"), ("file:a%20b", "file:///work/tree/a%20b"),
         ("file:///work/tree/a", "file:///work/tree/a"), ("file:///work/tree/./a", "file:///work/tree/a"),
         ("file:%C3%BC%23", "file:///work/tree/%C3%BC%23")],
    )  # fmt: skip
    def test_below_the_work_tree(self, text, url):
        found = self.resolve(text)
        assert (found.url, found.root, found.source) == (url, str(TOP), Url(text))

    @pytest.mark.parametrize(
        "text",
        ["file:///etc/passwd", "file:///work/treehouse/x", "file:///work/tree", "file:.git/config", "file:a/.git/config",
         "file:.GIT/config", "file:///work/tree/.git/config", "file:///", "file:%2egit/config", "file:git~1/config"],
    )  # fmt: skip
    def test_elsewhere_it_may_not(self, text):
        if text in {"file:///work/tree", "file:git~1/config"}:
            return  # the directory itself is no file; NTFS names are nothing here: the engine says so
        assert refused(self.resolve, text).cause is Cause.REFUSED

    def test_what_the_user_allowed(self):
        assert self.resolve("file:///mnt/drive/x", "/mnt/drive").root == "/mnt/drive"
        refused(self.resolve, "file:///mnt/drive2/x", "/mnt/drive")
        refused(self.resolve, "file:///mnt/drive/.git/x", "/mnt/drive")

    def test_nothing_on_disk_is_asked(self):
        """Otherwise a lockfile could mount a network share, or hang."""
        assert self.resolve("file:no/such/thing").url.endswith("/no/such/thing")


class TestResolver:
    def test_every_scheme_of_a_lockfile_can_be_fetched(self):
        assert set(SOURCES) == SCHEMES

    @pytest.mark.parametrize("scheme", ["http", "https", "file"])
    def test_each_is_made_once(self, scheme):
        resolver = Resolver(policy(), Tuning())
        url = Url("file:x" if scheme == "file" else f"{scheme}://one.example/x")
        assert resolver.resolve(url) == resolver.resolve(url)
        assert len(resolver._made) == 1

    def test_a_web_request_has_no_header(self):
        made = Resolver(policy(), Tuning()).resolve(Url("https://one.example/x?sig=1"))
        assert made == request("https://one.example/x?sig=1")


class TestAskingForTheSize:
    """`add` asks a server how large a file is before it is pinned."""

    def ask(self, server, path, **tuning):
        made = Request(server.url(path), Url(server.url(path)), private=True)
        asking = Control(policy(), Tuning(connect_timeout=5, low_speed_time=1, **tuning))
        return remote.ask(made, asking)

    @pytest.mark.parametrize("size", [0, 1, 70_000])
    @pytest.mark.parametrize(
        "behaviour", ["ok", "norange", "redirect", "redirect;to=other", "redirect;hops=5;code=308"]
    )
    def test_it_is_told(self, server, size, behaviour):
        assert self.ask(server, f"/{behaviour}/b/{size}/s/x").size == size

    @pytest.mark.parametrize(
        "behaviour",
        ["norange-chunked", "gzip", "status;code=404", "status;code=500", "redirectloop", "badlocation;kind=garbage",
         "badlocation;kind=empty", "badlocation;kind=none", "badlocation;kind=file", "badlocation;kind=metadata",
         "badlocation;kind=noscheme", "badlocation;kind=long", "hangup", "nothttp", "silent", "slowheaders;ms=3000",
         "norange/doublelength", "hugeheaders"],
    )  # fmt: skip
    def test_or_there_is_one_reason(self, server, behaviour):
        error = refused(self.ask, server, f"/{behaviour}/b/1000/s/x")
        assert error.reason
        assert "\n" not in error.reason

    def test_no_more_than_a_byte_is_asked_for(self, server):
        self.ask(server, "/b/1000000/s/x")
        assert [row.range for row in server.log] == [(0, 1)]

    def test_a_name_with_a_private_address_is_refused(self, server, monkeypatch):
        row = (2, 1, 6, "", ("10.0.0.1", 80))
        monkeypatch.setattr(control.socket, "getaddrinfo", lambda *_: [row])
        made = Request("http://public.example/x", Url("http://public.example/x"))
        assert refused(remote.ask, made, Control(policy(), Tuning())).cause is Cause.REFUSED
