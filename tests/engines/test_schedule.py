"""What is asked for next, and when a failure ends a job: without a network."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitassets.engines.base import Failed, Fetched, Job, Tuning
from gitassets.engines.pieces import LARGE, MIB
from gitassets.engines.schedule import Schedule, Work
from gitassets.errors import Cause, TransferError
from gitassets.model import Request, Url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitassets.engines.pieces import Piece

BIG = 64 * MIB


class Sink:
    path = Path("/nowhere")

    def __init__(self, missing: list[tuple[int, int]]) -> None:
        self.gaps = missing

    def missing(self) -> list[tuple[int, int]]:
        return self.gaps

    def write(self, offset: int, chunks: Sequence[bytes]) -> None:
        raise AssertionError

    def wrote(self, start: int, end: int) -> None:
        raise AssertionError

    def restart(self) -> None:
        raise AssertionError


class Queue:
    def __init__(self, *jobs: Job, delay: float | None = None) -> None:
        self.waiting = deque(jobs)
        self.asked = 0
        self.pause = delay

    def take(self) -> Job | None:
        self.asked += 1
        return self.waiting.popleft() if self.waiting else None

    def delay(self) -> float | None:
        return self.pause


def job(
    size: int,
    *,
    host: str = "a",
    missing: list[tuple[int, int]] | None = None,
    single: bool = False,
) -> Job:
    url = f"https://{host}.example/x?sig=secret"
    gaps = missing if missing is not None else [(0, size)] * bool(size)
    return Job("name", size, (Request(url, Url(url)),), Sink(gaps), single=single)


def start(*jobs: Job, **tuning: int) -> Schedule:
    return Schedule(Queue(*jobs), Tuning(**tuning))


def asked(schedule: Schedule, count: int = 1000) -> list[tuple[Work, Piece]]:
    found: list[tuple[Work, Piece]] = []
    while len(found) < count and (next_one := schedule.next()):
        found.append(next_one)
    return found


def only(schedule: Schedule) -> tuple[Work, Piece]:
    (found,) = asked(schedule)
    return found


def proven(schedule: Schedule) -> tuple[Work, list[Piece]]:
    """Let the first answer of the only job be a 206; give all pieces under way."""
    work, first = only(schedule)
    work.proven = True
    return work, [first, *(piece for _, piece in asked(schedule))]


def bring(schedule: Schedule, work: Work, piece: Piece) -> None:
    work.count += piece.left
    piece.position = piece.end
    schedule.arrived(work, piece)


def error(cause: Cause = Cause.TRANSIENT) -> TransferError:
    return TransferError("https://a.example", "why", cause)


class TestOrder:
    def test_small_files_all_at_once(self) -> None:
        jobs = [job(100), job(200), job(LARGE - 1)]
        found = asked(start(*jobs, jobs=1))
        assert [work.job for work, _ in found] == jobs

    def test_large_files_a_few_at_once_each_with_one_request_first(self) -> None:
        jobs = [job(BIG) for _ in range(5)]
        schedule = start(*jobs, jobs=3)
        assert [work.job for work, _ in asked(schedule)] == jobs[:3]

    def test_the_next_large_file_when_one_is_done(self) -> None:
        jobs = [job(LARGE), job(LARGE)]
        schedule = start(*jobs, jobs=1, connections=1)
        bring(schedule, *only(schedule))
        assert only(schedule)[0].job is jobs[1]

    def test_connections_when_the_first_answer_was_a_range(self) -> None:
        schedule = start(job(BIG), connections=6)
        work, pieces = proven(schedule)
        assert len(pieces) == 6
        assert [piece.position for piece in pieces] == [n * 8 * MIB for n in range(6)]
        assert not work.whole

    def test_begun_files_before_new_ones(self) -> None:
        large, small = job(BIG), job(10)
        schedule = start(large, small, connections=2)
        (work, _), (other, _) = asked(schedule)
        work.proven = True
        assert (work.job, other.job) == (large, small)
        assert only(schedule)[0] is work

    def test_gaps_of_a_small_file_one_by_one(self) -> None:
        schedule = start(job(100, missing=[(0, 10), (50, 60)]))
        for expected in (0, 50):
            work, piece = only(schedule)
            assert piece.position == expected
            bring(schedule, work, piece)
        (result,) = schedule.results
        assert isinstance(result, Fetched)
        assert result.count == 20

    def test_one_stream_from_the_start(self) -> None:
        schedule = start(job(BIG, missing=[(MIB, BIG)], single=True))
        work, piece = only(schedule)
        assert (piece.position, piece.end, work.whole) == (0, BIG, True)

    @pytest.mark.parametrize("empty", [job(0), job(0, single=True), job(BIG, missing=[])])
    def test_nothing_to_bring(self, empty: Job) -> None:
        schedule = start(empty, job(5))
        assert only(schedule)[0].job.size == 5
        (result,) = schedule.results
        assert isinstance(result, Fetched)
        assert (result.job, result.request, result.count) == (empty, None, 0)

    def test_a_sink_that_cannot_be_read(self) -> None:
        broken = job(5)

        def missing() -> list[tuple[int, int]]:
            raise OSError(5, "Input/output error")

        broken.sink.missing = missing  # type: ignore[method-assign]
        schedule = start(broken)
        assert asked(schedule) == []
        (result,) = schedule.results
        assert isinstance(result, Failed)
        assert result.error.cause is Cause.LOCAL


class TestAsking:
    def test_not_again_before_a_result(self) -> None:
        queue = Queue()
        schedule = Schedule(queue, Tuning())
        asked(schedule)
        asked(schedule)
        assert queue.asked == 1
        assert schedule.wait() is None
        queue.waiting.append(job(5))
        schedule.look_again()
        assert schedule.wait() == 0
        assert only(schedule)

    def test_again_after_the_delay(self) -> None:
        queue = Queue(delay=1000.0)
        schedule = Schedule(queue, Tuning())
        asked(schedule)
        assert 900 < (schedule.wait() or 0) <= 1000
        assert queue.asked == 1

    def test_no_delay_is_no_busy_loop(self) -> None:
        queue = Queue(delay=0.0)
        schedule = Schedule(queue, Tuning())
        asked(schedule)
        assert (schedule.wait() or 0) > 0


class TestFailure:
    @pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.TRANSIENT])
    def test_final_ones_end_the_job(self, cause: Cause) -> None:
        schedule = start(job(BIG))
        work, pieces = proven(schedule)
        pieces[0].position += 5 * MIB
        assert schedule.stopped(work, pieces[0], error(cause))

    def test_without_progress_the_only_connection_ends_the_job(self) -> None:
        schedule = start(job(100))
        work, piece = only(schedule)
        assert schedule.stopped(work, piece, error())
        schedule.fail(work, error())
        (result,) = schedule.results
        assert isinstance(result, Failed)

    def test_little_progress_three_times_more(self) -> None:
        schedule = start(job(100))
        for _ in range(3):
            work, piece = only(schedule)
            piece.begun = piece.position
            piece.position += 1
            assert not schedule.stopped(work, piece, error())
        work, piece = only(schedule)
        assert piece.position == 3
        piece.begun = piece.position
        piece.position += 1
        assert schedule.stopped(work, piece, error())

    def test_much_progress_never_counts(self) -> None:
        schedule = start(job(BIG), connections=1)
        for _ in range(7):
            work, piece = only(schedule)
            piece.begun = piece.position
            piece.position += MIB
            assert not schedule.stopped(work, piece, error())

    def test_one_connection_too_many_costs_a_connection(self) -> None:
        schedule = start(job(BIG), connections=4)
        work, pieces = proven(schedule)
        assert not schedule.stopped(work, pieces[3], error())
        assert asked(schedule) == []
        bring(schedule, work, pieces[0])
        assert [piece for _, piece in asked(schedule)] == [pieces[3]]

    def test_one_stream_is_not_taken_up_in_the_middle(self) -> None:
        schedule = start(job(BIG, single=True))
        work, piece = only(schedule)
        piece.position = 5 * MIB
        assert schedule.stopped(work, piece, error())

    def test_a_host_that_said_later_gets_half_the_connections(self) -> None:
        schedule = start(job(BIG), job(BIG), job(BIG, host="b"), jobs=1, connections=8)
        work, pieces = proven(schedule)
        assert len(pieces) == 8
        assert schedule.stopped(work, pieces[6], error(Cause.LIMITED))
        schedule.fail(work, error(Cause.LIMITED))
        work, pieces = proven(schedule)
        assert len(pieces) == 3
        schedule.fail(work, error())
        assert len(proven(schedule)[1]) == 8, "another host is not concerned"

    def test_a_failed_job_gives_its_place(self) -> None:
        jobs = [job(BIG), job(BIG)]
        schedule = start(*jobs, jobs=1)
        work, _ = only(schedule)
        schedule.fail(work, error())
        assert only(schedule)[0].job is jobs[1]

    def test_the_reason_says_how_far_it_got(self) -> None:
        schedule = start(job(100))
        work, _ = only(schedule)
        assert work.error("cut", Cause.TRANSIENT).reason == "cut"
        work.count = 7
        told = work.error("cut", Cause.TRANSIENT)
        assert told.reason == "cut after 7 of 100 bytes"
        assert told.url == str(work.request.source)
