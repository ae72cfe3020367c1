"""What the journal remembers, and that losing it is never more than forgetting."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from hashlib import sha256

import pytest
from support.user import as_nobody, give

from gitassets.errors import StoreError
from gitassets.journal import Journal, Transfer
from gitassets.model import Digest, Signature
from gitassets.ranges import Ranges

CHECKOUT = os.path.dirname(os.path.dirname(__file__))


def digest(number: int) -> Digest:
    return Digest(sha256(b"%d" % number).hexdigest())


ROWS = [(digest(number), Signature(number, 10**18 + number, 2**40 + number)) for number in range(9)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path):
    opened = Journal(path)
    yield opened
    opened.close()


class TestMemory:
    def test_nothing_is_opened_before_it_is_needed(self, path):
        Journal(path).close()
        assert not path.exists()
        code = "import gitassets.journal, sys; assert 'sqlite3' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=CHECKOUT)

    def test_signatures(self, journal, path):
        journal.record(ROWS)
        assert journal.signatures() == dict(ROWS)
        assert journal.signatures([digest(1), digest(100)]) == {digest(1): ROWS[1][1]}
        assert journal.signatures([]) == {}
        journal.record([(digest(1), Signature(7, 7, 7))])
        journal.forget([digest(0)])
        again = Journal(path)
        assert again.signatures() == {**dict(ROWS[1:]), digest(1): Signature(7, 7, 7)}
        again.close()

    def test_many_at_once(self, journal):
        rows = [(digest(number), Signature(number, 0, 0)) for number in range(5000)]
        journal.record(rows)
        assert journal.signatures(key for key, _ in rows[::2]) == dict(rows[::2])

    def test_ranges(self, journal):
        assert list(journal.ranges(digest(0), 100)) == []
        journal.save_ranges(digest(0), Ranges([(0, 10), (20, 30)]))
        assert list(journal.ranges(digest(0), 100)) == [(0, 10), (20, 30)]
        assert list(journal.ranges(digest(0), 25)) == []  # another file had this name
        journal.drop_ranges([digest(0)])
        assert list(journal.ranges(digest(0), 100)) == []

    def test_clones(self, journal):
        needed = [digest(3), digest(1), digest(3)]
        journal.register("/r/.git", "/r", needed)
        journal.register("/r/.git", "/r2", [])
        first, second = journal.clones()
        assert (first.common_dir, first.worktree) == ("/r/.git", "/r")
        assert first.needed == {digest(1), digest(3)}
        assert second.needed == frozenset()
        journal.register("/r/.git", "/r", [digest(5)])
        journal.forget_clone("/r/.git", "/r2")
        assert [(clone.worktree, clone.needed) for clone in journal.clones()] == [
            ("/r", {digest(5)})
        ]

    def test_transfers(self, journal):
        rows = [
            Transfer(float(n), digest(n), f"p{n}", "curl", "https://h/", n, 0.5, None)
            for n in range(5)
        ]
        journal.log(rows)
        assert journal.transfers(2) == [rows[4], rows[3]]
        journal.log([rows[0]._replace(error="no", engine=None, source=None)])
        assert journal.transfers(1)[0].error == "no"

    def test_one_transaction_each(self, journal, monkeypatch):
        journal.record(ROWS[:1])
        statements = []
        journal._connection.set_trace_callback(statements.append)
        journal.record(ROWS)
        assert statements.count("COMMIT") == 1
        assert sum(each.startswith("INSERT") for each in statements) == len(ROWS)
        statements.clear()
        journal.record([])
        assert statements == []

    def test_threads(self, journal):
        def work(number):
            for at in range(50):
                journal.record([(digest(number * 1000 + at), Signature(1, 2, 3))])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(journal.signatures()) == 200

    def test_processes(self, path):
        code = (
            "import sys; from hashlib import sha256; from pathlib import Path\n"
            "from gitassets.journal import Journal; from gitassets.model import Digest, Signature\n"
            "journal = Journal(Path(sys.argv[1]))\n"
            "for n in range(100):\n"
            "    key = Digest(sha256(f'{sys.argv[2]} {n}'.encode()).hexdigest())\n"
            "    journal.record([(key, Signature(1, 2, 3))])\n"
            "journal.close()\n"
        )
        command = [sys.executable, "-c", code, path]
        root = CHECKOUT
        children = [subprocess.Popen([*command, str(n)], cwd=root) for n in range(4)]
        assert [child.wait() for child in children] == [0] * 4
        journal = Journal(path)
        assert len(journal.signatures()) == 400
        journal.close()


class TestLoss:
    @pytest.mark.parametrize("damage", ["garbage", "empty", "cut", "zeros", "other", "columns"])
    def test_a_broken_database_is_begun_anew(self, path, damage):
        journal = Journal(path)
        journal.record([(digest(n), Signature(n, n, n)) for n in range(2000)])
        journal.close()
        data = path.read_bytes()
        if damage in ("other", "columns"):
            path.unlink()
            other = sqlite3.connect(path)
            table = "clones (x)" if damage == "other" else "objects (sha256 BLOB PRIMARY KEY)"
            other.execute(f"CREATE TABLE {table}")
            other.commit()
            other.close()
        else:
            broken = {
                "garbage": os.urandom(len(data)),
                "empty": b"",
                "cut": data[: len(data) // 2],
                "zeros": data[:4096] + bytes(len(data) - 4096),
            }
            path.write_bytes(broken[damage])
        journal = Journal(path)
        assert journal.signatures() in ({}, {digest(n): (n, n, n) for n in range(2000)})
        journal.register("/r/.git", "/r", [digest(1)])
        journal.record(ROWS)
        assert dict(ROWS).items() <= journal.signatures().items()
        assert len(journal.clones()) == 1
        journal.close()
        again = Journal(path)
        assert dict(ROWS).items() <= again.signatures().items()
        again.close()

    def test_a_directory_in_its_place(self, path):
        path.mkdir()
        journal = Journal(path)
        assert journal.signatures() == {}
        journal.record(ROWS)
        assert journal.signatures() == {}
        with pytest.raises(StoreError, match="who needs what"):
            journal.clones()
        journal.close()

    def test_no_directory_at_all(self, tmp_path):
        journal = Journal(tmp_path / "no" / "journal.db")
        journal.record(ROWS)
        assert journal.signatures() == {}
        assert journal.clones() == []
        journal.close()

    def test_read_only_is_still_read(self, path, journal):
        journal.record(ROWS)
        journal.register("/r/.git", "/r", [])
        journal.close()
        path.chmod(0o444)
        give(path.parent)
        path.parent.chmod(0o555)

        def read():
            reader = Journal(path)
            assert reader.signatures() == dict(ROWS)
            reader.record([(digest(77), Signature(1, 1, 1))])
            reader.forget([digest(1)])
            assert reader.signatures() == dict(ROWS)
            assert len(reader.clones()) == 1
            reader.close()

        as_nobody(read)

    def test_a_busy_one_is_not_known_this_time(self, path, journal, monkeypatch):
        monkeypatch.setattr("gitassets.journal._BUSY_SECONDS", 0.01)
        journal.record(ROWS)
        journal.close()
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("PRAGMA locking_mode=EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        assert journal.signatures() == {}
        journal.record([(digest(77), Signature(1, 1, 1))])
        with pytest.raises(StoreError, match="who needs what"):
            journal.clones()
        holder.execute("ROLLBACK")
        holder.close()
        assert journal.signatures() == dict(ROWS)
        assert not path.with_name("journal.db.broken").exists()
