"""What an engine can report while it works. Whoever draws implements it; nothing here does I/O."""

from __future__ import annotations

from typing import Protocol

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def human(count: float) -> str:
    """Bytes with a binary unit and three or four digits: `1.5 GiB`."""
    for unit in _UNITS:
        if abs(count) < 1024 or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError


class Progress(Protocol):
    """Receives facts, in any order, from one thread; must return quickly and never raise."""

    def started(self, name: str, size: int, have: int) -> None:
        """Transfer of `name` begins: `have` of `size` bytes are there already."""

    def advanced(self, name: str, count: int) -> None:
        """`count` more bytes of `name` arrived; negative when bytes had to be thrown away."""

    def finished(self, name: str) -> None:
        """Nothing more will come for `name`."""

    def noted(self, text: str) -> None:
        """Something worth a line: a mirror that failed, a wait that the server asked for."""

    def close(self) -> None:
        """Nothing more will come; take away what is drawn."""


class Silent:
    """A Progress that nobody looks at."""

    def started(self, name: str, size: int, have: int) -> None:
        """Nothing."""

    def advanced(self, name: str, count: int) -> None:
        """Nothing."""

    def finished(self, name: str) -> None:
        """Nothing."""

    def noted(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
