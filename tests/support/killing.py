"""SIGKILL for a command and all that it started, at its n-th system call that changes something."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CALLS = "rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,fsync,mkdir,mkdirat,ftruncate"


def killed(arguments: Sequence[str], cwd: Path, number: int) -> bool:
    """Run `git assets …`, killed at the n-th call of its own process; False when it came to its end."""
    run = [sys.executable, "-m", "gitassets", *arguments]
    return _run([*_strace(number), *run], cwd, os.environ["PATH"])


def killed_in_transaction(arguments: Sequence[str], cwd: Path, number: int, bin_dir: Path) -> bool:
    """Run `git assets …`, killed at the n-th call of the git process that moves refs."""
    git = shutil.which("git")
    bin_dir.mkdir(exist_ok=True)
    wrapper = bin_dir / "git"
    strace = " ".join(_strace(number))
    wrapper.write_text(
        f'#!/bin/sh\ncase " $* " in\n*" update-ref "*" --stdin "*)\n  {strace} {git} "$@"\n'
        f"  code=$?; [ $code -lt 128 ] || kill -KILL 0; exit $code ;;\n"
        f'*) exec {git} "$@" ;;\nesac\n'
    )
    wrapper.chmod(0o755)
    run = [sys.executable, "-m", "gitassets", *arguments]
    return _run(run, cwd, f"{bin_dir}{os.pathsep}{os.environ['PATH']}")


def _strace(number: int) -> list[str]:
    return [
        "strace", "-qq", "-o", os.devnull,
        "-e", f"trace={CALLS}", "-e", f"inject={CALLS}:signal=KILL:when={number}",
    ]  # fmt: skip


def _run(argv: Sequence[str], cwd: Path, path: str) -> bool:
    import gitassets

    source = os.path.dirname(os.path.dirname(gitassets.__file__))
    running = subprocess.Popen(
        argv,
        cwd=cwd,
        env={**os.environ, "PATH": path, "PYTHONPATH": source},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    code = running.wait(120)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    assert running.stdout is not None
    said = running.stdout.read()
    running.stdout.close()
    assert code in (0, -signal.SIGKILL, 128 + signal.SIGKILL), said
    return code != 0
