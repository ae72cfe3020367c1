"""What a command may use, each thing opened when it is first asked for and closed at the end.

Importing is part of the user's waiting: what a property needs is imported by that property, so a
pull that has nothing to do loads neither engines nor the store.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING

from gitassets import __version__
from gitassets.console import Console
from gitassets.errors import AssetsError

if TYPE_CHECKING:
    import argparse
    from types import TracebackType

    from typing_extensions import Self

    from gitassets.config import Config
    from gitassets.engines import Fleet
    from gitassets.engines.base import Tuning
    from gitassets.git import Place
    from gitassets.lockfile import Lockfile
    from gitassets.model import Asset, Digest, Url
    from gitassets.plan import Plan
    from gitassets.progress import Progress
    from gitassets.sources import Resolver
    from gitassets.sources.base import Policy
    from gitassets.sources.rewrites import Rewrites
    from gitassets.store import Store
    from gitassets.sync import Sync
    from gitassets.transfer import Transfer
    from gitassets.worktree import WorkTree


class Context:
    """The things of one command line."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._open = ExitStack()
        self._shown: list[Progress] = []
        self.console = Console(quiet=arguments.quiet, verbose=arguments.verbose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end_progress()
        self._open.close()

    @cached_property
    def place(self) -> Place:
        """Where we are. Raises NotARepository."""
        from gitassets import git
        from gitassets.history import recovery

        found = git.locate()
        if found.common_dir and recovery.waiting(found.common_dir):
            for line in recovery.finish(found.common_dir):
                self.console.say(line)
        return found

    @cached_property
    def config(self) -> Config:
        """Environment and git config."""
        from gitassets import config

        return config.read()

    @cached_property
    def tree(self) -> WorkTree:
        """The open work tree."""
        from gitassets.worktree import WorkTree

        return self._open.enter_context(WorkTree(self.place))

    @cached_property
    def lockfile(self) -> Lockfile:
        """The work tree's lockfile. Raises LockfileError, NotARepository."""
        from gitassets import lockfile

        found = self.tree.lockfile()
        if found.revision > lockfile.REVISION:
            self.console.warning(
                f"assets.lock.toml was written by a newer git assets (revision {found.revision}); "
                "what this version does not know is kept as it is"
            )
        return found

    @cached_property
    def store(self) -> Store:
        """The open cache. Raises StoreError."""
        from gitassets import config
        from gitassets.store import Store

        store = Store.open(self.config.cache_dir(), fsync=self.config.get(config.FSYNC))
        self._open.callback(store.close)
        return store

    @cached_property
    def sync(self) -> Sync:
        """The work tree and the cache together."""
        from gitassets import config
        from gitassets.sync import Sync

        modes = self.config.get(config.LINK_MODE)
        return Sync(self.tree, self.config.cache_dir(), lambda: self.store, modes)

    @cached_property
    def offline(self) -> bool:
        """No network, by option or by setting."""
        from gitassets import config

        asked: bool = getattr(self._arguments, "offline", False)
        return asked or self.config.get(config.OFFLINE)

    @cached_property
    def policy(self) -> Policy:
        """Which hosts and directories may be asked."""
        from gitassets import config, remotes
        from gitassets.sources.base import Policy, allowing

        own = (*self.rewrites.targets(), *remotes.readable(self.config))
        allowed = (*self.config.values(config.ALLOW.key), *map(allowing, own))
        return Policy(self.place.top, frozenset(allowed), explicit=True)

    @cached_property
    def rewrites(self) -> Rewrites:
        """Mirrors and the team cache. Raises ConfigError."""
        from gitassets import config
        from gitassets.sources.rewrites import Rewrites

        settings = self.config
        reads = settings.get(config.TEAM_CACHE_MODE) in {"read", "readwrite"}
        return Rewrites(
            mirrors=settings.mirrors(),
            cache=settings.get(config.TEAM_CACHE) if reads else None,
            hub_mirror=self._hub_mirror(settings.get(config.HF_MIRROR)),
            origin=settings.get(config.ORIGIN) == "auto",
        )

    def _hub_mirror(self, wish: str) -> Url | None:
        from gitassets.sources import hubmirror
        from gitassets.urls import Url

        if wish == "never" or (wish == "locale" and not hubmirror.likely()):
            return None
        return Url(hubmirror.MIRROR if wish in {"auto", "locale"} else wish)

    @cached_property
    def tuning(self) -> Tuning:
        """What options and settings say about connections."""
        from gitassets import config
        from gitassets.engines.base import Tuning

        settings = self.config
        rate, time = settings.get(config.LOW_SPEED)
        proxies, direct = settings.proxies()
        return Tuning(
            jobs=settings.get(config.JOBS, getattr(self._arguments, "jobs", None)),
            connections=settings.get(
                config.CONNECTIONS, getattr(self._arguments, "connections", None)
            ),
            low_speed=rate,
            low_speed_time=time,
            user_agent=f"git-assets/{__version__}",
            ca_file=settings.ca_file(),
            proxies=proxies,
            no_proxy=direct,
        )

    @cached_property
    def fleet(self) -> Fleet:
        """The engines. Raises UsageError when the one asked for cannot work here."""
        from gitassets import config
        from gitassets.engines import Fleet

        return Fleet(
            self.tuning,
            chosen=self.config.get(config.ENGINE, getattr(self._arguments, "engine", None)),
            segment_above=self.config.get(config.SEGMENT_ABOVE),
        )

    @cached_property
    def resolver(self) -> Resolver:
        """The sources."""
        from gitassets.sources import Resolver

        return Resolver(self.policy, self.tuning, self.rewrites)

    def progress(self, *, total: int, files: int, word: str = "fetching") -> Progress:
        """Something to watch; `end_progress` takes it away, at the latest when the command ends."""
        from gitassets import config

        mode = self.config.get(config.PROGRESS, self._arguments.progress)
        shown = self.console.progress(mode, total=total, files=files, word=word)
        self._shown.append(shown)
        return shown

    def end_progress(self) -> None:
        """Clear the screen for what comes next."""
        while self._shown:
            self._shown.pop().close()

    def transfer(self, *, total: int, files: int) -> Transfer:
        """Make what brings bytes."""
        from gitassets import config
        from gitassets.transfer import Transfer

        return Transfer(
            self.store,
            self.resolver,
            self.fleet,
            progress=self.progress(total=total, files=files),
            retry_cap=self.config.get(config.RETRY_CAP),
            more=self.newest,
        )

    def transfer_for(self, todo: Plan) -> Transfer | None:
        """Make what brings the bytes of a plan; None when it needs none, or offline.

        Raises NoSpace before the first byte.
        """
        if not todo.fetch or self.offline:
            return None
        self.sync.check_space(todo)
        return self.transfer(total=todo.bytes_to_fetch, files=len(todo.fetch))

    def newest(self, digest: Digest) -> list[Url]:
        """Say where else this content may be.

        What the lockfiles at origin's default branch and at HEAD know, then the user's remotes.
        """
        from gitassets import remotes
        from gitassets.model import Url
        from gitassets.remotes.base import place

        urls: list[Url] = []
        for other, assets in self._newest:
            known = assets.get(digest, ())
            for asset in known:
                urls += other.urls_of(asset)
            urls += other.store_urls(digest, known[0].size if known else None)
        own = remotes.readable(self.config)
        return [*urls, *(Url(f"{each}/{place(digest)}") for each in own)]

    @cached_property
    def _newest(self) -> list[tuple[Lockfile, dict[Digest, list[Asset]]]]:
        from gitassets import git, lockfile

        if not self.place.git_dir:
            return []
        revisions = [ref for ref in (git.default_branch(), "HEAD") if ref]
        found = []
        for text in dict.fromkeys(git.lockfiles(revisions).values()):
            try:
                other = lockfile.load(text)
            except AssetsError as error:
                self.console.detail(f"a lockfile of another revision is of no help: {error}")
                continue
            assets: dict[Digest, list[Asset]] = {}
            for asset in other.assets.values():
                assets.setdefault(asset.sha256, []).append(asset)
            found.append((other, assets))
        return found

    def announce(self, *, record: bool) -> None:
        """Say, once, which private hosts were used, and remember that the user wanted it."""
        if "policy" not in self.__dict__:  # nobody was asked
            return
        from gitassets import config, git

        for host in sorted(self.policy.asked):
            if record and self.place.git_dir:
                git.set_config(config.ALLOW.key, host, add=True)
                self.console.say(
                    f"note: '{host}' is a private host; it is allowed from now on "
                    "(assets.allow in .git/config)"
                )
        self.policy.asked.clear()
