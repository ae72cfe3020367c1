"""Plans, outcomes and verdicts of migrations: for people, and in the words of the JSON contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gitassets.console import human, plural

if TYPE_CHECKING:
    from gitassets.console import Console
    from gitassets.history.info import Info, Row
    from gitassets.history.migration import Outcome
    from gitassets.history.plan import Plan
    from gitassets.history.study import State, Study
    from gitassets.history.verify import Verdict

_ROWS: Final = 15
_BAR: Final = 24
"""Columns of the longest bar."""


def info(console: Console, found: Info, *, as_json: bool) -> None:
    """What is large in history."""
    if as_json:
        console.json("migrate info", {
            "commits": found.commits, "trees": found.trees, "blobs": found.blobs,
            "unique_bytes": found.unique,
            "paths": [_row(row) for row in found.paths],
            "types": [_row(row) for row in found.types],
        })  # fmt: skip
        return
    for title, rows in (("path", found.paths), ("type", found.types)):
        console.answer(f"{'versions':>9} {'bytes':>11}  {title}")
        largest = max((row.bytes for row in rows), default=1) or 1
        for row in rows[:_ROWS]:
            bar = "#" * max(1, row.bytes * _BAR // largest)
            console.answer(f"{row.versions:>9,} {human(row.bytes):>11}  {row.name}  {bar}")
        if len(rows) > _ROWS:
            console.answer(f"{'':>9} {'':>11}  ... and {len(rows) - _ROWS:,} more")
        console.answer()
    console.answer(
        f"{found.commits:,} commits, {found.trees:,} trees, {found.blobs:,} blobs; "
        f"{human(found.unique)} in the versions above, every content counted once"
    )


def plan(console: Console, made: Plan, state: State, study: Study, *, as_json: bool) -> None:
    """What a migration would do."""
    if as_json:
        console.json("migrate", {"plan": plan_json(made, state, study)})
        return
    say = console.answer
    say(
        f"Leaves git: {plural(made.blobs + made.pointers, 'file version')} "
        f"({plural(made.pointers, 'LFS pointer')}, {plural(made.blobs, 'blob')}), "
        f"{human(made.unique_bytes)}"
    )
    for row in made.leaving[:_ROWS]:
        say(
            f"{row.versions:>6} {human(row.bytes):>11}  {_name(row.path)}  newest {row.newest[:10]}"
        )
    if len(made.leaving) > _ROWS:
        say(f"   ... and {len(made.leaving) - _ROWS:,} more paths (--json has all)")
    if made.pointers:
        where = made.lfs
        say(
            f"LFS objects: {where['cache']} in the cache, {where['lfs']} in .git/lfs, "
            f"{where['nowhere']} NOT HERE"
        )
    for path, digest, size in made.missing[:_ROWS]:
        say(f"   not here: {_name(path)} ({digest.short}, {human(size)})")
    kept = made.commits - made.changed
    refs = made.refs
    say(
        f"{made.changed:,} of {plural(made.commits, 'commit')} get a new id; {kept:,} keep id and "
        f"signature.  {refs['branches']} branches, {refs['tags']} tags, {refs['stash']} stash "
        f"entries, {refs['notes']} notes refs"
    )
    say(
        f"{plural(made.signatures, 'signature')} and {plural(made.mergetags, 'mergetag')} will be "
        f"removed; {plural(made.mentions, 'old id')} in messages will be mapped"
    )
    say(f"Packed size, all refs: {human(made.before)} -> about {human(made.after)}")
    say(_served(study))
    _remarks(console, made, state)


def plan_json(made: Plan, state: State, study: Study) -> dict[str, object]:
    """A plan in the words of the JSON contract."""
    return {
        "leaving": [
            {
                "path": _name(row.path), "versions": row.versions, "bytes": row.bytes,
                "newest": row.newest, "pointers": row.pointers,
            }
            for row in made.leaving
        ],
        "unique_bytes": made.unique_bytes,
        "blobs": made.blobs,
        "pointers": made.pointers,
        "lfs_objects": {place: made.lfs[place] for place in ("cache", "lfs", "nowhere")},
        "missing": [
            {"path": _name(path), "sha256": digest, "size": size}
            for path, digest, size in made.missing
        ],
        "extensions": [_name(path) for path in made.extensions],
        "refused": {_name(path): why for path, why in made.refused.items()},
        "commits": made.commits,
        "changed": made.changed,
        "signatures": made.signatures,
        "mergetags": made.mergetags,
        "mentions": made.mentions,
        "refs": dict(made.refs),
        "bytes_before": made.before,
        "bytes_after": made.after,
        "stores": dict(study.spec.stores),
        "blockers": [{"text": each.text, "hint": each.hint} for each in state.blockers],
        "warnings": [{"text": each.text, "hint": each.hint} for each in state.warnings],
    }  # fmt: skip


def outcome(console: Console, done: Outcome, *, as_json: bool) -> None:
    """What a migration did."""
    if as_json:
        console.json("migrate", {"migration": _outcome_json(done)})
        return
    if done.run is None:
        console.say("nothing to do: no file of this history is chosen")
        return
    rewritten = done.done
    console.answer(
        f"{len(rewritten.ids):,} of {plural(len(rewritten.order), 'commit')} rewritten, "
        f"{plural(len(done.updates), 'ref')} moved; {done.checked[0]:,} pairs of trees compared, "
        f"{plural(done.checked[1], 'asset')} found in them"
    )
    console.answer(
        f"{rewritten.signatures + done.tag_signatures:,} signatures and "
        f"{rewritten.mergetags:,} mergetags removed, {rewritten.mentions:,} old ids mapped"
    )
    if done.missing:
        console.warning(f"{plural(len(done.missing), 'LFS object')} could not be found here")
    for path in done.left_alone:
        console.warning(f"'{path}' was changed meanwhile, and stays as it is")
    console.answer(_served(done.study))
    console.answer(f"maps and the old history: {done.run}")
    for command in done.pushes.values():
        console.answer(command)


def verdict(console: Console, found: Verdict, *, as_json: bool) -> None:
    """What a comparison of old and new history showed."""
    if as_json:
        console.json("migrate verify", {
            "commits": found.commits, "changed": found.changed, "trees": found.roots,
            "assets": found.leaves,
        })  # fmt: skip
        return
    console.answer(
        f"{plural(found.commits, 'commit')} ({found.changed:,} rewritten), {found.roots:,} pairs "
        f"of trees, {plural(found.leaves, 'asset')}: as they should be"
    )


def _outcome_json(done: Outcome) -> dict[str, object]:
    rewritten = done.done
    return {
        "commits": len(rewritten.order),
        "changed": len(rewritten.ids),
        "refs": {
            update.name: {"old": update.old.hex(), "new": update.new.hex()}
            for update in done.updates
        },
        "objects": done.objects,
        "signatures": rewritten.signatures + done.tag_signatures,
        "mergetags": rewritten.mergetags,
        "mentions": rewritten.mentions,
        "trees_compared": done.checked[0],
        "assets_compared": done.checked[1],
        "missing": sorted({done.contents[blob].sha256 for blob in done.missing}),
        "left_alone": done.left_alone,
        "run": str(done.run) if done.run else None,
        "push": done.pushes,
    }


def _remarks(console: Console, made: Plan, state: State) -> None:
    if made.refused:
        console.answer(f"{plural(len(made.refused), 'path')} stay in git:")
        for path, why in sorted(made.refused.items())[:_ROWS]:
            console.answer(f"   {_name(path)}: {why}")
    if made.extensions:
        console.answer(
            f"{plural(len(made.extensions), 'path')} with LFS extensions: pull gives the stored "
            "bytes, not what the extension made of them"
        )
    for each in state.blockers:
        console.answer(f"BLOCKER: {each.text}" + (f"  ({each.hint})" if each.hint else ""))
    for each in state.warnings:
        console.answer(f"warning: {each.text}" + (f"  ({each.hint})" if each.hint else ""))
    if not state.blockers:
        console.answer("Blockers: none")


def _served(study: Study) -> str:
    stores = study.spec.stores
    if not stores:
        return "Only the cache on this machine can serve the bytes: --to DIR copies them elsewhere"
    return "Served by " + ", ".join(f"[store.{name}] {url}" for name, url in stores)


def _name(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def _row(row: Row) -> dict[str, object]:
    return {"name": row.name, "versions": row.versions, "bytes": row.bytes}
