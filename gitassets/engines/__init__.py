"""The engines by name: one line each, imported when one is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from gitassets.errors import UsageError

if TYPE_CHECKING:
    from gitassets.engines.base import Engine, Tuning
    from gitassets.model import Request

ENGINES = {
    "curl": "gitassets.engines.curl:Curl",
    "aria2c": "gitassets.engines.aria2c:Aria2c",
    "wget": "gitassets.engines.wget:Wget",
    "local": "gitassets.engines.local:Local",
}
ALWAYS = "curl"
"""The engine that is always there, and that every rule of ours can rely on."""


def load(name: str, tuning: Tuning) -> Engine:
    """Make the engine `name`. Raises KeyError when there is none of that name."""
    module, _, attribute = ENGINES[name].partition(":")
    return cast("Engine", getattr(import_module(module), attribute)(tuning))


class Fleet:
    """The engines of one run, and which of them moves what (design §5)."""

    def __init__(self, tuning: Tuning, *, chosen: str = "auto", segment_above: int) -> None:
        self._tuning = tuning
        self._chosen = chosen
        self._segment_above = segment_above
        self._made: dict[str, Engine | None] = {}
        if chosen != "auto" and (why := load(chosen, tuning).unavailable()):
            raise UsageError(f"--engine {chosen}: {why}", hint="git assets pull --engine curl")

    @property
    def jobs(self) -> int:
        """Large files that move at once."""
        return self._tuning.jobs

    def get(self, name: str) -> Engine | None:
        """Give the engine, or None when it cannot work here or has given up."""
        if name not in self._made:
            engine = load(name, self._tuning)
            self._made[name] = None if engine.unavailable() else engine
        return self._made[name]

    def drop(self, name: str) -> None:
        """Do not use this engine again in this run."""
        self._made[name] = None

    def usual(self, size: int) -> str:
        """Name the engine that a file of `size` bytes goes to before its request is known."""
        if self._chosen != "auto":
            return self._chosen
        return "aria2c" if size >= self._segment_above and self.get("aria2c") else ALWAYS

    def fitting(self, name: str, request: Request) -> str:
        """Name the engine that keeps the rules of `request`: `name` when it does."""
        if request.url.startswith("file:"):
            return "local"
        engine = self.get(name)
        return name if engine and engine.handles(request) else ALWAYS
