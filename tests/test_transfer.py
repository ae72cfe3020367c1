"""Mirrors, retry, blame and verification, with engines in memory and time that stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.content import content, digest
from support.fakes import Clock, FakeEngine, FakeResolver, Say, Watcher, Web
from support.process import no_new_descriptors

from gitassets import retry, schedule
from gitassets.engines import Fleet
from gitassets.engines.base import Tuning
from gitassets.errors import Cause, TransferError
from gitassets.model import Digest, Url
from gitassets.sources.base import Policy
from gitassets.store import Store
from gitassets.transfer import Transfer, Want

if TYPE_CHECKING:
    from pathlib import Path

SEGMENTED = 200_000
"""Bytes from which the fake aria2c is used."""
DATA = content("data", 0, 100_000)
BIG = content("big", 0, SEGMENTED)
WRONG = content("wrong", 0, 100_000)


class Room:
    """One Transfer over a real store, fake engines and a fake web."""

    def __init__(self, root: Path) -> None:
        self.clock = Clock()
        self.web = Web(self.clock)
        self.fleet = Fleet(Tuning(), segment_above=SEGMENTED)
        self.fleet._made = {name: FakeEngine(name, self.web) for name in ("curl", "aria2c")}
        self.resolver = FakeResolver(Policy(root))
        self.watcher = Watcher()
        self.root = root
        self.store = Store.open(root, fsync=False)
        self.more: dict[str, list[Url]] = {}
        self.asked_more: list[Digest] = []

    def transfer(self, cap=60.0) -> Transfer:
        def more(name):
            self.asked_more.append(name)
            return self.more.get(name, [])

        return Transfer(
            self.store, self.resolver, self.fleet, progress=self.watcher, retry_cap=cap, more=more
        )

    def bring(self, *wants, cap=60.0):
        return list(self.transfer(cap).bring(wants))

    def one(self, want, cap=60.0):
        [delivery] = self.bring(want, cap=cap)
        return delivery

    def has(self, data) -> bool:
        path = self.store.object_path(sha(data))
        return path.exists() and path.read_bytes() == data


def sha(data):
    return Digest(digest(data))


def wanted(data, *urls, name="x.bin", **more):
    return Want(sha(data), len(data), name, tuple(map(Url, urls)), **more)


@pytest.fixture
def room(tmp_path, monkeypatch):
    made = Room(tmp_path / "cache")
    monkeypatch.setattr(schedule.time, "monotonic", made.clock.monotonic)
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: high)
    yield made
    made.store.close()


def url(host, path="x"):
    return f"https://{host}.example/{path}"


ONE, TWO, THREE = url("one"), url("two"), url("three")


class TestOrder:
    def test_largest_first(self, room):
        datas = [content("s", 0, size) for size in (10, 1000, 500)]
        wants = [wanted(data, room.web.serve(url("h", len(data)), data)) for data in datas]
        assert all(delivery.ok for delivery in room.bring(*wants))
        assert room.web.urls() == [url("h", size) for size in (1000, 500, 10)]

    def test_the_first_place_that_delivers_is_enough(self, room):
        delivery = room.one(wanted(DATA, room.web.serve(ONE, DATA), TWO))
        assert (delivery.ok, delivery.engine, delivery.source) == (True, "curl", ONE)
        assert delivery.count == len(DATA)
        assert room.web.urls() == [ONE]
        assert delivery.errors == ()
        assert room.has(DATA)

    def test_nothing_wanted(self, room):
        assert room.bring() == []
        assert room.web.asked == []

    def test_an_empty_file(self, room):
        assert room.one(wanted(b"", room.web.serve(ONE, b""))).ok
        assert room.has(b"")

    def test_the_same_url_twice_is_one_place(self, room):
        assert not room.one(wanted(DATA, ONE, ONE)).ok
        assert room.web.urls() == [ONE]

    def test_one_failure_does_not_stop_the_others(self, room):
        good = [content(str(at), 0, 50) for at in range(20)]
        wants = [
            wanted(data, room.web.serve(url("h", at), data), name=str(at))
            for at, data in enumerate(good)
        ]
        deliveries = room.bring(wanted(DATA, ONE, name="bad"), *wants)
        assert {row.want.name for row in deliveries if not row.ok} == {"bad"}
        assert len(deliveries) == 21
        assert all(map(room.has, good))

    def test_no_place_at_all(self, room):
        delivery = room.one(wanted(DATA))
        assert not delivery.ok
        assert "no URL" in delivery.errors[0]


class TestMirrors:
    @pytest.mark.parametrize("cause", [Cause.GONE, Cause.LYING, Cause.DENIED])
    def test_the_next_one_at_once(self, room, cause):
        first, second = room.web.serve(ONE, Say(cause)), room.web.serve(TWO, DATA)
        delivery = room.one(wanted(DATA, first, second))
        assert delivery.ok
        assert delivery.source == TWO
        assert room.clock.waits == []
        assert delivery.errors == (f"{ONE}: says {cause.name}",)

    def test_a_hiccup_goes_elsewhere_and_comes_back(self, room):
        first = room.web.serve(ONE, Say(Cause.TRANSIENT), DATA)
        second = room.web.serve(TWO, Say(Cause.GONE))
        delivery = room.one(wanted(DATA, first, second))
        assert delivery.ok
        assert room.web.urls() == [ONE, TWO, ONE]
        assert room.clock.waits == []
        assert delivery.errors == (f"{TWO}: says GONE",)

    def test_the_only_place_is_tried_six_times_with_growing_pauses(self, room):
        delivery = room.one(wanted(DATA, room.web.serve(ONE, Say(Cause.TRANSIENT))))
        assert not delivery.ok
        assert room.web.urls() == [ONE] * retry.TRIES
        assert [round(wait) for wait in room.clock.waits] == [1, 2, 4, 8, 16]
        assert delivery.errors == (f"{ONE}: says TRANSIENT",)

    def test_what_came_is_kept_between_tries(self, room):
        half = Say(Cause.TRANSIENT, data=DATA, after=70_000)
        delivery = room.one(wanted(DATA, room.web.serve(ONE, half, DATA)))
        assert delivery.ok
        assert delivery.count == len(DATA)

    @pytest.mark.parametrize("cause", [Cause.REFUSED, Cause.LOCAL])
    def test_some_failures_are_final(self, room, cause):
        first, second = room.web.serve(ONE, Say(cause, hint="do this")), room.web.serve(TWO, DATA)
        delivery = room.one(wanted(DATA, first, second))
        assert not delivery.ok
        assert room.web.urls() == [ONE]
        assert delivery.hint == "do this"

    def test_a_source_that_cannot_be_resolved_is_as_one_that_fails(self, room):
        room.resolver.refused[ONE] = TransferError(ONE, "no source", Cause.LYING)
        delivery = room.one(wanted(DATA, ONE, room.web.serve(TWO, DATA)))
        assert delivery.ok
        assert delivery.errors == (f"{ONE}: no source",)

    def test_secrets_of_a_url_are_not_in_the_words(self, room):
        dead = url("one", "x?X-Amz-Signature=canary")
        good = room.web.serve(url("two", "x?sig=canary"), DATA)
        delivery = room.one(wanted(DATA, dead, good))
        assert delivery.ok
        assert "canary" not in f"{delivery.errors}{delivery.source}"


class TestBlame:
    def test_wrong_bytes_are_blamed_and_thrown_away(self, room):
        first, second = room.web.serve(ONE, WRONG), room.web.serve(TWO, DATA)
        delivery = room.one(wanted(DATA, first, second))
        assert delivery.ok
        assert delivery.source == TWO
        assert delivery.count == 2 * len(DATA)
        [line] = delivery.errors
        assert line.startswith(f"{ONE}: wrong bytes: sha256 {sha(WRONG).short}")
        assert room.has(DATA)
        assert not room.store.object_path(sha(WRONG)).exists()

    def test_wrong_bytes_everywhere(self, room):
        places = [room.web.serve(place, WRONG) for place in (ONE, TWO)]
        delivery = room.one(wanted(DATA, *places))
        assert not delivery.ok
        assert len(delivery.errors) == 2
        assert list((room.root / "sha256").rglob("?" * 62)) == []

    def test_half_of_it_from_a_liar(self, room):
        """The innocent second place finished it: it gets another chance, from zero."""
        first = room.web.serve(ONE, Say(Cause.GONE, data=WRONG, after=70_000))
        delivery = room.one(wanted(DATA, first, room.web.serve(TWO, DATA)))
        assert delivery.ok
        assert delivery.source == TWO
        assert room.web.urls() == [ONE, TWO, TWO]

    def test_what_an_earlier_run_left_may_be_wrong(self, room):
        staging = room.store.stage(sha(DATA), len(DATA))
        staging.write(0, [WRONG[:80_000]])
        staging.close()
        delivery = room.one(wanted(DATA, room.web.serve(ONE, DATA)))
        assert delivery.ok
        assert delivery.errors == ()
        assert room.web.urls() == [ONE, ONE]

    def test_mirrors_that_were_used_at_once_are_tried_one_by_one(self, room):
        wrong = content("wrong", 0, len(BIG))
        first, second = room.web.serve(ONE, wrong), room.web.serve(TWO, BIG)
        delivery = room.one(wanted(BIG, first, second))
        assert delivery.ok
        assert delivery.source == TWO
        assert room.web.urls()[:2] == [ONE, TWO], "both at once in the first job"
        [line] = delivery.errors
        assert line.startswith(ONE)
        assert "wrong bytes" in line

    def test_progress_is_taken_back(self, room):
        room.one(wanted(DATA, room.web.serve(ONE, WRONG), room.web.serve(TWO, DATA)))
        assert room.watcher.bytes == room.watcher.sizes == {"x.bin": len(DATA)}
        assert room.watcher.done == ["x.bin"]


class TestNewest:
    def test_is_asked_when_all_have_failed(self, room):
        room.more[sha(DATA)] = [Url(ONE), room.web.serve(TWO, DATA)]
        delivery = room.one(wanted(DATA, ONE))
        assert delivery.ok
        assert room.web.urls() == [ONE, TWO]
        assert delivery.errors == (f"{ONE}: says GONE",)

    def test_is_not_asked_otherwise(self, room):
        room.one(wanted(DATA, room.web.serve(ONE, DATA)))
        assert room.asked_more == []

    def test_is_asked_once(self, room):
        room.more[sha(DATA)] = [Url(TWO), Url(THREE)]
        assert not room.one(wanted(DATA, ONE)).ok
        assert room.asked_more == [sha(DATA)]
        assert room.web.urls() == [ONE, TWO, THREE]


class TestCaches:
    def test_before_any_url(self, room):
        room.resolver.caches[sha(DATA)] = (room.web.serve(THREE, DATA),)
        delivery = room.one(wanted(DATA, ONE))
        assert delivery.source == THREE
        assert room.web.urls() == [THREE]

    def test_alone_also_where_several_places_could_be_used_at_once(self, room):
        room.resolver.caches[sha(BIG)] = (room.web.serve(THREE, BIG),)
        delivery = room.one(wanted(BIG, room.web.serve(ONE, BIG), room.web.serve(TWO, BIG)))
        assert (delivery.engine, delivery.source) == ("aria2c", THREE)
        assert room.web.urls() == [THREE]

    def test_what_one_lacks_is_no_news_once_it_was_brought(self, room):
        room.resolver.caches[sha(DATA)] = (Url(THREE),)
        assert room.one(wanted(DATA, room.web.serve(ONE, DATA))).errors == ()

    def test_that_it_lies_is(self, room):
        room.resolver.caches[sha(DATA)] = (room.web.serve(THREE, WRONG),)
        [line] = room.one(wanted(DATA, room.web.serve(ONE, DATA))).errors
        assert line.startswith(THREE)

    def test_what_it_lacks_is_said_when_nobody_brought_it(self, room):
        room.resolver.caches[sha(DATA)] = (Url(THREE),)
        assert room.one(wanted(DATA, ONE)).errors == (f"{THREE}: says GONE", f"{ONE}: says GONE")

    def test_not_for_what_has_only_a_name(self, room):
        room.resolver.caches[sha(DATA)] = (Url(THREE),)
        room.one(wanted(DATA, room.web.serve(ONE, DATA), pinned=False))
        assert room.web.urls() == [ONE]

    def test_mirrors_of_what_the_newest_lockfile_knows(self, room):
        room.more[sha(DATA)] = [Url(TWO)]
        room.resolver.mirrors[TWO] = (room.web.serve(THREE, DATA), Url(TWO))
        assert room.one(wanted(DATA, ONE)).source == THREE


class TestHosts:
    def test_a_limit_stops_the_whole_host_and_no_other(self, room):
        datas = [content("s", 0, size) for size in (300, 200, 100)]
        first = wanted(
            datas[0], room.web.serve(url("busy", 1), Say(Cause.LIMITED, retry_after=5), datas[0])
        )
        same = wanted(datas[1], room.web.serve(url("busy", 2), datas[1]))
        other = wanted(datas[2], room.web.serve(url("idle"), datas[2]))
        assert all(delivery.ok for delivery in room.bring(first, same, other))
        times = {(place, moment >= 1005) for _, place, moment in room.web.asked}
        assert times == {
            (url("busy", 1), False), (url("busy", 1), True), (url("busy", 2), True), (url("idle"), False)
        }  # fmt: skip

    def test_above_the_cap_another_place(self, room):
        first = room.web.serve(ONE, Say(Cause.LIMITED, retry_after=4000))
        delivery = room.one(wanted(DATA, first, room.web.serve(TWO, DATA)))
        assert delivery.ok
        assert room.clock.waits == []
        assert "4000 s" in delivery.errors[0]
        assert "60 s" in delivery.errors[0]

    def test_within_the_cap_another_place_need_not_wait(self, room):
        first = room.web.serve(ONE, Say(Cause.LIMITED, retry_after=30))
        delivery = room.one(wanted(DATA, first, room.web.serve(TWO, DATA)))
        assert delivery.ok
        assert room.clock.waits == []


class TestRequests:
    def test_a_redirect_is_followed_by_us(self, room):
        first = room.web.serve(ONE, Say(Cause.REDIRECT, location="/moved"))
        room.web.serve(url("one", "moved"), DATA)
        delivery = room.one(wanted(DATA, first))
        assert delivery.ok
        assert delivery.source == ONE
        assert delivery.errors == ()
        assert room.web.urls() == [ONE, url("one", "moved")]

    def test_a_redirect_that_may_not_be(self, room):
        first = room.web.serve(ONE, Say(Cause.REDIRECT, location="ftp://host/x"))
        delivery = room.one(wanted(DATA, first, room.web.serve(TWO, DATA)))
        assert delivery.ok
        assert "redirect" in delivery.errors[0]

    def test_a_redirect_for_ever(self, room):
        delivery = room.one(wanted(DATA, room.web.serve(ONE, Say(Cause.REDIRECT, location=ONE))))
        assert not delivery.ok
        assert "10 redirects" in delivery.errors[0]

    def test_an_expired_address_is_resolved_anew(self, room):
        signed = url("one", "signed")
        first = room.web.serve(ONE, Say(Cause.REDIRECT, location=signed))
        room.web.serve(signed, Say(Cause.DENIED, data=DATA, after=70_000), DATA)
        delivery = room.one(wanted(DATA, first))
        assert delivery.ok
        assert delivery.count == len(DATA)
        assert room.web.urls() == [ONE, signed, ONE, signed]
        assert len(room.resolver.resolved) == 2

    def test_a_server_without_ranges_gets_one_stream_from_the_start(self, room):
        first = room.web.serve(ONE, Say(Cause.UNRANGED, data=WRONG, after=70_000), DATA)
        assert room.one(wanted(DATA, first)).ok
        assert room.web.singles == [False, True]


class TestEngines:
    def test_large_files_go_to_aria2c(self, room):
        room.bring(
            wanted(BIG, room.web.serve(ONE, BIG)), wanted(DATA, room.web.serve(TWO, DATA))
        )  # fmt: skip
        assert {(engine, place) for engine, place, _ in room.web.asked} == {
            ("aria2c", ONE),
            ("curl", TWO),
        }

    def test_one_that_breaks_is_replaced_in_the_same_file(self, room):
        larger = content("larger", 0, 2 * SEGMENTED)
        wants = [
            wanted(
                larger,
                room.web.serve(ONE, Say(Cause.ENGINE, data=larger, after=300_000), larger),
                name="a",
            ),
            wanted(BIG, room.web.serve(TWO, BIG), name="b"),
        ]
        deliveries = room.bring(*wants)
        assert all(row.ok and row.engine == "curl" for row in deliveries)
        moved = {row.want.name: row.count for row in deliveries}
        assert moved["a"] == len(larger), "nothing is moved twice"
        assert len(room.watcher.notes) == 1
        assert "going on with curl" in room.watcher.notes[0]
        assert room.web.urls("aria2c") == [ONE]

    def test_a_file_that_cannot_be_read_ends_though_no_other_engine_reads_files(self, room):
        room.fleet._made["local"] = FakeEngine("local", room.web)
        delivery = room.one(wanted(DATA, room.web.serve("file:///x", Say(Cause.ENGINE))))
        assert not delivery.ok
        assert 1 < len(room.web.urls("local")) < 10
        assert room.web.urls("curl") == []

    def test_what_aria2c_cannot_say_curl_is_asked(self, room):
        first = room.web.serve(ONE, Say(Cause.TRANSIENT, data=BIG, after=150_000), BIG)
        delivery = room.one(wanted(BIG, first))
        assert delivery.ok
        assert delivery.engine == "curl"
        assert delivery.count == len(BIG)

    def test_a_request_with_a_secret_never_goes_to_aria2c(self, room):
        room.resolver.headers[ONE] = (("Authorization", "canary"),)
        assert room.one(wanted(BIG, room.web.serve(ONE, BIG))).engine == "curl"
        assert room.web.urls("aria2c") == []

    def test_a_mirror_that_does_not_answer_as_it_should_is_not_given_to_aria2c(self, room):
        room.web.pages[TWO + "#probe"] = [Say(Cause.LYING)]
        delivery = room.one(wanted(BIG, room.web.serve(ONE, BIG), TWO))
        assert delivery.ok
        assert room.web.urls() == [ONE]
        assert delivery.errors == (f"{TWO}: says LYING",)


class TestOthers:
    def test_another_process_brings_it(self, room, tmp_path):
        with Store.open(room.root, fsync=False) as other:
            theirs = other.stage(sha(DATA), len(DATA))

            def finish():
                theirs.write(0, [DATA])
                other.publish([theirs])
                room.clock.on_wait = None

            room.clock.on_wait = finish
            delivery = room.one(wanted(DATA, room.web.serve(ONE, DATA)))
        assert delivery.ok
        assert delivery.count == 0
        assert room.web.asked == []

    def test_another_process_gives_up(self, room):
        with Store.open(room.root, fsync=False) as other:
            theirs = other.stage(sha(DATA), len(DATA))
            theirs.write(0, [DATA[:70_000]])

            def leave():
                theirs.close()
                room.clock.on_wait = None

            room.clock.on_wait = leave
            delivery = room.one(wanted(DATA, room.web.serve(ONE, DATA)))
        assert delivery.ok
        assert delivery.count == 30_000

    def test_a_full_disk_is_an_outcome(self, room, monkeypatch):
        def full(*_):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("gitassets.staging.holes.reserve", full)
            patch.setattr("gitassets.staging.SMALL", 1000)
            delivery = room.one(wanted(BIG, room.web.serve(ONE, BIG)))
        assert not delivery.ok
        assert "not enough space" in delivery.errors[0]
        assert "gc" in delivery.hint

    def test_what_was_not_pinned_gets_its_name_from_its_bytes(self, room):
        want = Want(sha(b"only a name"), len(DATA), "x", (room.web.serve(ONE, DATA),), pinned=False)
        delivery = room.one(want)
        assert delivery.ok
        assert delivery.digest == sha(DATA)
        assert room.has(DATA)


class TestLeaving:
    def test_closing_in_the_middle_leaves_only_what_helps(self, room):
        """As Ctrl-C does: descriptors are closed, the staging file stays for the next run."""
        half = room.web.serve(
            ONE, Say(Cause.TRANSIENT, data=DATA, after=70_000), Say(Cause.TRANSIENT)
        )
        quick = room.web.serve(url("quick"), b"quick")
        other = room.web.serve(url("other"), b"other file")
        room.one(wanted(b"first", room.web.serve(url("first"), b"first")))  # opens the journal
        with no_new_descriptors():
            run = room.transfer().bring(
                [wanted(DATA, half), wanted(b"quick", quick), wanted(b"other file", other)]
            )  # fmt: skip
            room.clock.on_wait = lambda: (_ for _ in ()).throw(KeyboardInterrupt)
            with pytest.raises(KeyboardInterrupt):
                list(run)
        room.clock.on_wait = None
        delivery = room.one(wanted(DATA, room.web.serve(TWO, DATA)))
        assert delivery.ok
        assert delivery.count == 30_000

    def test_a_run_leaves_no_staging_file(self, room):
        room.bring(wanted(DATA, room.web.serve(ONE, DATA)), wanted(BIG, room.web.serve(TWO, BIG)))
        assert list((room.root / "staging").iterdir()) == []


ANSWER = st.one_of(
    st.just("right"), st.just("wrong"),
    st.builds(
        Say, st.sampled_from([c for c in Cause if c is not Cause.REDIRECT]),
        retry_after=st.sampled_from([None, 0.0, 1.0, 100.0, -1.0]),
        data=st.sampled_from([DATA, WRONG]), after=st.sampled_from([0, 1, 70_000, len(DATA) - 1]),
    ),
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(ANSWER, min_size=1, max_size=4), max_size=3))
def test_whatever_places_do(tmp_path_factory, places):
    """One word about each want; right when and only when the store has the right bytes."""
    with pytest.MonkeyPatch.context() as patch:
        room = Room(tmp_path_factory.mktemp("room") / "cache")
        patch.setattr(schedule.time, "monotonic", room.clock.monotonic)
        kinds = {"right": DATA, "wrong": WRONG}
        urls = [
            room.web.serve(url("h", at), *(kinds.get(answer, answer) if isinstance(answer, str) else answer for answer in answers))
            for at, answers in enumerate(places)
        ]  # fmt: skip
        delivery = room.one(wanted(DATA, *urls))
        assert delivery.ok == room.has(DATA)
        assert len(list((room.root / "sha256").rglob("?" * 62))) == delivery.ok
        assert delivery.ok or delivery.errors
        assert room.watcher.done == ["x.bin"]
        if any(answers == ["right"] for answers in places):
            fatal = {Cause.REFUSED, Cause.LOCAL}
            assert delivery.ok or any(
                isinstance(a, Say) and a.cause in fatal for answers in places for a in answers
            )
        room.store.close()
