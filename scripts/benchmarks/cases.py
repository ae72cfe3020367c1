"""Every case by its name: what it does, and the figures it has to reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import growth, history, interrupted, local, pulls

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.bench import Bench
    from benchmarks.run import Samples


@dataclass(frozen=True)
class Goal:
    """What a contender has to reach, alone or beside a peer of the same round."""

    ours: str
    peer: str | None
    at_most: float
    unit: str = "x"
    """`x`: seconds by the peer's seconds; `s`: seconds; `ms`: milliseconds more than the peer;
    `MiB`: peak memory; `fetched`: bytes fetched by bytes needed."""


@dataclass(frozen=True)
class Case:
    """One row of the registry."""

    run: Callable[[Bench], Samples]
    goals: tuple[Goal, ...]
    disk: bool = False
    """Also run where `--disk` says."""
    asked: bool = False
    """Runs only when it is named."""

    @property
    def about(self) -> str:
        """One line."""
        return (self.run.__doc__ or "").splitlines()[0].rstrip(".")


CASES = {
    "one-large": Case(
        pulls.one_large,
        (
            Goal("pull, curl", "aria2c -x8 -s8", 0.6),
            Goal("pull, aria2c", "aria2c -x8 -s8", 1.05),
            Goal("pull, curl", "aria2c -x8 -s8 --checksum", 0.65),
            Goal("pull, aria2c", "aria2c -x8 -s8 --checksum", 0.65),
            Goal("pull, curl", "git lfs pull", 0.12),
            Goal("pull, aria2c", "git lfs pull", 0.12),
        ),
        disk=True,
    ),
    "medium": Case(pulls.medium, (Goal("pull", "aria2c -j16 -i", 0.9),), disk=True),
    "small": Case(
        pulls.small,
        (
            Goal("pull", "aria2c -j16 -i", 0.8),
            Goal("pull", "curl --parallel", 2.5),
            Goal("pull", "git lfs pull", 0.15),
            Goal("pull", "dvc pull", 0.10),
        ),
        disk=True,
    ),
    "throttled": Case(
        pulls.throttled,
        (Goal("pull, curl", "curl", 0.15), Goal("pull, aria2c", "curl", 0.15)),
    ),
    "distant": Case(pulls.distant, (Goal("pull", "aria2c -j16 -i", 0.6),)),
    "interrupted": Case(
        interrupted.interrupted,
        (
            Goal("pull, curl", None, 1.01, "fetched"),
            Goal("pull, aria2c", None, 1.01, "fetched"),
        ),
        disk=True,
    ),
    "nothing-to-do": Case(
        local.nothing_to_do,
        (
            Goal("pull, 10 assets", None, 0.12, "s"),
            Goal("pull, 10,000 assets", None, 0.25, "s"),
            Goal("pull, 10,000 assets", "git lfs pull", 0.5),
        ),
    ),
    "status": Case(
        local.many_assets,
        (
            Goal("status", "git status", 1.5),
            Goal("status", None, 150, "MiB"),
            Goal("pull, nothing to do", None, 150, "MiB"),
            Goal("pull --dry-run", None, 150, "MiB"),
        ),
    ),
    "start-up": Case(local.start_up, (Goal("version", "python3 -c pass", 2),)),
    "switch-equal": Case(local.switch_equal, (Goal("with hooks", "without", 5, "ms"),)),
    "switch-changed": Case(
        local.switch_changed, (Goal("switch, hooks", "switch, git-lfs", 0.1),)
    ),
    "verify": Case(local.verify, (Goal("verify", "sha256sum", 0.55),)),
    "migrate": Case(
        history.bytes_of_history,
        (Goal("migrate", "git lfs migrate", 0.1), Goal("migrate", "git filter-repo", 1.5)),
    ),
    "migrate-commits": Case(
        history.commits_of_history,
        (Goal("migrate", "git lfs migrate", 0.1), Goal("migrate", "git filter-repo", 1.0)),
    ),
    "growth": Case(growth.series, (), asked=True),
}  # fmt: skip
