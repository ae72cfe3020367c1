"""`git assets add hf://…`: pins from a listing, with the real client against a Hub double."""

from __future__ import annotations

import threading

import pytest
from support.desk import Desk, Say
from support.hub import HubDouble, sha256
from support.server import content

from gitassets import lockfile

FILES = {
    ".gitattributes": b"*.bin filter=lfs\n",
    "README.md": b"# A model\n",
    "empty.txt": b"",
    "model.gguf": content("gguf", 0, 200_000),
    "data/train 1.parquet": content("train", 0, 5000),
    "data/deep/test.parquet": content("test", 0, 3000),
}


@pytest.fixture
def double(monkeypatch):
    with HubDouble() as running:
        running.commit(dict(FILES))
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        yield running


@pytest.fixture
def project(repo, cli):
    cli("init", cwd=repo.path)
    repo.commit("Begin")
    return repo


def locked(repo):
    text = repo.read("assets.lock.toml")
    found = lockfile.load(text)
    assert lockfile.dump(found).encode() == text
    return found


def test_a_repository_is_one_source_and_one_line_a_file(double, project, cli):
    cli("add", "hf://owner/tiny", "--to", "m/", cwd=project.path)
    found = locked(project)
    sha = double.branches["main"]
    [source] = found.sources.values()
    assert source.id == "tiny"
    assert source.original == "hf://owner/tiny@main"
    assert source.resolved == f"hf://owner/tiny@{sha}"
    for path, data in FILES.items():
        if path == ".gitattributes":
            assert f"m/{path}" not in found.assets
            continue
        asset = found.assets[f"m/{path}"]
        assert (asset.size, asset.sha256) == (len(data), sha256(data))
        assert asset.origin == f"tiny:{path}"
        assert asset.urls == ()
        assert project.read(f"m/{path}") == data


def test_what_is_listed_is_pinned_without_its_bytes(double, project, cli):
    cli("add", "hf://owner/tiny", "--include", "*.parquet", "--include", "*.md", "--to", "d/", "--no-download", cwd=project.path)  # fmt: skip
    found = locked(project)
    assert set(found.assets) == {
        "d/README.md",
        "d/data/train 1.parquet",
        "d/data/deep/test.parquet",
    }
    assert not double.seen("cdn")
    assert not double.seen("hub", "parquet")
    assert len(double.seen("hub", "/tree/")) == 1
    assert not (project.path / "d").exists()
    cli("pull", cwd=project.path)
    assert project.read("d/data/train 1.parquet") == FILES["data/train 1.parquet"]


def test_pages_are_followed(double, project, cli):
    double.page = 2
    cli("add", "hf://owner/tiny", "--no-download", cwd=project.path)
    assert len(locked(project).assets) == len(FILES) - 1
    assert len(double.seen("hub", "/tree/")) == 3


def test_a_listing_without_end(double, project, cli):
    double.loop = True
    result = cli("add", "hf://owner/tiny", "--no-download", cwd=project.path, check=128)
    assert "twice" in result.stderr


@pytest.mark.parametrize(
    ("source", "to", "paths"),
    [
        ("hf://owner/tiny/model.gguf", None, {"model.gguf"}),
        ("hf://owner/tiny/model.gguf", "x/y.bin", {"x/y.bin"}),
        ("hf://owner/tiny@main/data/deep/test.parquet", "x/", {"x/test.parquet"}),
        ("hf://owner/tiny/data", "x/", {"x/train 1.parquet", "x/deep/test.parquet"}),
        ("{endpoint}/owner/tiny/blob/main/model.gguf", None, {"model.gguf"}),
        ("{endpoint}/owner/tiny/resolve/main/model.gguf?download=true", None, {"model.gguf"}),
        ("{endpoint}/owner/tiny/tree/main/data/deep", "x/", {"x/test.parquet"}),
    ],
)
def test_places_and_targets(double, project, cli, source, to, paths):
    wanted = source.format(endpoint=double.endpoint)
    cli("add", wanted, *(["--to", to] if to else []), cwd=project.path)
    assert set(locked(project).assets) == paths
    for path in paths:
        assert (project.path / path).is_file()


def test_another_commit_is_another_source(double, project, cli):
    cli("add", "hf://owner/tiny/model.gguf", "--no-download", cwd=project.path)
    cli("add", "hf://owner/tiny/README.md", cwd=project.path)
    assert set(locked(project).sources) == {"tiny"}
    double.commit({**FILES, "new.txt": b"new"})
    cli("add", "hf://owner/tiny/new.txt", cwd=project.path)
    found = locked(project)
    assert set(found.sources) == {"tiny", "tiny-2"}
    assert found.assets["new.txt"].origin == "tiny-2:new.txt"


