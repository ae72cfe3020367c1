"""The team cache's write side: what one of the team had to fetch, the others find near.

It is a favour to them: whatever goes wrong with it is one warning, and the pull has succeeded.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from gitassets import remotes, upload
from gitassets.config import RETRY_CAP, TEAM_CACHE, TEAM_CACHE_MODE
from gitassets.console import plural
from gitassets.errors import AssetsError
from gitassets.model import Status
from gitassets.remotes.base import Named, Surroundings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitassets.context import Context
    from gitassets.model import Digest, Outcome

_NAME = "teamCache"
"""As a remote it has no name; its token is GIT_ASSETS_TOKEN_TEAMCACHE."""


def fill(context: Context, outcomes: Iterable[Outcome]) -> None:
    """Upload what was fetched from elsewhere, when `assets.teamCacheMode` says so."""
    url = context.config.get(TEAM_CACHE)
    if url is None or context.config.get(TEAM_CACHE_MODE) == "read":
        return
    contents: dict[Digest, int] = {
        each.asset.sha256: each.asset.size
        for each in outcomes
        if each.status is Status.FETCHED and not (each.source or "").startswith(url)
    }
    if not contents:
        return
    surroundings = Surroundings(context.place.top, context.tuning, context.policy)
    manner = upload.Manner(context.tuning.jobs, context.config.get(RETRY_CAP))
    try:
        with closing(remotes.connect(Named(_NAME, str(url)), surroundings)) as remote:
            results = list(upload.objects(context.store, remote, contents, manner))
        failed = [each.error for each in results if each.error]
    except AssetsError as error:
        failed = [str(error)] * len(contents)
    if failed:
        what = plural(len(failed), "object")
        context.console.warning(f"the team cache at {url} did not take {what}: {failed[0]}")
    else:
        context.console.detail(f"the team cache at {url} has what was fetched")
