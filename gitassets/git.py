"""Every git command: constants in option position, NUL-terminated lists, bytes in and out.

What a repository's own configuration could run (fsmonitor, hooks, external diff, a pager) is
switched off for each call (git CVE-2022-24765 and its kind; `run` is the only door).
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitassets.errors import GitError, NotARepository

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LOCKFILE = "assets.lock.toml"

_SEALED = (
    "-c", "core.fsmonitor=false",
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.splitIndex=false",
    "-c", "diff.external=",
    "-c", "core.pager=cat",
    "-c", "core.quotePath=false",
)  # fmt: skip
_PLACES = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
)  # fmt: skip
"""Variables that name a place of one repository."""
_TIMEOUT = 600.0
"""Seconds; a git command of ours that takes longer hangs."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command was started: the work tree and its git directories."""

    top: Path
    """The top of the work tree, absolute."""
    prefix: str
    """From `top` to the current directory: empty, or ends in '/'."""
    git_dir: Path | None
    """This work tree's git directory; None in an unpacked archive."""
    common_dir: Path | None
    """What all linked work trees share; None in an unpacked archive."""

    @property
    def state(self) -> Path | None:
        """This work tree's own directory of ours, `git rev-parse --git-path assets`."""
        return self.git_dir / "assets" if self.git_dir else None


def program() -> str:
    """The absolute path of git: never one from the current directory (CVE-2020-27955)."""
    for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
        candidate = os.path.join(directory, "git")  # noqa: PTH118 - 20 us at every start
        if directory.startswith("/") and os.access(candidate, os.X_OK):
            return candidate
    raise NotARepository("git is not installed, or not on PATH")


def run(
    *arguments: str,
    stdin: bytes | None = None,
    cwd: Path | None = None,
    extra: dict[str, str] | None = None,
    ok: Sequence[int] = (0,),
) -> bytes:
    """Run git and return what it printed. Raises GitError when its status is not in `ok`."""
    done = _start(arguments, stdin=stdin, cwd=cwd, extra=extra)
    if done.returncode not in ok:
        raise GitError(arguments, done.returncode, done.stderr.decode(errors="replace"))
    return done.stdout


def _start(
    arguments: tuple[str, ...],
    *,
    stdin: bytes | None,
    cwd: Path | None,
    extra: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [program(), *_SEALED, *arguments],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        check=False,
        cwd=cwd,
        timeout=_TIMEOUT,
        env={
            **_environment(cwd),
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ASSETS_INSIDE": "1",
            "LC_ALL": "C",
            **(extra or {}),
        },
    )


def _environment(cwd: Path | None) -> dict[str, str]:
    """The caller's, with what `git --git-dir=x` left relative made absolute before we move."""
    found = dict(os.environ)
    for name in _PLACES if cwd else ():
        if name in found:
            found[name] = os.path.abspath(found[name])  # noqa: PTH100 - no symlink is resolved
    return found


