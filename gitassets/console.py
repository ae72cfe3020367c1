"""Everything that a person or a script reads. stdout is the answer, stderr is everything else.

What came from outside (a name, a URL, a server's words) is made safe here, by one function, before
it reaches a terminal: control, escape and bidi characters are shown, not obeyed.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, TextIO

from gitassets.progress import human
from gitassets.urls import redacted, safe

__all__ = ["Console", "human", "plural", "quoted"]

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gitassets.config import Config
    from gitassets.errors import AssetsError
    from gitassets.progress import Progress


def plural(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def quoted(path: str) -> str:
    """A path as `git status --porcelain` writes it without -z: C-quoted when it has to be."""
    if path.isprintable() and path.isascii() and not set(path) & set(' "\\'):
        return path
    escapes = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}
    out = [
        f"\\{escapes[byte]}"
        if byte in escapes
        else chr(byte)
        if 32 <= byte < 127
        else f"\\{byte:03o}"
        for byte in path.encode("utf-8", "surrogateescape")
    ]
    return '"' + "".join(out) + '"'


class Console:
    """The two streams of one command."""

    def __init__(
        self, *, quiet: bool = False, verbose: bool = False, config: Config | None = None
    ) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self._config = config

    def answer(self, text: str = "", *, end: str = "\n") -> None:
        """Part of the answer, for people and scripts: stdout."""
        _write(sys.stdout, safe(text) + end)

    def page(self, text: str) -> None:
        """Words of ours, several lines of them: stdout."""
        _write(sys.stdout, text)

    def records(self, lines: list[str], *, zero: bool) -> None:
        """Porcelain: one record a line, or NUL-terminated and raw."""
        text = "".join(f"{line}\0" if zero else f"{line}\n" for line in lines)
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))

    def json(self, command: str, document: Mapping[str, object]) -> None:
        """One document on stdout; the only thing there."""
        _write(
            sys.stdout, json.dumps({"version": 1, "command": command, **document}, indent=1) + "\n"
        )

    def say(self, text: str) -> None:
        """Something good to know, not part of the answer: stderr, not with -q."""
        if not self.quiet:
            _write(sys.stderr, safe(text) + "\n")

    def detail(self, text: str) -> None:
        """What and why, with -v only."""
        if self.verbose:
            _write(sys.stderr, safe(redacted(text)) + "\n")

    def warning(self, text: str, *, hint: str | None = None) -> None:
        """Something that may become a problem."""
        self._line("warning", text, hint)

    def error(self, text: str, *, hint: str | None = None, word: str = "error") -> None:
        """Something that failed; `word` is `fatal` when the command stops."""
        self._line(word, text, hint)

    def complain(self, path: str, lines: Iterable[str], hint: str | None) -> None:
        """Say of one asset what went wrong, a line for each cause."""
        for line in lines:
            self._line("error", f"'{path}': {line}", hint)

    def failure(self, error: AssetsError) -> None:
        """An error that ends the command, as git words it."""
        self._line("fatal" if error.status == 128 else "error", str(error), error.hint)

    def _line(self, word: str, text: str, hint: str | None) -> None:
        _write(sys.stderr, f"{word}: {safe(redacted(text))}\n")
        if hint and os.environ.get("GIT_ADVICE") != "0":
            _write(sys.stderr, f"hint: {safe(redacted(hint))}\n")

    def progress(self, mode: str, *, total: int, files: int, word: str = "fetching") -> Progress:
        """Something to watch while bytes move: `mode` is auto, always, never or json."""
        from gitassets.progress import Silent  # noqa: PLC0415 - for symmetry with the next one

        terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        if mode == "never" or self.quiet or self.verbose:
            return Silent()
        from gitassets import bars  # noqa: PLC0415 - only when somebody looks

        return bars.make(mode, terminal=terminal, total=total, files=files, word=word)


def _write(stream: TextIO, text: str) -> None:
    """Write text; a terminal that cannot show a character gets an escape for it."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()
