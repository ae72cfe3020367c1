"""`git assets add SOURCE...`: from a URL or a file to a line in the lockfile."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitassets import acquire, advice, gitpaths, hub
from gitassets.applied import Record
from gitassets.console import human
from gitassets.errors import AssetsError, Blocked, TransferError, UsageError
from gitassets.model import Asset, AssetPath, Digest, Status, Url
from gitassets.observe import hashed
from gitassets.sources.account import account
from gitassets.urls import name_of, redacted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from gitassets.context import Context
    from gitassets.hub import HubPlace
    from gitassets.lockfile import Lockfile

EXAMPLES = """examples:
  git assets add https://example.org/faces.tar --to data/
  git assets add models/tiny.gguf --url https://example.org/tiny.gguf --group models
  git assets add hf://datasets/owner/name --include '*.parquet' --to data/ --no-download
"""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""Two letters at least: `C:` is a drive."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="a URL, a local file, or a place on the Hugging Face Hub",
    )
    parser.add_argument("--to", metavar="PATH", help="where it goes; ends in '/': a directory")
    parser.add_argument(
        "--url", action="append", default=[], metavar="URL", help="where else it can be had"
    )
    parser.add_argument(
        "--group", action="append", default=[], metavar="G", help="a group it is in"
    )
    parser.add_argument("--sha256", metavar="HEX", help="what it must be")
    parser.add_argument(
        "--include", action="append", default=[], metavar="GLOB",
        help="of a Hub repository, only the files that match",
    )  # fmt: skip
    parser.add_argument(
        "--no-download", action="store_true",
        help="of a Hub repository, pin large files as they are listed, and leave them there",
    )  # fmt: skip
    parser.add_argument(
        "-f", "--force", action="store_true",
        help="replace a file that is in the way; it goes to .git/assets/rescued/ first",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the options say about a source."""

    to: str | None
    urls: tuple[Url, ...]
    groups: tuple[str, ...]
    expected: Digest | None
    include: tuple[str, ...]
    download: bool
    force: bool


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Add each source; the lockfile is written once, at the end."""
    wish = _wish(arguments)
    old = context.lockfile
    new, merged = old, []
    for source in arguments.source:
        new, added = _add(context, new, source, wish)
        pins = [_merged(old.assets.get(asset.path), asset) for asset in added]
        new = new.with_assets(pins)
        merged += pins
    context.tree.save_lockfile(new)
    paths = [asset.path for asset in merged]
    written = context.tree.update_ignores(add=paths)
    if tracked := sorted(gitpaths.tracked(paths, context.place)):
        gitpaths.untrack(tracked, context.place.top)
    context.sync.remember(new)
    context.announce(record=True)
    if arguments.json:
        rows = [
            {
                "path": each.path,
                "size": each.size,
                "sha256": each.sha256,
                "urls": list(new.urls_of(each)),
            }
            for each in merged
        ]
        context.console.json("add", {"assets": rows})
    else:
        _tell(context, merged, written)
    return 0


def _tell(context: Context, assets: Sequence[Asset], written: Sequence[str]) -> None:
    for each in assets:
        context.console.answer(f"{each.sha256.short}  {human(each.size):>10}  {each.path}")
        if not each.urls and not each.origin and not context.lockfile.stores:
            context.console.warning(
                f"only this cache has '{each.path}': nobody else can pull it yet",
                hint=f"git assets set {each.path} --url URL",
            )
    for path in sorted(gitpaths.not_ignored([asset.path for asset in assets], context.place)):
        context.console.warning(
            f"git does not ignore '{path}': a rule after ours says otherwise",
            hint=f"git check-ignore --verbose --no-index {path}",
        )
    subject = f"Pin {advice.names([asset.path for asset in assets])}"
    context.console.say(advice.commit(written, subject))


def _wish(arguments: argparse.Namespace) -> _Wish:
    several = len(arguments.source) > 1
    if several and arguments.to and not arguments.to.endswith("/"):
        raise UsageError("several sources need a directory: --to PATH/")
    if several and (arguments.url or arguments.sha256):
        raise UsageError("--url and --sha256 are about one source")
    try:
        expected = Digest(arguments.sha256.lower()) if arguments.sha256 is not None else None
    except ValueError as error:
        raise UsageError(f"--sha256: {error}") from error
    return _Wish(
        arguments.to,
        tuple(_url(text) for text in arguments.url),
        tuple(dict.fromkeys(arguments.group)),
        expected,
        tuple(arguments.include),
        not arguments.no_download,
        arguments.force,
    )


def _url(text: str) -> Url:
    try:
        return Url(text)
    except ValueError as error:
        raise UsageError(f"'{redacted(text)}': {error}") from error


def _merged(old: Asset | None, new: Asset) -> Asset:
    """A new pin of a path that is pinned already keeps its groups and notes."""
    if old is None:
        return new
    same = old.sha256 == new.sha256
    return Asset(
        new.path, new.size, new.sha256,
        urls=tuple(dict.fromkeys((*new.urls, *(old.urls if same else ())))),
        origin=new.origin or (old.origin if same else None),
        groups=tuple(dict.fromkeys((*old.groups, *new.groups))),
        executable=new.executable,
        extra=old.extra,
    )  # fmt: skip


def _add(
    context: Context, known: Lockfile, source: str, wish: _Wish
) -> tuple[Lockfile, list[Asset]]:
    """Give the lockfile with the source that one needs, and the assets."""
    remote = _URL.match(source) and not Path(source).exists()
    if remote and (place := _hub_place(source)):
        return _from_hub(context, known, place, wish)
    if wish.include or not wish.download:
        raise UsageError("--include and --no-download are about places on the Hugging Face Hub")
    if remote:
        return known, [_from_url(context, _url(source), wish)]
    return known, [_from_disk(context, source, wish)]


def _hub_place(source: str) -> HubPlace | None:
    """Read an `hf:` URL, or the address of a page or file of the Hub."""
    try:
        if source.lower().startswith("hf:"):
            return hub.parse(_url(source))
        return hub.pasted(source, [account().endpoint])
    except ValueError as error:
        raise UsageError(f"'{redacted(source)}': {error}") from error


def _from_hub(
    context: Context, known: Lockfile, place: HubPlace, wish: _Wish
) -> tuple[Lockfile, list[Asset]]:
    from gitassets import listing  # noqa: PLC0415 - only the Hub's files need it

    if wish.urls or wish.expected:
        raise UsageError("--url and --sha256 are not about places on the Hugging Face Hub")
    choice = listing.Choice(wish.include, wish.to, wish.groups)
    new, assets = listing.pin(context, known, place, choice)
    if wish.download:
        _place_all(context, new, assets, force=wish.force)
    return new, assets


def _target(context: Context, to: str | None, name: str) -> AssetPath:
    """Where it goes: PATH, or below PATH/, or under its own name here."""
    if to and not to.endswith("/") and not Path(to).is_dir():
        return AssetPath(context.tree.relative(to))
    if not name:
        raise UsageError("the source ends in no name: say where it goes", hint="--to PATH")
    return AssetPath(context.tree.relative(os.path.join(to or "", name)))  # noqa: PTH118 - text


def _from_url(context: Context, url: Url, wish: _Wish) -> Asset:
    path = _target(context, wish.to, name_of(url))
    try:
        size = acquire.size_of(url, context.resolver)
        transfer = context.transfer(total=size, files=1)
        digest = acquire.download(transfer, url, size=size, name=path, expected=wish.expected)
    except TransferError as error:
        raise AssetsError(f"cannot fetch '{url}': {error.reason}", hint=error.hint) from error
    finally:
        context.end_progress()
    urls = tuple(dict.fromkeys((url, *wish.urls)))
    asset = Asset(path, size, digest, urls=urls, groups=wish.groups)
    _place(context, asset, force=wish.force)
    return asset


def _from_disk(context: Context, source: str, wish: _Wish) -> Asset:
    """Pin a file of this disk: the cache gets its own copy (shared where the disk can)."""
    here = Path(source)
    if not here.is_file() or here.is_symlink():
        raise UsageError(f"'{source}' is neither a URL nor a regular file")
    inside = _inside(context, source)
    stays = inside is not None and wish.to is None
    path = inside if inside and stays else _target(context, wish.to, here.name)
    digest, size = context.store.add_file(here)
    if wish.expected not in {None, digest}:
        raise AssetsError(f"'{source}' has sha256 {digest}, not {wish.expected}")
    executable = bool(here.stat().st_mode & 0o100)
    asset = Asset(path, size, digest, wish.urls, groups=wish.groups, executable=executable)
    if not stays:
        _place(context, asset, force=wish.force)
        return asset
    again, signature = hashed(context.tree, path)
    if again != digest:
        raise AssetsError(f"'{source}' changes while it is added", hint=f"git assets add {source}")
    context.tree.records[path] = Record(digest, signature)
    return asset


def _inside(context: Context, source: str) -> AssetPath | None:
    try:
        return AssetPath(context.tree.relative(source))
    except UsageError:
        return None


def _place(context: Context, asset: Asset, *, force: bool) -> None:
    _place_all(context, context.lockfile, [asset], force=force)


def _place_all(context: Context, known: Lockfile, assets: Sequence[Asset], *, force: bool) -> None:
    """Let the files appear, fetched where the cache lacks them. Raises Blocked for the first."""
    todo = context.sync.plan(assets, force=force)
    try:
        outcomes = list(context.sync.apply(todo, known, context.transfer_for(todo)))
    finally:
        context.end_progress()
    for outcome in outcomes:
        if outcome.status is Status.FAILED:
            hint = "git assets add --force ..." if todo.blocked else outcome.hint
            raise Blocked(outcome.asset.path, "; ".join(outcome.errors), hint=hint)
