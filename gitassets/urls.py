"""URLs as a lockfile and a command line may hold them, and how text from outside may be shown.

A Url is checked once, when it is made: nothing behind it needs to look for userinfo, control bytes
or a second meaning again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from unicodedata import category
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SCHEMES", "Url", "name_of", "redacted", "safe", "same_origin"]

MAX_URL: Final = 4096
"""Bytes (security §10)."""
MAX_SHOWN: Final = 16 * 1024
"""Characters of a message that are looked at before it is shown; the rest is cut."""

_WEB_PORTS = {"http": 80, "https": 443, "lfs+http": 80, "lfs+https": 443}
SCHEMES: Final = frozenset({*_WEB_PORTS, "file", "hf", "s3", "gs", "az", "github-release"})
"""Every scheme that a lockfile may name."""

PLAIN: Final = (
    r"(?:(?:hf|s3|gs)://[A-Za-z0-9][A-Za-z0-9._-]{0,252}|"
    r"https?://[A-Za-z0-9][A-Za-z0-9._-]{0,252}(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?)"
    r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@/-]{0,2048}"
    r"(?:\?[A-Za-z0-9._~!$&'()*+,;=:@/?-]{0,1024})?)?"
)
"""A pattern of what nearly every URL looks like, that no rule of this module can object to."""
_PLAIN = re.compile(PLAIN)
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")
_PORT = re.compile(r"[0-9]{1,5}")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,31}):")
_DOUBTFUL = re.compile(r"[\x00-\x20\x7f\\]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL_BYTE = re.compile(rb"[\x00-\x1f\x7f]")

# Everything that may stand in a URL as it is (RFC 3986 §2), the escapes already there included.
_KEPT = "%:/?#[]@!$&'()*+,;=-._~"

_QUERY = re.compile(r"([?&;#])([^?&;#]+)")
_LOOSE_QUERY = re.compile(r"([?&])([^?&=\s\"<>]*=[^?&\s\"<>]*)")
"""The query of a URL that is shown without its host."""
_MAY_HIDE = re.compile(r"[@?&;#]")
"""Without one of these there is neither a user name nor a query."""
_PUNCTUATION = "')].,:;"


class Url(str):
    """A URL with a known scheme and without userinfo, control bytes or spaces.

    `file:` has two forms: `file:///absolute/path`, and ours, `file:relative/path`, which begins at
    the top of the work tree, so that a repository can pin files that it carries.
    Kept as it was written, but for the scheme, which becomes lower case, and characters that need
    an escape. Raises ValueError with a reason that can be shown.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check and keep `text`."""
        if not _PLAIN.fullmatch(text):
            text = _checked(text)
        return str.__new__(cls, text)

    @property
    def scheme(self) -> str:
        """Lower case."""
        return self.partition(":")[0]

    @property
    def host(self) -> str:
        """Lower case, without brackets or port; a bucket or owner elsewhere; empty for `file`."""
        return self.origin[1]

    @property
    def origin(self) -> tuple[str, str, int]:
        """What a credential is bound to: scheme, host, port (0 where the scheme has none)."""
        return _origin(self)


def _checked(text: str) -> str:
    """Apply the rules one by one; give the text with everything escaped that needs it."""
    if len(text) > MAX_URL:
        raise ValueError(f"longer than {MAX_URL} bytes")
    found = _SCHEME.match(text)
    scheme = found[1].lower() if found else ""
    if scheme not in SCHEMES:
        known = " ".join(sorted(SCHEMES))
        raise ValueError(f"unknown scheme '{scheme}' (known: {known})" if scheme else "no scheme")
    _check_characters(text)
    rest = text[len(scheme) + 1 :]
    if scheme == "file":
        rest = _checked_file(rest)
    elif not rest.startswith("//"):
        raise ValueError(f"no host (write {scheme}://…)")
    else:
        _check_authority(scheme, re.split(r"[/?#]", rest[2:], maxsplit=1)[0])
    escaped = f"{scheme}:{quote(rest, safe=_KEPT)}"
    if len(escaped) > MAX_URL:
        raise ValueError(f"longer than {MAX_URL} bytes")
    return escaped


def _check_characters(text: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("a lone surrogate")
    if any(character <= " " or character == "\x7f" for character in text):
        raise ValueError("a space or control character (write a space as %20)")
    if "\\" in text:
        raise ValueError("a backslash")
    if _BAD_ESCAPE.search(text):
        raise ValueError("a % that begins no escape (write it as %25)")
    # One decoding, as every server does: what a line-based protocol would take for a new line
    # (CVE-2020-5260) is refused before any process sees it.
    if _CONTROL_BYTE.search(unquote_to_bytes(re.split(r"[?#]", text, maxsplit=1)[0])):
        raise ValueError("an escaped control character")


def _check_authority(scheme: str, authority: str) -> None:
    if "@" in authority:
        raise ValueError("a user name or password (use git's credential helpers)")
    if authority.startswith("["):
        host, bracket, rest = authority.partition("]")
        host, port = host + bracket, rest.removeprefix(":") if rest else None
        if rest and not rest.startswith(":"):
            raise ValueError("bad host")
    else:
        host, colon, rest = authority.partition(":")
        port = rest if colon else None
    if not host:
        raise ValueError("no host")
    if not host.isascii():
        raise ValueError("a host that is not ASCII (write it as xn--…)")
    if not _HOST.fullmatch(host):
        raise ValueError("bad host")
    if port is not None and (
        scheme not in _WEB_PORTS or not _PORT.fullmatch(port) or not 0 < int(port) < 65536
    ):
        raise ValueError("bad port")


def _checked_file(rest: str) -> str:
    if "?" in rest or "#" in rest:
        raise ValueError("? or # in a file: URL (write %3F, %23)")
    if rest.startswith("//") and not rest.startswith("///"):
        raise ValueError("a host in a file: URL")
    path = rest.removeprefix("//")
    decoded = unquote(path).removeprefix("/")
    if "\\" in decoded:
        raise ValueError("a backslash")
    names = decoded.split("/")
    if ".." in names:
        raise ValueError("a '..' component")
    if path.startswith("/"):
        if decoded.startswith("/"):
            raise ValueError("a host in a file: URL")
        return "//" + path
    if not all(names[:-1]) or not decoded or "." in names or ":" in names[0]:
        raise ValueError("neither file:///absolute/path nor file:relative/path")
    return path


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    port = parts.port
    default = _WEB_PORTS.get(parts.scheme, 0)
    return (
        parts.scheme.removeprefix("lfs+"),
        parts.hostname or "",
        default if port is None else port,
    )


def same_origin(a: str, b: str) -> bool:
    """Tell whether a credential for `a` may go to `b`: same scheme, host, port; a doubt is no."""
    # Programs disagree about the host of "https://good\@evil", and about control characters.
    if _DOUBTFUL.search(a) or _DOUBTFUL.search(b):
        return False
    try:
        first, second = _origin(a), _origin(b)
    except ValueError:
        return False
    return first == second and first[1] != ""


def name_of(url: str) -> str:
    """Give the last component of the path, decoded once; empty when there is none."""
    rest = re.split(r"[?#]", url, maxsplit=1)[0].partition(":")[2]
    if rest.startswith("//"):
        rest = rest[2:].partition("/")[2]
    return unquote(rest.rstrip("/").rpartition("/")[2]).rpartition("/")[2]


def redacted(text: str) -> str:
    """Hide user names, passwords and query values of every URL in `text`; cut at MAX_SHOWN."""
    if len(text) > MAX_SHOWN:
        text = text[:MAX_SHOWN] + "..."
    if not _MAY_HIDE.search(text):
        return text
    first, *others = text.split("://")
    return "://".join([_LOOSE_QUERY.sub(_without_values, first), *map(_without_secrets, others)])


def _without_secrets(piece: str) -> str:
    """Hide what is secret in `piece`, which begins behind a '://'."""
    url = re.split(r"[\s\"<>]", piece, maxsplit=1)[0]
    rest = piece[len(url) :]
    authority = re.split(r"[/?#\\]", url, maxsplit=1)[0]
    # A password may hold a bare slash, which a port cannot: "user:se/cret@host".
    port = authority.rpartition(":")[2] if ":" in authority else "0"
    scope = authority if port.isdigit() or "[" in authority or "@" in authority else url
    if "@" in scope:
        url = "***" + url[scope.rindex("@") :]
    return _QUERY.sub(_without_values, url) + _LOOSE_QUERY.sub(_without_values, rest)


def _without_values(match: re.Match[str]) -> str:
    mark, part = match.groups()
    key, equals, value = part.partition("=")
    if not equals:
        return f"{mark}{part}" if mark == "#" else f"{mark}***"
    # Punctuation of the sentence around the URL, not of the URL.
    return f"{mark}{key}=***{value[len(value.rstrip(_PUNCTUATION)) :]}"


def safe(text: str, limit: int = 1024) -> str:
    r"""Give `text` as a terminal may have it: one line of at most `limit` characters.

    Control, format and bidirectional characters, line separators and surrogates become \xNN and
    \uNNNN.
    """
    if len(text) <= limit and text.isprintable():
        return text
    shown = "".join(map(_shown, text[:limit]))
    return shown if len(shown) <= limit and len(text) <= limit else shown[: limit - 3] + "..."


def _shown(character: str) -> str:
    if character.isprintable() or category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
