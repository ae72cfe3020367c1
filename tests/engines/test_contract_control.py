"""The control of the contract: an engine as everybody writes it first does not pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import test_contract as contract
from support.bench import Bench, nothing_left
from support.contract import TOLD
from support.naive import Naive

from gitassets.engines import ENGINES
from gitassets.errors import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.server import FaultServer


@pytest.fixture
def naive(server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setitem(ENGINES, "naive", "support.naive:Naive")
    monkeypatch.setitem(TOLD, "naive", {})
    yield Bench("naive", server, tmp_path / "staging")
    for process in Naive.left:
        process.kill()
        process.wait()
    Naive.left.clear()


def test_the_control_does_deliver(naive: Bench) -> None:
    """It is caught for its faults, not because it never works."""
    contract.TestDelivery().test_size_and_bytes(naive, 65537)
    contract.TestFaults().test_told_as_data(naive, "hangup", [Cause.TRANSIENT])


@pytest.mark.parametrize(
    ("suite", "test", "arguments"),
    [
        (contract.TestDelivery, "test_size_and_bytes", [0]),
        (contract.TestResume, "test_asks_only_for_what_is_missing", [[(0, 10), (20, 3000000)]]),
        (contract.TestFaults, "test_told_as_data", ["status;code=404", [Cause.GONE]]),
        (contract.TestFaults, "test_told_as_data", ["wrongtotal", [Cause.LYING]]),
        (contract.TestFaults, "test_told_as_data", ["gzip;ranged=1", [Cause.LYING]]),
        (contract.TestFaults, "test_told_as_data", ["html", [Cause.LYING]]),
        (contract.TestFaults, "test_told_as_data", ["short", [Cause.TRANSIENT]]),
        (contract.TestFaults, "test_a_server_that_ignores_ranges", []),
        (contract.TestFaults, "test_redirect_is_told_not_followed", []),
        (contract.TestFaults, "test_sane_or_refused", ["endless"]),
        (contract.TestFaults, "test_sane_or_refused", ["longer;by=1;length=long"]),
        (contract.TestFaults, "test_retry_after", ["retryafter;seconds=7", 7, 7]),
        (contract.TestSecrets, "test_headers_stay_with_their_host", []),
        (contract.TestSecrets, "test_nothing_in_argv_or_errors", []),
        (contract.TestSecrets, "test_asks_for_the_bytes_as_they_are", []),
        (contract.TestManners, "test_takes_no_more_than_it_has_room_for", []),
        (contract.TestManners, "test_work_that_comes_between_two_results", []),
        (contract.TestManners, "test_work_that_is_not_ready_yet", []),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_is_caught(naive: Bench, suite: type, test: str, arguments: list[Any]) -> None:
    with pytest.raises((AssertionError, ValueError)):
        getattr(suite(), test)(naive, *arguments)


def test_what_it_leaves_is_caught(naive: Bench, server: FaultServer) -> None:
    with pytest.raises(AssertionError, match="a process is left"), nothing_left(server):
        naive.run(naive.job(10))
