"""Which files of a tree a spec chooses, decided from name, path, size and pointer alone."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING, Final

from gitassets.errors import UnsafePath
from gitassets.history.spec import PATHS_FILE
from gitassets.paths import AssetPath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitassets.history.spec import Rule, Spec

REGULAR: Final = frozenset({b"100644", b"100755", b"100664"})
"""Modes of files; symlinks and submodules are never assets."""
DIRECTORY: Final = frozenset({b"40000", b"040000"})
"""The second one was written by old programs, and git still reads it."""
_MEMO_LIMIT: Final = 1 << 16
_GLOB = re.compile(r"(\*\*/|/\*\*$|\*+|\?|\[[^]]+\])")


class Choice:
    """A spec made ready to be asked about millions of entries."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.paths: frozenset[bytes] = frozenset(path.encode() for path in spec.paths)
        self.folders: frozenset[bytes] = frozenset(
            path[: at + 1] for path in self.paths for at in _slashes(path)
        ) | ({b""} if self.paths else set())
        """Directories, with their last slash, below which a listed path lies; "" is the root."""
        self._rules = [_Rule(rule) for rule in spec.rules]
        self.positional = any(rule.positional for rule in self._rules)
        """A rule looks at whole paths, so equal trees at two places may differ afterwards."""
        above = [rule.above for rule in spec.rules if rule.above is not None]
        self.least = min(above, default=None)
        """The smallest size in bytes that any rule looks for."""
        self.any_size = any(rule.above is None and not rule.lfs for rule in spec.rules)
        """Some rule takes files by their names alone."""
        self.lfs = any(rule.lfs for rule in spec.rules)
        self._refusals: dict[bytes, str | None] = {}

    def takes(self, path: bytes, *, size: int, pointer: bool) -> bool:
        """Tell whether the file is chosen; only its name has to be right when not `positional`.

        `size` in bytes may be anything below `least` for a file that is smaller than that.
        """
        return path in self.paths or any(
            rule.takes(path, size=size, pointer=pointer) for rule in self._rules
        )

    def context(self, prefix: bytes | None) -> bytes | None:
        """Give what of a directory's place matters to what is chosen in it; None for nothing."""
        return prefix if self.positional or prefix in self.folders else None

    def refusal(self, name: bytes) -> str | None:
        """Say why no asset may have this name, or lie in a directory of this name; None: it may."""
        if name in self._refusals:
            return self._refusals[name]
        try:
            AssetPath(name.decode())
            why = "the list of paths of a migration" if name == PATHS_FILE.encode() else None
        except UnicodeDecodeError:
            why = "not UTF-8"
        except UnsafePath as error:
            why = error.rule
        if len(self._refusals) < _MEMO_LIMIT:
            self._refusals[name] = why
        return why


class _Rule:
    """One rule with its patterns compiled."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._include = [_translate(pattern) for pattern in rule.include]
        self._exclude = [_translate(pattern) for pattern in rule.exclude]
        self.positional = any("/" in pattern for pattern in (*rule.include, *rule.exclude))

    def takes(self, path: bytes, *, size: int, pointer: bool) -> bool:
        rule = self._rule
        by_size = rule.above is not None and size >= rule.above
        by_name = rule.above is None and not rule.lfs
        if not (by_size or by_name or (rule.lfs and pointer)):
            return False
        if not (self._include or self._exclude):
            return True
        text = path.decode("utf-8", "surrogateescape")
        return (not self._include or _any(self._include, text)) and not _any(self._exclude, text)


def _any(patterns: Sequence[re.Pattern[str]], text: str) -> bool:
    return any(pattern.fullmatch(text) for pattern in patterns)


def _slashes(path: bytes) -> list[int]:
    return [at for at, byte in enumerate(path) if byte == 0x2F]


def _translate(pattern: str) -> re.Pattern[str]:
    """Compile a glob of `.gitignore`'s kind: without a slash for the name, else from the top."""
    anchored = "/" in pattern.rstrip("/")
    text = pattern.lstrip("/")
    if text.endswith("/"):
        text += "**"
    parts = []
    for part in _GLOB.split(text):
        if part == "**/":
            parts.append("(?:.*/)?")
        elif part == "/**":
            parts.append("/.*")
        elif part.startswith("*"):
            parts.append(".*" if part == "**" else "[^/]*")
        elif part == "?":
            parts.append("[^/]")
        elif part.startswith("[") and part.endswith("]"):
            parts.append(re.sub(r"^\(\?s:|\)\\[Zz]$", "", fnmatch.translate(part)))
        else:
            parts.append(re.escape(part))
    return re.compile(("" if anchored else "(?:.*/)?") + "".join(parts), re.DOTALL)
