"""`git assets add`, `set` and `remove`: what they write, and what they refuse."""

from __future__ import annotations

import os
import shutil

import pytest
from support.process import Background
from support.server import content, digest, digest_of

from gitassets import lockfile


def locked(repo):
    text = repo.read("assets.lock.toml")
    found = lockfile.load(text)
    assert lockfile.dump(found).encode() == text
    return found


@pytest.fixture
def project(repo, cli):
    cli("init", cwd=repo.path)
    repo.commit("Begin")
    return repo


def test_init_is_safe_to_repeat(repo, cli):
    begun = cli("init", cwd=repo.path)
    assert "wrote assets.lock.toml" in begun.stdout
    assert "git assets install" in begun.stderr
    before = repo.read("assets.lock.toml"), repo.read(".gitattributes")
    assert "nothing to do" in cli("init", cwd=repo.path).stdout
    assert (repo.read("assets.lock.toml"), repo.read(".gitattributes")) == before
    assert locked(repo).assets == {}


def test_init_keeps_what_gitattributes_says(repo, cli):
    repo.write(".gitattributes", "*.bin -text")
    cli("init", cwd=repo.path)
    assert (
        repo.read(".gitattributes")
        == b"*.bin -text\nassets.lock.toml text eol=lf merge=gitassets\n"
    )


def test_the_line_to_type_next_works(project, server, cli):
    (project.path / "sub dir").mkdir()
    result = cli("add", server.blob(100, "s", name="a.bin"), cwd=project.path / "sub dir")
    line = next(row for row in result.stderr.splitlines() if row.startswith("next: "))
    import subprocess

    subprocess.run(
        ["sh", "-c", line.removeprefix("next: ")], cwd=project.path / "sub dir", check=True
    )
    assert project.status == ""
    assert project.git("show", "--name-only", "--format=%s").split("\n") == [
        "Pin sub dir/a.bin", "", ".gitignore", "assets.lock.toml"]  # fmt: skip


def test_default_names_and_directories(project, server, cli):
    cli(
        "add",
        server.blob(10, "a", name="one.bin"),
        server.blob(11, "b", name="two%20x.bin"),
        "--to",
        "d/",
        cwd=project.path,
    )
    assert list(locked(project).assets) == ["d/one.bin", "d/two x.bin"]
    untracked = project.git("status", "--porcelain", "-uall").split("\n")
    assert untracked == [" M assets.lock.toml", "?? .gitignore"]


@pytest.mark.parametrize("name", ["#a", "!b", "c[1]", "d ", "e(1)", "ü", "-f", "a b"])
def test_git_ignores_exactly_it(project, server, cli, name):
    if name.endswith(" "):
        project.write("x", b"1")
        assert (
            "unsafe path"
            in cli("add", server.blob(5, "x"), "--to", name, cwd=project.path, check=128).stderr
        )
        return
    cli("add", server.blob(5, "x"), f"--to={name}", cwd=project.path)
    project.write(name + "2", b"other")
    shown = project.git("-c", "core.quotePath=false", "status", "--porcelain", "-z", "-uall")
    assert f"?? {name}2" in shown
    assert f"?? {name}\0" not in shown


def test_a_nested_ignore_that_says_the_opposite_loses(project, server, cli):
    project.write("data/.gitignore", "!*.bin\n")
    cli("add", server.blob(5, "x", name="a.bin"), "--to", "data/", cwd=project.path)
    assert "data/a.bin" not in project.git("status", "--porcelain", "-uall")
    assert project.read("data/.gitignore").startswith(b"!*.bin\n# git assets: begin")


def test_sha256_is_checked(project, server, cli):
    url = server.blob(500, "x", name="a.bin")
    wrong = cli("add", url, "--sha256", "0" * 64, cwd=project.path, check=128)
    assert "wrong bytes" in wrong.stderr
    assert not (project.path / "a.bin").exists()
    assert locked(project).assets == {}
    cli("add", url, "--sha256", digest_of("x", 500).upper(), cwd=project.path)
    assert "hex" in cli("add", url, "--sha256", "12", cwd=project.path, check=129).stderr