@contextmanager
def elsewhere() -> Iterator[None]:
    """Let git find other repositories meanwhile: without it GIT_DIR would beat any directory.

    githooks(5) gives this recipe; the names are those of `git rev-parse --local-env-vars`.
    """
    kept = {name: os.environ.pop(name) for name in _PLACES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def locate() -> Place:
    """Find the work tree around the current directory, or a lockfile in an unpacked archive.

    Raises NotARepository when there is neither.
    """
    asked = ("--show-toplevel", "--absolute-git-dir", "--git-common-dir", "--show-prefix")
    done = _start(("rev-parse", "--path-format=absolute", *asked), stdin=None, cwd=None)
    if done.returncode == 0:
        top, git_dir, common, prefix = os.fsdecode(done.stdout).split("\n")[:4]
        return Place(Path(top), prefix, Path(git_dir), Path(common))
    message = done.stderr.decode(errors="replace")
    if "not a git repository" in message:
        here = Path.cwd()
        for directory in (here, *here.parents):
            if (directory / LOCKFILE).is_file():
                prefix = here.relative_to(directory).as_posix()
                return Place(directory, "" if prefix == "." else prefix + "/", None, None)
        raise NotARepository(
            "not a git repository (or any of the parent directories), and no assets.lock.toml here",
            hint="git init && git assets init",
        )
    if "must be run in a work tree" in message:
        raise NotARepository("this operation must be run in a work tree")
    first = message.strip().removeprefix("fatal: ").partition("\n")[0]
    raise NotARepository(first or f"git ended with {done.returncode} and said nothing")


def config() -> list[tuple[str, str | None]]:
    """Every setting of ours and of http that git knows here, later ones winning; one process."""
    out = run(
        "config",
        "--includes",
        "--null",
        "--get-regexp",
        r"^(assets|http|color|advice)\.",
        ok=(0, 1),
    )
    rows = []
    for record in out.decode("utf-8", "replace").split("\0")[:-1]:
        key, newline, value = record.partition("\n")
        rows.append((key, value if newline else None))
    return rows


def set_config(key: str, value: str, *, add: bool = False) -> None:
    """Write one setting to this repository's own configuration; with `add`, beside the others."""
    run(
        "config",
        "--local",
        *(["--add"] if add else ["--replace-all"]),
        "--end-of-options",
        key,
        value,
    )


def drop_config(section: str) -> None:
    """Remove one whole section of this repository's own configuration. Raises GitError."""
    run("config", "--local", "--remove-section", section)


def show(revision: str, path: str) -> bytes | None:
    """The text of `path` in `revision`; None when either does not exist."""
    done = _start(("cat-file", "blob", f"{revision}:{path}"), stdin=None, cwd=None)
    return done.stdout if done.returncode == 0 else None


def lockfiles(revisions: Iterable[str], cwd: Path | None = None) -> dict[str, bytes]:
    """The lockfile's text in each revision that has one, by revision; one process for all."""
    names = list(revisions)
    if not names:
        return {}
    asked = "".join(f"{name}:{LOCKFILE}\n" for name in names).encode()
    out = run("cat-file", "--batch", "--buffer", stdin=asked, cwd=cwd)
    found: dict[str, bytes] = {}
    at = 0
    for name in names:
        end = out.index(b"\n", at)
        header, at = out[at:end], end + 1
        if header.endswith((b" missing", b" ambiguous")):
            continue
        size = int(header.rsplit(b" ", 1)[1])
        if b" blob " in header:
            found[name] = out[at : at + size]
        at += size + 1
    return found


def commit_of(revision: str) -> str | None:
    """The full commit id that `revision` names, or None."""
    # Behind `:/words` everything is words; and what it finds is a commit.
    peeled = revision if revision.startswith(":/") else revision + "^{commit}"
    done = _start(
        ("rev-parse", "--verify", "--quiet", "--end-of-options", peeled),
        stdin=None, cwd=None,
    )  # fmt: skip
    return done.stdout.decode().strip() if done.returncode == 0 else None


def refs() -> list[str]:
    """Every ref's full name, HEAD of each linked work tree included."""
    out = run("for-each-ref", "--format=%(refname)").decode().split("\n")
    heads = run("worktree", "list", "--porcelain", "-z").decode(errors="replace").split("\0")
    return [ref for ref in out if ref] + [row[5:] for row in heads if row.startswith("HEAD ")]


def default_branch() -> str | None:
    """The remote-tracking ref of origin's default branch, or None."""
    done = _start(
        ("rev-parse", "--verify", "--quiet", "refs/remotes/origin/HEAD"), stdin=None, cwd=None
    )
    if done.returncode == 0:
        return "refs/remotes/origin/HEAD"
    for name in ("main", "master"):
        ref = f"refs/remotes/origin/{name}"
        if commit_of(ref):
            return ref
    return None


def version() -> str:
    """`git version`'s own number."""
    return run("version").decode().split()[2]
