"""Whose turn it is, and what a failure means: the policy table of design §5, row by row."""

from __future__ import annotations

import pytest
from support.content import digest

from gitassets import retry, schedule
from gitassets.errors import Cause, TransferError
from gitassets.model import Digest, Request, Url
from gitassets.schedule import Candidate, Lane, Task, Verdict, Want, judge

ONE, TWO, THREE = (Url(f"https://{host}.example/x") for host in ("one", "two", "three"))
SHA = Digest(digest(b"x"))


def task(*urls, rank=0):
    want = Want(SHA, 1000, "x.bin", urls)
    return Task(want, [Candidate(url) for url in urls], rank, "curl")


def failure(cause, **facts):
    return TransferError(ONE, "it failed", cause, **facts)


def candidate(*, moved=False, **facts):
    url = str(TWO if moved else ONE)
    return Candidate(ONE, Request(url, ONE), **facts)


class Clock:
    """Time that stands still until it is told."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(schedule.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


class TestJudge:
    @pytest.mark.parametrize(
        ("cause", "fatal"),
        [
            (Cause.REFUSED, True), (Cause.LOCAL, True), (Cause.GONE, False), (Cause.LYING, False),
            (Cause.REDIRECT, False),
        ],
    )  # fmt: skip
    def test_some_causes_are_final_at_once(self, cause, fatal):
        assert judge(failure(cause), candidate(), 10**9, cap=60) == Verdict(out=True, fatal=fatal)

    @pytest.mark.parametrize("cause", [Cause.TRANSIENT, Cause.ENGINE])
    def test_a_hiccup_is_tried_again_six_times(self, cause):
        place = candidate()
        verdicts = [judge(failure(cause), place, 0, cap=60) for _ in range(retry.TRIES)]
        assert [verdict.out for verdict in verdicts] == [False] * 5 + [True]
        assert not any(verdict.fatal or verdict.pause_host for verdict in verdicts)
        assert all(0 <= verdict.wait <= 30 for verdict in verdicts)

    def test_progress_resets_the_count(self):
        place = candidate()
        for _ in range(50):
            assert not judge(failure(Cause.TRANSIENT), place, retry.PROGRESS, cap=60).out
        for _ in range(4):
            assert not judge(failure(Cause.TRANSIENT), place, retry.PROGRESS - 1, cap=60).out
        assert judge(failure(Cause.TRANSIENT), place, 0, cap=60).out

    def test_a_denied_signed_url_is_resolved_once_more(self):
        place = candidate(moved=True, settled=True)
        assert not judge(failure(Cause.DENIED, status=403), place, 0, cap=60).out
        assert place.request is None
        assert not place.settled
        place.request = Request(str(THREE), ONE)
        assert judge(failure(Cause.DENIED, status=403), place, 0, cap=60).out

    def test_a_denied_plain_url_is_final(self):
        assert judge(failure(Cause.DENIED, status=403), candidate(), 0, cap=60).out

    def test_a_server_without_ranges_gets_one_stream_once(self):
        place = candidate()
        assert not judge(failure(Cause.UNRANGED), place, 0, cap=60).out
        assert place.single
        assert judge(failure(Cause.UNRANGED), place, 0, cap=60).out

    @pytest.mark.parametrize("asked", [0.0, 1.0, 60.0])
    def test_retry_after_is_obeyed_by_the_whole_host(self, asked):
        verdict = judge(failure(Cause.LIMITED, retry_after=asked), candidate(), 0, cap=60)
        assert verdict == Verdict(wait=asked, pause_host=True)

    def test_above_the_cap_the_place_is_out_and_both_numbers_are_said(self):
        verdict = judge(failure(Cause.LIMITED, retry_after=61.0), candidate(), 0, cap=60)
        assert verdict.out
        assert not verdict.fatal
        assert not verdict.pause_host
        assert "61 s" in verdict.remark
        assert "60 s" in verdict.remark

    @pytest.mark.parametrize("asked", [None, -5.0])
    def test_a_limit_without_a_time_is_waited_for_as_a_hiccup_is(self, asked):
        place = candidate()
        verdicts = [
            judge(failure(Cause.LIMITED, retry_after=asked), place, 0, cap=60) for _ in range(6)
        ]
        assert [verdict.out for verdict in verdicts] == [False] * 5 + [True]
        assert all(verdict.wait <= 30 for verdict in verdicts)

    @pytest.mark.parametrize("cause", list(Cause))
    def test_nothing_goes_on_for_ever(self, cause):
        """Whatever a server repeats, without progress it is out after a known number of tries."""
        place = candidate(moved=True)
        for _ in range(retry.TRIES):
            if judge(failure(cause, retry_after=0.0), place, 0, cap=60).out:
                return
        pytest.fail("never out")


class TestTask:
    def test_turns(self):
        it = task(ONE, TWO, THREE)
        assert it.candidate().url == ONE
        assert it.others()
        it.rotate()
        assert it.candidate().url == TWO
        it.candidates[1].out = it.candidates[2].out = True
        assert it.candidate().url == ONE
        assert not it.others()
        it.candidates[0].out = True
        assert it.candidate() is None

    def test_no_places(self):
        it = task()
        assert it.candidate() is None
        assert not it.others()
        assert it.errors() == ()

    def test_errors_name_the_bad_but_not_who_delivered(self):
        it = task(ONE, Url("https://two.example/x?token=secret"), THREE)
        for place in it.candidates:
            place.complaint = "HTTP 404"
        lines = it.errors(it.candidates[2])
        assert lines == (f"{ONE}: HTTP 404", "https://two.example/x?token=***: HTTP 404")


class TestLane:
    def test_order(self, clock):
        lane = Lane()
        tasks = [task(ONE, rank=rank) for rank in range(3)]
        for each in reversed(tasks):
            lane.put(each)
        assert len(lane) == 3
        assert list(lane.ready()) == tasks
        assert not lane

    def test_waiting(self, clock):
        lane = Lane()
        late, soon = task(ONE, rank=0), task(ONE, rank=1)
        lane.put(late, 5)
        lane.put(soon, 2)
        assert list(lane.ready()) == []
        assert lane.delay() == 2
        clock.now += 2
        assert list(lane.ready()) == [soon]
        assert lane.delay() == 3
        clock.now += 100
        assert lane.delay() == 0
        assert list(lane.ready()) == [late]
        assert lane.delay() is None

    def test_who_waited_does_not_stop_who_need_not(self, clock):
        lane = Lane()
        waits, ready = task(ONE, rank=0), task(ONE, rank=1)
        lane.put(waits, 1)
        lane.put(ready)
        assert list(lane.ready()) == [ready]

    def test_what_is_put_while_taking_is_taken(self, clock):
        lane = Lane()
        first, second = task(ONE, rank=0), task(ONE, rank=1)
        lane.put(first)
        taken = []
        for each in lane.ready():
            taken.append(each)
            if each is first:
                lane.put(second)
        assert taken == [first, second]

    def test_drain_takes_those_that_wait_too(self, clock):
        lane = Lane()
        lane.put(task(ONE), 1000)
        assert len(list(lane.drain())) == 1
        assert not lane

    def test_a_pause_is_for_one_host(self, clock):
        lane = Lane()
        lane.pause("https://one.example/a?b", 10)
        assert lane.paused("https://one.example/c") == 10
        assert lane.paused("https://one.example:8443/c") == lane.paused(TWO) == 0
        clock.now += 4
        assert lane.paused(ONE) == 6
        clock.now += 10
        assert lane.paused(ONE) == 0

    def test_a_shorter_pause_does_not_end_a_longer_one(self, clock):
        """Another file's 503 that names no time must not wake those who were told to wait."""
        lane = Lane()
        lane.pause(ONE, 50)
        lane.pause(ONE, 0.1)
        assert lane.paused(ONE) == 50
