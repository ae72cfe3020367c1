"""The cache: nothing under a final name but verified bytes, on disk, whoever interferes."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
import subprocess
import sys
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from support.user import as_nobody, give

from gitassets import objects, syscalls
from gitassets.errors import NoSpace, StoreError
from gitassets.link import Linker
from gitassets.model import Digest
from gitassets.store import Store

CHECKOUT = Path(__file__).parent.parent


def digest(data: bytes) -> Digest:
    return Digest(sha256(data).hexdigest())


DATA = b"the bytes of an asset" * 1000
NAME = digest(DATA)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def store(root):
    with Store.open(root) as opened:
        yield opened


def stage(store: Store, data: bytes):
    staged = store.stage(digest(data), len(data))
    assert staged is not None
    staged.write(0, [data])
    return staged


def publish(store: Store, *contents: bytes) -> list[Digest]:
    store.publish([stage(store, data) for data in contents])
    return [digest(data) for data in contents]


def overwrite(path: Path, data: bytes) -> None:
    """Change an object in place, as a program does that ignores permissions."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(mode)


@contextmanager
def umask(mask: int):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


class TestOpen:
    @pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
    def test_is_private_whatever_the_umask(self, root, mask):
        with umask(mask), Store.open(root) as store:
            publish(store, DATA)
            staged = stage(store, b"on its way")
            modes = {
                str(path.relative_to(root)).replace(NAME[2:], "object"): stat.S_IMODE(
                    path.stat().st_mode
                )
                for path in [root, *root.rglob("*")]
            }
            staged.discard()
        private = [".", "sha256", f"sha256/{NAME[:2]}", "staging"]
        assert [modes[name] for name in private] == [0o700] * 4
        assert modes[f"sha256/{NAME[:2]}/object"] == 0o444
        assert modes[f"staging/{digest(b'on its way')}"] == 0o600 & ~mask

    def test_says_that_it_is_a_cache(self, store, root):
        tag = (root / "CACHEDIR.TAG").read_bytes()
        assert tag.startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")

    @pytest.mark.parametrize("where", ["", "staging", "sha256"])
    def test_refuses_one_that_others_can_write(self, root, where):
        Store.open(root).close()
        (root / where).chmod(0o770)
        with pytest.raises(StoreError, match="written by others") as caught:
            Store.open(root)
        assert caught.value.hint == f"chmod go-w '{root / where if where else root}'"
        Store.open(root, shared=True).close()

    def test_refuses_one_of_somebody_else(self, root):
        Store.open(root).close()
        if os.geteuid() == 0:
            os.chown(root / "sha256", 12345, -1)
            with pytest.raises(StoreError, match="another user"):
                Store.open(root)
            Store.open(root, shared=True).close()
        else:
            pytest.skip("only root can give a directory away")

    def test_a_shared_one_obeys_the_umask(self, root):
        with umask(0o002), Store.open(root, shared=True) as store:
            publish(store, DATA)
        for path in (root, root / "staging", root / "sha256", root / "sha256" / NAME[:2]):
            assert stat.S_IMODE(path.stat().st_mode) == 0o775

    def test_no_place_for_it(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(StoreError, match="cannot use the cache") as caught:
            Store.open(tmp_path / "file" / "cache")
        assert caught.value.hint
        with pytest.raises(StoreError, match="cannot use the cache"):
            Store.open(tmp_path / "file")

    def test_a_read_only_one_is_used(self, root):
        with Store.open(root) as store:
            publish(store, DATA)
            path = store.object_path(NAME)
        for each in root.rglob("*"):
            if each.is_dir():
                each.chmod(0o500)
        root.chmod(0o500)
        give(root)

        def read():
            with Store.open(root) as store:
                assert store.journal.signatures() != {}
                assert store.present({NAME: len(DATA)}) == {NAME}
                with pytest.raises(StoreError, match="Permission denied"):
                    store.stage(digest(b"x"), 1)
                with pytest.raises(StoreError, match="Permission denied"):
                    store.add_file(path)

        as_nobody(read)

    def test_nothing_is_left_open(self, root):
        before = len(os.listdir("/proc/self/fd"))
        with Store.open(root) as store:
            publish(store, DATA, b"2", b"3", b"4", b"5")
            store.present({NAME: len(DATA)})
        store.close()
        assert len(os.listdir("/proc/self/fd")) == before

    def test_one_cleans_while_nobody_uses(self, root, store):
        with (
            pytest.raises(StoreError, match="in use"),
            Store.open(root) as other,
            other.exclusive(0),
        ):
            pass
        with store.exclusive(0):
            pass


class TestPublish:
    @pytest.mark.parametrize("count", [0, 1, 4, 5, 300])
    def test_objects(self, store, root, count):
        contents = [b"%d" % number * 100 for number in range(count)]
        names = publish(store, *contents)
        for name, data in zip(names, contents, strict=True):
            assert store.object_path(name) == root / "sha256" / name[:2] / name[2:]
            assert store.object_path(name).read_bytes() == data
        assert os.listdir(root / "staging") == []
        assert sorted(name for name, _, _ in store.objects()) == sorted(names)
        known = store.journal.signatures()
        for name, size, modified in store.objects():
            assert known[name].size == size
            assert known[name].mtime_ns == pytest.approx(modified * 1e9, abs=1000)
        assert store.present(dict(zip(names, map(len, contents), strict=True))) == set(names)

    def test_a_thousand_at_once(self, store):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 2000:
            pytest.skip("a thousand descriptors are not allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
        try:
            names = publish(store, *(b"%d" % number for number in range(1000)))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert {name for name, _, _ in store.objects()} == set(names)

    def test_wrong_bytes_stop_everything(self, store, root):
        good = stage(store, DATA)
        bad = store.stage(digest(b"right"), 5)
        assert bad is not None
        bad.write(0, [b"wrong"])
        with pytest.raises(ValueError, match="not those of"):
            store.publish([good, bad])
        assert list(store.objects()) == []
        assert store.journal.signatures() == {}
        bad.discard()
        store.publish([good])
        good.close()
        bad.close()

    def test_an_object_that_is_there_wins(self, store, root):
        staged = stage(store, DATA)
        store.object_path(NAME).parent.mkdir()
        store.object_path(NAME).write_bytes(DATA)
        inode = store.object_path(NAME).stat().st_ino
        store.publish([staged])
        assert store.object_path(NAME).stat().st_ino == inode
        assert os.listdir(root / "staging") == []
        assert store.journal.signatures()[NAME].inode == inode

    def test_unless_it_is_corrupt(self, store, root):
        staged = stage(store, DATA)
        store.object_path(NAME).parent.mkdir()
        store.object_path(NAME).write_bytes(DATA[:-1] + b"!")
        store.publish([staged])
        assert store.object_path(NAME).read_bytes() == DATA
        assert (root / "quarantine" / NAME).read_bytes() == DATA[:-1] + b"!"

    def test_the_control_file_of_aria2_goes_too(self, store, root):
        data = bytes(3 << 20)
        staged = store.stage(digest(data), len(data))
        assert staged is not None
        (root / "staging" / f"{digest(data)}.aria2").write_bytes(b"control")
        staged.path.write_bytes(data)
        staged.wrote(0, len(data))
        store.publish([staged])
        assert os.listdir(root / "staging") == []

    def test_two_processes_one_digest(self, root):
        code = (
            "import sys; from hashlib import sha256; from pathlib import Path\n"
            "from gitassets.store import Store; from gitassets.model import Digest\n"
            "with Store.open(Path(sys.argv[1])) as store:\n"
            "    for number in range(200):\n"
            "        data = b'%d' % number * 1000\n"
            "        name = Digest(sha256(data).hexdigest())\n"
            "        while name not in store.present({name: len(data)}):\n"
            "            staged = store.stage(name, len(data))\n"
            "            if staged:\n"
            "                staged.write(0, [data])\n"
            "                store.publish([staged])\n"
        )
        command = [sys.executable, "-c", code, root]
        children = [subprocess.Popen(command, cwd=CHECKOUT) for _ in range(4)]
        assert [child.wait() for child in children] == [0] * 4
        with Store.open(root) as store:
            assert len(list(store.objects())) == 200
            assert {
                state for _, state, _ in store.verify(name for name, _, _ in store.objects())
            } == {"ok"}
        assert os.listdir(root / "staging") == []


class Calls:
    """Records the calls that make something durable, in order, by file name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[str, str]] = []
        fsync, syncfs, rename = os.fsync, syscalls.syncfs, os.rename

        def record(kind, real):
            def call(first, *rest):
                name = first if kind == "rename" else os.readlink(f"/proc/self/fd/{first}")
                self.made.append((kind, os.path.basename(name)))
                return real(first, *rest)

            return call

        monkeypatch.setattr(os, "fsync", record("fsync", fsync))
        monkeypatch.setattr(syscalls, "syncfs", record("syncfs", syncfs))
        monkeypatch.setattr(os, "rename", record("rename", rename))

    def survives_power_loss(self, name: str) -> bool:
        """Content before the name, the name before the end."""
        kinds = [kind for kind, _ in self.made]
        at = self.made.index(("rename", name))
        content = ("fsync", name) in self.made[:at] or "syncfs" in kinds[:at]
        entry = ("fsync", name[:2]) in self.made[at:] or "syncfs" in kinds[at:]
        return content and entry


class TestPowerLoss:
    @pytest.mark.parametrize("count", [1, 4, 5, 100])
    def test_content_then_name_then_directory(self, store, monkeypatch, count):
        contents = [b"%d" % number for number in range(count)]
        staged = [stage(store, data) for data in contents]
        calls = Calls(monkeypatch)
        store.publish(staged)
        assert all(calls.survives_power_loss(digest(data)) for data in contents)
        if count == 1:
            assert ("fsync", "sha256") in calls.made
        if count > 4:
            assert [kind for kind, _ in calls.made].count("syncfs") == 2
        monkeypatch.undo()

    @pytest.mark.parametrize("without", ["_sync", "_sync_directories"])
    def test_the_control(self, store, monkeypatch, without):
        staged = stage(store, DATA)
        monkeypatch.setattr(objects.Objects, without, lambda *_: None)
        calls = Calls(monkeypatch)
        store.publish([staged])
        assert not calls.survives_power_loss(NAME)
        monkeypatch.undo()

    def test_for_those_who_do_not_want_it(self, root, monkeypatch):
        with Store.open(root, fsync=False) as store:
            staged = [stage(store, b"%d" % number) for number in range(9)]
            calls = Calls(monkeypatch)
            store.publish(staged)
            assert {kind for kind, _ in calls.made} == {"rename"}
            monkeypatch.undo()

    @pytest.mark.parametrize("count", [1, 9])
    def test_what_could_not_be_synced_is_thrown_away(self, store, root, monkeypatch, count):
        """The kernel takes the pages for clean after a failed fsync: a second one proves nothing."""

        def fail(*_):
            raise OSError(errno.EIO, "Input/output error")

        staged = [stage(store, b"%d" % number) for number in range(count)]
        monkeypatch.setattr(os, "fsync", fail)
        monkeypatch.setattr(syscalls, "syncfs", fail)
        with pytest.raises(StoreError, match="Input/output error"):
            store.publish(staged)
        monkeypatch.undo()
        assert list(store.objects()) == []
        assert os.listdir(root / "staging") == []
        for each in staged:
            each.close()

    def test_a_directory_that_cannot_be_synced_fails_too(self, store, monkeypatch):
        real = os.fsync

        def fail(descriptor):
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(errno.EIO, "Input/output error")
            real(descriptor)

        staged = stage(store, DATA)
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(StoreError, match="Input/output error"):
            store.publish([staged])
        monkeypatch.undo()
        assert store.journal.signatures() == {}
        assert store.present({NAME: len(DATA)}) == {NAME}  # hashed: the bytes are right

    def test_file_systems_without_these_calls(self, store, monkeypatch):
        def unsupported(*_):
            raise OSError(errno.ENOSYS, "not here")

        synced = []
        monkeypatch.setattr(syscalls, "syncfs", unsupported)
        monkeypatch.setattr(os, "fsync", synced.append)
        names = publish(store, *(b"%d" % number for number in range(9)))
        assert len(synced) >= 9 + len({name[:2] for name in names})
        monkeypatch.setattr(os, "fsync", unsupported)
        publish(store, DATA)
        monkeypatch.undo()
        assert store.object_path(NAME).exists()

    def test_a_full_disk_keeps_what_arrived(self, store, root, monkeypatch):
        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        staged = stage(store, DATA)
        monkeypatch.setattr(os, "rename", full)
        with pytest.raises(NoSpace) as caught:
            store.publish([staged])
        monkeypatch.undo()
        assert caught.value.needed == len(DATA)
        assert caught.value.free > 0
        store.publish([staged])
        assert store.object_path(NAME).read_bytes() == DATA


class TestPresent:
    def test_absent(self, store):
        assert store.present({}) == set()
        assert store.present({NAME: len(DATA)}) == set()
        (store.object_path(NAME).parent).write_bytes(b"not a directory")
        assert store.present({NAME: len(DATA)}) == set()

    def test_a_known_one_is_not_read(self, store, monkeypatch):
        publish(store, DATA)
        monkeypatch.setattr(objects.Objects, "examine", None)
        assert store.present({NAME: len(DATA)}) == {NAME}

    def test_a_lost_journal_costs_a_hash(self, store, root):
        contents = [b"%d" % number for number in range(50)]
        names = publish(store, *contents)
        store.close()
        (root / "journal.db").unlink()
        with Store.open(root) as again:
            wanted = dict(zip(names, map(len, contents), strict=True))
            assert again.present(wanted) == set(names)
            assert again.journal.signatures().keys() == set(names)
            assert not (root / "quarantine").exists()

    @pytest.mark.parametrize("mode", ["hardlink", "symlink"])
    @pytest.mark.parametrize("kept", [True, False])
    def test_a_write_through_a_link_is_found_before_the_next(
        self, store, root, tmp_path, mode, kept
    ):
        publish(store, DATA, b"another")
        tree = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        Linker((mode,)).link(store.object_path(NAME), tree, "asset", executable=False)
        os.close(tree)
        changed = DATA[::-1] if kept else b"short"
        overwrite(tmp_path / "asset", changed)
        wanted = {NAME: len(DATA), digest(b"another"): 7}
        assert store.present(wanted) == {digest(b"another")}
        assert not store.object_path(NAME).exists()
        assert (root / "quarantine" / NAME).read_bytes() == changed
        publish(store, DATA)
        assert store.present(wanted) == set(wanted)

    def test_linking_alone_changes_nothing(self, store, tmp_path, monkeypatch):
        publish(store, DATA)
        (tmp_path / "a").hardlink_to(store.object_path(NAME))
        (tmp_path / "a").unlink()
        monkeypatch.setattr(objects.Objects, "examine", None)
        assert store.present({NAME: len(DATA)}) == {NAME}

    def test_touched_is_not_corrupt(self, store, root):
        publish(store, DATA)
        os.utime(store.object_path(NAME), (1, 1))
        assert store.present({NAME: len(DATA)}) == {NAME}
        assert store.journal.signatures()[NAME].mtime_ns == 10**9

    def test_a_lockfile_that_lies_about_the_size_destroys_nothing(self, store, root):
        publish(store, DATA)
        assert store.present({NAME: len(DATA) + 1}) == set()
        assert store.object_path(NAME).read_bytes() == DATA

    @pytest.mark.parametrize("kind", ["directory", "symlink", "fifo"])
    def test_something_else_under_its_name(self, store, root, tmp_path, kind):
        path = store.object_path(NAME)
        path.parent.mkdir()
        (tmp_path / "theirs").write_bytes(DATA)
        if kind == "directory":
            path.mkdir()
        elif kind == "symlink":
            path.symlink_to(tmp_path / "theirs")
        else:
            os.mkfifo(path)
        assert store.present({NAME: len(DATA)}) == set()
        assert (tmp_path / "theirs").read_bytes() == DATA
        publish(store, DATA)
        assert store.present({NAME: len(DATA)}) == {NAME}


class TestVerify:
    def test_finds_every_damage(self, store):
        contents = {
            kind: kind.encode() * 5000 for kind in ("ok", "flip", "cut", "zeros", "swap", "gone")
        }
        paths = {kind: store.object_path(digest(data)) for kind, data in contents.items()}
        publish(store, *contents.values())
        data = contents["flip"]
        overwrite(paths["flip"], data[:99] + bytes([data[99] ^ 1]) + data[100:])
        overwrite(paths["cut"], contents["cut"][:-1])
        overwrite(paths["zeros"], contents["zeros"][:4096] + bytes(4096))
        overwrite(paths["swap"], contents["ok"])
        paths["gone"].unlink()
        for threads in (None, 1, 3):
            found = {
                name: (state, why)
                for name, state, why in store.verify(map(digest, contents.values()), threads)
            }
            states = {kind: found[digest(data)][0] for kind, data in contents.items()}
            assert states == {
                **dict.fromkeys(("flip", "cut", "zeros", "swap"), "corrupt"),
                "ok": "ok",
                "gone": "absent",
            }
            assert (
                found[digest(contents["swap"])][1]
                == f"its sha256 is {digest(contents['ok']).short}"
            )

    def test_remembers_what_was_right(self, store, monkeypatch):
        monkeypatch.setattr("gitassets.store._ROWS", 10)
        names = publish(store, *(b"%d" % number for number in range(35)))
        store.journal.forget(names)
        assert len(list(store.verify(names))) == 35
        assert store.journal.signatures().keys() == set(names)

    def test_may_be_stopped(self, store):
        names = publish(store, *(b"%d" % number for number in range(35)))
        results = store.verify(names)
        next(results)
        results.close()

    def test_what_cannot_be_read_is_corrupt(self, store, monkeypatch):
        publish(store, DATA)

        def fail(*_):
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(objects.hashing, "sha256_of", fail)
        assert list(store.verify([NAME])) == [(NAME, "corrupt", "Input/output error")]


class TestHousekeeping:
    def test_remove(self, store):
        publish(store, DATA)
        store.remove(NAME)
        store.remove(NAME)
        assert list(store.objects()) == []
        assert store.journal.signatures() == {}

    def test_what_cannot_be_done_is_told(self, store, root):
        publish(store, DATA)
        store.close()
        store.object_path(NAME).parent.chmod(0o500)
        give(root)

        def refused():
            with Store.open(root) as other:
                for act in (other.remove, other.quarantine):
                    with pytest.raises(StoreError, match="Permission denied"):
                        act(NAME)

        as_nobody(refused)

    def test_strangers_are_no_objects(self, store, root):
        publish(store, DATA)
        (root / "sha256" / "README").write_text("hello")
        (root / "sha256" / NAME[:2] / "notes").write_text("hello")
        assert [name for name, _, _ in store.objects()] == [NAME]

    def test_room(self, store, root):
        assert store.free_space() == pytest.approx(shutil.disk_usage(root).free, rel=0.1)
        assert store.objects_path == root / "sha256"
        assert store.staged([NAME]) == 0
        staged = stage(store, bytes(3 << 20))
        assert store.staged([digest(bytes(3 << 20)), NAME]) >= 3 << 20
        staged.discard()


class TestAdopt:
    @pytest.fixture
    def found(self, tmp_path):
        path = tmp_path / "lfs" / NAME
        path.parent.mkdir()
        path.write_bytes(DATA)
        return path

    def test_shares_the_bytes(self, store, root, found):
        assert store.adopt(found, NAME, len(DATA)) is True
        path = store.object_path(NAME)
        assert path.read_bytes() == DATA
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
        assert store.present({NAME: len(DATA)}) == {NAME}
        assert os.listdir(root / "staging") == []
        assert store.adopt(found, NAME, len(DATA)) is True
        assert found.read_bytes() == DATA

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
    def test_copies_what_belongs_to_others(self, store, found):
        os.chown(found, 12345, -1)
        found.chmod(0o666)
        assert store.adopt(found, NAME, len(DATA)) is True
        assert store.object_path(NAME).stat().st_ino != found.stat().st_ino
        assert store.object_path(NAME).stat().st_uid == os.geteuid()
        assert stat.S_IMODE(found.stat().st_mode) == 0o666

    @pytest.mark.parametrize("kind", ["wrong", "size", "absent", "symlink", "fifo", "directory"])
    def test_refuses(self, store, root, found, tmp_path, kind):
        size = len(DATA)
        if kind == "wrong":
            found.write_bytes(DATA[::-1])
        elif kind == "size":
            size += 1
        else:
            found.rename(tmp_path / "real")
        if kind == "symlink":
            found.symlink_to(tmp_path / "real")
            size = found.lstat().st_size
        elif kind == "fifo":
            os.mkfifo(found)
            size = 0
        elif kind == "directory":
            found.mkdir()
            size = found.stat().st_size
        assert store.adopt(found, NAME, size) is False
        assert list(store.objects()) == []
        assert os.listdir(root / "staging") == []

    def test_a_full_disk_is_told(self, store, root, found, monkeypatch):
        def full(*_, **__):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Linker, "link", full)
        with pytest.raises(NoSpace):
            store.adopt(found, NAME, len(DATA))
        with pytest.raises(NoSpace):
            store.add_file(found)
        assert os.listdir(root / "staging") == []


class TestAddFile:
    def test_the_user_keeps_a_file_of_his_own(self, store, root, tmp_path):
        mine = tmp_path / "mine"
        mine.write_bytes(DATA)
        assert store.add_file(mine) == (NAME, len(DATA))
        assert store.add_file(mine) == (NAME, len(DATA))
        assert store.object_path(NAME).stat().st_ino != mine.stat().st_ino
        mine.write_bytes(b"changed")
        assert store.object_path(NAME).read_bytes() == DATA
        assert store.present({NAME: len(DATA)}) == {NAME}
        assert os.listdir(root / "staging") == []

    def test_one_that_may_not_be_read(self, store, root, tmp_path):
        mine = tmp_path / "mine"
        mine.write_bytes(DATA)
        mine.chmod(0)
        store.close()
        give(root)

        def refused():
            with Store.open(root) as other, pytest.raises(PermissionError, match="mine"):
                other.add_file(mine)

        as_nobody(refused)

    def test_only_regular_files(self, store, root, tmp_path):
        (tmp_path / "real").write_bytes(DATA)
        (tmp_path / "link").symlink_to(tmp_path / "real")
        for path in (tmp_path / "link", tmp_path):
            with pytest.raises(ValueError, match="not a regular file"):
                store.add_file(path)
        with pytest.raises(FileNotFoundError):
            store.add_file(tmp_path / "absent")
        assert os.listdir(root / "staging") == []
