"""What the tables of a lockfile may hold: plain TOML values in, nouns out (design §2).

Every rule and limit of the format is decided here, whoever read the text.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from gitassets.model import Asset, AssetPath, Digest, SourceTable, StoreTable, Url
from gitassets.paths import check_together

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_ASSETS: Final = 500_000
MAX_URLS: Final = 16
"""Of one asset."""
MAX_SIZE: Final = 2**53
"""Bytes: what a JSON number still holds exactly."""
MAX_DEPTH: Final = 8
"""Levels of unknown tables."""
NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
"""The `extra` of nearly every asset, shared."""

_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
_COMMIT = re.compile(r"@[0-9a-f]{40}(?:/|$)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class Fault(Exception):  # noqa: N818 - becomes a LockfileError once its line is known
    """A value that breaks a rule, at the place in the tables that `keys` name."""

    def __init__(self, keys: tuple[str, ...], why: str) -> None:
        name = (
            f"'{keys[1]}' {' '.join(keys[2:])}".rstrip()
            if keys[:1] == ("asset",) and len(keys) > 1
            else ".".join(keys)
        )
        super().__init__(f"{name}: {why}" if name else why)
        self.keys = keys


def asset_of(path: str, table: object, sources: Mapping[str, SourceTable]) -> Asset:
    """Make the asset of one `[asset."path"]`. Raises Fault; UnsafePath, without a line."""
    place = ("asset", path)
    values = _table(place, table)
    for key in ("size", "sha256"):
        if key not in values:
            raise Fault(place, f"no {key}")
    sha256 = values.pop("sha256")
    if not isinstance(sha256, str):
        raise Fault((*place, "sha256"), "not a text")
    try:
        digest = Digest(sha256)
    except ValueError as error:
        raise Fault((*place, "sha256"), str(error)) from error
    executable = values.pop("executable", False)
    if not isinstance(executable, bool):
        raise Fault((*place, "executable"), "neither true nor false")
    asset = Asset(
        AssetPath(path),
        _size((*place, "size"), values.pop("size")),
        digest,
        urls=_urls((*place, "urls"), values.pop("urls", [])),
        origin=_optional_text((*place, "from"), values.pop("from", None)),
        groups=_texts((*place, "groups"), values.pop("groups", [])),
        executable=executable,
        extra=MappingProxyType(values) if values else NOTHING,
    )
    check_asset(asset, sources)
    return asset


def check_asset(asset: Asset, sources: Mapping[str, SourceTable]) -> None:
    """Raise Fault for what the types of an asset do not forbid yet."""
    place = ("asset", asset.path)
    if not 0 <= asset.size <= MAX_SIZE:
        raise Fault((*place, "size"), f"not between 0 and {MAX_SIZE}")
    if len(asset.urls) > MAX_URLS:
        raise Fault((*place, "urls"), f"more than {MAX_URLS} URLs")
    if not all(group and group.isprintable() for group in asset.groups):
        raise Fault((*place, "groups"), "an empty group, or one with a control character")
    if asset.origin is not None:
        try:
            url_of(asset.origin, sources)
        except ValueError as error:
            raise Fault((*place, "from"), str(error)) from error
    _check_extra(place, asset.extra)


def url_of(origin: str, sources: Mapping[str, SourceTable]) -> Url:
    """Resolve "ID:path" through `[source.ID]`. Raises ValueError with a reason."""
    name, colon, path = origin.partition(":")
    if not colon or not path:
        raise ValueError('not of the form "ID:path"')
    if name not in sources:
        raise ValueError(f"there is no [source.{name}]")
    if not _PLAIN_PATH.fullmatch(path):
        if {"", ".", ".."}.intersection(path.split("/")):
            raise ValueError("an empty, '.' or '..' component")
        path = quote(path, safe="/-._~!$&'()*+,;=:@")
    return Url(f"{sources[name].resolved.rstrip('/')}/{path}")


def store_of(name: str, table: object) -> StoreTable:
    """Make the store of one `[store.ID]`. Raises Fault."""
    place = ("store", name)
    values = _table(place, table)
    url = _url((*place, "url"), values.pop("url", None))
    if url.scheme == "github-release" or "?" in url or "#" in url:
        raise Fault((*place, "url"), "not a place that can hold objects by content")
    _check_id(place)
    _check_extra(place, values)
    return StoreTable(name, url, MappingProxyType(values))


def source_of(name: str, table: object) -> SourceTable:
    """Make the source of one `[source.ID]`. Raises Fault."""
    place = ("source", name)
    values = _table(place, table)
    original = _url((*place, "original"), values.pop("original", None))
    resolved = _url((*place, "resolved"), values.pop("resolved", None))
    if "?" in resolved or "#" in resolved:
        raise Fault((*place, "resolved"), "a query or a fragment, to which no path can be joined")
    if resolved.scheme == "hf" and not _COMMIT.search(resolved):
        raise Fault((*place, "resolved"), "not at a commit of 40 hex digits")
    _check_id(place)
    _check_extra(place, values)
    return SourceTable(name, original, resolved, MappingProxyType(values))


def sections(
    document: Mapping[str, object],
) -> tuple[dict[str, StoreTable], dict[str, SourceTable], dict[str, object]]:
    """Give stores, sources, and what is unknown, all but versions and assets. Raises Fault."""
    known = {"version", "revision", "store", "source", "asset"}
    extra = {key: value for key, value in sorted(document.items()) if key not in known}
    _check_extra((), extra, tables=MAX_DEPTH)
    stores = _table(("store",), document.get("store", {}))
    sources = _table(("source",), document.get("source", {}))
    return (
        {name: store_of(name, table) for name, table in sorted(stores.items())},
        {name: source_of(name, table) for name, table in sorted(sources.items())},
        extra,
    )


def versions(document: Mapping[str, object]) -> tuple[int, int]:
    """Give `version` and `revision`. Raises Fault."""
    found = []
    for key, default in (("version", None), ("revision", 0)):
        value = document.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise Fault((key,), f"no {key}" if value is None else f"{key} is no number")
        found.append(value)
    return found[0], found[1]


def assets_of(table: object, sources: Mapping[str, SourceTable]) -> dict[str, Asset]:
    """Make every asset, sorted by path. Raises Fault; UnsafePath, without a line."""
    tables = _table(("asset",), table)
    if len(tables) > MAX_ASSETS:
        raise Fault(("asset",), f"more than {MAX_ASSETS} assets")
    made = (asset_of(path, tables[path], sources) for path in sorted(tables))
    assets: dict[str, Asset] = {asset.path: asset for asset in made}
    check_together(assets.keys())
    return assets


def _check_id(place: tuple[str, str]) -> None:
    if not _ID.fullmatch(place[1]):
        raise Fault(place, "an ID may hold a-z, 0-9 and -")


def _check_extra(place: tuple[str, ...], values: Mapping[str, object], *, tables: int = 0) -> None:
    """Refuse what a rewrite could not keep; `tables` is how many levels of tables may follow."""
    for key, value in values.items():
        here = (*place, key)
        if key in {"license", "note"} and place[:1] == ("asset",) and not isinstance(value, str):
            raise Fault(here, "not a text")
        if isinstance(value, dict) and tables:
            _check_extra(here, value, tables=tables - 1)
        elif isinstance(value, list):
            _texts(here, value)
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise Fault(here, "not a number of 64 bits")
        elif isinstance(value, str) and _SURROGATE.search(value):
            raise Fault(here, "not UTF-8")
        elif not isinstance(value, (str, int)):
            raise Fault(here, "a kind of value that a lockfile does not have")


def _table(place: tuple[str, ...], value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise Fault(place, "not a table")
    return dict(value)


def _size(place: tuple[str, ...], value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Fault(place, "not a number of bytes")
    return value


def _optional_text(place: tuple[str, ...], value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise Fault(place, "not a text")
    return value


def _texts(place: tuple[str, ...], value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Fault(place, "not a list of texts")
    return tuple(value)


def _url(place: tuple[str, ...], value: object) -> Url:
    if not isinstance(value, str):
        raise Fault(place[:-1], f"no {place[-1]}")
    return _urls(place, [value])[0]


def _urls(place: tuple[str, ...], value: object) -> tuple[Url, ...]:
    texts: Iterable[str] = _texts(place, value)
    try:
        return tuple(Url(text) for text in texts)
    except ValueError as error:
        raise Fault(place, f"not a usable URL: {error}") from error
