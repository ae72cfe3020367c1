"""The numbers of the retry policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitassets import retry


@given(st.integers(0, 100))
def test_a_delay_is_random_below_a_doubling_bound(failures):
    assert 0 <= retry.delay(failures) <= min(30.0, 0.5 * 2.0**failures)


def test_delays_differ():
    """Clients that failed together must not come back together."""
    assert len({retry.delay(5) for _ in range(50)}) > 40


@pytest.mark.parametrize("asked", [0.0, 0.5, 60.0, 1e9])
def test_what_a_server_asks_for_is_given(asked):
    assert retry.pause(asked, 3) == asked


@pytest.mark.parametrize("asked", [None, -1.0, -1e9])
def test_nonsense_is_as_nothing(asked):
    assert 0 <= retry.pause(asked, 1) <= 1.0
