"""What a migration takes out of git, frozen: the same text in every rewritten lockfile.

A rewritten root tree is a function of the old one and of this, and of nothing else. So it holds no
address that was not typed or confirmed once, and nothing that one clone has and another has not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from gitassets.errors import AssetsError
from gitassets.lockfile import Lockfile, dump
from gitassets.model import StoreTable, Url

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["DEFAULT_ABOVE", "PATHS_FILE", "TABLE", "Rule", "Spec"]

FORMAT: Final = 1
TABLE: Final = "migration"
"""The lockfile's top-level table that holds a spec."""
PATHS_FILE: Final = "assets.migration.paths"
"""Beside the lockfile when there are more paths than a table should hold."""
MAX_PATHS: Final = 100
DEFAULT_ABOVE: Final = 5 * 2**20
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One choice: files that match the patterns and are large enough, or in LFS.

    With neither `above` nor `lfs` the patterns alone decide.
    """

    above: int | None = None
    """Bytes; a file of exactly this size is chosen."""
    lfs: bool = False
    include: tuple[str, ...] = ()
    """Globs as in `.gitignore`; none: every path."""
    exclude: tuple[str, ...] = ()

    def table(self) -> dict[str, object]:
        """Give it as a table of the lockfile."""
        values: dict[str, object] = {}
        if self.above is not None:
            values["above"] = self.above
        if self.exclude:
            values["exclude"] = list(self.exclude)
        if self.include:
            values["include"] = list(self.include)
        if self.lfs:
            values["lfs"] = True
        return values


@dataclass(frozen=True, slots=True)
class Spec:
    """The rules, of which any may choose a file, and what else every rewritten lockfile holds."""

    rules: tuple[Rule, ...]
    paths: tuple[str, ...] = ()
    """Sorted. Every version of these is chosen: a path that is an asset in one commit and tracked
    in the next would be overwritten by git at every switch between the two."""
    stores: tuple[tuple[str, str], ...] = ()
    """ID and URL, sorted."""
    stands_in_lockfiles: bool = True
    """Not when a single commit moves files out: no history was rewritten then."""

    @property
    def leaves_lfs(self) -> bool:
        """Tell whether nothing stays in LFS, so that its attributes go."""
        return any(rule.lfs and not (rule.include or rule.exclude) for rule in self.rules)

    def with_paths(self, paths: Iterable[str]) -> Spec:
        """Add paths."""
        return replace(self, paths=tuple(sorted({*self.paths, *paths})))

    def with_stores(self, stores: Mapping[str, str]) -> Spec:
        """Add stores; one that has an ID already replaces it."""
        return replace(self, stores=tuple(sorted({**dict(self.stores), **stores}.items())))

    def joined(self, earlier: Spec) -> Spec:
        """Give what an earlier migration chose and what this one does.

        Applied to history that the earlier one wrote and to history that it never saw, the joined
        spec gives the same trees: a clone that missed one migration can follow both.
        """
        rules = (*earlier.rules, *(rule for rule in self.rules if rule not in earlier.rules))
        stores = {**dict(earlier.stores), **dict(self.stores)}
        return Spec(rules, self.paths, self.stores).with_paths(earlier.paths).with_stores(stores)

    def table(self) -> dict[str, object]:
        """Give it as the lockfile's `[migration]`."""
        values: dict[str, object] = {"format": FORMAT}
        if text := self.paths_text:
            values["paths-sha256"] = hashlib.sha256(text).hexdigest()
        elif self.paths:
            values["paths"] = list(self.paths)
        for number, rule in enumerate(self.rules, 1):
            values[f"rule-{number}"] = rule.table()
        if self.stores:
            values["stores"] = dict(self.stores)
        return values

    @property
    def paths_text(self) -> bytes:
        """The text of the file of paths; empty when the table holds them."""
        if len(self.paths) <= MAX_PATHS:
            return b""
        return "".join(f"{path}\n" for path in self.paths).encode()

    def head(self) -> bytes:
        """Give the part of a lockfile that stands before its assets."""
        stores = {name: StoreTable(name, Url(url)) for name, url in self.stores}
        return dump(Lockfile(stores=stores, extra=self.extra())).encode()

    def extra(self) -> dict[str, object]:
        """Give the tables that a rewritten lockfile has besides stores and assets."""
        return {TABLE: self.table()} if self.stands_in_lockfiles else {}

    @classmethod
    def read(cls, lockfile: Lockfile, paths: bytes = b"") -> Spec | None:
        """Read the spec of a lockfile, with the file of paths beside it; None when it has none.

        Raises AssetsError for one of a newer format, or one that was edited.
        """
        table = lockfile.extra.get(TABLE)
        if not isinstance(table, dict):
            return None
        if table.get("format") != FORMAT:
            raise AssetsError(
                f"this history was migrated in format {table.get('format')}, which is newer",
                hint="python3 -m pip install --upgrade gitassets",
            )
        names = sorted(
            (key for key in table if key.startswith("rule-")), key=lambda key: int(key[5:])
        )
        stores = table.get("stores", {})
        spec = cls(
            tuple(_rule(table[name]) for name in names),
            tuple(
                paths.decode().splitlines() if "paths-sha256" in table else table.get("paths", ())
            ),
            tuple(sorted(stores.items())),
        )
        if spec.table() != table:
            raise AssetsError("the [migration] table was edited, so it says nothing any more")
        return spec


def _rule(table: Mapping[str, object]) -> Rule:
    above, include, exclude = table.get("above"), table.get("include"), table.get("exclude")
    return Rule(
        above if isinstance(above, int) else None,
        table.get("lfs") is True,
        tuple(include) if isinstance(include, list) else (),
        tuple(exclude) if isinstance(exclude, list) else (),
    )