def test_a_tracked_file_leaves_the_index_and_stays(project, cli):
    project.commit("Track", {"big.bin": b"big"})
    before = (project.path / "big.bin").stat()
    result = cli(
        "add", "big.bin", "--url", "https://example.org/big.bin", "--group", "g", cwd=project.path
    )
    after = (project.path / "big.bin").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert "big.bin" not in project.git("ls-files").split("\n")
    asset = locked(project).assets["big.bin"]
    assert asset.sha256 == digest(b"big")
    assert asset.groups == ("g",)
    assert "only this cache" not in result.stderr
    assert cli("status", "--porcelain", cwd=project.path).stdout == ""
    (project.path / "big.bin").unlink()
    cli("pull", "--offline", cwd=project.path)
    assert project.read("big.bin") == b"big"


def test_a_file_that_only_the_cache_has_is_told(project, cli):
    project.write("m.bin", b"bytes")
    assert "only this cache has 'm.bin'" in cli("add", "m.bin", cwd=project.path).stderr


def test_a_file_from_elsewhere(project, cli, tmp_path):
    (tmp_path / "tool").write_bytes(b"#!")
    (tmp_path / "tool").chmod(0o755)
    cli("add", str(tmp_path / "tool"), "--to", "bin/", cwd=project.path)
    assert locked(project).assets["bin/tool"].executable
    assert os.access(project.path / "bin/tool", os.X_OK)


def test_a_server_without_a_size_is_refused_with_a_way_out(project, server, cli):
    result = cli("add", server.url("/norange-chunked/b/100/s/x.bin"), cwd=project.path, check=128)
    assert "how large" in result.stderr
    assert "--url" in result.stderr


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["https://user:pw@example.org/x"], 129),
        (["ftp://example.org/x"], 129),
        (["nothing-here"], 129),
        (["http://127.0.0.1:1/x"], 128),
        (["a", "b", "--to", "c"], 129),
        (["a", "b", "--sha256", "0" * 64], 129),
        ([], 129),
    ],
)
def test_bad_sources_change_nothing(project, cli, args, code):
    before = project.read("assets.lock.toml")
    result = cli("add", *args, cwd=project.path, check=code)
    first = result.stderr.splitlines()[0]
    assert first.startswith(("fatal: ", "error: "))
    assert "pw" not in result.stderr
    assert project.read("assets.lock.toml") == before
    assert project.status == ""


@pytest.mark.parametrize(
    "to", ["../x", ".git/hooks/x", "a/.GIT/x", "/etc/x", "con.txt", "assets.lock.toml"]
)
def test_unsafe_places_are_refused_before_the_network(project, server, cli, to):
    result = cli("add", server.blob(5, "x"), "--to", to, cwd=project.path, check=False)
    assert result.code in (128, 129)
    assert server.log == []
    assert project.status == ""


def test_a_foreign_file_is_not_overwritten(project, server, cli):
    project.write("x.bin", b"mine")
    url = server.blob(5, "x", name="x.bin")
    assert "--force" in cli("add", url, cwd=project.path, check=128).stderr
    assert project.read("x.bin") == b"mine"
    cli("add", "--force", url, cwd=project.path)
    assert project.read("x.bin") == content("x", 0, 5)


def test_adding_again_keeps_groups_and_other_urls(project, server, cli):
    one, two = server.blob(5, "x", name="x.bin"), server.other("/b/5/x/x.bin")
    cli("add", one, "--group", "a", cwd=project.path)
    cli("add", two, "--group", "b", cwd=project.path)
    asset = locked(project).assets["x.bin"]
    assert asset.groups == ("a", "b")
    assert asset.urls == (two, one)


def test_a_redirect_is_pinned_under_the_name_that_was_typed(project, server, cli):
    url = server.url("/redirect;code=302;to=other/b/1000/s/x.bin")
    cli("add", url, cwd=project.path)
    assert locked(project).assets["x.bin"].urls == (url,)


