from __future__ import annotations

import errno
import multiprocessing
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from tests.support.recorded_os import RecordedOs

from stoker.errors import (
    AlreadyExists,
    CommitStateUnknown,
    ConfigurationError,
    IntegrityError,
    NotFound,
    StokerError,
    StoreNotWritable,
    StoreUnavailable,
    UsageError,
)
from stoker.store.local_files import LocalStore

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(root)


@pytest.fixture
def used(store: LocalStore, monkeypatch: pytest.MonkeyPatch, root: Path) -> RecordedOs:
    """The recorded calls of a store that has written into ``a/`` before."""
    store.create("a/first", b"")
    return RecordedOs(monkeypatch, root)


def _left_over(root: Path) -> list[str]:
    return [path.name for path in (root / ".tmp").iterdir()]


def _in_order(seen: list[str], *wanted: str) -> bool:
    """Whether the calls come in this order, with any others between them."""
    remaining = iter(seen)
    return all(call in remaining for call in wanted)


# What survives a power cut


def test_the_content_is_durable_before_the_name_and_the_name_before_the_answer(
    store: LocalStore, used: RecordedOs
) -> None:
    store.create("a/key", b"ours")
    assert [call for call in used.seen if call.split()[0] not in {"open", "close"}] == [
        "write .tmp/*",
        "fsync .tmp/*",
        "link a/key",
        "fsync a",
        "unlink .tmp/*",
    ]
    assert _in_order(used.seen, "fsync .tmp/*", "close .tmp/*", "link a/key")


