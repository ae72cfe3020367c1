"""The policy of uploads: what is asked, sent, proved, repeated and given up, over real caches."""

from __future__ import annotations

import threading

import pytest
from support.content import content, digest
from support.fakes import Watcher

from gitassets import upload
from gitassets.errors import Cause, TransferError
from gitassets.model import Digest
from gitassets.remotes.base import Held
from gitassets.store import Store
from gitassets.upload import Manner, Plan


class Shelf:
    """Implements Remote in memory; a fault is an exception to raise, in the order of puts."""

    name = "shelf"
    url = "memory"

    def __init__(self):
        self.objects: dict[str, bytes] = {}
        self.puts: list[Digest] = []
        self.stats: list[Digest] = []
        self.faults: list[TransferError] = []
        self.replaced: list[bool] = []
        self.forgets = False
        self.late = 0
        """Questions after a put that are answered as if nothing were there."""
        self.lies = False
        self.lock = threading.Lock()

    def stat(self, digest):
        with self.lock:
            self.stats.append(digest)
            found = self.objects.get(digest)
            if found is not None and self.late:
                self.late -= 1
                found = None
        return None if found is None else Held(len(found), "0" * 64 if self.lies else digest)

    def put(self, outgoing, *, replace):
        with self.lock:
            self.puts.append(outgoing.digest)
            self.replaced.append(replace)
            fault = self.faults.pop(0) if self.faults else None
        if fault:
            raise fault
        data = b"".join(outgoing)
        if not self.forgets:
            self.objects[outgoing.digest] = data

    def public_url(self):
        return None

    def close(self):
        pass


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "objects") as opened:
        yield opened


def filled(store, tmp_path, count=5, size=1000):
    found = {}
    for number in range(count):
        path = tmp_path / "file"
        path.write_bytes(content(str(number), 0, size + number))
        name, length = store.add_file(path)
        found[name] = length
    return found


def fault(cause=Cause.TRANSIENT, **more):
    return TransferError("memory", "broken", cause, **more)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Let nobody wait for a try that is not about waiting."""
    monkeypatch.setattr(upload.retry, "delay", lambda _: 0.0)


def test_what_is_there_is_not_sent(store, tmp_path):
    contents, shelf = filled(store, tmp_path), Shelf()
    first = list(upload.objects(store, shelf, contents))
    assert {each.digest: each.count for each in first} == contents
    assert sorted(shelf.puts) == sorted(contents)
    shelf.puts.clear()
    again = list(upload.objects(store, shelf, contents))
    assert shelf.puts == []
    assert all(each.error is None and each.count == 0 for each in again)


def test_a_wrong_size_is_replaced_and_nothing_else_is(store, tmp_path):
    contents, shelf = filled(store, tmp_path, 2), Shelf()
    bad, good = contents
    shelf.objects[bad] = b"short"
    todo = upload.plan(shelf, contents, Manner())
    assert todo.wrong == {bad}
    list(upload.apply(store, shelf, todo, Manner(jobs=1)))
    assert dict(zip(shelf.puts, shelf.replaced, strict=True)) == {bad: True, good: False}


@pytest.mark.parametrize("fault", ["forgets", "lies"])
def test_a_remote_that_does_not_keep_what_it_took(store, tmp_path, fault):
    contents, shelf = filled(store, tmp_path, 1), Shelf()
    setattr(shelf, fault, True)
    [only] = upload.objects(store, shelf, contents)
    assert "was sent, but the remote has" in only.error


def test_what_shows_late_is_waited_for(store, tmp_path):
    contents, shelf = filled(store, tmp_path, 1), Shelf()
    shelf.late = 3
    [only] = upload.objects(store, shelf, contents)
    assert only.error is None
    assert len(shelf.puts) == 1


def test_what_passes_is_tried_again(store, tmp_path):
    contents, shelf = filled(store, tmp_path, 1), Shelf()
    shelf.faults = [fault(), fault(Cause.LIMITED, retry_after=0.0), fault()]
    [only] = upload.objects(store, shelf, contents)
    assert only.error is None
    assert len(shelf.puts) == 4


def test_a_wait_beyond_the_cap_is_final(store, tmp_path):
    contents, shelf = filled(store, tmp_path, 1), Shelf()
    shelf.faults = [fault(Cause.LIMITED, retry_after=100.0)]
    [only] = upload.objects(store, shelf, contents, Manner(retry_cap=60.0))
    assert only.error == "broken"
    assert len(shelf.puts) == 1


@pytest.mark.parametrize("cause", [Cause.DENIED, Cause.LOCAL])
def test_what_holds_for_all_stops_the_run(store, tmp_path, cause):
    contents, shelf = filled(store, tmp_path, 50), Shelf()
    shelf.faults = [fault(cause)] * 50
    results = list(upload.objects(store, shelf, contents, Manner(jobs=2)))
    assert len(results) == 50
    assert all("broken" in each.error for each in results)
    assert len(shelf.puts) <= 4


def test_one_bad_object_does_not_stop_the_others(store, tmp_path):
    contents, shelf = filled(store, tmp_path), Shelf()
    bad = next(iter(contents))
    path = store.object_path(bad)
    path.chmod(0o644)
    path.write_bytes(b"x" * contents[bad])
    results = {each.digest: each.error for each in upload.objects(store, shelf, contents)}
    assert "holds other bytes" in results.pop(bad)
    assert set(results.values()) == {None}
    assert bad not in shelf.objects


def test_an_object_that_is_gone(store):
    [only] = upload.objects(store, Shelf(), {Digest(digest(b"never")): 5})
    assert "cannot be read" in only.error


def test_a_remote_that_cannot_be_asked_raises(store, tmp_path):
    class Deaf(Shelf):
        def stat(self, digest):
            raise fault(Cause.DENIED)

    with pytest.raises(TransferError, match="broken"):
        list(upload.objects(store, Deaf(), filled(store, tmp_path)))


def test_leaving_stops_what_is_under_way(store, tmp_path):
    """Closing the generator ends uploads within a read, and no object appears half."""
    contents = filled(store, tmp_path, 3, 4 * 2**20)
    started, gate = threading.Event(), threading.Event()

    class Slow(Shelf):
        def put(self, outgoing, *, replace):
            self.puts.append(outgoing.digest)
            if len(self.puts) == 1:
                super().put(outgoing, replace=replace)
                return
            started.set()
            outgoing.read(1000)
            gate.wait(20)
            super().put(outgoing, replace=replace)

    shelf = Slow()
    results = upload.apply(store, shelf, upload.plan(shelf, contents, Manner()), Manner(jobs=2))
    next(results)
    started.wait(20)
    threading.Timer(0.05, gate.set).start()
    results.close()
    assert len(shelf.objects) == 1


def test_progress_says_all_and_not_more(store, tmp_path):
    contents, shelf, watcher = filled(store, tmp_path), Shelf(), Watcher()
    shelf.faults = [fault()]
    names = {name: f"path/{at}" for at, name in enumerate(contents)}
    list(upload.objects(store, shelf, contents, Manner(progress=watcher, names=names)))
    assert sorted(watcher.done) == sorted(names.values())
    assert {name: watcher.bytes[names[name]] for name in contents} == contents


def test_the_plan_says_how_much():
    one, two = Digest("1" * 64), Digest("2" * 64)
    assert Plan({one: 5}, {two: 7}).bytes == 7
