"""Start commands, one at a time, and tell what the kernel measured: a program of its own.

A process inherits the peak memory of the one that started it (execve(2) keeps `ru_maxrss`), so
commands are started by this small program and not by the benchmark. One JSON object a line on
stdin is one command, one on stdout its result.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import time

_CLOCK = struct.Struct("d")


def run(task: dict[str, object]) -> dict[str, object]:
    """Run one command to its end; its output goes to the file `log`."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(task, write)
    os.close(write)
    begun = _CLOCK.unpack(os.read(read, _CLOCK.size))[0]
    os.close(read)
    killed = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal killed
        killed = True
        os.killpg(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(int(task["limit"]))  # type: ignore[call-overload]
    try:
        _, status, usage = os.wait4(pid, 0)
    except BaseException:
        stop(0, None)
        raise
    ended = time.perf_counter()
    signal.alarm(0)
    return {
        "seconds": ended - begun,
        "processor": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "status": "timeout" if killed else os.waitstatus_to_exitcode(status),
    }


def _become(task: dict[str, object], write: int) -> None:
    """Become the command; the clock starts right before, so that this program's fork is free."""
    try:
        os.setpgid(0, 0)
        os.chdir(task["cwd"])  # type: ignore[arg-type]
        log = os.open(task["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)  # type: ignore[arg-type]
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        argv = task["argv"]
        os.write(write, _CLOCK.pack(time.perf_counter()))
        os.execve(argv[0], argv, task["env"])  # type: ignore[index,arg-type]
    except OSError as error:
        os.write(2, f"{error}\n".encode())
    os._exit(127)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        for line in sys.stdin:
            sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
