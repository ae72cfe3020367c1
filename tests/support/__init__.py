"""What the tests stand on: a server with faults, repositories, processes, a sink over a file."""

import pytest

pytest.register_assert_rewrite(
    "support.bench", "support.contract", "support.process", "support.repo"
)
