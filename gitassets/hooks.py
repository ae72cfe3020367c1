"""Put the hook scripts in place, and take them away: all of them or none.

Everything is read and decided first. A hook that was there keeps its bytes: it is linked to
`<hook>.local`, and ours runs it first. Each step leaves valid scripts behind, so that a process
killed between two of them is finished by the next install or uninstall.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gitassets import hookscript, managers
from gitassets.beneath import Root
from gitassets.errors import AssetsError, Blocked
from gitassets.hookscript import EARLIER, EVENTS, GUARDS, SHARED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitassets.managers import Owner

_MODE = 0o777
"""Less umask, as git makes its own."""
_TEMPORARY = ".git-assets-"
"""How `beneath` begins the name of a file that is not finished."""


@dataclass(frozen=True, slots=True)
class Step:
    """What will be done to one file of the hooks directory."""

    name: str
    action: Literal["keep", "write", "replace", "chain"]
    """`chain`: a hook is there, and will be run first."""
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """An event whose hook belongs to somebody else."""

    path: str
    owner: Owner


@dataclass(frozen=True, slots=True)
class Plan:
    """What an install will do."""

    directory: Path
    steps: tuple[Step, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()

    @property
    def empty(self) -> bool:
        """Every script is in place already."""
        return all(step.action == "keep" for step in self.steps)


@dataclass(slots=True)
class Removal:
    """What an uninstall did."""

    removed: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    """The hooks that were there before, back under their names."""
    edited: list[str] = field(default_factory=list)
    """Scripts that somebody has changed, now without our block."""
    left: list[str] = field(default_factory=list)
    """Files of ours that had to stay."""


def plan(directory: Path, events: Sequence[str], *, top: Path | None) -> Plan:
    """Decide for every event; `top` is the work tree that nothing may be written into.

    Raises OSError when the directory cannot be read.
    """
    resolved = Path(os.path.realpath(directory))
    if top and _within(resolved, Path(os.path.realpath(top))):
        shown = os.path.relpath(directory, top)
        return Plan(directory, obstacles=(Obstacle(shown, managers.of_directory(shown, events)),))
    wanted = hookscript.texts([event for event in EVENTS + GUARDS if event in events])
    steps: list[Step] = []
    obstacles: list[Obstacle] = []
    for name, data in wanted.items():
        decided = _decide(directory, name, data)
        if isinstance(decided, Step):
            steps.append(decided)
        else:
            obstacles.append(Obstacle(str(directory / name), decided))
    return Plan(directory, tuple(steps), tuple(obstacles))


def _within(path: Path, top: Path) -> bool:
    return path.is_relative_to(top) and ".git" not in path.relative_to(top).parts


def _decide(directory: Path, name: str, data: bytes) -> Step | Owner:
    path = directory / name
    if not os.path.lexists(path):
        return Step(name, "write", data)
    # A symlink that leads nowhere is a hook that git does not run: it keeps its place.
    found = path.read_bytes() if path.exists() else b""
    if name == SHARED or hookscript.is_ours(found):
        new = data if name == SHARED else hookscript.renewed(found, data)
        right = new == found and os.access(path, os.X_OK)
        return Step(name, "keep" if right else "replace", new)
    earlier = directory / (name + EARLIER)
    if os.path.lexists(earlier) and not _same(path, earlier):
        what = f"mv '{earlier}' '{earlier}.old'"
        return managers.Owner(f"'{earlier}', which would be overwritten", "the shell", what)
    return managers.of_script(found, name) or Step(name, "chain", data)


def _same(one: Path, other: Path) -> bool:
    return os.path.samestat(os.lstat(one), os.lstat(other))


def install(todo: Plan) -> None:
    """Do what the plan says, or nothing. Raises AssetsError."""
    made = not todo.directory.is_dir()
    try:
        todo.directory.mkdir(parents=True, exist_ok=True)
        with Root(todo.directory) as root, ExitStack() as undo:
            _sweep(todo.directory)
            for step in todo.steps:
                if step.action == "chain":
                    _keep_earlier(todo.directory, step.name, undo)
                if step.action != "keep":
                    _put(root, step, undo)
            undo.pop_all()
    except OSError as error:
        with suppress(OSError):
            if made:
                todo.directory.rmdir()
        raise _cannot(todo.directory, error) from error


def _keep_earlier(directory: Path, name: str, undo: ExitStack) -> None:
    """Give the hook that is there its second name: it never stops being there."""
    path, earlier = directory / name, directory / (name + EARLIER)
    if os.path.lexists(earlier):
        return  # a process that was killed came as far as this
    try:
        os.link(path, earlier, follow_symlinks=False)
        undo.callback(earlier.unlink, missing_ok=True)
    except PermissionError as error:
        if error.errno == errno.EACCES:
            raise
        path.rename(earlier)  # a file system without hard links
        undo.callback(earlier.rename, path)


def _put(root: Root, step: Step, undo: ExitStack) -> None:
    path = root.path / step.name
    earlier = root.path / (step.name + EARLIER)
    if step.action == "replace":
        mode, before = stat.S_IMODE(path.stat().st_mode), path.read_bytes()
        undo.callback(_write, root, step.name, before, mode)
    elif step.action == "chain":
        undo.callback(earlier.rename, path)
    else:
        undo.callback(path.unlink, missing_ok=True)
    _write(root, step.name, step.data, _MODE)


def _write(root: Root, name: str, data: bytes, mode: int) -> None:
    """Replace a script as a whole, whatever its permissions were."""

    def put(directory: int, temporary: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, mode, dir_fd=directory), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    root.place(name, put)


def _sweep(directory: Path) -> None:
    """Remove what a killed process has left unfinished."""
    for path in directory.glob(f"{_TEMPORARY}*"):
        path.unlink(missing_ok=True)


def uninstall(directory: Path) -> Removal:
    """Remove every script and block of ours, and give earlier hooks their names back.

    Raises AssetsError, with nothing changed, when the directory cannot be written.
    """
    done = Removal()
    if not directory.is_dir():
        return done
    if not os.access(directory, os.W_OK | os.X_OK):
        left = [path for path in directory.iterdir() if _holds_block(path)]
        if not left:
            return done
        raise AssetsError(f"cannot write to '{directory}'; nothing was changed, all hooks remain")
    try:
        with Root(directory) as root:
            _sweep(directory)
            for name in EVENTS + GUARDS:
                _take_away(root, name, done)
            if (directory / SHARED).exists():
                root.remove(SHARED)
                done.removed.append(SHARED)
    except (OSError, Blocked) as error:
        raise _cannot(directory, error, "some hooks remain") from error
    return done


def _take_away(root: Root, name: str, done: Removal) -> None:
    path, earlier = root.path / name, root.path / (name + EARLIER)
    chained = os.path.lexists(earlier)
    if not _holds_block(path):
        # Killed between the two steps of an install: one hook with two names, or the second alone.
        if chained and os.path.lexists(path) and _same(path, earlier):
            earlier.unlink()
        return
    found = path.read_bytes()
    left = hookscript.rest(found)
    if left is None and chained:
        earlier.rename(path)
        done.restored.append(name)
    elif left is None:
        path.unlink()
        done.removed.append(name)
    else:
        mode = stat.S_IMODE(path.stat().st_mode)
        _write(root, name, hookscript.chain(name, found) if chained else left, mode)
        done.edited.append(name)
        if chained:
            done.left.append(name + EARLIER)


def _holds_block(path: Path) -> bool:
    try:
        return hookscript.is_ours(path.read_bytes())
    except OSError:
        return False


def alive(directory: Path) -> bool:
    """Tell whether every event's script is still in place."""
    return all(_holds_block(directory / event) for event in EVENTS)


def _cannot(directory: Path, error: Exception, state: str = "nothing was changed") -> AssetsError:
    why = getattr(error, "strerror", None) or str(error)
    return AssetsError(f"cannot write to '{directory}': {why}; {state}")
