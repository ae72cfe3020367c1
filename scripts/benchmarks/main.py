"""The command line of `scripts/bench`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import kept, machine, plot, table
from benchmarks.bench import Bench, Skipped, file_system, interpreter
from benchmarks.cases import CASES
from benchmarks.run import Failed, Samples, say
from benchmarks.table import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.cases import Case

NEEDED = 8 << 30
"""Bytes that the largest case holds at once: what is served, and what one contender makes."""


def main(argv: Sequence[str]) -> int:
    """Run cases and print what came out: 0, or 1 when a goal was missed or a command failed."""
    options = _parser().parse_args(argv)
    if options.list:
        for name, case in CASES.items():
            print(f"{name.ljust(16)} {case.about}")
        return 0
    if options.kept:
        _show(kept.read(options.kept), options)
        return 0
    unknown = set(options.case or ()) - set(CASES)
    if unknown:
        print(f"error: no case '{min(unknown)}'\nhint: scripts/bench --list", file=sys.stderr)
        return 129
    interpreter()  # says so when the program is not there
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    runs = 1 if options.quick else options.runs
    chosen = {n: c for n, c in CASES.items() if _wanted(n, c, options)}
    about = machine.machine(), machine.programs()
    results: list[Result] = []
    with contextlib.closing(Bench(_scratch(options), runs=runs, quick=options.quick)) as bench:
        results.extend(_run(bench, name, case) for name, case in chosen.items())
    on_disk = {name: case for name, case in chosen.items() if case.disk}
    if options.disk and on_disk:
        with contextlib.closing(Bench(options.disk, runs=runs, quick=options.quick)) as bench:
            results.extend(_run(bench, name, case) for name, case in on_disk.items())
    if options.json:
        document = table.document(results, *about)
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    _show(results, options)
    return 1 if _bad(results, quick=options.quick) else 0


def _show(results: Sequence[Result], options: argparse.Namespace) -> None:
    growth = next((each for each in results if each.name == "growth"), None)
    if growth is not None:
        for step, points in plot.curves(growth.samples).items():
            print(
                f"{step}: grows with exponent {plot.slope(points):.2f} between the last two sizes"
            )
        if options.plot:
            options.plot.write_text(plot.svg(growth.samples))
    print(table.text(results, markdown=options.markdown, judged=not options.quick))


def _run(bench: Bench, name: str, case: Case) -> Result:
    say(f"{name} ({bench.file_system}): {case.about}")
    samples, skipped = Samples(), None
    try:
        samples = case.run(bench)
    except Skipped as reason:
        skipped = str(reason)
    except Failed as error:
        samples.failed["preparation"] = skipped = str(error)
    finally:
        bench.clear()
    figures = table.judge(case, samples, skipped)
    return Result(name, case.about, bench.file_system, samples, figures, skipped)


def _bad(results: Sequence[Result], *, quick: bool) -> bool:
    """A command failed; or a goal was missed, which tiny data says nothing about."""
    return any(
        each.samples.failed or (not quick and any(figure.met is False for figure in each.figures))
        for each in results
    )


def _wanted(name: str, case: Case, options: argparse.Namespace) -> bool:
    if name == "growth" and options.growth:
        return True
    if options.case:
        return name in options.case
    return not case.asked and not options.growth


def _scratch(options: argparse.Namespace) -> Path:
    """Give the directory to work in: memory, when there is enough, hides no program."""
    if options.scratch:
        return Path(options.scratch)
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and file_system(memory) == "tmpfs":
        if options.quick or shutil.disk_usage(memory).free >= NEEDED:
            return memory
        say(f"{memory} has too little room")
    return Path(tempfile.gettempdir())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure git assets and the peers that are installed, in turn, right here.",
    )
    parser.add_argument("--case", action="append", metavar="NAME", help="only this case; repeat")
    parser.add_argument("--list", action="store_true", help="list the cases")
    parser.add_argument(
        "--runs", type=int, default=5, metavar="N", help="rounds (5), and a warm-up"
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny data, one run: only that it runs"
    )
    parser.add_argument("--growth", action="store_true", help="1,000 to 500,000 entries")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the growth plot (SVG)")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="keep everything that was measured"
    )
    parser.add_argument(
        "--from",
        type=Path,
        action="append",
        dest="kept",
        metavar="FILE",
        help="run nothing: print what --json kept; repeat",
    )
    parser.add_argument("--markdown", action="store_true", help="print the tables as markdown")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="work here (memory)")
    parser.add_argument("--disk", type=Path, metavar="DIR", help="run the pull cases here, too")
    return parser
