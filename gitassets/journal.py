"""What is remembered beside the cache: signatures of objects, finished ranges, clones, transfers.

Losing it costs a hash or a few bytes fetched again, never a wrong answer. So whatever fails here
counts as "nothing known": a database that is broken is moved aside and begun anew, one that cannot
be written is only read, one that cannot be read is empty. Only `clones` raises, because `gc` must
not take "unreadable" for "nobody".
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gitassets.errors import StoreError
from gitassets.model import Digest, Signature
from gitassets.ranges import Ranges

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (sha256 BLOB PRIMARY KEY, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, verified_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS staged (sha256 BLOB PRIMARY KEY, ranges BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clones (common_dir TEXT NOT NULL, worktree TEXT NOT NULL,
    seen_at INTEGER NOT NULL, needed BLOB NOT NULL, PRIMARY KEY (common_dir, worktree));
CREATE TABLE IF NOT EXISTS transfers (id INTEGER PRIMARY KEY, started REAL NOT NULL,
    sha256 BLOB NOT NULL, path TEXT NOT NULL, engine TEXT, source TEXT, bytes INTEGER NOT NULL,
    seconds REAL NOT NULL, error TEXT);
"""
_BUSY_SECONDS = 5.0
_STRANGE = ("no such table", "no such column", " columns but ")
"""What SQLite says of tables that are not ours."""
_VARIABLES = 900
"""Parameters of one statement; SQLite before 3.32 takes 999."""


class Clone(NamedTuple):
    """A work tree that uses the cache, and what it needed when it was last seen."""

    common_dir: str
    worktree: str
    seen_at: int
    """Seconds since the epoch."""
    needed: frozenset[Digest]


class Transfer(NamedTuple):
    """One attempt to bring one file."""

    started: float
    """Seconds since the epoch."""
    sha256: Digest
    path: str
    engine: str | None
    source: str | None
    """As it may be shown: without credentials and queries."""
    bytes: int
    seconds: float
    error: str | None