def test_each_new_folder_is_durable_before_anything_in_it(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = RecordedOs(monkeypatch, root)
    store.create("a/b/key", b"ours")
    assert _in_order(calls.seen, "fsync ..", "mkdir a", "fsync .", "mkdir a/b", "fsync a", "link a/b/key", "fsync a/b")


def test_a_new_root_is_durable_with_the_folders_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = RecordedOs(monkeypatch, tmp_path)
    LocalStore(tmp_path / "a" / "b")
    assert _in_order(calls.seen, "mkdir a", "fsync .", "mkdir a/b", "fsync a")


def test_a_folder_that_another_process_made_is_made_durable_once(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its maker may have died between ``mkdir`` and ``fsync``."""
    (root / "a").mkdir()
    calls = RecordedOs(monkeypatch, root)
    store.create("a/one", b"")
    assert _in_order(calls.seen, "mkdir a", "fsync .", "link a/one")
    calls.seen.clear()
    store.create("a/two", b"")
    assert "fsync ." not in calls.seen


def test_finding_its_own_bytes_makes_their_name_durable(store: LocalStore, used: RecordedOs) -> None:
    """Whoever wrote them may have died between ``link`` and ``fsync``."""
    store.create("a/first", b"")
    assert "link a/first" not in used.seen
    assert "fsync a" in used.seen


@pytest.mark.parametrize(("theirs", "won"), [(b"ours", True), (b"theirs", False)])
def test_a_name_taken_at_the_last_moment_is_answered_by_its_content(
    store: LocalStore, root: Path, used: RecordedOs, theirs: bytes, won: bool
) -> None:
    used.after("fsync .tmp/*", lambda: (root / "a" / "key").write_bytes(theirs))
    if won:
        store.create("a/key", b"ours")
        assert _in_order(used.seen, "link a/key", "fsync a")
    else:
        with pytest.raises(AlreadyExists):
            store.create("a/key", b"ours")
    assert (root / "a" / "key").read_bytes() == theirs
    assert _left_over(root) == []


def test_a_link_whose_reply_was_lost_is_recognised(store: LocalStore, root: Path, used: RecordedOs) -> None:
    """NFS repeats a link whose reply was lost, and finds the name taken by itself."""

    def land() -> None:
        (unfinished,) = (root / ".tmp").iterdir()
        (root / "a" / "key").hardlink_to(unfinished)

    used.after("close .tmp/*", land)
    store.create("a/key", b"ours")
    assert store.read("a/key") == b"ours"


# What an error means

REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
FAILURES = (errno.EIO, errno.EMFILE)


@pytest.mark.parametrize(
    "call", ["open .tmp/*", "write .tmp/*", "fsync .tmp/*", "close .tmp/*", "mkdir new", "fsync .", "open new"]
)
@pytest.mark.parametrize("number", [*REFUSALS, *FAILURES], ids=errno.errorcode.get)
def test_an_error_before_the_link_leaves_nothing(
    store: LocalStore, root: Path, used: RecordedOs, call: str, number: int
) -> None:
    used.fail(call, number)
    with pytest.raises(StoreNotWritable if number in REFUSALS else StoreUnavailable, match=os.strerror(number)):
        store.create("new/key", b"ours")
    assert "link new/key" not in used.seen
    assert _left_over(root) == []
    store.create("new/key", b"ours")
    assert store.read("new/key") == b"ours"


def test_a_failed_fsync_is_not_tried_again_on_the_same_file(store: LocalStore, used: RecordedOs) -> None:
    used.fail("fsync .tmp/*", errno.EIO)
    with pytest.raises(StoreUnavailable):
        store.create("a/key", b"ours")
    assert used.seen.count("fsync .tmp/*") == 1


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        *((number, StoreNotWritable) for number in REFUSALS),
        (errno.EIO, CommitStateUnknown),
        (errno.ESTALE, CommitStateUnknown),
        (errno.EXDEV, ConfigurationError),
        (errno.EOPNOTSUPP, ConfigurationError),
    ],
)
def test_an_error_of_the_link_itself_says_whether_it_may_have_landed(
    store: LocalStore, root: Path, used: RecordedOs, number: int, kind: type[StokerError]
) -> None:
    used.fail("link a/key", number)
    with pytest.raises(kind):
        store.create("a/key", b"ours")
    assert not store.exists("a/key")
    assert _left_over(root) == []


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_an_error_after_the_link_is_unknown_and_the_same_call_finds_out(
    store: LocalStore, root: Path, used: RecordedOs, number: int
) -> None:
    used.fail("fsync a", number)
    with pytest.raises(CommitStateUnknown, match="clean nothing up"):
        store.create("a/key", b"ours")
    assert (root / "a" / "key").read_bytes() == b"ours"
    store.create("a/key", b"ours")


def test_a_taken_name_that_cannot_be_read_is_unknown(store: LocalStore, used: RecordedOs) -> None:
    used.fail("open a/first", errno.EIO)
    with pytest.raises(CommitStateUnknown):
        store.create("a/first", b"")


def test_a_temporary_file_that_cannot_be_removed_does_not_spoil_the_write(
    store: LocalStore, root: Path, used: RecordedOs
) -> None:
    used.fail("unlink .tmp/*", errno.EIO)
    store.create("a/key", b"ours")
    assert len(_left_over(root)) == 1
    assert list(store.keys("")) == ["a/first", "a/key"]


@pytest.mark.parametrize("call", ["open .", "open a", "open a/first"])
@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.EACCES])
def test_an_error_in_reading_makes_the_store_unavailable(
    store: LocalStore, used: RecordedOs, call: str, number: int
) -> None:
    for read in (lambda: store.read("a/first"), lambda: store.exists("a/first")):
        used.fail(call, number)
        with pytest.raises(StoreUnavailable, match=os.strerror(number)):
            read()


def test_an_error_in_listing_makes_the_store_unavailable(store: LocalStore, used: RecordedOs) -> None:
    used.fail("open a", errno.EIO)
    with pytest.raises(StoreUnavailable):
        list(store.keys("a/"))


def test_an_error_in_sweeping_is_reported(store: LocalStore, root: Path, used: RecordedOs) -> None:
    used.fail("unlink a/first", errno.EROFS)
    with pytest.raises(StoreNotWritable):
        store.delete_swept("a/first")
    used.fail("open .tmp", errno.EIO)
    with pytest.raises(StoreUnavailable):
        store.sweep_temporary()


def test_a_root_that_went_away_is_no_empty_store(store: LocalStore, root: Path) -> None:
    """As when its volume is not mounted."""
    root.rmdir()
    for call in (lambda: store.read("key"), lambda: list(store.keys("")), lambda: store.create("key", b"")):
        with pytest.raises(StoreUnavailable, match="opening its root"):
            call()
    assert not root.exists()


def test_a_root_that_cannot_be_made_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = RecordedOs(monkeypatch, tmp_path)
    calls.fail("mkdir store", errno.EROFS)
    with pytest.raises(StoreNotWritable, match="making its root"):
        LocalStore(tmp_path / "store")


@pytest.mark.parametrize("root", ["file", "file/below"])
def test_a_root_that_is_no_folder_is_refused(tmp_path: Path, root: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="must be a folder"):
        LocalStore(tmp_path / root)


def test_a_write_into_a_parent_that_nobody_may_open_goes_on(store: LocalStore, root: Path, monkeypatch) -> None:
    RecordedOs(monkeypatch, root).fail("open ..", errno.EACCES)
    store.create("key", b"ours")
    assert store.read("key") == b"ours"


def test_a_short_write_is_continued(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:1000]))
    data = os.urandom(10_500)
    store.create("key", data)
    assert store.read("key") == data


# Real file systems


@contextmanager
def _mounted(folder: Path, *options: str) -> Iterator[bool]:
    """A tmpfs of one mebibyte, where this process may mount; otherwise the plain folder."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", ",".join(["size=1m", *options]), "tmpfs", os.fspath(folder)]
    mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", os.fspath(folder)], check=True)


def test_a_full_disk_refuses_the_write_whole_and_takes_smaller_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _mounted(tmp_path / "small") as mounted:
        store = LocalStore(tmp_path / "small")
        store.create("a/before", b"x" * 1000)
        if not mounted:  # the kernel's own answer needs a mount; the same error is injected instead
            RecordedOs(monkeypatch, tmp_path / "small").fail("write .tmp/*", errno.ENOSPC)
        with pytest.raises(StoreNotWritable, match="No space left"):
            store.create("a/key", b"x" * 2_000_000)
        assert list(store.keys("")) == ["a/before"]
        assert _left_over(tmp_path / "small") == []
        store.create("a/key", b"x" * 1000)


def test_a_read_only_disk_refuses_writes_and_gives_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _mounted(tmp_path / "disk") as mounted:
        store = LocalStore(tmp_path / "disk")
        store.create("a/key", b"ours")
        if mounted:
            subprocess.run(["mount", "-o", "remount,ro", os.fspath(tmp_path / "disk")], check=True)
        else:
            RecordedOs(monkeypatch, tmp_path / "disk").fail("open .tmp/*", errno.EROFS)
        with pytest.raises(StoreNotWritable, match="Read-only file system"):
            LocalStore(tmp_path / "disk").create("a/other", b"ours")
        assert LocalStore(tmp_path / "disk").read("a/key") == b"ours"
        assert list(store.keys("")) == ["a/key"]


def _race(root: Path, start: Barrier, number: int, outcomes: multiprocessing.Queue[tuple[int, int]]) -> None:
    store = LocalStore(root)
    start.wait()
    for round_ in range(20):
        try:
            store.create(f"race/{round_}", b"%d" % number)
            outcomes.put((round_, number))
        except AlreadyExists:
            continue


def test_of_sixteen_processes_at_one_key_one_wins(root: Path) -> None:
    """Twenty keys, each raced for by all; folders and root are raced for, too."""
    context = multiprocessing.get_context("fork")
    outcomes: multiprocessing.Queue[tuple[int, int]] = context.Queue()
    start = context.Barrier(16)
    racers = [context.Process(target=_race, args=(root, start, number, outcomes)) for number in range(16)]
    for racer in racers:
        racer.start()
    winners = dict([outcomes.get(timeout=30) for _ in range(20)])
    for racer in racers:
        racer.join(30)
    assert [racer.exitcode for racer in racers] == [0] * 16
    assert outcomes.empty()
    store = LocalStore(root)
    assert {round_: int(store.read(f"race/{round_}")) for round_ in range(20)} == winners
    assert len(winners) == 20


# What lies in the folder that should not


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_bytes(b"secret")
    return folder


def test_a_link_to_a_folder_outside_is_never_followed(
    store: LocalStore, root: Path, outside: Path, tmp_path: Path
) -> None:
    (root / "a").symlink_to(outside)
    for call in (
        lambda: store.read("a/secret"),
        lambda: store.exists("a/secret"),
        lambda: store.read_to_file("a/secret", tmp_path / "fetched"),
        lambda: store.create("a/new", b""),
        lambda: store.delete_swept("a/secret"),
        lambda: list(store.keys("a/")),
    ):
        with pytest.raises(IntegrityError, match="plain files and folders"):
            call()
    assert list(store.keys("")) == []
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_a_link_in_place_of_an_object_is_never_followed(store: LocalStore, root: Path, outside: Path) -> None:
    for target in (outside / "secret", outside / "missing"):
        (root / "key").symlink_to(target)
        with pytest.raises(IntegrityError):
            store.read("key")
        with pytest.raises(IntegrityError):
            store.create("key", b"secret")
        assert list(store.keys("")) == []
        store.delete_swept("key")
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_a_link_in_place_of_the_temporary_folder_is_never_followed(
    store: LocalStore, root: Path, outside: Path
) -> None:
    (root / ".tmp").symlink_to(outside)
    with pytest.raises(IntegrityError):
        store.create("key", b"ours")
    with pytest.raises(IntegrityError):
        store.sweep_temporary(timedelta(0))
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_a_pipe_in_place_of_an_object_does_not_hang_a_reader(store: LocalStore, root: Path) -> None:
    os.mkfifo(root / "key")
    with pytest.raises(IntegrityError):
        store.read("key")
    assert list(store.keys("")) == []


def test_a_root_may_be_a_link_of_the_owner(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "link").symlink_to(outside)
    assert LocalStore(tmp_path / "link").read("secret") == b"secret"


def test_strange_names_are_left_out_of_listings(store: LocalStore, root: Path) -> None:
    store.create("a/key", b"")
    (root / "a" / "with space").write_bytes(b"")
    (root / "a" / "\u00e9").mkdir()
    assert list(store.keys("")) == ["a/key"]


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a")])
def test_a_key_under_another_key_is_refused(store: LocalStore, first: str, second: str) -> None:
    store.create(first, b"")
    with pytest.raises(UsageError, match="under another key"):
        store.create(second, b"")
    assert list(store.keys("")) == [first]
    assert not store.exists(second)
    store.delete_swept(second)
    assert store.exists(first)


def test_a_missing_source_is_no_fault_of_the_store(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(StokerError, match="file to store"):
        store.create_from_file("key", tmp_path / "missing")
    with pytest.raises(NotFound):
        store.read("key")


# Sweeping


def test_temporary_files_of_killed_writers_are_swept_after_a_day(root: Path) -> None:
    store = LocalStore(root, clock=lambda: NOW)
    assert store.sweep_temporary() == 0
    store.create("key", b"ours")
    for name, age in (("old", timedelta(days=2)), ("fresh", timedelta(hours=23))):
        (root / ".tmp" / name).write_bytes(b"half")
        os.utime(root / ".tmp" / name, times=((NOW - age).timestamp(),) * 2)
    assert store.sweep_temporary() == 1
    assert _left_over(root) == ["fresh"]
    assert store.sweep_temporary(timedelta(hours=1)) == 1
    assert store.read("key") == b"ours"


def test_a_file_that_its_writer_removes_meanwhile_is_not_counted(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create("key", b"ours")
    (root / ".tmp" / "old").write_bytes(b"half")
    os.utime(root / ".tmp" / "old", times=(0, 0))
    RecordedOs(monkeypatch, root).fail("unlink .tmp/*", errno.ENOENT)
    assert store.sweep_temporary() == 0


def test_two_stores_of_one_temporary_name_do_not_share_a_file(root: Path) -> None:
    """Names are random; if they ever met, the second writer stops before it touches the first one's file."""
    store = LocalStore(root, new_id=lambda: "same")
    store.create("one", b"ours")
    (root / ".tmp" / "same").write_bytes(b"theirs")
    with pytest.raises(StoreUnavailable, match="File exists"):
        store.create("two", b"ours")
    assert (root / ".tmp" / "same").read_bytes() == b"theirs"
