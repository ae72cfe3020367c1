"""`python -m gitassets` is `git assets`."""

from gitassets.cli import entry

entry()
