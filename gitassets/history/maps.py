"""What became of what, for others: commit map, ref map, first changed commits, push lines."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from gitassets.history.refs import REMOTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from gitassets.history.commits import Rewritten
    from gitassets.history.refs import Ref, Update

COMMITS: Final = "commit-map"
REFS: Final = "ref-map"
FIRST: Final = "first-changed"


def write(run: Path, done: Rewritten, updates: Iterable[Update], stayed: Iterable[Ref]) -> None:
    """Write the maps in git-filter-repo's format, unchanged ones included. Raises OSError."""
    width = len(done.order[0]) * 2 if done.order else 40
    heading = f"{'old':{width}} new"
    rows = (f"{old.hex()} {done.ids.get(old, old).hex()}\n" for old in done.order)
    with (run / COMMITS).open("w", encoding="ascii") as file:
        file.write(f"{heading}\n")
        file.writelines(rows)
    lines = [f"{update.old.hex()} {update.new.hex()} {update.name}\n" for update in updates]
    lines += [f"{ref.id.hex()} {ref.id.hex()} {ref.name}\n" for ref in stayed]
    with (run / REFS).open("w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(f"{heading} ref\n")
        file.writelines(sorted(lines, key=lambda line: line.split(" ", 2)[2]))
    (run / FIRST).write_text("".join(f"{name.hex()}\n" for name in done.first), encoding="ascii")


def pushes(
    refs: Sequence[Ref], updates: Sequence[Update], commits: Mapping[bytes, bytes]
) -> dict[str, str]:
    """Give for each remote the command that moves all its branches and tags, or none of them.

    A branch that exists only there is pushed by its new id.
    """
    moved = {update.name: update for update in updates}
    found: dict[str, str] = {}
    for remote in dict.fromkeys(
        ref.name[len(REMOTES) :].partition("/")[0]
        for ref in refs
        if ref.name.startswith(REMOTES) and not ref.symbolic
    ):
        leases: list[str] = []
        specs: list[str] = []
        for ref in refs:
            prefix = f"{REMOTES}{remote}/"
            if not ref.name.startswith(prefix) or ref.symbolic:
                continue
            branch = f"refs/heads/{ref.name[len(prefix) :]}"
            if branch in moved:
                specs.append(branch)
            elif ref.id in commits:
                specs.append(f"{commits[ref.id].hex()}:{branch}")
            else:
                continue
            leases.append(f"--force-with-lease={branch}:{ref.id.hex()}")
        for name, update in moved.items():
            if name.startswith("refs/tags/"):
                leases.append(f"--force-with-lease={name}:{update.old.hex()}")
                specs.append(name)
        if specs:
            words = ["git", "push", "--atomic", *leases, remote, *specs]
            found[remote] = shlex.join(words)
    return found
