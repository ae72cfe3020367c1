"""`git assets uninstall`: the hooks go, and those that were there before are back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets import hooks, installation

if TYPE_CHECKING:
    import argparse

    from gitassets.context import Context

EXAMPLES = """examples:
  git assets uninstall
  git assets uninstall --global      new clones only; each clone keeps its copies
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--global", action="store_true", dest="everywhere", help="the new clones'")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Uninstall. 1 while anything of ours remains."""
    if arguments.everywhere:
        directories = installation.global_directories()
    else:
        directories = installation.local_directories(context.place)
    done = hooks.Removal()
    for directory in directories:
        found = hooks.uninstall(directory)
        for name in ("removed", "restored", "edited", "left"):
            getattr(done, name).extend(str(directory / each) for each in getattr(found, name))
    # Last: until then a process that is killed leaves what the next uninstall looks for.
    installation.forget("--global" if arguments.everywhere else "--local")
    _tell(context, done, as_json=arguments.json)
    return 1 if done.left else 0


def _tell(context: Context, done: hooks.Removal, *, as_json: bool) -> None:
    console = context.console
    if as_json:
        console.json(
            "uninstall",
            {
                "removed": done.removed,
                "restored": done.restored,
                "edited": done.edited,
                "left": done.left,
            },
        )
        return
    for path in done.edited:
        console.warning(f"'{path}' was edited after the install: only our lines were removed")
    for path in done.left:
        console.error(f"'{path}' remains: it is your earlier hook, and the edited one runs it")
    count = len(done.removed) + len(done.restored) + len(done.edited)
    console.answer(f"{count} files removed or restored" if count else "there were no hooks of ours")