def test_an_interrupted_add_is_resumed(project, server, cli, tmp_path):
    size = 3_000_000
    url = server.url(f"/stall;after=2000000;skip=1;times=1/b/{size}/s/x.bin")
    staging = tmp_path / "cache/staging"
    with Background(["git-assets", "add", url], project.path, tmp_path / "log") as running:
        running.until(lambda: sum(row.sent for row in server.log) > 1_900_000)
        running.until(
            lambda: any(path.stat().st_blocks * 512 > 10**6 for path in staging.glob("*"))
        )
        running.kill()
    server.forget()
    cli("add", url, cwd=project.path)
    asked = [row.range for row in server.log if row.range and row.range != (0, 1)]
    assert asked
    assert min(start for start, _ in asked) > 0
    assert project.read("x.bin") == content("s", 0, size)


def test_set_edits_and_moves(project, server, cli):
    cli("add", server.blob(5, "x", name="x.bin"), "--group", "a", cwd=project.path)
    cli(
        "set",
        "x.bin",
        "--url",
        "https://example.org/1",
        "--url",
        "https://example.org/2",
        "--group",
        "z",
        cwd=project.path,
    )
    asset = locked(project).assets["x.bin"]
    assert asset.urls == ("https://example.org/1", "https://example.org/2")
    assert asset.groups == ("z",)
    cli("set", "x.bin", "--move", "deep/y.bin", cwd=project.path)
    assert list(locked(project).assets) == ["deep/y.bin"]
    assert project.read("deep/y.bin") == content("x", 0, 5)
    assert not (project.path / "x.bin").exists()
    assert "/x.bin" not in project.read(".gitignore").decode()
    assert cli("status", "--porcelain", cwd=project.path).stdout == ""
    assert "nothing" not in cli("set", "none", "--group", "g", cwd=project.path, check=129).stderr


def test_remove_keeps_the_file_unless_told(project, server, cli):
    cli(
        "add",
        server.blob(5, "x", name="x.bin"),
        server.blob(6, "y", name="y.bin"),
        cwd=project.path,
    )
    cli("remove", "x.bin", cwd=project.path)
    assert list(locked(project).assets) == ["y.bin"]
    assert project.read("x.bin") == content("x", 0, 5)
    assert "?? x.bin" in project.status
    cli("remove", "--delete", "y.bin", cwd=project.path)
    assert not (project.path / "y.bin").exists()
    assert not (project.path / ".gitignore").exists()
    assert int(cli("cache", "size", "--json", cwd=project.path).json()["objects"]) == 2


def test_remove_never_deletes_what_was_modified(project, server, cli):
    cli(
        "add",
        server.blob(5, "x", name="x.bin"),
        cwd=project.path,
        env={"GIT_ASSETS_LINK_MODE": "copy"},
    )
    project.write("x.bin", b"edited")
    assert "stays" in cli("remove", "--delete", "x.bin", cwd=project.path, check=1).stderr
    assert project.read("x.bin") == b"edited"


def test_the_lockfile_of_another_writer_is_not_swallowed(project, server, cli):
    """The second of two `add`s that read the same lockfile must not undo the first."""
    url = server.blob(5, "x", name="x.bin")

    def meanwhile(request):
        server.watch = None
        project.lock({"other.bin": {"size": 1, "sha256": "1" * 64}}, ignore=False)

    server.watch = meanwhile
    result = cli("add", url, cwd=project.path, check=False)
    assert result.code in (0, 128)
    assert "other.bin" in locked(project).assets


def test_everything_that_aria2c_needs_is_optional(project, server, cli, tmp_path):
    """Without aria2c on PATH `auto` works, and only asking for it by name is an error."""
    path = tmp_path / "few"
    path.mkdir()
    for name in ("git", "sh", "git-assets"):
        (path / name).symlink_to(shutil.which(name))
    env = {"PATH": str(path)}
    cli("add", server.blob(20 * 2**20, "x", name="x.bin"), cwd=project.path, env=env)
    (project.path / "x.bin").unlink()
    assert (
        "aria2c" in cli("pull", "--engine", "aria2c", cwd=project.path, env=env, check=129).stderr
    )


def test_a_rule_that_beats_ours_is_told(project, server, cli):
    """A directory that is ignored and taken back by a later line: ours still stands last there."""
    project.write(
        ".gitignore", "# git assets: begin (managed, do not edit)\n# git assets: end\n!/x.bin\n"
    )
    result = cli("add", server.blob(5, "x", name="x.bin"), cwd=project.path)
    assert "git does not ignore 'x.bin'" in result.stderr
