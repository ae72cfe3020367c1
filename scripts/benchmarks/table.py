"""What came out, for people (text and markdown) and for programs (JSON)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.cases import Case, Goal
    from benchmarks.run import Measured, Samples

MIB = 1 << 20


@dataclass(frozen=True)
class Figure:
    """One goal and what was measured for it; `value` is the median over rounds."""

    ours: str
    peer: str | None
    unit: str
    at_most: float
    value: float | None = None
    low: float | None = None
    high: float | None = None
    rounds: int = 0
    why: str | None = None
    """Why there is no value."""

    @property
    def met(self) -> bool | None:
        """Tell whether the goal is reached; None when nothing was measured."""
        return None if self.value is None else self.value <= self.at_most


@dataclass(frozen=True)
class Result:
    """One case on one file system."""

    name: str
    about: str
    file_system: str
    samples: Samples
    figures: tuple[Figure, ...]
    skipped: str | None = None


def judge(case: Case, samples: Samples, skipped: str | None) -> tuple[Figure, ...]:
    """Hold the samples against the goals of their case."""
    return tuple(_figure(goal, samples, skipped) for goal in case.goals)


def _figure(goal: Goal, samples: Samples, skipped: str | None) -> Figure:
    blank = Figure(goal.ours, goal.peer, goal.unit, goal.at_most)
    for name in filter(None, (goal.ours, goal.peer)):
        why = skipped or samples.missing.get(name) or samples.failed.get(name)
        if why:
            return Figure(**{**asdict(blank), "why": why})
    ours = samples.runs[goal.ours]
    peers = samples.runs[goal.peer] if goal.peer else ours
    values = [
        _value(goal.unit, mine, other)
        for mine, other in zip(ours, peers, strict=True)
        if mine is not None and other is not None
    ]
    spread = {"value": median(values), "low": min(values), "high": max(values)}
    return Figure(**{**asdict(blank), **spread, "rounds": len(values)})


def _value(unit: str, mine: Measured, other: Measured) -> float:
    if unit == "x":
        return mine.seconds / other.seconds
    if unit == "ms":
        return (mine.seconds - other.seconds) * 1000
    if unit == "MiB":
        return mine.peak / MIB
    if unit == "fetched":
        assert mine.value is not None
        return mine.value
    return mine.seconds


def document(
    results: Sequence[Result], machine: Mapping[str, object], programs: Mapping[str, str]
) -> dict[str, object]:
    """Give everything, for `--json`."""
    return {
        "version": 1,
        "command": "bench",
        "machine": machine,
        "programs": programs,
        "cases": [
            {
                "name": each.name, "about": each.about, "file_system": each.file_system,
                "skipped": each.skipped,
                "missing": each.samples.missing, "failed": each.samples.failed,
                "contenders": {
                    name: [None if run is None else asdict(run) for run in runs]
                    for name, runs in each.samples.runs.items()
                },
                "figures": [{**asdict(figure), "met": figure.met} for figure in each.figures],
            }
            for each in results
        ],
    }  # fmt: skip


def contenders(result: Result) -> list[list[str]]:
    """Rows of medians: name, seconds and their spread, processor seconds, peak memory, bytes."""
    rows = []
    for name, all_runs in result.samples.runs.items():
        runs = [run for run in all_runs if run is not None]
        if not runs:
            continue
        seconds = [run.seconds for run in runs]
        moved = median(run.moved or 0 for run in runs)
        rows.append([
            name,
            f"{_short(median(seconds))} s",
            f"{_short(min(seconds))} to {_short(max(seconds))}",
            f"{_short(median(run.processor for run in runs))} s",
            f"{max(run.peak for run in runs) / MIB:.0f} MiB",
            f"{moved / MIB:,.1f} MiB" if moved else "",
        ])  # fmt: skip
    return rows


def figures(result: Result, *, judged: bool) -> list[list[str]]:
    """Rows of goals: what against what, the figure and its spread, the goal, reached or not."""
    rows = []
    for each in result.figures:
        name = f"{each.ours} / {each.peer}" if each.peer else each.ours
        goal = f"≤ {each.at_most:g} {_UNITS[each.unit]}".strip()
        if each.value is None:
            rows.append([name, "not measured", each.why or "", goal, ""])
            continue
        assert each.low is not None
        assert each.high is not None
        rows.append([
            name,
            f"{_short(each.value)} {_UNITS[each.unit]}".strip(),
            f"{_short(each.low)} to {_short(each.high)}",
            goal,
            ("reached" if each.met else "MISSED") if judged else "not judged",
        ])  # fmt: skip
    return rows


_UNITS = {"x": "", "s": "s", "ms": "ms more", "MiB": "MiB", "fetched": "x size"}
_HEADS = (
    ("", "median", "spread", "processor", "peak memory", "moved"),
    ("", "measured", "spread", "goal", ""),
)


def text(results: Sequence[Result], *, markdown: bool = False, judged: bool = True) -> str:
    """Give the tables, plain or as markdown; tiny data is not judged."""
    parts = []
    for each in results:
        title = f"{each.name} ({each.file_system}): {each.about}"
        parts.append(f"### {title}\n" if markdown else title)
        if each.skipped:
            parts.append(f"skipped: {each.skipped}\n")
            continue
        parts.extend(
            _grid([list(head), *rows], markdown=markdown)
            for head, rows in zip(
                _HEADS, (contenders(each), figures(each, judged=judged)), strict=True
            )
            if rows
        )
        parts.extend(
            f"{name}: {why}\n"
            for name, why in (*each.samples.missing.items(), *each.samples.failed.items())
        )
    return "\n".join(parts)


def _grid(rows: list[list[str]], *, markdown: bool) -> str:
    if markdown:
        rows = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
        return "".join("| " + " | ".join(row) + " |\n" for row in rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "".join(f"  {line}\n" for line in lines)


def _short(number: float) -> str:
    """Three digits that count."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
