"""Become another program that cannot do much: run as a script, imported by nobody but for its name.

`python -I -S confine.py PARENT LIMIT [DIRECTORY…] -- PROGRAM [ARGUMENT…]`: the program dies with
process PARENT, writes no file longer than LIMIT bytes, and on a Linux with Landlock (5.13) writes
only below the DIRECTORYs. A script of its own, because Python code between fork and exec may
deadlock in a program with threads (subprocess, "preexec_fn"). It costs some 20 ms.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""System calls of Landlock, the same on every architecture (linux/landlock.h)."""
_WRITE_FILE = 1 << 1
_CHANGE = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))
"""LANDLOCK_ACCESS_FS_*: write a file, remove and make whatever can be removed and made."""
_REFER, _TRUNCATE = 1 << 13, 1 << 14
"""Known from ABI 2 and ABI 3 on."""


def _die_with(parent: int, libc: ctypes.CDLL) -> None:
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel was told to watch it
        os._exit(1)


def _write_only_below(directories: list[str], libc: ctypes.CDLL) -> None:
    """Best effort: a kernel without Landlock refuses the first call."""
    abi = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if abi < 1:
        return
    access = _CHANGE | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0)
    ruleset = libc.syscall(_CREATE_RULESET, struct.pack("=Q", access), 8, 0)
    for path, rights in [*((path, access) for path in directories), ("/dev/null", _WRITE_FILE)]:
        below = os.open(path, os.O_PATH | os.O_CLOEXEC)
        libc.syscall(_ADD_RULE, ruleset, 1, struct.pack("=Qi", access & rights, below), 0)
        os.close(below)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def main(arguments: list[str]) -> None:
    """Do what the module promises; returns only by an exception."""
    split = arguments.index("--")
    parent, limit, *directories = arguments[:split]
    program = arguments[split + 1 :]
    # The soft limit alone, so that the parent may raise it for a larger file.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if soft == resource.RLIM_INFINITY or soft > int(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), hard))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        _die_with(int(parent), libc)
        _write_only_below(directories, libc)
    # Python ignores SIGPIPE and SIGXFSZ, and ignored signals survive exec.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.execv(program[0], program)  # noqa: S606 - the point of it


if __name__ == "__main__":
    main(sys.argv[1:])
