"""What came of it: plans and outcomes as JSON and as lines for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gitassets.console import human, plural
from gitassets.model import Status
from gitassets.urls import redacted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitassets.console import Console
    from gitassets.model import Asset, Outcome
    from gitassets.plan import Plan


def rows(outcomes: Iterable[Outcome]) -> list[dict[str, object]]:
    """Outcomes in the words of the JSON contract."""
    return [
        {
            "path": each.asset.path,
            "size": each.asset.size,
            "sha256": each.asset.sha256,
            "status": each.status.value,
            "engine": each.engine,
            "source": each.source,
            "link": each.link,
            "bytes": each.bytes,
            "error": "; ".join(map(redacted, each.errors)) or None,
        }
        for each in outcomes
    ]


def summary(outcomes: Iterable[Outcome]) -> dict[str, object]:
    """Counts by status, and the bytes that crossed the network."""
    seen: Counter[Status] = Counter()
    moved = 0
    for each in outcomes:
        seen[each.status] += 1
        moved += each.bytes
    return {**{status.value: seen[status] for status in Status}, "bytes_fetched": moved}


def finish(console: Console, outcomes: Sequence[Outcome], seconds: float) -> None:
    """The end of a pull for people: what failed and why, then one line."""
    failed = [each for each in outcomes if each.status is Status.FAILED]
    for each in outcomes:
        if each.status is not Status.FAILED and each.errors:
            console.warning(
                f"'{each.asset.path}' came from another source; " + "; ".join(each.errors)
            )
    for each in failed:
        lines = each.errors or ("unknown",)
        if len(lines) == 1:
            console.error(f"cannot bring '{each.asset.path}': {lines[0]}", hint=each.hint)
        else:
            console.error(f"cannot bring '{each.asset.path}': every source failed", hint=each.hint)
            for line in lines:
                console.error(f"  {line}")
    if line := _line(outcomes, seconds):
        console.say(line)
    if failed:
        console.error(f"{plural(len(failed), 'asset')} of {len(outcomes)} failed")


def _line(outcomes: Sequence[Outcome], seconds: float) -> str:
    by: dict[Status, list[Outcome]] = {status: [] for status in Status}
    for each in outcomes:
        by[each.status].append(each)
    parts = []
    if fetched := by[Status.FETCHED]:
        moved = sum(each.bytes for each in fetched)
        rate = f", {human(moved / seconds)}/s" if seconds >= 0.1 else ""
        parts.append(
            f"{plural(len(fetched), 'file')} fetched ({human(moved)} in {seconds:.1f} s{rate})"
        )
    if linked := by[Status.LINKED]:
        size = human(sum(each.asset.size for each in linked))
        parts.append(f"{plural(len(linked), 'file')} from the cache ({size})")
    kept = by[Status.KEPT]
    if len(kept) == len(outcomes):
        return f"nothing to do: {plural(len(kept), 'asset')} as pinned"
    if kept:
        parts.append(f"{plural(len(kept), 'file')} already right")
    return ", ".join(parts)


def plan(console: Console, todo: Plan, *, free: int, place: str, where: dict[str, int]) -> None:
    """A plan for people: counts, bytes, from where, free space."""
    say = console.answer
    say(f"keep   {plural(len(todo.keep), 'file'):>12}  {human(_size(todo.keep)):>10}")
    linked = human(_size(todo.link))
    say(f"link   {plural(len(todo.link), 'file'):>12}  {linked:>10}  from the cache")
    say(f"fetch  {plural(len(todo.fetch), 'file'):>12}  {human(todo.bytes_to_fetch):>10}")
    for host, count in sorted(where.items(), key=lambda item: -item[1]):
        say(f"       {plural(count, 'file'):>12}              from {host}")
    for refusal in todo.blocked:
        say(f"leave  '{refusal.asset.path}': {refusal.why}")
    say(f"free   {human(free):>24}  at {place}")


def plan_json(todo: Plan, *, free: int, where: dict[str, int]) -> dict[str, object]:
    """A plan in the words of the JSON contract."""
    return {
        "plan": {
            "keep": [asset.path for asset in todo.keep],
            "link": [asset.path for asset in todo.link],
            "fetch": [asset.path for asset in todo.fetch],
            "blocked": [{"path": row.asset.path, "why": row.why} for row in todo.blocked],
            "bytes_to_fetch": todo.bytes_to_fetch,
            "free": free,
            "hosts": where,
        }
    }


def _size(assets: Iterable[Asset]) -> int:
    return sum(asset.size for asset in assets)
