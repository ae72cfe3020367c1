"""The stash: its list is a reflog, so no ref transaction can hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitassets.history.refs import STASH

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitassets.gitpipes import Pipes


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `git stash list`."""

    id: str
    """The commit, in hex."""
    name: str
    email: str
    date: str
    """`@<seconds> <zone>`, as GIT_COMMITTER_DATE takes it."""
    message: str


def listed(pipes: Pipes) -> list[Entry]:
    """Give the entries, newest first. Raises GitError."""
    if not pipes.run("rev-parse", "--verify", "--quiet", STASH, ok=(0, 1)):
        return []
    fields = "%H%x00%gn%x00%ge%x00%gd%x00%gs%x00"
    out = pipes.run(
        "log", "-g", "--date=raw", f"--format={fields}", "--no-show-signature", STASH, "--"
    ).decode("utf-8", "surrogateescape")
    parts = out.split("\0")
    entries = []
    for at in range(0, len(parts) - 5, 5):
        commit, name, email, where, message = parts[at : at + 5]
        date = where.partition("@{")[2].removesuffix("}")
        entries.append(Entry(commit.strip(), name, email, f"@{date}", message))
    return entries


def untracked(pipes: Pipes, entries: Iterable[Entry]) -> set[bytes]:
    """Give the commits that hold untracked files: a lockfile in one would make `pop` fail."""
    ids = [bytes.fromhex(entry.id) for entry in entries]
    found = set()
    for commit in pipes.objects(ids):
        header = commit.data.partition(b"\n\n")[0].split(b"\n")
        parents = [line[7:] for line in header if line.startswith(b"parent ")]
        if len(parents) == 3:
            found.add(bytes.fromhex(parents[2].decode()))
    return found


def rebuild(pipes: Pipes, entries: Sequence[Entry]) -> None:
    """Make the list anew, with the dates that its entries had. May be repeated. Raises GitError."""
    if pipes.run("rev-parse", "--verify", "--quiet", STASH, ok=(0, 1)):
        pipes.run("update-ref", "-d", STASH)
    for entry in reversed(entries):
        writer = pipes.having(
            GIT_COMMITTER_NAME=entry.name or "unknown",
            GIT_COMMITTER_EMAIL=entry.email,
            GIT_COMMITTER_DATE=entry.date,
        )
        writer.run("update-ref", "--create-reflog", "-m", entry.message, STASH, entry.id)
