"""Mirrors and caches of the user's own, and who is likely to want the Hub's."""

from __future__ import annotations

import pytest
from support.desk import Desk, Say

from gitassets.engines.base import Tuning
from gitassets.model import Digest, Request, Url
from gitassets.sources import hubmirror
from gitassets.sources.base import Policy, allowing
from gitassets.sources.control import Control
from gitassets.sources.rewrites import Rewrites

A, B, C = "https://a.example/", "https://b.example/", "https://c.example/deep/"
URL = Url("https://a.example/x/y.bin")


def test_itself_comes_last():
    found = Rewrites(((A, B), (A, C))).places(URL, URL)
    assert found == ("https://b.example/x/y.bin", "https://c.example/deep/x/y.bin", URL)


def test_the_longest_prefix_wins_alone():
    rules = Rewrites(((A, B), (A + "x/", C)))
    assert rules.places(URL, URL) == ("https://c.example/deep/y.bin", URL)


def test_what_fits_nothing_is_itself():
    assert Rewrites(((B, C),)).places(URL, URL) == (URL,)


def test_a_rule_may_name_what_is_dialled():
    url = Url("hf://o/n@main/f")
    found = Rewrites(((A, B),)).places(url, "https://a.example/o/n/resolve/main/f")
    assert found == ("https://b.example/o/n/resolve/main/f", url)
    assert Rewrites((("hf://o/", C),)).places(url, "https://a.example/z")[0] == C + "n@main/f"


def test_a_closed_network():
    closed = Rewrites(((A, B),), origin=False)
    assert closed.places(URL, URL) == ("https://b.example/x/y.bin",)
    assert closed.places(Url("https://d.example/x"), "https://d.example/x") == ()
    assert closed.places(Url("file:x/y"), "file:x/y") == ("file:x/y",)


def test_a_cache_holds_objects_by_content():
    digest = Digest("ab" * 32)
    assert Rewrites(cache=Url("s3://b/team/")).cached(digest) == (f"s3://b/team/ab/{digest}",)
    assert Rewrites().cached(digest) == ()


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("https://h/x", "h:443"),
        ("http://10.0.0.7:81/", "10.0.0.7:81"),
        ("file:///nfs/a%20b/", "/nfs/a b"),
    ],
)
def test_the_users_own_places_are_allowed_and_no_others(tmp_path, url, entry):
    assert allowing(Url(url)) == entry


def test_a_private_mirror_needs_no_further_permission(tmp_path):
    rules = Rewrites(((A, "http://10.0.0.7:81/"),))
    policy = Policy(tmp_path, frozenset(map(allowing, rules.targets())), explicit=False)
    assert policy.private(Url("http://10.0.0.7:81/x"))


@pytest.mark.parametrize(
    ("env", "wanted"),
    [({"LANG": "zh_CN.UTF-8"}, True), ({"LC_ALL": "C", "LANG": "zh_CN"}, False), ({"TZ": "Asia/Shanghai"}, True),
     ({"TZ": ":PRC"}, True), ({"TZ": "Europe/Berlin"}, False), ({}, False),
     ({"LANG": "zh_CN", "HF_ENDPOINT": "https://hub.example"}, False)],
)  # fmt: skip
def test_who_is_likely_to_want_the_hubs_mirror(env, wanted, tmp_path):
    assert hubmirror.likely(env, tmp_path / "localtime") is wanted


def test_the_zone_of_the_machine(tmp_path):
    zone = tmp_path / "localtime"
    zone.symlink_to("/usr/share/zoneinfo/Asia/Shanghai")
    assert hubmirror.likely({}, zone)


class TestRace:
    def race(self, tmp_path, first, second):
        with Desk(lambda asked: first if asked.origin == "first" else second) as desk:
            control = Control(Policy(tmp_path), Tuning())
            hub, mirror = (
                Request(f"{url}/x", Url(f"{url}/x"), private=True)
                for url in (desk.first, desk.second)
            )
            found = hubmirror.faster(control, hub, mirror)
            return found, {row.method for row in desk.log}

    def test_the_mirror_when_only_it_serves(self, tmp_path):
        assert self.race(
            tmp_path, Say(503), Say(302, b"", {"Location": "https://cdn.example/x"})
        ) == (True, {"HEAD"})

    @pytest.mark.parametrize(
        "mirror", [Say(308, b"", {"Location": "https://hub.example/x"}), Say(404), Say(500)]
    )
    def test_the_hub_when_the_mirror_does_not_serve(self, tmp_path, mirror):
        assert self.race(tmp_path, Say(200), mirror)[0] is False

    def test_neither(self, tmp_path):
        assert self.race(tmp_path, Say(500), Say(500))[0] is False

    def test_the_first_of_two(self, tmp_path):
        import threading

        gate = threading.Event()

        def slow(asked):
            if asked.origin == "first":
                gate.wait(10)
            return Say(200)

        with Desk(slow) as desk:
            control = Control(Policy(tmp_path), Tuning())
            requests = [
                Request(f"{url}/x", Url(f"{url}/x"), private=True)
                for url in (desk.first, desk.second)
            ]
            assert hubmirror.faster(control, *requests) is True
            gate.set()
