"""Where hooks go, for one clone or for every future one, and what git's configuration says of it.

git 2.54 and later runs commands that its configuration names, beside every other hook. Before, a
hook is a file in the directory that git looks into; a new clone gets a copy of the template's.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gitassets import config, gitstate, hooks, hookscript
from gitassets.hookscript import EVENTS, GUARDS
from gitassets.managers import Owner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitassets.config import Config
    from gitassets.git import Place

Rows = tuple[tuple[str, str], ...]

MERGE = "merge.gitassets"
"""The driver that `.gitattributes` names."""


@dataclass(frozen=True, slots=True)
class Target:
    """One place for hooks, and the settings that belong to it."""

    directory: Path
    scope: Literal["--local", "--global"]
    settings: Rows
    top: Path | None = None
    """The work tree of a local install."""
    shared: bool = False
    """The directory is one for all repositories of the user, but one of them was meant."""

    def plan(self, events: Sequence[str]) -> hooks.Plan:
        """Decide what to do with every script. Raises OSError."""
        if self.shared:
            name = "all your repositories (core.hooksPath is set for all of them)"
            owner = Owner(name, "the shell", "git assets install --global")
            obstacle = hooks.Obstacle(str(self.directory), owner)
            return hooks.Plan(self.directory, obstacles=(obstacle,))
        return hooks.plan(self.directory, events, top=self.top)


def local(place: Place, mode: str | None, events: Sequence[str]) -> Target:
    """One clone, with its linked work trees. Raises GitError."""
    found = gitstate.hooks_path()
    directory = gitstate.hooks_directory(place)
    rows = _rows(mode)
    shared = found is not None and found[0] in {"global", "system"}
    if gitstate.version() >= gitstate.CONFIG_HOOKS:
        directory, shared = config_directory(place), False
        rows += _commands(directory, events)
    rows += (("assets.hookDirectory", str(directory)),)
    return Target(directory, "--local", rows, place.top, shared)


def everywhere(mode: str | None, events: Sequence[str]) -> Target:
    """Every future clone of this user. Raises GitError."""
    rows = _rows(mode)
    if gitstate.version() >= gitstate.CONFIG_HOOKS:
        directory = _data() / "hooks"
        return Target(directory, "--global", rows + _commands(directory, events))
    found = gitstate.hooks_path()
    if found is not None and found[0] == "global":
        return Target(Path(found[1]), "--global", rows)
    template = gitstate.value("init.templateDir", "--global")
    if template is None:
        template = str(_template())
        rows += (("init.templateDir", template),)
    return Target(Path(template).expanduser() / "hooks", "--global", rows)


def config_directory(place: Place) -> Path:
    """Where one clone's scripts are when git's configuration names them."""
    return (place.common_dir or place.top) / "assets" / "hooks"


def local_directories(place: Place) -> list[Path]:
    """Everywhere that an install of this clone may have put scripts."""
    recorded = gitstate.value("assets.hookDirectory", "--local")
    own = (place.common_dir or place.top) / "hooks"
    found = gitstate.hooks_path()
    shared = found is not None and found[0] in {"global", "system"}
    current = [] if shared else [gitstate.hooks_directory(place)]
    past = [Path(recorded)] if recorded else []
    return list(dict.fromkeys([*past, *current, own, config_directory(place)]))


def global_directories() -> list[Path]:
    """Everywhere that an install for every clone may have put scripts."""
    found = gitstate.hooks_path()
    current = [Path(found[1])] if found is not None and found[0] == "global" else []
    template = gitstate.value("init.templateDir", "--global")
    named = [Path(template).expanduser() / "hooks"] if template else []
    return list(dict.fromkeys([*current, *named, _template() / "hooks", _data() / "hooks"]))


def forget(scope: Literal["--local", "--global"]) -> None:
    """Remove every setting that an install has made."""
    keys = ["assets.hook", "assets.hookDirectory"]
    if scope == "--global" and gitstate.value("init.templateDir", scope) == str(_template()):
        keys.append("init.templateDir")
    sections = [MERGE, *(f"hook.gitassets-{event}" for event in EVENTS + GUARDS)]
    gitstate.unset(keys, sections, scope)


def asleep(settings: Config, place: Place) -> str | None:
    """Say why hooks that were installed in this clone do not run any more; None when they do."""
    installed = settings.values("assets.hookDirectory")
    if not installed or settings.values(config.HOOK.key)[-1:] == ["off"]:
        return None
    where = Path(installed[-1])
    if not hooks.alive(where):
        return f"the hooks of git assets in '{where}' are gone or were replaced"
    current = gitstate.hooks_directory(place)
    if where == config_directory(place) or current.resolve() == where.resolve():
        return None
    return f"git looks for hooks in '{current}' now (core.hooksPath); ours are in '{where}'"


def _rows(mode: str | None) -> Rows:
    program = shlex.quote(hookscript.program())
    # Without the program a merge is what it would have been without us.
    driver = (
        f"if command -v {program} >/dev/null; then {program} merge-driver %O %A %B %L %P; "
        "else git merge-file --marker-size=%L %A %O %B; fi"
    )
    chosen = (("assets.hook", mode),) if mode else ()
    return (*chosen, (f"{MERGE}.name", "git assets lockfile merge"), (f"{MERGE}.driver", driver))


def _commands(directory: Path, events: Sequence[str]) -> Rows:
    """Name each script in git's configuration; no variable tells a command its event (2.54)."""
    rows: list[tuple[str, str]] = []
    for event in events:
        script = shlex.quote(str(directory / event))
        # git reports a command that it cannot start as a failure of the user's own command.
        command = f"[ ! -x {script} ] || {script}"
        rows += [(f"hook.gitassets-{event}.event", event)]
        rows += [(f"hook.gitassets-{event}.command", command)]
    return tuple(rows)


def _data() -> Path:
    from platformdirs import user_data_path  # noqa: PLC0415 - for a global install alone

    return user_data_path("git-assets", appauthor=False)


def _template() -> Path:
    return _data() / "template"
