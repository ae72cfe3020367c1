"""`git assets doctor`: what would stop a pull, or slow it down, and the command that mends it."""

from __future__ import annotations

import argparse
import os
import shlex
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gitassets import checkup, config
from gitassets.checkup import Finding, guarded
from gitassets.errors import AssetsError
from gitassets.git import LOCKFILE
from gitassets.urls import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitassets.checkup_places import Spot
    from gitassets.context import Context
    from gitassets.model import Asset

EXAMPLES = """examples:
  git assets doctor                                 the machine, the repository, cache and hosts
  git assets doctor --path /mnt/disk --size 500GB   would that fit there?
  git assets doctor --offline --json                no host is asked; for programs
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--path", metavar="DIR", help="look at this directory's disk, too")
    parser.add_argument(
        "--size", type=_size, metavar="BYTES",
        help="what has to fit at DIR, or in the cache, instead of what is missing: 1500, 20GB",
    )  # fmt: skip
    parser.add_argument("--offline", action="store_true", help="ask no host")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Tell everything; 1 when something would stop a pull."""
    found = [
        Finding(row.name, row.state, redacted(row.text), redacted(row.hint) if row.hint else None)
        for row in _findings(context, arguments)
    ]
    if arguments.json:
        context.console.json("doctor", {"findings": [asdict(row) for row in found]})
    else:
        _show(context, [row for row in found if row.state != "ok" or not arguments.quiet])
    return 1 if any(row.state == "problem" for row in found) else 0


def _show(context: Context, found: Sequence[Finding]) -> None:
    width = max((len(row.name) for row in found), default=0)
    for row in found:
        mends = f" (try: {row.hint})" if row.hint else ""
        context.console.answer(f"{row.state:<7}  {row.name:<{width}}  {row.text}{mends}")


def _findings(context: Context, arguments: argparse.Namespace) -> Iterator[Finding]:
    from gitassets import checkup_cache  # noqa: PLC0415 - not for -h

    yield from guarded("git", checkup.git)
    yield from guarded("python", checkup.python)
    yield from guarded("curl", checkup.curl)
    yield from checkup.settings(lambda: context.config, config.SETTINGS)
    yield from guarded("aria2c", lambda: checkup.aria2c(context.config.get(config.ENGINE)))
    yield from guarded("memory", checkup.memory)
    yield from guarded("load", checkup.load)
    yield from guarded("cache", lambda: checkup_cache.health(lambda: context.store))
    try:
        place = context.place
    except AssetsError as error:
        yield Finding("repository", "problem", str(error), error.hint or "git status")
        return
    if place.common_dir:
        directory = place.common_dir
        yield from guarded("clock", lambda: checkup.clock(directory))
    yield from _repository(context)
    yield from _places(context, arguments)
    yield from guarded("source", lambda: _sources(context))


def _repository(context: Context) -> Iterator[Finding]:
    from gitassets import checkup_repository as subject  # noqa: PLC0415

    def data() -> bytes:
        with os.fdopen(context.tree.root.open_read(LOCKFILE), "rb") as file:
            return file.read()

    place, here = context.place, Path.cwd()
    yield from guarded("hooks", lambda: subject.hooks(context.config, place))
    yield from guarded(
        "lockfile", lambda: subject.pins(lambda: context.lockfile, data, here, place.top)
    )
    yield from guarded(
        "paths", lambda: subject.paths([asset.path for asset in _assets(context)], place)
    )


def _places(context: Context, arguments: argparse.Namespace) -> Iterator[Finding]:
    from gitassets import checkup_places as subject  # noqa: PLC0415

    try:
        cache, modes = context.config.cache_dir(), context.config.get(config.LINK_MODE)
    except AssetsError:  # told with the settings
        return
    top, assets = context.place.top, _assets(context)
    linked: list[str] = [""]

    def link() -> Finding:
        linked[0], finding = subject.link(top, cache, modes)
        return finding

    yield from guarded("link mode", link)
    mode = linked[0]
    yield from guarded(
        "held twice", lambda: subject.twice(assets, context.tree.records, top, cache, mode)
    )
    spots = _spots(arguments, top, cache, subject.missing(assets, top, cache, mode))
    for spot in spots:
        yield from guarded("permission", partial(subject.writable, spot))
    yield from guarded("space", lambda: subject.space(spots))


def _spots(
    arguments: argparse.Namespace, top: Path, cache: Path, needed: tuple[int, int]
) -> list[Spot]:
    from gitassets.checkup_places import CACHE_ELSEWHERE, Spot  # noqa: PLC0415

    size: int | None = arguments.size
    tree, store = needed if size is None or arguments.path else (0, size)
    spots = [
        Spot("work tree", top, tree, shlex.join(["df", "-h", str(top)])),
        Spot("cache", cache, store, CACHE_ELSEWHERE),
    ]
    if arguments.path:
        path = Path(arguments.path).absolute()
        hint = shlex.join(["df", "-h", str(path)])
        spots.append(Spot("--path", path, store if size is None else size, hint, there=True))
    return spots


def _sources(context: Context) -> Iterator[Finding] | Finding:
    if context.offline:
        return Finding("source", "ok", "not asked: offline")
    from gitassets import checkup_sources as subject  # noqa: PLC0415

    hosts = subject.hosts(context.lockfile, context.resolver.places)
    return subject.reach(hosts, context.resolver, context.tuning)


def _assets(context: Context) -> list[Asset]:
    """Give what is pinned; nothing when the lockfile cannot be read, which is told elsewhere."""
    try:
        return list(context.lockfile.assets.values())
    except AssetsError:
        return []


def _size(text: str) -> int:
    try:
        return config.size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
