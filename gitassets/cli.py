"""The command line: which verb, what it returns, and what the user reads when it fails.

The only place that catches for users and the only one that knows exit statuses: 0 done, 1 the
answer is no or some assets failed, 128 fatal, 129 usage, 130 Ctrl-C. A verb is one module of
`commands`, imported when it is named.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from gitassets.commands import PLUMBING, VERBS, module_of, overview, parser_of
from gitassets.errors import AssetsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MACHINE = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM,
    errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EEXIST, errno.ENOTDIR, errno.EISDIR,
    errno.ENAMETOOLONG,
})  # fmt: skip
"""A full disk, a directory that may not be written: told in the machine's own words, no bug."""


def main(argv: Sequence[str]) -> int:
    """Run one command line and give its exit status."""
    words = list(argv)
    from gitassets.console import Console  # noqa: PLC0415 - what fails first needs it, too

    console = Console()
    try:
        if not words or words[0] in {"-h", "--help"}:
            console.page(overview())
            return 0 if words else 129
        return _run("version" if words[0] == "--version" else words[0], words[1:])
    except AssetsError as error:
        console.failure(error)
        return error.status
    except BrokenPipeError:
        # Nobody reads any more. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:  # noqa: BLE001 - a bug of ours; the user gets one line and a log
        if isinstance(error, OSError) and error.errno in _MACHINE:
            place = f"'{os.fsdecode(error.filename)}': " if error.filename else ""
            console.error(f"{place}{error.strerror}", word="fatal")
            return 128
        from gitassets.crash import report  # noqa: PLC0415

        return report(error, console, verbose={"-v", "--verbose"} & set(words) != set())


def _run(verb: str, words: list[str]) -> int:
    if verb not in VERBS and verb not in PLUMBING:
        raise UsageError(f"'{verb}' is not a git assets command", hint="git assets -h")
    arguments = parser_of(verb).parse_args(words)
    from gitassets.context import Context  # noqa: PLC0415 - -h needs none of it

    with Context(arguments) as context:
        status: int = module_of(verb).run(context, arguments)
    sys.stdout.flush()
    return status


def entry() -> NoReturn:
    """The program: `git-assets`, and so `git assets`."""
    import gc  # noqa: PLC0415 - as the next one
    import signal  # noqa: PLC0415 - 1 ms

    # One command makes hundreds of thousands of objects and hardly a cycle: looking for cycles at
    # every 700th costs a twentieth of a pull of many small files.
    gc.set_threshold(100_000, 20, 20)

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, stop)
    try:
        status = main(sys.argv[1:])
    except KeyboardInterrupt:
        # A shell loop stops only when the program died of the signal itself.
        sys.stderr.write("\ninterrupted; the next run goes on where this one stopped\n")
        sys.stderr.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        status = 130
    # Everything is closed and flushed by now: the interpreter's own tear-down is only waiting.
    sys.stdout.flush()
    os._exit(status)