def test_datasets_with_a_token(double, project, cli, monkeypatch):
    double.kind, double.token = "datasets", "hf_canary"
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    cli("add", "hf://datasets/owner/tiny@main", cwd=project.path)
    assert double.saw("hf_canary", "hub")
    assert double.seen("cdn")
    assert not double.saw("hf_canary", "cdn")
    assert b"hf_canary" not in project.read("assets.lock.toml")


def test_bytes_that_are_not_what_git_calls_them(double, project, cli):
    double.serve = lambda data: data[::-1]
    result = cli("add", "hf://owner/tiny/README.md", cwd=project.path, check=128)
    assert "'README.md' is not what the Hub lists" in result.stderr
    assert locked(project).assets == {}


def test_a_listing_that_lies_about_sha256(double, project, cli):
    double.lie = {"model.gguf": "0" * 64}
    result = cli("add", "hf://owner/tiny/model.gguf", cwd=project.path, check=128)
    assert "404" in result.stderr or "wrong bytes" in result.stderr
    assert locked(project).assets == {}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("hf://owner/none", "no model 'owner/none' that we may see (no token was sent)"),
        ("hf://owner/tiny@v9", "'owner/tiny' has no revision 'v9'"),
        ("hf://owner/tiny/none.bin", "'owner/tiny' has no 'none.bin' at"),
        ("hf://owner", "no OWNER/NAME"),
        ("hf://buckets/o/n", "no versions that could be pinned"),
    ],
)
def test_one_line_says_what_is_missing(double, project, cli, source, words):
    result = cli("add", source, cwd=project.path, check=False)
    assert result.code in {128, 129}
    [line] = [row for row in result.stderr.splitlines() if row.startswith(("error:", "fatal:"))]
    assert words in line
    assert "Traceback" not in result.stderr


def test_a_gated_repository_names_the_page(double, project, cli, monkeypatch):
    double.gated = True
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    result = cli("add", "hf://owner/tiny", cwd=project.path, check=128)
    assert "'owner/tiny' is gated" in result.stderr
    assert "a token was sent" in result.stderr
    assert f"{double.endpoint}/owner/tiny" in result.stderr
    assert "hf_canary" not in result.stderr


def test_a_busy_hub_is_asked_again(double, project, cli):
    double.limited = 1
    cli("add", "hf://owner/tiny/README.md", cwd=project.path)
    assert "README.md" in locked(project).assets


def test_nobody_listens(project, cli, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    result = cli("add", "hf://owner/tiny", cwd=project.path, check=128)
    assert "the Hub could not be asked" in result.stderr


def test_the_proxy_of_git_is_used(project, cli, monkeypatch):
    with Desk(lambda _: Say(404, b"{}", {"X-Error-Code": "RepoNotFound"})) as proxy:
        monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
        monkeypatch.setenv("HF_TOKEN", "canary")
        project.git("config", "http.proxy", proxy.first)
        result = cli("add", "hf://owner/tiny", cwd=project.path, check=128)
        assert "no model 'owner/tiny'" in result.stderr
        [row] = proxy.log
        assert row.target.startswith("http://hub.invalid/api/models/owner/tiny")
        assert "canary" not in str(row.headers), "in the clear"


def test_a_hub_that_says_nothing(project, cli, monkeypatch):
    gate = threading.Event()
    with Desk(lambda _: Say(200) if gate.wait(60) else Say(500)) as desk:
        monkeypatch.setenv("HF_ENDPOINT", desk.first)
        monkeypatch.setenv("GIT_ASSETS_LOW_SPEED", "1k/1s")
        result = cli("add", "hf://owner/tiny", cwd=project.path, check=128)
        assert "the Hub could not be asked: ReadTimeout" in result.stderr
        gate.set()


def test_offline(double, project, cli, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE" in cli("add", "hf://owner/tiny", cwd=project.path, check=128).stderr
    assert double.log == []


@pytest.mark.parametrize("option", [["--include", "*"], ["--no-download"]])
def test_options_that_are_about_the_hub(project, cli, server, option):
    result = cli("add", server.blob(10, "s"), *option, cwd=project.path, check=129)
    assert "Hugging Face Hub" in result.stderr


def test_nothing_matches(double, project, cli):
    result = cli("add", "hf://owner/tiny", "--include", "*.zip", cwd=project.path, check=129)
    assert "matches --include" in result.stderr


def test_an_expired_signature_is_renewed(double, project, cli):
    cli("add", "hf://owner/tiny/model.gguf", "--no-download", cwd=project.path)
    double.expired = 1
    cli("pull", cwd=project.path)
    assert project.read("model.gguf") == FILES["model.gguf"]
    assert len(double.seen("hub", "/resolve/")) == 2


def test_every_request_for_bytes_has_a_range(double, project, cli):
    cli("add", "hf://owner/tiny", cwd=project.path)
    rows = [*double.seen("cdn"), *double.seen("hub", "/resolve/")]
    assert rows
    assert all("Range" in row.headers for row in rows)
