"""Make the work tree match the lockfile: observe, plan, apply.

The order is the safety: everything is looked at and decided before the first byte moves; a file of
the user's is only moved away, never overwritten; a failure of one asset is an outcome, and the run
goes on with the others.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING

from gitassets import gitpaths, plan
from gitassets.applied import Record
from gitassets.errors import AssetsError, NoSpace
from gitassets.model import Outcome, Signature, Status
from gitassets.observe import observe
from gitassets.plan import Observation, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self

    from gitassets.beneath import Root
    from gitassets.link import Linker
    from gitassets.lockfile import Lockfile
    from gitassets.model import Asset, AssetPath, Digest
    from gitassets.plan import Plan
    from gitassets.store import Store
    from gitassets.transfer import Delivery, Transfer, Want
    from gitassets.worktree import WorkTree


class _Hand:
    """Holds one directory of the work tree open: its files mostly come one after the other."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._held = ExitStack()
        self._parent: str | None = None

    def over(self, path: str) -> None:
        """Hold the directory of `path`, and no other. Raises Blocked, OSError."""
        parent = path.rpartition("/")[0]
        if parent != self._parent:
            self._parent = None
            self._held.close()
            self._held.enter_context(self._root.directory(parent, create=True))
            self._parent = parent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()


class Sync:
    """One work tree, one cache."""

    def __init__(
        self, tree: WorkTree, cache: Path, store: Callable[[], Store], modes: Sequence[str]
    ) -> None:
        """`store` opens the cache, which is at `cache`; `modes` are the link modes, best first."""
        self.tree = tree
        self._cache = cache
        self._open_store = store
        self._modes = modes

    @cached_property
    def store(self) -> Store:
        """The cache, opened when something has to be asked of it. Raises StoreError."""
        return self._open_store()

    @cached_property
    def _linker(self) -> Linker:
        from gitassets.link import Linker  # noqa: PLC0415 - not when there is nothing to do

        return Linker(self._modes)

    def plan(
        self, assets: Sequence[Asset], *, force: bool = False, remove: Iterable[AssetPath] = ()
    ) -> Plan:
        """Look at everything and decide; nothing is changed but the journal's knowledge."""
        seen = observe(self.tree, assets, self._cache / "sha256")
        wrong = [row.asset for row in seen if row.state is not State.RIGHT]
        if wrong:
            tracked = gitpaths.tracked([asset.path for asset in wrong], self.tree.place)
            seen = [
                row
                if row.asset.path not in tracked
                else Observation(row.asset, row.state, tracked=True, why=row.why)
                for row in seen
            ]
        return plan.make(seen, self._cached(wrong), force=force, remove=remove)

    def states(self, assets: Sequence[Asset]) -> tuple[list[Observation], set[Digest]]:
        """Look without deciding: what stands at each path, and which contents the cache holds."""
        seen = observe(self.tree, assets, self._cache / "sha256")
        wrong = {row.asset.sha256: row.asset.size for row in seen if row.state is not State.RIGHT}
        return seen, self.store.present(wrong) if wrong else set()

    def set_aside(self, assets: Iterable[Asset]) -> None:
        """Move files that are not what is pinned to `.git/assets/rescued`, and forget them."""
        paths = [asset.path for asset in assets if self.tree.root.stat(asset.path)]
        self._rescue(paths)
        for path in paths:
            self.tree.records.pop(path, None)

    def _cached(self, assets: Iterable[Asset]) -> set[Digest]:
        wanted = {asset.sha256: asset.size for asset in assets}
        if not wanted:
            return set()
        from gitassets import nearby  # noqa: PLC0415 - as above

        have = self.store.present(wanted)
        lacking = {digest: size for digest, size in wanted.items() if digest not in have}
        return have | nearby.adopt(self.store, lacking, self.tree.place.common_dir)

    def plan_fetch(self, assets: Sequence[Asset]) -> Plan:
        """Decide for the cache alone: what it has is kept, the rest is fetched."""
        have = self._cached(assets)
        return plan.Plan(
            keep=tuple(asset for asset in assets if asset.sha256 in have),
            fetch=tuple(asset for asset in assets if asset.sha256 not in have),
        )

    def check_space(self, todo: Plan) -> None:
        """Raise NoSpace when the missing bytes cannot fit, before any of them moves."""
        staged = self.store.staged({asset.sha256 for asset in todo.fetch})
        needed = todo.bytes_to_fetch - staged
        free = self.store.free_space()
        if needed > free:
            raise NoSpace(needed, free, str(self.store.root))

    def apply(self, todo: Plan, lockfile: Lockfile, transfer: Transfer | None) -> Iterator[Outcome]:
        """Do what the plan says, yielding what came of each asset as it is known.

        Without a transfer nothing is fetched: what would have to be is a failure.
        """
        yield from (Outcome(asset, Status.KEPT) for asset in todo.keep)
        for refusal in todo.blocked:
            error = f"'{refusal.asset.path}' {refusal.why}"
            yield Outcome(refusal.asset, Status.FAILED, errors=(error,), hint=refusal.hint)
        self._rescue(todo.rescue)
        for path in todo.remove:
            self._remove(path)
        with _Hand(self.tree.root) as hand:
            yield from (self._link(asset, Status.LINKED, hand) for asset in todo.link)
            if transfer:
                yield from self._bring(todo, lockfile, transfer, hand)
            else:
                yield from map(_unreachable, todo.fetch)

    def _bring(
        self, todo: Plan, lockfile: Lockfile, transfer: Transfer, hand: _Hand
    ) -> Iterator[Outcome]:
        by_digest: dict[Digest, list[Asset]] = {}
        for asset in todo.fetch:
            by_digest.setdefault(asset.sha256, []).append(asset)
        wants = (want(lockfile, assets) for assets in by_digest.values())
        for delivery in self._logged(transfer.bring(wants)):
            for index, asset in enumerate(by_digest[delivery.want.digest]):
                moved = delivery.count if index == 0 else 0
                linked = self._link(asset, Status.FETCHED, hand) if delivery.ok else None
                yield _outcome(asset, delivery, linked, moved=moved)

    def fill(
        self, todo: Plan, lockfiles: Mapping[Digest, Lockfile], transfer: Transfer | None
    ) -> Iterator[Outcome]:
        """Bring the bytes into the cache only; `lockfiles` says who pins what."""
        yield from (Outcome(asset, Status.KEPT) for asset in todo.keep)
        if transfer is None:
            yield from map(_unreachable, todo.fetch)
            return
        assets = {asset.sha256: asset for asset in todo.fetch}
        wants = (want(lockfiles[digest], [asset]) for digest, asset in assets.items())
        for delivery in self._logged(transfer.bring(wants)):
            yield _outcome(assets[delivery.want.digest], delivery, moved=delivery.count)

    def _logged(self, deliveries: Iterator[Delivery]) -> Iterator[Delivery]:
        """Pass deliveries on, and keep in the journal who delivered what, or why nobody did."""
        from gitassets.journal import Transfer as Transferred  # noqa: PLC0415 - as above

        rows: list[Transferred] = []
        begun = time.time()
        try:
            for delivery in deliveries:
                error = None if delivery.ok else "; ".join(delivery.errors)
                rows.append(Transferred(
                    begun, delivery.digest, delivery.want.name, delivery.engine, delivery.source,
                    delivery.count, time.time() - begun, error,
                ))  # fmt: skip
                yield delivery
        finally:
            self.store.journal.log(rows)

    def remember(self, lockfile: Lockfile) -> None:
        """Keep what is known of the work tree, and tell the cache what this clone needs."""
        self.tree.save_records()
        place = self.tree.place
        if place.common_dir and self.tree.must_register(self._cache):
            needed = [asset.sha256 for asset in lockfile.assets.values()]
            self.store.journal.register(str(place.common_dir), str(place.top), needed)
            self.tree.registered(self._cache)

    def _link(self, asset: Asset, status: Status, hand: _Hand) -> Outcome:
        """Let the cached object appear at the asset's path."""
        source = self.store.object_path(asset.sha256)
        mode = ""

        def put(directory: int, name: str) -> None:
            nonlocal mode
            mode = self._linker.link(source, directory, name, executable=asset.executable)

        try:
            hand.over(asset.path)
            try:
                facts = self.tree.root.create(asset.path, put)
            except FileExistsError:
                facts = self.tree.root.place(asset.path, put)
        except AssetsError as error:
            return Outcome(asset, Status.FAILED, errors=(str(error),), hint=error.hint)
        except OSError as error:
            why = f"cannot write '{asset.path}': {error.strerror or error}"
            return Outcome(asset, Status.FAILED, errors=(why,))
        signature = Signature(facts.st_size, facts.st_mtime_ns, facts.st_ino)
        self.tree.records[asset.path] = Record(asset.sha256, signature)
        return Outcome(asset, status, link=mode)

    def _remove(self, path: AssetPath) -> None:
        self.tree.root.remove(path)
        self.tree.records.pop(path, None)

    def _rescue(self, paths: Iterable[AssetPath]) -> None:
        """Move the user's files below `.git/assets/rescued`, keeping their relative paths."""
        moving = list(paths)
        place = self.tree.rescue_place() if moving else None
        for path in moving:
            if place is None:
                raise AssetsError(
                    f"'{path}' would be overwritten, and there is no git directory to rescue it to"
                )
            target = place / path
            target.parent.mkdir(parents=True, exist_ok=True)
            self.tree.root.move_out(path, target)


def _unreachable(asset: Asset) -> Outcome:
    error = "not in the cache, and the network was not to be used"
    return Outcome(asset, Status.FAILED, errors=(error,), hint="git assets pull")


def _outcome(
    asset: Asset, delivery: Delivery, linked: Outcome | None = None, *, moved: int
) -> Outcome:
    """Join what the transfer and the link say of one asset."""
    status = Status.FETCHED if delivery.ok else Status.FAILED
    if linked is None:
        return Outcome(
            asset, status, delivery.engine, delivery.source,
            bytes=moved, errors=delivery.errors, hint=delivery.hint,
        )  # fmt: skip
    return Outcome(
        asset, linked.status, delivery.engine, delivery.source, linked.link,
        moved, (*delivery.errors, *linked.errors), linked.hint,
    )  # fmt: skip


def want(lockfile: Lockfile, assets: Sequence[Asset]) -> Want:
    """Everything that the lockfile knows about one content, whichever asset says it."""
    from gitassets.transfer import Want  # noqa: PLC0415 - as above

    first = assets[0]
    urls = [url for asset in assets for url in lockfile.urls_of(asset)]
    stores = lockfile.store_urls(first.sha256, first.size)
    return Want(first.sha256, first.size, first.path, (*urls, *stores))
