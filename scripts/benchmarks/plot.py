"""The growth series as a log-log plot: SVG, written by hand."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.run import Samples

WIDTH, HEIGHT = 640, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 20, 50
COLOURS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad")


def curves(samples: Samples) -> dict[str, list[tuple[int, float]]]:
    """Give median processor seconds by step, each with its number of entries, ascending.

    Not the clock's: every step is one thread, and what else the machine does has no shape.
    """
    found: dict[str, list[tuple[int, float]]] = {}
    for name, runs in samples.runs.items():
        step, _, count = name.rpartition(" @ ")
        seconds = [run.processor for run in runs if run is not None]
        if seconds:
            found.setdefault(step, []).append((int(count), median(seconds)))
    return {step: sorted(points) for step, points in found.items()}


def slope(points: Sequence[tuple[int, float]]) -> float:
    """Give the exponent between the last two sizes: 1 is linear."""
    (few, short), (many, long) = points[-2:]
    return math.log(long / short) / math.log(many / few)


def svg(samples: Samples) -> str:
    """Draw every curve, with decades as the grid and a dashed line that is linear."""
    drawn = curves(samples)
    points = [point for line in drawn.values() for point in line]
    x0, x1 = _decades([count for count, _ in points])
    y0, y1 = _decades([seconds for _, seconds in points])

    def x(count: float) -> float:
        return LEFT + (math.log10(count) - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)

    def y(seconds: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(seconds) - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM)

    frame = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {frame}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for power in range(x0, x1 + 1):
        at = x(10**power)
        parts.append(_line(at, TOP, at, bottom, "#ddd"))
        parts.append(_text(at, bottom + 18, f"{10**power:,}", "middle"))
    for power in range(y0, y1 + 1):
        at = y(10**power)
        parts.append(_line(LEFT, at, right, at, "#ddd"))
        parts.append(_text(LEFT - 8, at + 4, f"{10.0**power:g} s", "end"))
    parts.append(_text((LEFT + right) / 2, HEIGHT - 10, "entries in the lockfile", "middle"))
    parts.append(_text(LEFT + 6, TOP + 12, "processor seconds", "start"))
    decades = min(x1 - x0, y1 - y0)
    parts.append(
        _line(x(10**x1), y(10**y1), x(10 ** (x1 - decades)), y(10 ** (y1 - decades)), "#999", "4 4")
    )
    labels: list[float] = []
    for colour, (name, line) in zip(COLOURS, drawn.items(), strict=False):
        path = " ".join(f"{x(count):.1f},{y(seconds):.1f}" for count, seconds in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.extend(
            f'<circle cx="{x(count):.1f}" cy="{y(seconds):.1f}" r="3" fill="{colour}"/>'
            for count, seconds in line
        )
        place = y(line[-1][1]) + 4
        while any(abs(place - taken) < 14 for taken in labels):
            place += 14
        labels.append(place)
        parts.append(_text(right + 10, place, name, "start", colour))
    return "\n".join([*parts, "</svg>\n"])


def _decades(values: Sequence[float]) -> tuple[int, int]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "") -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"'
        + (f' stroke-dasharray="{dash}"' if dash else "")
        + "/>"
    )


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
