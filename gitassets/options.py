"""Options that several verbs share: the same flag means the same everywhere."""

from __future__ import annotations

import argparse

from gitassets.config import ENGINE, count


def number(text: str) -> int:
    """A positive number, or argparse's own complaint."""
    try:
        return count(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def transfer(parser: argparse.ArgumentParser) -> None:
    """Add what turns a download."""
    parser.add_argument("-j", "--jobs", type=number, metavar="N", help="large files at once")
    parser.add_argument(
        "-x", "--connections", type=number, metavar="N", help="connections for one large file"
    )
    parser.add_argument(
        "--engine", choices=("auto", "aria2c", "curl", "wget"), help=f"{ENGINE.about}"
    )
    parser.add_argument("--offline", action="store_true", help="no network: what the cache has")


def dry_run(parser: argparse.ArgumentParser) -> None:
    """Add -n."""
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="show what would be done, and stop"
    )
