"""Read back what `--json` kept, so that runs of several days make one table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks import table
from benchmarks.cases import CASES
from benchmarks.run import Measured, Samples
from benchmarks.table import Result

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def read(files: Iterable[Path]) -> list[Result]:
    """Give the results of all files; of a case that several have, the last one's.

    They are judged by the goals of today. Cases that are gone are left out.
    """
    found: dict[tuple[str, str], Result] = {}
    for file in files:
        for row in json.loads(file.read_text())["cases"]:
            if row["name"] in CASES:
                found[row["name"], row["file_system"]] = _result(row)
    order = list(CASES)
    return sorted(found.values(), key=lambda each: order.index(each.name))


def _result(row: dict[str, Any]) -> Result:
    runs = {
        name: [None if run is None else Measured(**run) for run in runs]
        for name, runs in row["contenders"].items()
    }
    samples = Samples(runs, row["missing"], row["failed"])
    case = CASES[row["name"]]
    figures = table.judge(case, samples, row["skipped"])
    return Result(row["name"], case.about, row["file_system"], samples, figures, row["skipped"])
