"""Which paths a lockfile may name: the same on every operating system, decided from the text alone.

git is the oracle: what `git update-index` rejects, with both of its protections on, is rejected
here, and so is what Windows, macOS or a terminal would take for something else (design §3).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from unicodedata import category, normalize

from gitassets.errors import UnsafePath

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from typing_extensions import Self

__all__ = ["AssetPath", "check_together", "clashes", "fold", "ignore_line"]

MAX_PATH: Final = 1024
"""UTF-8 bytes of a whole path."""
MAX_COMPONENT: Final = 255
"""UTF-8 bytes of one name: NAME_MAX of every file system that git is used on."""

_PLAIN = re.compile(
    r"(?!(?i:con|prn|aux|nul|com[0-9]|lpt[0-9]|assets\.lock\.toml)(?:\.|\Z))"
    r"[A-Za-z0-9_+=-](?:[A-Za-z0-9_+=.-]{0,253}[A-Za-z0-9_+=-])?"
)
"""What nearly every name looks like and no rule below can object to."""

_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}
    | {f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"}
)
"""Win32 opens the device whatever follows the first dot (Microsoft, "Naming Files, Paths")."""

_ACTED_ON = {
    ".git": "git's own directory",
    ".gitattributes": "git acts on this file",
    ".gitmodules": "git acts on this file",
    ".gitignore": "git acts on this file",
    ".lfsconfig": "git-lfs acts on this file",
    "assets.lock.toml": "the lockfile itself",
}

# NTFS offers "git~1" for ".git", "gitatt~1" for ".gitattributes" and, when those are taken, two
# letters and four hash digits, as in "gi7eba~1" (git's path.c, is_ntfs_dot_generic).
_SHORT_NAME = re.compile(
    r"(?:git|gitatt|gitmod|gitign|lfscon|assets|gi[0-9a-f]{4})~[0-9]+(?:\..*)?"
)

_FORBIDDEN = re.compile(r'[\\:<>"|?*]')
_INVISIBLE = {
    "Cc": "a control character",
    "Cf": "an invisible or bidirectional character",
    "Cs": "a lone surrogate",
    "Zl": "a line separator",
    "Zp": "a line separator",
}

_MEMO_LIMIT: Final = 4096
_good_folders: set[str] = set()
"""Folders found good: nothing but text decides, so a memo cannot go stale."""


class AssetPath(str):
    """A POSIX path relative to the lockfile that every work tree may receive.

    Raises UnsafePath, with the rule that is broken and without a line.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check and keep `text`."""
        if len(text) > MAX_PATH or not (text.isascii() or _fits(text, MAX_PATH)):
            raise UnsafePath(text, f"longer than {MAX_PATH} bytes")
        folder, slash, name = text.rpartition("/")
        if slash and folder not in _good_folders:
            _check_folder(text, folder)
        if not _PLAIN.fullmatch(name) and (rule := _broken_rule(name)):
            raise UnsafePath(text, rule if text else "empty")
        return str.__new__(cls, text)


def _check_folder(text: str, folder: str) -> None:
    if not folder or folder[0] == "/":
        raise UnsafePath(text, "absolute")
    for name in folder.split("/"):
        if rule := _broken_rule(name):
            raise UnsafePath(text, rule)
    if len(_good_folders) >= _MEMO_LIMIT:
        _good_folders.clear()
    _good_folders.add(folder)


def _broken_rule(name: str) -> str | None:
    """Say what is wrong with one component, or None."""
    if _PLAIN.fullmatch(name):
        return None
    return _shape_rule(name) or _name_rule(name)


def _shape_rule(name: str) -> str | None:
    """Judge the characters of a component that is not plain."""
    if name in {"", ".", ".."}:
        return f"a '{name}' component" if name else "an empty component"
    if not name.isprintable():
        for character in name:
            if rule := _INVISIBLE.get(category(character)):
                return rule
    if not _fits(name, MAX_COMPONENT):
        return f"a name longer than {MAX_COMPONENT} bytes"
    if found := _FORBIDDEN.search(name):
        return f"the character {found[0]}"
    return "a name that ends in a dot or a space" if name[-1] in ". " else None


def _name_rule(name: str) -> str | None:
    """Judge what a component means to git, Windows, and macOS (which folds case by Unicode)."""
    folded = fold(name)
    if folded.partition(".")[0].rstrip(" ") in _DEVICES:
        return "a Windows device name"
    if _SHORT_NAME.fullmatch(folded):
        return "the short form of a name that git acts on"
    return _ACTED_ON.get(folded)


def _fits(text: str, limit: int) -> bool:
    return len(text.encode("utf-8", "surrogatepass")) <= limit


def fold(text: str) -> str:
    """Give what file systems that ignore case and composition may take for the same name."""
    if text.isascii():
        return text.lower()
    # Folding can decompose (U+0130), and composing can bring forth what folds again.
    return normalize("NFC", normalize("NFC", text).casefold())


def check_together(paths: Collection[str]) -> None:
    """Refuse `clashes`. Raises UnsafePath that names the later path and, in its rule, the other."""
    for path, _, rule in clashes(paths):
        raise UnsafePath(path, rule)


def clashes(paths: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Give each path that does not go together with another one, the other, and the rule.

    Twins are equal after `fold`; and no path may be a directory of another. `paths` are distinct,
    with a quick `in`: a set, or the keys of a dict.
    """
    # Nearly every path is its own folded form: no second table is kept for those.
    unlike: dict[str, str] = {}
    for path in paths:
        if not (path.isascii() and path.islower()) and (folded := fold(path)) != path:
            twin = unlike.setdefault(folded, path)
            if twin is not path or folded in paths:
                other = folded if twin is path else twin
                yield path, other, f"the same as '{other}' where case or form is ignored"
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        if folder in folders:
            continue
        folder = fold(folder)
        while folder and folder not in folders:
            if folder in paths or folder in unlike:
                file = unlike.get(folder, folder)
                yield path, file, f"'{file}' is a file, so it cannot be a directory"
                break
            folders.add(folder)
            folder = folder.rpartition("/")[0]


def ignore_line(path: str) -> str:
    r"""Give the `.gitignore` line that matches exactly `path`, relative to that `.gitignore`.

    Anchored, with the glob characters, backslashes and trailing spaces escaped (gitignore(5)).
    """
    escaped = re.sub(r"([\\*?\[])", r"\\\1", path)
    kept = escaped.rstrip(" ")
    return "/" + kept + "\\ " * (len(escaped) - len(kept))
