"""How time grows with the number of entries: parse, status, plan and a pull with nothing to do."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from benchmarks import data
from benchmarks.bench import interpreter
from benchmarks.local import ours
from benchmarks.run import Contender, Samples, say

if TYPE_CHECKING:
    from benchmarks.bench import Bench

SIZES = (1_000, 10_000, 100_000, 500_000)
PARSE = "import gitassets.lockfile as l; l.load(open('assets.lock.toml', 'rb').read())"


def series(bench: Bench) -> Samples:
    """Parse, status, plan and a pull with nothing to do, at 1,000 to 500,000 entries.

    Contenders are named `step @ entries`.
    """
    found = Samples()
    for count in (10, 100) if bench.quick else SIZES:
        say(f"  {count} entries")
        place = bench.place(f"growth-{count}")
        there, fresh = place / "there", place / "fresh"
        data.present(bench, there, count, 20)
        bench.git(place, "clone", "-q", str(there), str(fresh))
        part = bench.compare([
            Contender(f"parse @ {count}", (interpreter(), "-c", PARSE), there),
            ours(f"status @ {count}", there, "status"),
            Contender(
                f"plan @ {count}", ("git", "assets", "pull", "--dry-run"), fresh,
                environment={"GIT_ASSETS_CACHE": str(place / "empty-cache")},
            ),
            ours(f"pull, nothing to do @ {count}", there, "pull"),
        ])  # fmt: skip
        found.runs.update(part.runs)
        found.failed.update(part.failed)
        shutil.rmtree(place)
    return found
