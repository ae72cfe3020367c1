"""`git assets add SOURCE...`: from a URL or a file to a line in the lockfile."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from gitassets import acquire, advice, git
from gitassets.applied import Record
from gitassets.console import human
from gitassets.errors import AssetsError, Blocked, UsageError
from gitassets.model import Asset, AssetPath, Digest, Status, Url
from gitassets.observe import hashed
from gitassets.urls import name_of

if TYPE_CHECKING:
    import argparse

    from gitassets.context import Context

EXAMPLES = """examples:
  git assets add https://example.org/faces.tar --to data/
  git assets add models/tiny.gguf --url https://example.org/tiny.gguf --group models
"""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""Two letters at least: `C:` is a drive."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("source", nargs="+", metavar="SOURCE", help="a URL or a local file")
    parser.add_argument("--to", metavar="PATH", help="where it goes; ends in '/': a directory")
    parser.add_argument(
        "--url", action="append", default=[], metavar="URL", help="where else it can be had"
    )
    parser.add_argument(
        "--group", action="append", default=[], metavar="G", help="a group it is in"
    )
    parser.add_argument("--sha256", metavar="HEX", help="what it must be")
    parser.add_argument(
        "-f", "--force", action="store_true",
        help="replace a file that is in the way; it goes to .git/assets/rescued/ first",
    )  # fmt: skip


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Add each source; the lockfile is written once, at the end."""
    _check(arguments)
    urls = tuple(_url(text) for text in arguments.url)
    expected = _digest(arguments.sha256)
    added = [_one(context, source, arguments, urls, expected) for source in arguments.source]
    old = context.lockfile
    merged = [_merged(old.assets.get(asset.path), asset) for asset in added]
    context.tree.save_lockfile(old.with_assets(merged))
    paths = [asset.path for asset in merged]
    written = context.tree.update_ignores(add=paths)
    if tracked := sorted(git.tracked(paths, context.place)):
        git.untrack(tracked, context.place.top)
    context.sync.remember(context.lockfile)
    context.announce(record=True)
    if arguments.json:
        rows = [
            {"path": each.path, "size": each.size, "sha256": each.sha256, "urls": list(each.urls)}
            for each in merged
        ]
        context.console.json("add", {"assets": rows})
        return 0
    for each in merged:
        context.console.answer(f"{each.sha256.short}  {human(each.size):>10}  {each.path}")
        if not each.urls:
            context.console.warning(
                f"only this cache has '{each.path}': nobody else can pull it yet",
                hint=f"git assets set {each.path} --url URL",
            )
    context.console.say(advice.commit(written, f"Pin {advice.names(paths)}"))
    return 0


def _check(arguments: argparse.Namespace) -> None:
    several = len(arguments.source) > 1
    if several and arguments.to and not arguments.to.endswith("/"):
        raise UsageError("several sources need a directory: --to PATH/")
    if several and (arguments.url or arguments.sha256):
        raise UsageError("--url and --sha256 are about one source")


def _url(text: str) -> Url:
    try:
        return Url(text)
    except ValueError as error:
        raise UsageError(f"'{text}': {error}") from error


def _digest(text: str | None) -> Digest | None:
    try:
        return Digest(text.lower()) if text is not None else None
    except ValueError as error:
        raise UsageError(f"--sha256: {error}") from error


def _merged(old: Asset | None, new: Asset) -> Asset:
    """A new pin of a path that is pinned already keeps its groups and notes."""
    if old is None:
        return new
    same = old.sha256 == new.sha256
    return Asset(
        new.path, new.size, new.sha256,
        urls=tuple(dict.fromkeys((*new.urls, *(old.urls if same else ())))),
        origin=old.origin if same else None,
        groups=tuple(dict.fromkeys((*old.groups, *new.groups))),
        executable=new.executable,
        extra=old.extra,
    )  # fmt: skip


def _one(
    context: Context,
    source: str,
    arguments: argparse.Namespace,
    urls: tuple[Url, ...],
    expected: Digest | None,
) -> Asset:
    groups = tuple(dict.fromkeys(arguments.group))
    if _URL.match(source) and not Path(source).exists():
        url = _url(source)
        path = _target(context, arguments.to, name_of(url), source)
        digest, size = acquire.download(context, url, path, expected)
        asset = Asset(path, size, digest, urls=tuple(dict.fromkeys((url, *urls))), groups=groups)
        _place(context, asset, force=arguments.force)
        return asset
    return _local(
        context,
        source,
        arguments,
        Asset(AssetPath("x"), 0, Digest("0" * 64), urls, groups=groups),
        expected,
    )


def _target(context: Context, to: str | None, name: str, source: str) -> AssetPath:
    """Where it goes: PATH, or below PATH/, or under its own name here."""
    if to and not to.endswith("/") and not Path(to).is_dir():
        return AssetPath(context.tree.relative(to))
    if not name:
        raise UsageError(f"'{source}' ends in no name", hint=f"git assets add {source} --to PATH")
    return AssetPath(context.tree.relative(os.path.join(to or "", name)))  # noqa: PTH118 - text


def _local(
    context: Context,
    source: str,
    arguments: argparse.Namespace,
    like: Asset,
    expected: Digest | None,
) -> Asset:
    """Pin a file of this disk: it is copied into the cache (shared where the disk can), and stays."""
    here = Path(source)
    if not here.is_file() or here.is_symlink():
        raise UsageError(f"'{source}' is neither a URL nor a regular file")
    digest, size = context.store.add_file(here)
    if expected and digest != expected:
        raise AssetsError(f"'{source}' has sha256 {digest}, not {expected}")
    try:
        inside = context.tree.relative(source)
    except UsageError:
        inside = None
    stays = inside is not None and arguments.to is None
    path = (
        AssetPath(inside) if inside and stays else _target(context, arguments.to, here.name, source)
    )
    executable = bool(here.stat().st_mode & 0o100)
    asset = Asset(path, size, digest, like.urls, groups=like.groups, executable=executable)
    if stays:
        again, signature = hashed(context.tree, path)
        if again != digest:
            raise AssetsError(f"'{source}' changes while it is added")
        context.tree.records[path] = Record(digest, signature)
    else:
        _place(context, asset, force=arguments.force)
    return asset


def _place(context: Context, asset: Asset, *, force: bool) -> None:
    todo = context.sync.plan([asset], force=force)
    for outcome in context.sync.apply(todo, context.lockfile, None):
        if outcome.status is Status.FAILED:
            raise Blocked(asset.path, "; ".join(outcome.errors), hint="git assets add --force ...")
