"""`git assets diff [A [B]]`: what changed between two lockfiles: paths, sizes, hosts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from gitassets import git, lockfile
from gitassets.console import human
from gitassets.errors import UsageError
from gitassets.lockfile import Lockfile

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from gitassets.context import Context
    from gitassets.model import Asset

EXAMPLES = """examples:
  git assets diff                  HEAD against the work tree
  git assets diff main             main against the work tree
  git assets diff v1.0 main        two revisions; v1.0..main is the same
"""
_LETTERS = {"added": "A", "removed": "D", "changed": "M", "moved": "R", "edited": "E"}


class Row(NamedTuple):
    """One entry that is not the same on both sides."""

    kind: str
    """added, removed, changed (other bytes), moved, or edited (the same bytes, other words)."""
    old: Asset | None
    new: Asset | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("old", nargs="?", default="HEAD", metavar="A", help="default HEAD")
    parser.add_argument("new", nargs="?", metavar="B", help="default: the work tree")
    parser.add_argument("--exit-code", action="store_true", help="1 when there are differences")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Compare. 0, or with --exit-code 1 when something differs."""
    old_name, new_name = arguments.old, arguments.new
    if new_name is None and ".." in old_name:
        old_name, _, new_name = old_name.partition("..")
    old = _at(old_name or "HEAD")
    new = _in_tree(context) if new_name is None else _at(new_name or "HEAD")
    rows = list(_rows(old, new))
    if arguments.json:
        shown = [_json(row, old, new) for row in rows]
        counts = Counter(row.kind for row in rows)
        context.console.json(
            "diff", {"assets": shown, "summary": {kind: counts[kind] for kind in _LETTERS}}
        )
    else:
        _show(context, rows, old, new)
    return 1 if rows and arguments.exit_code else 0


def _at(revision: str) -> Lockfile:
    """Read the lockfile of a revision; an empty one where there is none."""
    if revision == "HEAD" and git.commit_of("HEAD") is None:
        return Lockfile()
    if git.commit_of(revision) is None:
        raise UsageError(f"'{revision}' is not a revision", hint="git assets diff -h")
    text = git.show(revision, git.LOCKFILE)
    return Lockfile() if text is None else lockfile.load(text)


def _in_tree(context: Context) -> Lockfile:
    return context.lockfile if context.tree.has_lockfile() else Lockfile()


def _rows(old: Lockfile, new: Lockfile) -> Iterator[Row]:
    """Give what differs, sorted by path; a move is told at its new one."""
    gone = [old.assets[path] for path in old.assets.keys() - new.assets.keys()]
    moved = {asset.sha256: asset for asset in gone}
    once = Counter(asset.sha256 for asset in gone)
    came = Counter(new.assets[path].sha256 for path in new.assets.keys() - old.assets.keys())
    pairs = {digest for digest in moved if once[digest] == came[digest] == 1}
    for path in sorted(old.assets.keys() | new.assets.keys()):
        before, after = old.assets.get(path), new.assets.get(path)
        if before is None and after is not None:
            origin = moved[after.sha256] if after.sha256 in pairs else None
            yield Row("moved" if origin else "added", origin, after)
        elif after is None and before is not None:
            if before.sha256 not in pairs:
                yield Row("removed", before, None)
        elif before and after and before.sha256 != after.sha256:
            yield Row("changed", before, after)
        elif before and after and (before != after or _places(old, before) != _places(new, after)):
            yield Row("edited", before, after)


def _places(found: Lockfile, asset: Asset | None) -> list[str]:
    urls = found.urls_of(asset) if asset else ()
    return list(dict.fromkeys(url.host or url.scheme for url in urls))


def _json(row: Row, old: Lockfile, new: Lockfile) -> dict[str, object]:
    sides = {
        name: asset
        and {
            "path": asset.path,
            "size": asset.size,
            "sha256": asset.sha256,
            "hosts": _places(found, asset),
        }
        for name, asset, found in (("old", row.old, old), ("new", row.new, new))
    }
    shown = row.new or row.old
    return {"path": shown.path if shown else None, "change": row.kind, **sides}


def _show(context: Context, rows: list[Row], old: Lockfile, new: Lockfile) -> None:
    lines = []
    for row in rows:
        before, after = _words(row.old, old), _words(row.new, new)
        lines.append((_LETTERS[row.kind], *map(_both, before, after)))
    width = max((len(line[1]) for line in lines), default=0)
    for letter, path, size, hosts in lines:
        context.console.answer(f"{letter}  {path.ljust(width)}  {size:>10}  {hosts}".rstrip())
    have = {asset.sha256 for asset in old.assets.values()}
    fresh = {row.new.sha256: row.new.size for row in rows if row.new and row.new.sha256 not in have}
    if rows:
        context.console.say(f"{len(rows)} differ; {human(sum(fresh.values()))} of new bytes")
    else:
        context.console.say("no difference")


def _words(asset: Asset | None, found: Lockfile) -> tuple[str, str, str]:
    if asset is None:
        return "", "", ""
    return asset.path, human(asset.size), ", ".join(_places(found, asset))


def _both(old: str, new: str) -> str:
    """One text when both sides agree or one is missing, else both with an arrow."""
    return new or old if not old or not new or old == new else f"{old} -> {new}"
