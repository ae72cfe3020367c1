"""What a table was measured on: the machine, without its name, and the versions of the programs."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess

from benchmarks import serve
from benchmarks.bench import interpreter

PROGRAMS = {
    "git assets": ("git", "assets", "version"),
    "git": ("git", "--version"),
    "aria2c": ("aria2c", "--version"),
    "curl": ("curl", "--version"),
    "git-lfs": ("git-lfs", "--version"),
    "dvc": ("dvc", "--version"),
    "hf": ("hf", "version"),
    "git-filter-repo": ("git-filter-repo", "--version"),
    "sha256sum": ("sha256sum", "--version"),
}


def machine() -> dict[str, object]:
    """Cores, memory, kernel, load; no host name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": platform.system(),
        "kernel": platform.release().split("-")[0],
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": memory,
        "load": round(os.getloadavg()[0], 2),
    }


def programs() -> dict[str, str]:
    """The first version number that each says of itself; "missing" for those that are not there."""
    found = {}
    for name, argv in PROGRAMS.items():
        found[name] = _version(argv) if shutil.which(argv[0]) else "missing"
    server = serve.nginx()
    found["nginx"] = _version((server, "-v")) if server else "missing"
    found["python"] = _version((interpreter(), "--version"))
    return found


def _version(argv: tuple[str, ...]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    match = re.search(r"\d+(\.\d+)+|\b[0-9a-f]{12}\b", done.stdout + done.stderr)
    return match[0] if match else "unknown"
