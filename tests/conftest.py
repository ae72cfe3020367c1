"""The seal around every test, and the fixtures that all tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.server import FaultServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """Start a fault server for one test."""
    with FaultServer() as running:
        yield running
