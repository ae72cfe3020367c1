"""Promise 6: whatever is wrong, a one-line cause, the right exit status, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.repo import pinned, pinned_bytes
from support.user import as_nobody, give


def in_the_way_of_state(repo):
    (repo.path / ".git/assets").write_text("a file")


def cache_is_a_file(repo):
    Path(os.environ["GIT_ASSETS_CACHE"]).write_text("a file")


def cache_is_a_symlink_to_nowhere(repo):
    Path(os.environ["GIT_ASSETS_CACHE"]).symlink_to("/nowhere/at/all")


def staging_is_a_file(repo):
    cache = Path(os.environ["GIT_ASSETS_CACHE"])
    cache.mkdir(mode=0o700)
    (cache / "staging").write_text("a file")


def journal_is_rubbish(repo):
    cache = Path(os.environ["GIT_ASSETS_CACHE"])
    cache.mkdir(mode=0o700)
    (cache / "journal.db").write_bytes(os.urandom(5000))


def journal_is_a_directory(repo):
    (Path(os.environ["GIT_ASSETS_CACHE"]) / "journal.db").mkdir(parents=True, mode=0o700)


def records_are_rubbish(repo):
    (repo.path / ".git/assets").mkdir()
    (repo.path / ".git/assets/applied").write_bytes(os.urandom(5000))


def records_are_a_directory(repo):
    (repo.path / ".git/assets/applied").mkdir(parents=True)


def ignore_is_a_directory(repo):
    (repo.path / ".gitignore").unlink()
    (repo.path / ".gitignore").mkdir()


def ignore_is_binary(repo):
    (repo.path / ".gitignore").write_bytes(b"\xff\xfe\x00/x\n")


def lockfile_is_a_directory(repo):
    (repo.path / "assets.lock.toml").unlink()
    (repo.path / "assets.lock.toml").mkdir()


def lockfile_is_a_fifo(repo):
    (repo.path / "assets.lock.toml").unlink()
    os.mkfifo(repo.path / "assets.lock.toml")


def lockfile_is_binary(repo):
    (repo.path / "assets.lock.toml").write_bytes(b"\xff\xfe\x00version = 1")


def lockfile_is_deep(repo):
    (repo.path / "assets.lock.toml").write_text("a = " + "[" * 50_000)


def config_is_nonsense(repo):
    repo.git("config", "assets.jobs", "lots")
    repo.git("config", "assets.engine", "warp")
    repo.git("config", "assets.fsync", "perhaps")


def config_is_broken(repo):
    with (repo.path / ".git/config").open("a") as file:
        file.write("[assets\n")


def git_directory_is_broken(repo):
    (repo.path / ".git/HEAD").write_text("nonsense")


def index_is_broken(repo):
    (repo.path / ".git/index").write_bytes(b"nonsense")


FAULTS = [
    value for name, value in list(globals().items()) if getattr(value, "__module__", "") == __name__
]
VERBS = [
    ["pull"], ["pull", "--force", "."], ["status"], ["list"], ["verify"], ["checkout"], ["fetch"], ["cache", "size"],
    ["cache", "gc"], ["add", "local"], ["remove", "x.bin"], ["set", "x.bin", "--group", "g"], ["init"], ["list", "HEAD"],
]  # fmt: skip


def judge(code, said):
    """One cause: `fatal:` or `error:` lines with a text, at most one `fatal:`; nothing of Python's."""
    lines = said.splitlines()
    assert code in {0, 1, 128, 129}, (code, said)
    for word in ("Traceback", 'File "', "internal error", "Exception ignored"):
        assert word not in said, said
    fatal = [line for line in lines if line.startswith("fatal: ")]
    assert len(fatal) == (code == 128), said
    assert code == 0 or any(
        line.startswith(("fatal: ", "error: ")) and len(line) > 12 for line in lines
    ), said
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_broken_place(repo, server, cli, fault):
    repo.lock({"x.bin": pinned(500, "s", server.blob(500, "s"))})
    repo.commit()
    repo.write("local", b"local")
    fault(repo)
    for verb in VERBS:
        result = cli(*verb, cwd=repo.path, check=False)
        judge(result.code, result.stderr)


def test_a_traceback_is_seen():
    """Positive control."""
    done = subprocess.run(
        ["python3", "-c", "open('/nowhere')"], capture_output=True, text=True, check=False
    )
    with pytest.raises(AssertionError):
        judge(done.returncode, done.stderr)


@pytest.mark.parametrize("limit", ["-n 12", "-n 20", "-f 0", "-f 8"])
def test_a_machine_with_little(repo, server, tmp_path, limit):
    """Few descriptors, small files: some assets fail, or the command does; both say why."""
    repo.lock(
        {f"{at}.bin": pinned(9000 + at, "s", server.blob(9000 + at, "s")) for at in range(40)}
    )
    for verb in ("pull", "add local", "status"):
        repo.write("local", b"local")
        done = subprocess.run(
            ["sh", "-c", f"ulimit {limit}; exec git-assets {verb}"], cwd=repo.path, capture_output=True, text=True, check=False
        )  # fmt: skip
        judge(done.returncode, done.stderr)


@pytest.fixture(scope="module")
def anybody_can_run_it():
    """Root ignores permissions, and somebody else may not reach root's own Python."""
    try:
        as_nobody(lambda: subprocess.run([sys.executable, "-c", "import tomli"], check=True))
    except AssertionError:
        pytest.skip("only root can run this Python")


@pytest.mark.usefixtures("anybody_can_run_it")
@pytest.mark.parametrize("place", ["top", "data", "cache", "state"])
def test_what_may_not_be_written(repo, server, tmp_path, place):
    repo.lock({"data/x.bin": pinned(500, "s", server.blob(500, "s")), "y.bin": pinned_bytes(b"y")})
    repo.write("data/.keep", "")
    repo.write("local", b"local")
    (repo.path / ".git/assets").mkdir()
    cache = Path(os.environ["GIT_ASSETS_CACHE"])
    cache.mkdir(mode=0o700)
    give(tmp_path)
    {
        "top": repo.path,
        "data": repo.path / "data",
        "cache": cache,
        "state": repo.path / ".git/assets",
    }[place].chmod(0o555)

    def act():
        for verb in (["pull"], ["add", "local"], ["status"], ["verify"]):
            done = subprocess.run(
                ["git-assets", *verb], cwd=repo.path, capture_output=True, text=True, check=False
            )
            judge(done.returncode, done.stderr)

    as_nobody(act)
