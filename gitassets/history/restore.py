"""Settings and hooks as they were before a migration, where nobody changed them since.

A migration takes the settings and hook lines of LFS away and puts a guard in front of pushes. Each
is given back on its own: what the user did to others meanwhile stays.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from gitassets.beneath import Root
from gitassets.history import debris, guard, lfs_leftovers

if TYPE_CHECKING:
    from pathlib import Path

    from gitassets.gitpipes import Pipes


def settings(pipes: Pipes, saved: Path) -> None:
    """Give back the settings of LFS from a copy of the configuration. Raises GitError, OSError.

    When they are the only difference the file gets back the bytes that it had.
    """
    if not saved.exists():
        return
    debris.clear(pipes.git_dir)
    now = pipes.git_dir / "config"
    probe = saved.with_name("config-probe")
    shutil.copyfile(saved, probe)
    keys = lfs_leftovers.settings(pipes, "--file", str(saved))
    for key in dict.fromkeys(key for key, _ in keys):
        pipes.run("config", "--file", str(probe), "--unset-all", key, ok=(0, 5))
    same = probe.read_bytes() == now.read_bytes()
    probe.unlink()
    if same:
        with Root(pipes.git_dir) as root:
            root.write_atomic("config", saved.read_bytes())
        return
    have = set(lfs_leftovers.settings(pipes, "--local"))
    for key, value in keys:
        if (key, value) not in have:
            pipes.run("config", "--local", "--add", key, value)


def hooks(pipes: Pipes, saved: Path, top: Path | None) -> list[str]:
    """Give back hook scripts from a copy of their directory; gives those that changed since.

    `top` is the main work tree. Raises GitError, OSError.
    """
    directory = lfs_leftovers.hooks_directory(pipes, top)
    debris.clear(directory)
    guard.uninstall(pipes, top)
    if not saved.is_dir() or not directory.is_relative_to(pipes.git_dir):
        return []
    changed = []
    directory.mkdir(exist_ok=True)
    with Root(saved) as old, Root(directory) as root:
        for name in lfs_leftovers.NAMES:
            before = lfs_leftovers.read(old, name)
            if before is None or (now := lfs_leftovers.read(root, name)) == before:
                continue
            if now != lfs_leftovers.without_lines(before):
                changed.append(name)
                continue
            status = old.stat(name)
            mode = status.st_mode & 0o777 if status else 0o755
            root.write_atomic(name, before, mode)
            (directory / name).chmod(mode)  # the umask may have taken bits of it
    return changed


def forget(run: Path) -> None:
    """Delete the record of a migration that was undone; under another name first, so whole."""
    gone = run.with_name(f"{run.name}-undone")
    os.rename(run, gone)  # noqa: PTH104 - beside the others of its kind
    shutil.rmtree(gone)
