"""Take the terminal while something slow runs below another program, as a shell does for a job.

Ctrl-C goes to every process of the terminal's foreground group. git and its hook stand in one
group, so that a user who stops a download in a hook also kills git between two of its steps (a
merge commit without its end, HEAD behind the index). With the terminal taken, Ctrl-C is ours alone.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def foreground() -> Iterator[None]:
    """Be the terminal's foreground group; nothing happens without one, or when it is another's."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        owner = os.getpgrp()
        if _owner(terminal) != owner or owner == os.getpid():
            yield
            return
        # A group that gives the terminal to itself or back would be stopped for it (tcsetpgrp(3));
        # and Ctrl-Z would stop us while git waits.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in _STOPPING}
        os.setpgid(0, 0)
        os.tcsetpgrp(terminal, os.getpgrp())
        try:
            yield
        finally:
            with suppress(OSError):  # the terminal is gone: nobody has to get it back
                os.tcsetpgrp(terminal, owner)
                os.setpgid(0, owner)
            for number, handler in before.items():
                signal.signal(number, handler)
    finally:
        os.close(terminal)


_STOPPING = (signal.SIGTTOU, signal.SIGTSTP)


def _owner(terminal: int) -> int:
    try:
        return os.tcgetpgrp(terminal)
    except OSError:
        return -1
