"""git assets: large files for git, pinned in one readable lockfile."""

__version__ = "0.1.0"
