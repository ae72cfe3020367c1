"""What git itself fires when: the table that the guards of our scripts rest on.

Each row is a command, and every event of it that a recorder in each hook has seen: `i1` is
post-index-change after the work tree was updated; `c1` and `c0` are post-checkout, by its flag; `!`
behind an event says that git's state of an operation in progress was still there. A git that fires
otherwise makes a row fail, and that row tells which guard has to be looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.hooked import QUIET
from support.repo import Repo

if TYPE_CHECKING:
    from pathlib import Path

SHORT = {
    "post-checkout": "c$3", "post-merge": "m$1", "post-commit": "k", "post-rewrite": "r:$1",
    "post-applypatch": "p", "post-index-change": "i$1",
}  # fmt: skip
RECORDER = """#!/bin/sh
d=$(git rev-parse --git-dir)
for name in rebase-merge rebase-apply sequencer CHERRY_PICK_HEAD MERGE_HEAD BISECT_LOG; do
    [ ! -e "$d/$name" ] || busy=!
done
printf '%s%s ' "{short}" "$busy" >>"{log}"
"""


class Recorded:
    def __init__(self, repo: Repo, log: Path, hooks: Path) -> None:
        self.repo, self.log = repo, log
        for event, short in SHORT.items():
            hook = hooks / event
            hook.parent.mkdir(exist_ok=True)
            hook.write_text(RECORDER.format(short=short, log=log))
            hook.chmod(0o755)

    def events(self, *command: str) -> str:
        """Run git; without the events of a mere refresh, whose number differs between versions."""
        self.log.unlink(missing_ok=True)
        self.repo.git(*command, check=False)
        words = self.log.read_text().split() if self.log.exists() else []
        return " ".join(word for word in words if not word.startswith("i0"))


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """Make `main` and `side`, both ahead of `begin`; `clash` conflicts with `side`."""
    repo = Repo.init(tmp_path / "repo")
    repo.commit("Begin", {"f": "1\n", "g": "1\n"})
    repo.git("branch", "begin")
    repo.git("switch", "-q", "-c", "side")
    for number in "234":
        repo.commit(f"Side {number}", {"f": f"{number}\n"})
    repo.git("switch", "-q", "-c", "clash", "begin")
    repo.commit("Clash", {"f": "9\n"})
    repo.git("switch", "-q", "main")
    for number in "23":
        repo.commit(f"Main {number}", {"g": f"{number}\n"})
    return Recorded(repo, tmp_path / "log", repo.path / ".git/hooks")


ROWS = {
    "switch side": "i1 c1",
    "checkout --detach side": "i1 c1",
    "checkout -f side": "i1 c1",
    "checkout -b new": "c1",
    "switch --orphan none": "i1 c1",
    "checkout side -- f": "c0",
    "restore --source=side f": "c0",
    "reset --hard side": "i1",
    "reset --keep side": "i1",
    "reset --merge side": "i1",
    "reset --soft side": "",
    "symbolic-ref HEAD refs/heads/side": "",
    "merge --no-edit side": "i1 m0!",
    "merge --squash side": "i1 m1",
    "merge clash": "i1 m0!",
    "rebase side": "i1! c1! i1! k! i1! k! r:rebase!",
    "rebase --apply side": "i1 c1 p! p! r:rebase!",
    "rebase begin": "",
    "cherry-pick side~2": "i1 k!",
    "cherry-pick begin..side": "i1! k! i1! k! i1! k!",
    "cherry-pick -n side~2": "i1",
    "revert --no-edit HEAD": "i1 k",
    "commit --allow-empty -m x": "k",
    "commit --amend --allow-empty --no-edit": "k r:amend",
    "bisect start side begin": "i1! c1!",
    "read-tree -m -u side": "i1",
    "fetch .": "",
}


@pytest.mark.parametrize("command", ROWS)
def test_row(recorded: Recorded, command: str) -> None:
    assert recorded.events(*command.split()) == ROWS[command]


def test_fast_forwards(recorded: Recorded) -> None:
    recorded.repo.git(*QUIET, "switch", "-q", "begin")
    assert recorded.events("merge", "--ff-only", "side") == "i1 m0"
    recorded.repo.git(*QUIET, "reset", "-q", "--hard", "begin~0")
    recorded.repo.git(*QUIET, "reset", "-q", "--hard", "side~3")
    assert recorded.events("rebase", "side") == "i1! c1!"
    recorded.repo.git(*QUIET, "reset", "-q", "--hard", "side~3")
    assert recorded.events("pull", "-q", "--rebase", ".", "side").endswith("m0")


def test_conflict_and_abort(recorded: Recorded) -> None:
    recorded.repo.git(*QUIET, "switch", "-q", "clash")
    assert recorded.events("merge", "side") == "i1"
    assert recorded.events("merge", "--abort") == "i1!"
    assert recorded.events("cherry-pick", "side").startswith("i1")
    assert recorded.events("cherry-pick", "--abort") == "i1!"
    assert recorded.events("rebase", "side").startswith("i1! c1!")
    assert recorded.events("rebase", "--abort") == "i1!"
    recorded.events("merge", "side")
    recorded.repo.write("f", "both\n")
    recorded.repo.git("add", "f")
    assert recorded.events("commit", "-q", "--no-edit").endswith("k")


def test_stash(recorded: Recorded) -> None:
    recorded.repo.write("f", "mine\n")
    assert "i1" in recorded.events("stash").split()
    assert "i1" in recorded.events("stash", "pop").split()


def test_am(recorded: Recorded, tmp_path: Path) -> None:
    names = recorded.repo.git("format-patch", "-o", str(tmp_path / "p"), "begin..side").split()
    words = recorded.events("am", "-q", *names).split()
    assert words == ["p!", "p!", "p!"]


def test_worktree_and_clone(recorded: Recorded, tmp_path: Path) -> None:
    assert recorded.events("worktree", "add", str(tmp_path / "linked"), "side") == "i1 c1"
    template = tmp_path / "template"
    template.mkdir()
    Recorded(recorded.repo, recorded.log, template / "hooks")
    words = ("clone", "-q", f"--template={template}", ".", str(tmp_path / "clone"))
    assert recorded.events(*words) == "i1 c1"
