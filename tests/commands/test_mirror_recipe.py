"""The README's recipe for an array job, word for word, against one object store."""

from __future__ import annotations

import re
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.content import content
from support.depot import key
from support.process import Background
from support.repo import pinned
from support.s3 import serving

README = Path(__file__).parents[2] / "README.md"
COUNT = 3


@pytest.fixture
def s3(monkeypatch):
    pytest.importorskip("obstore")
    pytest.importorskip("moto.server")
    with serving() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


def recipe():
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    [found] = [block for block in blocks if "#SBATCH" in block]
    return found


def test_the_readmes_recipe(repo, server, cli, s3, tmp_path):
    import obstore

    sizes = {str(number): (number + 1) * 2000 for number in range(10)}
    repo.lock(
        {f"{seed}.bin": pinned(size, seed, server.blob(size, seed)) for seed, size in sizes.items()}
    )
    repo.commit("Pin")
    script = tmp_path / "job.sh"
    script.write_text(recipe())
    with ExitStack() as stack:
        jobs = []
        for index in range(1, COUNT + 1):
            clone = repo.clone(tmp_path / f"node{index}")
            cli("remote", "add", "team", "s3://bucket/assets", cwd=clone.path)
            env = {
                "SLURM_ARRAY_TASK_ID": str(index),
                "SLURM_ARRAY_TASK_COUNT": str(COUNT),
                "GIT_ASSETS_CACHE": str(tmp_path / f"cache{index}"),
            }
            job = Background(["sh", str(script)], clone.path, tmp_path / f"log{index}", env)
            jobs.append(stack.enter_context(job))
        for job in jobs:
            assert job.wait() == 0, job.stderr
    store = obstore.store.from_url("s3://bucket/assets")
    names = {row["path"] for row in obstore.list(store).collect()}
    assert names == {key(content(seed, 0, size)) for seed, size in sizes.items()}
    fetched = [len(list(Path(tmp_path / f"cache{n}").glob("sha256/??/*"))) for n in (1, 2, 3)]
    assert sum(fetched) == 10
    assert min(fetched) >= 2
    merged = Path(tmp_path / "node1")
    for index in range(1, COUNT + 1):
        place = tmp_path / f"node{index}"
        subprocess.run(["git", "commit", "-qam", "Serve"], cwd=place, check=True)
        if index > 1:
            words = ["git", "pull", "-q", "--no-rebase", "--no-edit", str(place), "main"]
            subprocess.run(words, cwd=merged, check=True)
    text = (merged / "assets.lock.toml").read_text()
    assert text.count("[store.") == 1
    assert 'url = "s3://bucket/assets"' in text
    assert "canary" not in text
