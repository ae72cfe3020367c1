"""The same migration, done the slow way: every commit's tree on its own, written by git-filter-repo.

Nothing is remembered from one commit to the next, and no tree is written by us: git-filter-repo, as
a library, and `git fast-import` do that. Equal root trees mean that two ways of thinking agree.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from gitassets import ignore, lockfile
from gitassets.history.attributes import without_lfs
from gitassets.lockfile import Lockfile
from gitassets.model import Asset, AssetPath, Digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from history.oracle import History, Selection
    from support.odb import Objects

Change = tuple[str, "str | bytes"]
"""Mode, and a blob's id or its new content."""


def rewritten(
    old: History, commit: str, selection: Selection, constant: Lockfile
) -> dict[bytes, Change]:
    """Say what the tree of `commit` has to become; `constant` is a lockfile without assets."""
    entries = old.entries(commit)
    pins = selection.pins(old, commit)
    files: dict[bytes, Change] = {
        path: (entry.mode, entry.id) for path, entry in entries.items() if path not in pins
    }
    if pins:
        _write_lockfile(old, commit, files, selection, constant)
        _write_ignores(old, files, set(pins) & set(entries))
    if selection.lfs:
        _drop_lfs(old, files)
    return files


def _write_lockfile(
    old: History, commit: str, files: dict[bytes, Change], selection: Selection, constant: Lockfile
) -> None:
    base = old.entries(commit).get(b"assets.lock.toml")
    before = lockfile.load(old.blob(base.id)) if base else Lockfile()
    assets = []
    for path, pin in selection.pins(old, commit).items():
        asset = Asset(
            AssetPath(path.decode()), pin.size, Digest(pin.sha256), executable=pin.executable
        )
        known = before.assets.get(asset.path)
        assets.append(known if known and known.sha256 == asset.sha256 else asset)
    merged = Lockfile(
        stores={**before.stores, **constant.stores},
        sources=before.sources,
        extra={**before.extra, **constant.extra},
    )
    files[b"assets.lock.toml"] = ("100644", lockfile.dump(merged.with_assets(assets)).encode())


def _write_ignores(old: History, files: dict[bytes, Change], pins: set[bytes]) -> None:
    have = [
        path.rpartition(b"/")[0].decode("utf-8", "surrogateescape")
        for path, (mode, _) in files.items()
        if path.rpartition(b"/")[2] == b".gitignore" and mode.startswith("100")
    ]
    homes: dict[str, list[str]] = {}
    for path in sorted(pins):
        homes.setdefault(ignore.home(path.decode(), have), []).append(path.decode())
    for home, paths in homes.items():
        name = (f"{home}/" if home else "").encode("utf-8", "surrogateescape") + b".gitignore"
        mode, blob = files.get(name, ("100644", b""))
        text = (old.blob(blob) if isinstance(blob, str) else blob).decode(
            "utf-8", "surrogateescape"
        )
        new = ignore.updated(text, home, add=paths, drop=())
        files[name] = (mode, new.encode("utf-8", "surrogateescape"))


def _drop_lfs(old: History, files: dict[bytes, Change]) -> None:
    if files.get(b".lfsconfig", ("",))[0].startswith("100"):
        del files[b".lfsconfig"]
    for path, (mode, blob) in list(files.items()):
        if path.rpartition(b"/")[2] == b".gitattributes" and mode.startswith("100"):
            assert isinstance(blob, str)
            new = without_lfs(old.blob(blob))
            if not new:
                del files[path]
            elif new != old.blob(blob):
                files[path] = (mode, new)


def roots(
    old: History, work: Path, selection: Selection, constant: Lockfile, *, leave: Sequence[str] = ()
) -> Mapping[str, str]:
    """Rewrite branches of `old` with git-filter-repo in a clone at `work`; root trees by ref.

    It reads neither SHA-256 histories without their data nor some odd lines of people: branches
    with those are to be left out.
    """
    subprocess.run(
        ["git", "clone", "-q", "--mirror", "--no-local", str(old.path), str(work)], check=True
    )
    heads = [ref for ref in old.refs() if ref.startswith("refs/heads/") and ref not in leave]
    commits = old.git("rev-list", *heads).decode().split()
    files = {c.encode(): rewritten(old, c, selection, constant) for c in commits}
    # In a process of its own: git-filter-repo leaves pipes open and processes unwaited for.
    subprocess.run(
        [sys.executable, __file__, *heads], input=pickle.dumps(files), cwd=work, check=True
    )
    found = {}
    for ref in heads:
        asked = ["git", "rev-parse", f"{ref}^{{tree}}"]
        out = subprocess.run(asked, capture_output=True, check=True, cwd=work).stdout
        found[ref] = out.decode().strip()
    return found


def root(old: History, commit: str, selection: Selection, constant: Lockfile, odb: Objects) -> str:
    """Write the root tree of `commit` with the tests' own writer of objects, and give its id.

    For what git-filter-repo cannot read.
    """
    files = rewritten(old, commit, selection, constant)
    return odb.tree(
        {
            path: (mode, odb.blob(content) if isinstance(content, bytes) else content)
            for path, (mode, content) in files.items()
        }
    )


def _main(heads: list[str], files: Mapping[bytes, Mapping[bytes, Change]]) -> None:
    import git_filter_repo as filter_repo

    options: Any = filter_repo.FilteringOptions.parse_args(
        ["--force", "--partial", "--quiet", "--preserve-commit-encoding", "--preserve-commit-hashes",
         "--prune-empty", "never", "--prune-degenerate", "never", "--refs", *heads],
        error_on_empty=False,
    )  # fmt: skip

    def rewrite(commit: Any, _: object) -> None:
        changes = [filter_repo.FileChange(b"DELETEALL")]
        for path, (mode, content) in files[commit.original_id].items():
            if isinstance(content, bytes):
                blob = filter_repo.Blob(content)
                running.insert(blob)
                name: object = blob.id
            else:
                name = content.encode()
            changes.append(filter_repo.FileChange(b"M", path, name, mode.encode()))
        commit.file_changes = changes

    running = filter_repo.RepoFilter(options, commit_callback=rewrite)
    running.run()


if __name__ == "__main__":
    _main(sys.argv[1:], pickle.load(sys.stdin.buffer))
