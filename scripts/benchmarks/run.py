"""Run contenders in turn, again and again, and keep what was measured of each.

Ours and the peers alternate, in an order that is reversed every round, after one round that does
not count: what else the machine does hits all of them alike, and figures are compared within a
round only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

METER = Path(__file__).with_name("meter.py")


class Failed(Exception):  # noqa: N818 - what happened, not a mistake in the program
    """A command did not do what it was timed for."""


@dataclass(frozen=True)
class Measured:
    """One run of one contender."""

    seconds: float
    processor: float
    """Seconds of both user and system time, of all its processes."""
    peak: int
    """Bytes of resident memory, of the largest of its processes."""
    moved: int | None = None
    """Bytes of bodies that the server sent."""
    value: float | None = None
    """What a case counts for itself."""


@dataclass(frozen=True)
class Contender:
    """One way to do the job of a case."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    before: Callable[[], object] = lambda: None
    """Makes everything as it has to be; not timed."""
    check: Callable[[], None] = lambda: None
    """Raises Failed unless the job was really done."""
    after: Callable[[], object] = lambda: None
    """Removes what the run made: the next contender needs the room."""
    environment: Mapping[str, str] = field(default_factory=dict)
    most: int | None = None
    """Runs at most, for what takes minutes; then without a warm-up."""


@dataclass
class Samples:
    """What one case found: runs by contender (None: not in that round), and why some have none."""

    runs: dict[str, list[Measured | None]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class Meter:
    """The program that starts commands (see `meter.py`), for as long as the benchmark runs."""

    def __init__(self, log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        self.environment = environment
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(METER)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, contender: Contender, limit: int = 3600) -> Measured:
        """Run one command; raises Failed when it takes over `limit` seconds or fails."""
        environment = {**self.environment, **contender.environment}
        program = shutil.which(contender.argv[0], path=environment["PATH"])
        if program is None:
            raise Failed(f"{contender.argv[0]}: not found")
        task = {
            "argv": [program, *contender.argv[1:]], "cwd": os.fspath(contender.cwd),
            "env": environment, "log": os.fspath(self.log), "limit": limit,
        }  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if answer["status"] != 0:
            said = self.log.read_text(errors="replace").strip().splitlines()[-8:]
            raise Failed(f"exit status {answer['status']}: " + " / ".join(said))
        return Measured(answer["seconds"], answer["processor"], answer["peak"])

    def close(self) -> None:
        """End the program, and a command that still runs: the benchmark was interrupted."""
        self.process.terminate()
        self.process.communicate()


def compare(
    contenders: Sequence[Contender], once: Callable[[Contender], Measured], *, runs: int
) -> Samples:
    """Run all of them `runs` times; one that fails is left out from then on, with its reason."""
    samples = Samples(runs={contender.name: [] for contender in contenders})
    warm_up = runs > 1
    for number in range(runs + warm_up):
        order = contenders if number % 2 == 0 else list(reversed(contenders))
        for contender in order:
            name, counted = contender.name, number - warm_up
            last = runs if contender.most is None else contender.most
            if name in samples.failed or (counted < 0 and contender.most is not None):
                continue
            if counted >= last:
                samples.runs[name].append(None)
                continue
            say(f"  {name}: {'warm-up' if counted < 0 else f'run {counted + 1} of {last}'}")
            try:
                contender.before()
                measured = once(contender)
                contender.check()
                contender.after()
            except Failed as error:
                samples.failed[name] = str(error)
                say(f"  {name}: {error}")
                continue
            if counted >= 0:
                samples.runs[name].append(measured)
    return samples


def say(text: str) -> None:
    """Tell who waits what is being done."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
