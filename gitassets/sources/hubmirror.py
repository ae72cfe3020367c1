"""The Hub's mirror in China, where the Hub itself is often slow or not reached at all.

Asked without a token, for files only; the digest decides whether it told the truth.
"""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gitassets.errors import TransferError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitassets.model import Request
    from gitassets.sources.control import Control

MIRROR: Final = "https://hf-mirror.com"
_ZONES = ("Asia/Shanghai", "Asia/Chongqing", "Asia/Harbin", "Asia/Urumqi", "PRC")
_SERVES = frozenset({200, 206, 302, 307})
"""Not 308: so it sends those who ask from elsewhere to the Hub."""


def likely(environ: Mapping[str, str] | None = None, zone: Path = Path("/etc/localtime")) -> bool:
    """Tell whether the locale or the time zone is Chinese, and no other endpoint was chosen."""
    env = os.environ if environ is None else environ
    if env.get("HF_ENDPOINT"):
        return False
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    here = env.get("TZ") or (str(zone.readlink()) if zone.is_symlink() else "")
    return locale.lower().startswith("zh") or here.removeprefix(":").endswith(_ZONES)


def faster(control: Control, hub: Request, mirror: Request) -> bool:
    """Ask both at once for one file; tell whether the mirror was the first to answer well.

    The slower one is not waited for.
    """
    answers: queue.SimpleQueue[tuple[str, bool]] = queue.SimpleQueue()

    def ask(name: str, request: Request) -> None:
        good = False
        try:
            with control.open(request, "HEAD") as (_, answer):
                good = answer.status_code in _SERVES
        except TransferError:
            pass
        finally:
            answers.put((name, good))

    for name, request in (("hub", hub), ("mirror", mirror)):
        threading.Thread(target=ask, args=(name, request), daemon=True).start()
    name, good = answers.get()
    return name == "mirror" if good else answers.get() == ("mirror", True)
