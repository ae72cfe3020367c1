"""What `doctor` finds where bytes go: permission, free space, links, and what is held twice."""

from __future__ import annotations

import os
import shlex
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitassets.checkup import Finding
from gitassets.console import plural
from gitassets.link import Linker
from gitassets.progress import human

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitassets.applied import Record
    from gitassets.model import Asset

CACHE_ELSEWHERE = "git config --global assets.cacheDir DIRECTORY"
_FULL = 90
"""Percent."""
_LITTLE = 2**30
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A directory that is written to."""

    name: str
    path: Path
    needed: int
    """Bytes that are still to come."""
    hint: str
    """What to do when it may not be written or is full."""
    there: bool = False
    """Nobody makes it: a directory that is not there may be a drive that is not mounted."""


def existing(path: Path) -> Path:
    """Give the directory itself, or the nearest one above that is there."""
    return next(each for each in (path, *path.parents) if each.exists())


def writable(spot: Spot) -> Finding:
    """Try it: a file without a name, or one that is gone at once."""
    if spot.there and not spot.path.is_dir():
        text = f"{spot.name} '{spot.path}' is not there"
        return Finding("permission", "problem", text, shlex.join(["mkdir", "-p", str(spot.path)]))
    try:
        with tempfile.TemporaryFile(dir=existing(spot.path)):
            pass
    except OSError as error:
        text = f"{spot.name} '{spot.path}' cannot be written: {error.strerror}"
        return Finding("permission", "problem", text, spot.hint)
    return Finding("permission", "ok", f"{spot.name} '{spot.path}' can be written")


def space(spots: Iterable[Spot]) -> list[Finding]:
    """Tell for each file system what is free, and whether what is to come fits."""
    together: dict[int, list[Spot]] = {}
    for spot in (each for each in spots if each.path.is_dir() or not each.there):
        together.setdefault(existing(spot.path).stat().st_dev, []).append(spot)
    return [_room(each) for each in together.values()]


def _room(spots: Sequence[Spot]) -> Finding:
    facts = os.statvfs(existing(spots[0].path))
    free = facts.f_bavail * facts.f_frsize
    used = facts.f_blocks - facts.f_bfree
    percent = round(100 * used / max(1, used + facts.f_bavail))  # as df(1) counts
    names, needed = ", ".join(spot.name for spot in spots), sum(spot.needed for spot in spots)
    text = f"{names}: {human(free)} free, {percent} % used, {human(needed)} to come"
    if needed > free:
        return Finding("space", "problem", text, spots[-1].hint)
    if percent >= _FULL or free < _LITTLE:
        return Finding("space", "warning", text, spots[-1].hint)
    return Finding("space", "ok", text)


def missing(assets: Iterable[Asset], top: Path, cache: Path, mode: str) -> tuple[int, int]:
    """Give the bytes that a pull brings into the work tree and into the cache.

    Links need none of the work tree's; what has arrived of an unfinished file is not missing.
    """
    tree, absent = 0, {}
    for asset in assets:
        if _size(top / asset.path) == asset.size:
            continue
        shares = mode in ("hardlink", "symlink") and not asset.executable
        tree += 0 if shares or mode == "reflink" else asset.size
        if _size(_object(cache, asset)) != asset.size:
            absent[asset.sha256] = asset.size
    staged = sum(min(size, _blocks(cache / "staging" / digest)) for digest, size in absent.items())
    return tree, sum(absent.values()) - staged


def link(top: Path, cache: Path, modes: Sequence[str]) -> tuple[str, Finding]:
    """Link a small object of the cache into the work tree: the mode that works, `""` for none."""
    try:
        mode = _linked(top, cache / "staging", modes)
    except OSError as error:
        hint = "git config assets.linkMode reflink,hardlink,copy"
        text = f"none of {', '.join(modes)} works: {error.strerror}"
        return "", Finding("link mode", "problem", text, hint)
    if mode == "copy" and modes[0] != "copy":
        text = "copy: each file takes its space in the cache and in the work tree"
        return mode, Finding("link mode", "warning", text, CACHE_ELSEWHERE)
    return mode, Finding("link mode", "ok", mode)


def _linked(top: Path, staging: Path, modes: Sequence[str]) -> str:
    with (
        tempfile.TemporaryDirectory(prefix="doctor-", dir=staging) as source,
        tempfile.TemporaryDirectory(prefix=".git-assets-doctor-", dir=top) as target,
    ):
        item = Path(source, "object")
        item.write_bytes(b"tiny")
        directory = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return Linker(modes).link(item, directory, "file", executable=False)
        finally:
            os.close(directory)


def twice(
    assets: Iterable[Asset], records: Mapping[str, Record], top: Path, cache: Path, mode: str
) -> Finding:
    """Tell how many bytes both the work tree and the cache hold.

    Only files that are known to be what is pinned count; a clone of blocks cannot be told from a
    copy.
    """
    if mode == "reflink":
        return Finding("held twice", "ok", "not known: this file system shares blocks")
    copies = [asset for asset in assets if _copied(asset, records, top, cache)]
    total = sum(asset.size for asset in copies)
    text = f"{human(total)} in {plural(len(copies), 'file')}"
    again = [asset for asset in copies if not asset.executable]
    if not again or mode in ("", "copy"):
        return Finding("held twice", "ok", text)
    name = shlex.quote(str(top / again[0].path))
    return Finding("held twice", "warning", text, f"rm {name} && git assets checkout {name}")


def _copied(asset: Asset, records: Mapping[str, Record], top: Path, cache: Path) -> bool:
    try:
        facts = (top / asset.path).lstat()
    except OSError:
        return False
    record = records.get(asset.path)
    look = (facts.st_size, facts.st_mtime_ns, facts.st_ino)
    known = record is not None and record.sha256 == asset.sha256 and record.signature == look
    alone = stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1
    return known and alone and _size(_object(cache, asset)) == asset.size


def _object(cache: Path, asset: Asset) -> Path:
    return cache / "sha256" / asset.sha256[:2] / asset.sha256[2:]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _blocks(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0
