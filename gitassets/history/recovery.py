"""A migration or an undo that was killed is finished by the next command of ours, any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from gitassets.gitpipes import Pipes


def waiting(common_dir: Path) -> bool:
    """Tell whether something was begun and not ended; it may still be at work."""
    state = common_dir / "assets" / "migrate"
    # The names of `switch.PAGE` and of undo's mark: asked at every start, so nothing is imported.
    return (state / "journal.json").exists() or any(state.glob("runs/*/undoing"))


def finish(common_dir: Path) -> list[str]:
    """Roll forward what nobody is working at; gives the lines to say. Raises GitError, OSError."""
    from gitassets.errors import HistoryError  # noqa: PLC0415 - hardly ever needed
    from gitassets.gitpipes import Pipes  # noqa: PLC0415
    from gitassets.history import job, place  # noqa: PLC0415

    pipes = Pipes(common_dir)
    state = common_dir / "assets" / "migrate"
    try:
        with job.exclusive(state):
            return roll_forward(pipes, state, place.top(pipes))
    except HistoryError:  # its process is alive, and holds the lock
        return []


def roll_forward(pipes: Pipes, state: Path, main: Path | None) -> list[str]:
    """Finish what a killed command began; the caller holds `exclusive`. Gives the lines to say."""
    import shutil  # noqa: PLC0415 - as above

    from gitassets.history import switch, undo  # noqa: PLC0415

    lines = []
    left = switch.resume(pipes, state)
    if left is not None:
        lines.append("note: an interrupted migration was finished first")
    undone = undo.complete(pipes, state, main)
    if undone is not None:
        lines.append("note: an interrupted undo was finished first")
    lines += [
        f"warning: '{name}' was changed meanwhile, and stays as it is"
        for name in (*(left or ()), *(undone or ()))
    ]
    undo.sweep(pipes, state, main)
    shutil.rmtree(state / "quarantine", ignore_errors=True)  # what was not yet visible
    return lines
