"""The moment in which the new history takes the place of the old one, and what a kill leaves of it.

git's ref transaction is whole for readers but not against SIGKILL, so everything that is going to
happen is written down first, synced. Whoever finds that page does the rest: each step can tell
whether it was done. Before the page says "ready" nothing has happened, and nothing will.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gitassets.beneath import Root
from gitassets.errors import GitError, HistoryError
from gitassets.history import debris, generated, refs, stash
from gitassets.history.generated import Write
from gitassets.history.refs import Update
from gitassets.history.stash import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitassets.gitpipes import Pipes

PAGE: Final = "journal.json"


@dataclass(frozen=True, slots=True)
class IndexSwap:
    """One index that is ready to take its place."""

    index: Path
    prepared: Path

    @property
    def lock(self) -> Path:
        """Git's own lock, which becomes the index by rename."""
        return self.index.with_name("index.lock")


@dataclass(slots=True)
class Switch:
    """All that changes outside of the object store."""

    updates: list[Update] = field(default_factory=list)
    stash_before: list[Entry] = field(default_factory=list)
    stash_after: list[Entry] = field(default_factory=list)
    indexes: list[IndexSwap] = field(default_factory=list)
    files: dict[str, list[Write]] = field(default_factory=dict)
    """By the top of the work tree."""
    keep: Path | None = None
    """Guards the new pack until the refs hold it."""


def pending(state: Path) -> bool:
    """Tell whether a switch was interrupted."""
    return (state / PAGE).exists()


def perform(pipes: Pipes, state: Path, switch: Switch) -> list[str]:
    """Do it all; gives the paths of files that were changed by somebody meanwhile.

    Raises HistoryError when a ref moved or an index is in use: then nothing has changed.
    """
    _write(state, switch, ready=False)
    try:
        _lock(switch)
        _write(state, switch, ready=True)
        refs.transact(pipes, switch.updates)
    except (GitError, HistoryError) as error:
        if isinstance(error, GitError) and _moved(pipes, switch.updates):
            raise
        _abandon(state, switch)
        if isinstance(error, HistoryError):
            raise
        raise HistoryError(
            f"a ref was moved or is in use, so nothing was changed: {error.stderr.strip()}",
            hint="git assets migrate, once more",
        ) from error
    return _finish(pipes, state, switch)


def resume(pipes: Pipes, state: Path) -> list[str] | None:
    """Finish an interrupted switch, or clear away one that had not begun; None when there is none.

    Gives what was changed meanwhile and so was left alone. The caller holds the lock of migrations.
    """
    if not pending(state):
        return None
    ready, switch = _read(state)
    for top, writes in switch.files.items():
        debris.beside(Path(top), writes)
    if not ready:
        _abandon(state, switch)
        return []
    now = {ref.name: ref.id for ref in refs.listed(pipes)}
    for update in switch.updates:
        if update.name not in now:
            out = pipes.run("rev-parse", "--verify", "--quiet", update.name, ok=(0, 1)).strip()
            now[update.name] = bytes.fromhex(out.decode()) if out else b""
    left = [update for update in switch.updates if now[update.name] == update.old]
    foreign = [
        update.name for update in switch.updates if now[update.name] not in (update.old, update.new)
    ]
    _unlock_refs(pipes, state, switch.updates)
    refs.transact(pipes, left)
    return foreign + _finish(pipes, state, switch)


def _finish(pipes: Pipes, state: Path, switch: Switch) -> list[str]:
    """Do the steps behind the refs, each unless it was done."""
    if switch.stash_before != switch.stash_after:
        ours = {entry.id for entry in (*switch.stash_before, *switch.stash_after)}
        newer = [entry for entry in stash.listed(pipes) if entry.id not in ours]
        stash.rebuild(pipes, [*newer, *switch.stash_after])
    changed: list[str] = []
    for swap in switch.indexes:
        if _is_ours(swap):
            swap.lock.replace(swap.index)
    for top, writes in switch.files.items():
        if Path(top).is_dir():
            changed += generated.apply(Path(top), writes)
    _clear(state, switch)
    return changed