class Journal:
    """The database at `path`, opened on first use; may be used from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._read_only = False

    def close(self) -> None:
        """Close the database; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection, self._read_only = None, False

    def signatures(self, digests: Iterable[Digest] | None = None) -> dict[str, Signature]:
        """Return how the given objects, or all of them, looked when they were last verified."""
        select = "SELECT sha256, size, mtime_ns, inode FROM objects"
        if digests is None:
            rows = self._read(select)
        else:
            rows = self._read_some(select + " WHERE sha256 IN", digests)
        return {row[0].hex(): Signature(*row[1:]) for row in rows}

    def record(self, rows: Iterable[tuple[Digest, Signature]]) -> None:
        """Remember that each of these objects was verified now."""
        now = int(time.time())
        self._write(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)",
            [(bytes.fromhex(digest), *signature, now) for digest, signature in rows],
        )

    def forget(self, digests: Iterable[Digest]) -> None:
        """Forget these objects."""
        self._write(
            "DELETE FROM objects WHERE sha256 = ?", [(bytes.fromhex(digest),) for digest in digests]
        )

    def ranges(self, digest: Digest, size: int) -> Ranges:
        """Return what is known to have arrived in a staging file of `size` bytes."""
        rows = self._read("SELECT ranges FROM staged WHERE sha256 = ?", (bytes.fromhex(digest),))
        return Ranges.load(rows[0][0], size) if rows else Ranges()

    def save_ranges(self, digest: Digest, ranges: Ranges) -> None:
        """Remember what has arrived in a staging file."""
        self._write(
            "INSERT OR REPLACE INTO staged VALUES (?, ?)", [(bytes.fromhex(digest), ranges.dump())]
        )

    def drop_ranges(self, digests: Iterable[Digest]) -> None:
        """Forget these staging files."""
        self._write(
            "DELETE FROM staged WHERE sha256 = ?", [(bytes.fromhex(digest),) for digest in digests]
        )

    def register(self, common_dir: str, worktree: str, needed: Iterable[Digest]) -> None:
        """Remember what a work tree needs, as of now."""
        blob = b"".join(sorted(bytes.fromhex(digest) for digest in needed))
        self._write(
            "INSERT OR REPLACE INTO clones VALUES (?, ?, ?, ?)",
            [(common_dir, worktree, int(time.time()), blob)],
        )

    def clones(self) -> list[Clone]:
        """Return every work tree that was registered. Raises StoreError when it cannot be known."""
        select = "SELECT common_dir, worktree, seen_at, needed FROM clones ORDER BY 1, 2"
        rows = self._try(lambda connection: connection.execute(select).fetchall())
        if rows is None and self._path.exists():
            raise StoreError(f"cannot read '{self._path}', which knows who needs what of the cache")
        return [Clone(row[0], row[1], row[2], _digests(row[3])) for row in rows or ()]

    def forget_clone(self, common_dir: str, worktree: str) -> None:
        """Forget a work tree."""
        self._write(
            "DELETE FROM clones WHERE common_dir = ? AND worktree = ?", [(common_dir, worktree)]
        )

    def log(self, rows: Iterable[Transfer]) -> None:
        """Add attempts to the history, which keeps the latest hundred thousand."""
        self._write(
            "INSERT INTO transfers (started, sha256, path, engine, source, bytes, seconds, error)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(row[0], bytes.fromhex(row.sha256), *row[2:]) for row in rows],
            "DELETE FROM transfers WHERE id <= (SELECT max(id) FROM transfers) - 100000",
        )

    def transfers(self, limit: int) -> list[Transfer]:
        """Return the latest attempts, newest first."""
        rows = self._read(
            "SELECT started, sha256, path, engine, source, bytes, seconds, error FROM transfers"
            " ORDER BY id DESC LIMIT ?",
            (limit,),
        )
        return [Transfer(row[0], Digest(row[1].hex()), *row[2:]) for row in rows]

    def fetched(self) -> dict[str, str]:
        """Return every digest that some source has delivered, with the path it was wanted for."""
        rows = self._read("SELECT sha256, path FROM transfers WHERE error IS NULL ORDER BY id")
        return {row[0].hex(): row[1] for row in rows}

    def _read(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        rows = self._try(lambda connection: connection.execute(query, values).fetchall())
        return rows or []

    def _read_some(self, query: str, digests: Iterable[Digest]) -> list[Any]:
        keys = [bytes.fromhex(digest) for digest in digests]
        rows = []
        for at in range(0, len(keys), _VARIABLES):
            some = keys[at : at + _VARIABLES]
            rows += self._read(f"{query} ({','.join('?' * len(some))})", some)
        return rows

    def _write(self, statement: str, rows: Sequence[Sequence[object]], after: str = "") -> None:
        """Execute `statement` for each row, then `after`, in one transaction."""

        def work(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany(statement, rows)
                if after:
                    connection.execute(after)

        if rows:
            self._try(work)

    def _try(self, work: Any) -> Any:
        """Do `work` on the connection; None when the database is out of reach."""
        import sqlite3  # noqa: PLC0415 - eight milliseconds that many commands need not pay

        with self._lock:
            for _ in range(2):
                try:
                    connection = self._open()
                    return None if connection is None else work(connection)
                except sqlite3.OperationalError as error:
                    if not any(word in str(error) for word in _STRANGE):
                        return None  # busy, read-only, full: not known this time
                except sqlite3.DatabaseError:  # SQLITE_CORRUPT, SQLITE_NOTADB
                    pass
                if self._read_only:
                    return None
                self._move_aside()
            return None

    def _open(self) -> sqlite3.Connection | None:
        import sqlite3  # noqa: PLC0415

        if self._connection is not None or self._read_only:
            return self._connection
        self._connection = connection = sqlite3.connect(
            self._path, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level="DEFERRED"
        )
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            self.close()
            if "locked" in str(error):
                raise
            self._read_only = True
            self._connection = self._open_for_reading()
        return self._connection

    def _open_for_reading(self) -> sqlite3.Connection | None:
        """Open what cannot be written: `immutable` keeps SQLite from looking for its log."""
        import sqlite3  # noqa: PLC0415

        with suppress(sqlite3.OperationalError):
            return sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=ro&immutable=1",
                uri=True,
                check_same_thread=False,
            )
        return None

    def _move_aside(self) -> None:
        self.close()
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{self._path}{suffix}").replace(f"{self._path}.broken{suffix}")


def _digests(blob: bytes) -> frozenset[Digest]:
    return frozenset(Digest(blob[at : at + 32].hex()) for at in range(0, len(blob) - 31, 32))
