"""Progress as a person, a log file or a program wants it: bars, plain lines, or JSON lines.

Nothing is shown in the first second (GIT_PROGRESS_DELAY), so fast runs stay silent. rich is loaded
when the first bar is drawn, not before.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING

from gitassets.progress import human
from gitassets.urls import redacted, safe

if TYPE_CHECKING:
    from rich.progress import Progress as Live
    from rich.progress import TaskID

_ROWS = 8
"""Transfers shown at once, the largest first."""
_NAME = 32
"""Characters of a name."""
_REDRAW = 0.2
"""Seconds: five times a second, as pip does."""
_PLAIN = 5.0
"""Seconds between two lines where nobody can redraw."""


class _Counter:
    """Counts; somebody else shows."""

    interval = _PLAIN

    def __init__(self, total: int, files: int, word: str = "fetching") -> None:
        self.total, self.files, self.word = total, files, word
        self.bytes = self.moved = self.done = 0
        self.active: dict[str, list[int]] = {}
        self.begun = time.monotonic()
        delay = os.environ.get("GIT_PROGRESS_DELAY", "1")
        self._next = self.begun + (float(delay) if delay.replace(".", "", 1).isdecimal() else 1.0)

    def started(self, name: str, size: int, have: int) -> None:
        self.active[name] = [have, size]
        self.bytes += have
        self._tick()

    def advanced(self, name: str, count: int) -> None:
        self.bytes += count
        self.moved += max(0, count)
        if row := self.active.get(name):
            row[0] += count
        self._tick()

    def finished(self, name: str) -> None:
        self.active.pop(name, None)
        self.done += 1
        self._tick()

    def noted(self, text: str) -> None:
        sys.stderr.write(f"note: {safe(redacted(text))}\n")

    def close(self) -> None:
        """Take away what is drawn."""

    def _tick(self) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self.interval
            self.show(self.moved / max(1e-6, now - self.begun))

    def show(self, rate: float) -> None:
        """Show where things stand; `rate` is bytes a second."""
        sys.stderr.write(
            f"{self.word}: {self.done} of {self.files} files, {human(self.bytes)} of "
            f"{human(self.total)}, {human(rate)}/s\n"
        )
        sys.stderr.flush()


class _Json(_Counter):
    interval = 0.5

    def show(self, rate: float) -> None:
        row = {
            "files": self.files, "files_done": self.done, "bytes": self.bytes,
            "bytes_total": self.total, "bytes_per_second": round(rate),
        }  # fmt: skip
        sys.stderr.write(json.dumps(row) + "\n")
        sys.stderr.flush()


class _Bars(_Counter):
    interval = _REDRAW

    def __init__(self, total: int, files: int, word: str = "fetching") -> None:
        super().__init__(total, files, word)
        self._live: Live | None = None
        self._rows: dict[str, TaskID] = {}
        self._all: TaskID | None = None

    def noted(self, text: str) -> None:
        if self._live:
            from rich.text import Text  # noqa: PLC0415 - loaded already

            self._live.console.print(Text(f"note: {safe(redacted(text))}"))
        else:
            super().noted(text)

    def show(self, rate: float) -> None:
        live = self._live or self._begin()
        largest = sorted(self.active.items(), key=lambda item: -item[1][1])[:_ROWS]
        wanted = dict(largest)
        for name in [name for name in self._rows if name not in wanted]:
            live.remove_task(self._rows.pop(name))
        for name, (have, size) in largest:
            if have and name not in self._rows:
                shown = safe(name)
                short = shown if len(shown) <= _NAME else "…" + shown[1 - _NAME :]
                self._rows[name] = live.add_task(short.ljust(_NAME), total=size)
            if name in self._rows:
                live.update(self._rows[name], completed=have)
        label = f"{self.done} of {self.files} files".ljust(_NAME)
        if self._all is not None:
            live.update(self._all, completed=self.bytes, description=label, rate=rate)
        live.refresh()

    def _begin(self) -> Live:
        from rich.console import Console as RichConsole  # noqa: PLC0415 - the user's waiting
        from rich.progress import BarColumn, ProgressColumn, TextColumn  # noqa: PLC0415
        from rich.progress import Progress as LiveProgress  # noqa: PLC0415
        from rich.table import Column  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        class Sizes(ProgressColumn):
            """Bytes, and for the total line the rate: rich's own columns mix 1000 and 1024."""

            def render(self, task: object) -> Text:
                done, size = getattr(task, "completed", 0), getattr(task, "total", 0) or 0
                rate = getattr(task, "fields", {}).get("rate")
                speed = f"  {human(rate)}/s" if rate else ""
                return Text(f"{human(done):>10} of {human(size)}{speed}")

        console = RichConsole(stderr=True, force_interactive=sys.stderr.isatty())
        live = LiveProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None), Sizes(table_column=Column(no_wrap=True)),
            console=console, auto_refresh=False, transient=True, expand=False,
        )  # fmt: skip
        self._live = live
        self._all = live.add_task("", total=self.total)
        live.start()
        return live

    def close(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None


def make(mode: str, *, terminal: bool, total: int, files: int, word: str = "fetching") -> _Counter:
    """Choose what to show: `mode` auto or always draws on a terminal, else writes plain lines.

    `word` says what is done to the files.
    """
    if mode == "json":
        return _Json(total, files)
    drawn = _Bars if terminal or mode == "always" else _Counter
    return drawn(total, files, word)