def _lock(switch: Switch) -> None:
    for swap in switch.indexes:
        try:
            # The lock is born whole, and is known again by its inode.
            os.link(swap.prepared, swap.lock)
        except FileExistsError as error:
            raise HistoryError(
                f"another git uses '{swap.index}'; nothing was changed", hint=f"rm '{swap.lock}'"
            ) from error


def _is_ours(swap: IndexSwap) -> bool:
    """Tell whether the lock that is there is what was prepared."""
    with suppress(FileNotFoundError):
        return swap.lock.samefile(swap.prepared)
    return False


def _abandon(state: Path, switch: Switch) -> None:
    """Take back what has no effect yet."""
    for swap in switch.indexes:
        if _is_ours(swap):
            swap.lock.unlink()
    if switch.keep:
        for suffix in (".idx", ".rev", ".pack"):
            switch.keep.with_suffix(suffix).unlink(missing_ok=True)
    _clear(state, switch)


def _clear(state: Path, switch: Switch) -> None:
    if switch.keep:
        switch.keep.unlink(missing_ok=True)
    (state / PAGE).unlink(missing_ok=True)
    for swap in switch.indexes:
        swap.prepared.unlink(missing_ok=True)


def _moved(pipes: Pipes, updates: Sequence[Update]) -> bool:
    now = {ref.name: ref.id for ref in refs.listed(pipes)}
    return any(now.get(update.name) == update.new != update.old for update in updates)


def _unlock_refs(pipes: Pipes, state: Path, updates: Sequence[Update]) -> None:
    """Remove the locks that a killed transaction of ours left: they hold one of our new ids.

    HEAD's is empty, since git locks it only for its reflog; ours is younger than the journal.
    """
    for update in updates:
        lock = pipes.git_dir / f"{update.name}.lock"
        with suppress(OSError):
            if lock.read_bytes().strip() in (update.new.hex().encode(), b""):
                lock.unlink()
    head = pipes.git_dir / "HEAD.lock"
    with suppress(OSError):
        young = head.stat().st_mtime_ns >= (state / PAGE).stat().st_mtime_ns
        if young and not head.read_bytes():
            head.unlink()


def _write(state: Path, switch: Switch, *, ready: bool) -> None:
    page: dict[str, Any] = {
        "version": 1,
        "ready": ready,
        "updates": [[each.name, each.old.hex(), each.new.hex()] for each in switch.updates],
        "stash_before": [asdict(entry) for entry in switch.stash_before],
        "stash_after": [asdict(entry) for entry in switch.stash_after],
        "indexes": [[str(swap.index), str(swap.prepared)] for swap in switch.indexes],
        "files": {
            top: [[write.path, _text(write.before), _text(write.after)] for write in writes]
            for top, writes in switch.files.items()
        },
        "keep": str(switch.keep) if switch.keep else None,
    }
    data = json.dumps(page).encode()
    check = hashlib.sha256(data).hexdigest().encode()
    with Root(state) as root:
        root.write_atomic(PAGE, check + b"\n" + data)


def _read(state: Path) -> tuple[bool, Switch]:
    check, _, data = (state / PAGE).read_bytes().partition(b"\n")
    if hashlib.sha256(data).hexdigest().encode() != check:
        raise HistoryError(f"'{state / PAGE}' is damaged", hint="git assets migrate undo")
    page = json.loads(data)
    switch = Switch(
        [
            Update(name, bytes.fromhex(old), bytes.fromhex(new))
            for name, old, new in page["updates"]
        ],
        [Entry(**entry) for entry in page["stash_before"]],
        [Entry(**entry) for entry in page["stash_after"]],
        [IndexSwap(Path(index), Path(prepared)) for index, prepared in page["indexes"]],
        {
            top: [Write(path, _bytes(before), _bytes(after)) for path, before, after in writes]
            for top, writes in page["files"].items()
        },
        Path(page["keep"]) if page["keep"] else None,
    )
    return page["ready"], switch


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
