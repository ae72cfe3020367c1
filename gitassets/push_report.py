"""What came of an upload: as JSON and as lines for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitassets import advice
from gitassets.console import human, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitassets.console import Console
    from gitassets.model import Asset, StoreTable
    from gitassets.remotes.base import Remote
    from gitassets.upload import Plan


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one asset."""

    asset: Asset
    status: str
    """present, uploaded or failed; part of the JSON contract."""
    bytes: int = 0
    """Sent for this asset."""
    error: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Speaker:
    """Says it as one verb, in one form."""

    console: Console
    verb: str
    as_json: bool

    def plan(self, remote: Remote, todo: Plan) -> None:
        """Print what would be uploaded."""
        if self.as_json:
            plan = {"present": sorted(todo.there), "upload": sorted(todo.lacking)}
            document = {"remote": remote.name, "plan": {**plan, "bytes": todo.bytes}}
            self.console.json(self.verb, document)
            return
        size = human(sum(todo.there.values()))
        self.console.answer(f"there   {plural(len(todo.there), 'object'):>12}  {size:>10}")
        lacking = f"{plural(len(todo.lacking), 'object'):>12}  {human(todo.bytes):>10}"
        self.console.answer(f"upload  {lacking}  to {remote.url}")

    def result(
        self, remote: Remote, sent: Sequence[Sent], table: StoreTable | None, seconds: float
    ) -> None:
        """Print what became of every asset, and what to do with the lockfile's new line."""
        if self.as_json:
            store = {"id": table.id, "url": table.url} if table else None
            document = {"remote": remote.name, "store": store, "assets": _rows(sent)}
            self.console.json(self.verb, {**document, "summary": _summary(sent)})
            return
        failed = [each for each in sent if each.error]
        for each in failed:
            why = f"cannot push '{each.asset.path}': {each.error}"
            self.console.error(why, hint=each.hint)
        if line := _line(remote, sent, seconds):
            self.console.say(line)
        if failed:
            self.console.error(f"{plural(len(failed), 'asset')} of {len(sent)} failed")
        elif table:
            self.console.say(advice.commit((), f"Serve assets from {table.id}"))
        elif remote.public_url() is None:
            self.console.warning(
                f"the lockfile does not name '{remote.name}': others cannot read {remote.url}",
                hint="git assets remote add NAME URL --public URL",
            )


def _line(remote: Remote, sent: Sequence[Sent], seconds: float) -> str:
    uploaded = [each for each in sent if each.status == "uploaded"]
    present = sum(each.status == "present" for each in sent)
    if present == len(sent):
        return f"nothing to do: '{remote.name}' has {plural(present, 'asset')}"
    parts = []
    if uploaded:
        moved = human(sum(each.bytes for each in uploaded))
        files = plural(len(uploaded), "file")
        parts.append(f"{files} pushed to '{remote.name}' ({moved} in {seconds:.1f} s)")
    if present:
        parts.append(f"{plural(present, 'file')} there already")
    return ", ".join(parts)


def _rows(sent: Iterable[Sent]) -> list[dict[str, object]]:
    return [
        {
            "path": each.asset.path,
            "size": each.asset.size,
            "sha256": each.asset.sha256,
            "status": each.status,
            "bytes": each.bytes,
            "error": each.error,
        }
        for each in sent
    ]


def _summary(sent: Sequence[Sent]) -> dict[str, int]:
    counts = dict.fromkeys(("present", "uploaded", "failed"), 0)
    for each in sent:
        counts[each.status] += 1
    return {**counts, "bytes_sent": sum(each.bytes for each in sent)}
