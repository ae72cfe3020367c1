"""When to try again, and when not: the numbers of the retry policy, once for all engines. Pure.

The shape is AWS's "full jitter" with git-lfs's base; the cap on Retry-After is ours, because
urllib3's six hours are not a wait that a person accepts.
"""

from __future__ import annotations

import random

TRIES = 6
"""Failures without progress after which a source is out for the run."""
PROGRESS = 64 * 1024
"""Bytes; a try that moved at least so many does not count as a failure."""
_BASE = 0.5
_LONGEST = 30.0


def delay(failures: int) -> float:
    """Seconds to wait after the n-th failure in a row: random below a doubling bound."""
    return random.uniform(0, min(_LONGEST, _BASE * 2.0**failures))  # noqa: S311 - jitter


def pause(retry_after: float | None, failures: int) -> float:
    """Seconds that a server asked for, or our own when it named none that makes sense."""
    if retry_after is None or retry_after < 0:
        return delay(failures)
    return retry_after
