"""`git assets cache dir|size|list|verify|gc`: the store that all clones share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitassets import config, options
from gitassets.console import human, plural
from gitassets.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from gitassets.collect import Item
    from gitassets.context import Context

EXAMPLES = """examples:
  git assets cache size              how much it holds
  git assets cache gc --dry-run      what no clone needs any more
  git assets cache verify            hash every object
"""

ACTIONS = ("dir", "size", "list", "verify", "gc")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("action", choices=ACTIONS, metavar="|".join(ACTIONS))
    parser.add_argument("digest", nargs="*", metavar="SHA256", help="gc: remove also these objects")
    options.dry_run(parser)
    parser.add_argument(
        "--older-than", metavar="AGE", default="0", help="gc: only objects older than 12h, 30d, ..."
    )


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Do one of the five."""
    if arguments.digest and arguments.action != "gc":
        raise UsageError(f"cache {arguments.action} takes no SHA256")
    run_action = {"dir": _dir, "size": _size, "list": _list, "verify": _verify, "gc": _gc}
    return run_action[arguments.action](context, arguments)


def _dir(context: Context, arguments: argparse.Namespace) -> int:
    place = str(context.config.cache_dir())
    if arguments.json:
        context.console.json("cache dir", {"dir": place})
    else:
        context.console.answer(place)
    return 0


def _size(context: Context, arguments: argparse.Namespace) -> int:
    rows = list(context.store.objects())
    total = sum(size for _, size, _ in rows)
    if arguments.json:
        context.console.json("cache size", {"objects": len(rows), "bytes": total})
    else:
        context.console.answer(f"{plural(len(rows), 'object')}, {human(total)}")
    return 0


def _list(context: Context, arguments: argparse.Namespace) -> int:
    rows = sorted(context.store.objects())
    if arguments.json:
        objects = [{"sha256": digest, "size": size} for digest, size, _ in rows]
        context.console.json("cache list", {"objects": objects})
    else:
        for digest, size, _ in rows:
            context.console.answer(f"{digest}  {human(size):>10}")
    return 0


def _verify(context: Context, arguments: argparse.Namespace) -> int:
    from gitassets import audit  # noqa: PLC0415 - threads

    found = list(audit.cache(context.store))
    wrong = [row for row in found if row.state != "ok"]
    if arguments.json:
        rows = [{"sha256": row.name, "state": row.state, "error": row.error} for row in found]
        context.console.json("cache verify", {"objects": rows})
    else:
        for row in wrong:
            context.console.error(
                f"object {row.name} is {row.state}", hint="git assets verify --cache --repair"
            )
        context.console.answer(f"{plural(len(found), 'object')} verified, {len(wrong)} wrong")
    return 1 if wrong else 0


def _gc(context: Context, arguments: argparse.Namespace) -> int:
    from gitassets import collect  # noqa: PLC0415 - only here

    age = _age(arguments.older_than)
    store = context.store
    named = [_prefix(text) for text in arguments.digest]
    # Nobody may link an object between the question who needs it and its end.
    with store.exclusive():
        needs = collect.survey(store, grace=context.config.get(config.GC_GRACE))
        items = collect.judge(store, needs, older_than=age, named=named)
        going = [item for item in items if item.verdict == "remove"]
        if not arguments.json:
            _show(context, items, going)
        if not arguments.dry_run:
            for item in going:
                store.remove(item.digest)
    freed = sum(item.size for item in going)
    if arguments.json:
        rows = [
            {
                "sha256": item.digest,
                "size": item.size,
                "path": item.name or None,
                "verdict": item.verdict,
            }
            for item in items
        ]
        document = {"objects": rows, "bytes": freed, "dry_run": arguments.dry_run}
        context.console.json("cache gc", document)
    else:
        done = "would be freed" if arguments.dry_run else "freed"
        context.console.answer(f"{plural(len(going), 'object')}, {human(freed)} {done}")
    return 0


def _show(context: Context, items: Sequence[Item], going: Sequence[Item]) -> None:
    for item in going:
        context.console.answer(f"{item.digest.short}  {human(item.size):>10}  {item.name}")
    if kept := [item for item in items if item.verdict == "only-here"]:
        size = human(sum(item.size for item in kept))
        context.console.say(
            f"kept: {plural(len(kept), 'object')}, {size}, that only this cache has "
            f"(git assets cache gc {kept[0].digest.short} removes one by name)"
        )


def _age(text: str) -> float:
    try:
        return config.seconds(text)
    except ValueError as error:
        raise UsageError(f"--older-than: {error}") from error


def _prefix(text: str) -> str:
    word = text.lower()
    if not 8 <= len(word) <= 64 or set(word) - set("0123456789abcdef"):
        raise UsageError(f"'{text}' is not a sha256, or the first 8 digits of one")
    return word
