"""What every store must do, as checks that run on any of them.

For the author of a store, and for whoever doubts a server::

    for check in conformance_checks():
        check(store)

Each check writes under a prefix of its own, leaves nothing else behind, and raises ``AssertionError`` when the store fails it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Barrier

from stoker.core.clock import random_id, system_clock
from stoker.errors import AlreadyExists, NotFound, StokerError, TamperedRecord, UsageError
from stoker.store.base import MAX_READ_BYTES, ObjectStore

Check = Callable[[ObjectStore], None]

HOSTILE_KEYS = (
    "", "/", "/etc/passwd", "a/", "a//b", "..", ".", "../x", "a/../../b", "a/./b", "..\\x", "a\\b", "a\0b", "a\nb", "a b", "%2e%2e/x",
    "\uff0e\uff0e/x", "\u00e9", "\u202e", "a?b", "a#b", "a:b", "~root", "$HOME", "*", ".tmp/x", "a/.tmp", "x" * 2000, "x/" * 600 + "x",
)  # fmt: skip


def conformance_checks() -> list[Check]:
    """The checks, each named after what it proves."""
    return [
        a_new_object_can_be_read,
        the_same_bytes_again_succeed,
        other_bytes_are_refused,
        one_of_many_writers_wins,
        a_missing_key_is_not_found,
        an_empty_object_is_an_object,
        an_object_knows_its_size_and_age,
        a_large_object_comes_back_whole,
        an_object_too_large_to_read_is_refused,
        files_go_in_and_come_out,
        keys_are_listed_in_order,
        a_listing_starts_after_a_key,
        a_listing_keeps_to_its_prefix,
        folders_are_named_once,
        a_swept_object_is_gone,
        hostile_keys_are_refused,
    ]


def a_new_object_can_be_read(store: ObjectStore) -> None:
    """What was written is there at once, for every way to look."""
    key = f"{_place()}/key"
    _must(not store.exists(key), "a key is free before it is written")
    store.create(key, b"bytes")
    _must(store.read(key) == b"bytes", "reads give what was written")
    _must(store.exists(key), "a written key exists")
    _must(list(store.keys(key)) == [key], "a written key is listed")


def the_same_bytes_again_succeed(store: ObjectStore) -> None:
    """A repeated call finds out that it had won."""
    key = f"{_place()}/key"
    store.create(key, b"bytes")
    store.create(key, b"bytes")
    _must(store.read(key) == b"bytes", "the object is unchanged")


def other_bytes_are_refused(store: ObjectStore) -> None:
    """Nothing is ever replaced, by longer, shorter or no bytes."""
    key = f"{_place()}/key"
    store.create(key, b"bytes")
    for other in (b"BYTES", b"bytes and more", b"byte", b""):
        _must_raise(AlreadyExists, partial(store.create, key, other), f"{other!r} over b'bytes'")
    _must(store.read(key) == b"bytes", "the object is unchanged")


def one_of_many_writers_wins(store: ObjectStore) -> None:
    """Eight threads at one key: one success, and its bytes stay."""
    writers = 8
    key = f"{_place()}/key"
    start = Barrier(writers)

    def write(number: int) -> bool:
        start.wait()
        try:
            store.create(key, b"%d" % number)
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(writers) as pool:
        winners = [number for number, won in enumerate(pool.map(write, range(writers))) if won]
    _must(len(winners) == 1, f"one writer wins; {len(winners)} did")
    _must(store.read(key) == b"%d" % winners[0], "the winner's bytes stay")


def a_missing_key_is_not_found(store: ObjectStore) -> None:
    """Also in a folder that is there, and below an object."""
    place = _place()
    store.create(f"{place}/key", b"bytes")
    for key in (f"{place}/other", f"{place}/key/below", place):
        _must_raise(NotFound, partial(store.read, key), f"reading {key}")
        _must(not store.exists(key), f"{key} does not exist")


def an_empty_object_is_an_object(store: ObjectStore) -> None:
    """No bytes are not the same as no object."""
    key = f"{_place()}/key"
    store.create(key, b"")
    _must(store.exists(key) and store.read(key) == b"", "an empty object is there")


def an_object_knows_its_size_and_age(store: ObjectStore) -> None:
    """By the store's own clock, which must be within five minutes of ours: S3 itself refuses more than fifteen."""
    place = _place()
    store.create(f"{place}/key", b"bytes")
    found = store.stat(f"{place}/key")
    _must(found.size == len(b"bytes"), f"an object of 5 bytes has size 5; got {found.size}")
    age = abs(system_clock() - found.modified)
    _must(age < timedelta(minutes=5), f"an object that was just written is young; it is {age} old")
    _must_raise(NotFound, partial(store.stat, f"{place}/other"), "the stat of a missing key")


def a_large_object_comes_back_whole(store: ObjectStore) -> None:
    """5 MB, more than any buffer on the way."""
    key = f"{_place()}/key"
    data = bytes(range(250)) * 20_000
    store.create(key, data)
    store.create(key, data)
    _must(store.read(key) == data, "all of it comes back")


def an_object_too_large_to_read_is_refused(store: ObjectStore) -> None:
    """One byte more than a record may have: fetched as a file, and not read."""
    key = f"{_place()}/key"
    store.create(key, b"\0" * (MAX_READ_BYTES + 1))
    _must_raise(TamperedRecord, partial(store.read, key), "reading a large object into memory")
    with tempfile.TemporaryDirectory(prefix="stoker-") as folder:
        target = Path(folder, "fetched")
        store.read_to_file(key, target)
        _must(target.stat().st_size == MAX_READ_BYTES + 1, "a large object comes out as a file")


def files_go_in_and_come_out(store: ObjectStore) -> None:
    """The file forms keep the promises of the plain ones."""
    place = _place()
    with tempfile.TemporaryDirectory() as folder:
        source, other, target = (Path(folder, name) for name in ("source", "other", "target"))
        source.write_bytes(b"line\r\n\0" * 300_000)
        other.write_bytes(b"other")
        store.create_from_file(f"{place}/key", source)
        store.create_from_file(f"{place}/key", source)
        _must_raise(
            AlreadyExists, partial(store.create_from_file, f"{place}/key", other), "another file over the first"
        )
        store.read_to_file(f"{place}/key", target)
        _must(target.read_bytes() == source.read_bytes(), "the file comes back whole")
        _must_raise(UsageError, partial(store.read_to_file, f"{place}/key", other), "fetching into a file that exists")
        _must(other.read_bytes() == b"other", "the file that exists is untouched")
        missing = Path(folder, "missing")
        _must_raise(NotFound, partial(store.read_to_file, f"{place}/other", missing), "fetching a missing key")
        _must(not missing.exists(), "a failed fetch leaves no file")


def keys_are_listed_in_order(store: ObjectStore) -> None:
    """By code points of the whole key, in which a ``/`` sorts between ``.`` and ``0``."""
    place = _place()
    written = [
        f"{place}/{key}" for key in ("b", "a/b", "a-/c", "a.x", "a0", "B", "a=", "a_", "a/b-/d", "a/b.c/e", "10", "9")
    ]
    for key in written:
        store.create(key, b"")
    _must(list(store.keys(place)) == sorted(written), "keys come in the order of their code points")


def a_listing_starts_after_a_key(store: ObjectStore) -> None:
    """``after`` need not exist, and is itself left out."""
    place = _place()
    written = [f"{place}/{number:03d}/x" for number in range(10)]
    for key in written:
        store.create(key, b"")
    for after in (written[4], f"{place}/004/y", f"{place}/004/zzz", f"{place}/004a"):
        _must(list(store.keys(f"{place}/", after=after)) == written[5:], f"keys after {after}")
    _must(list(store.keys(f"{place}/", after=place)) == written, "a key before all of them leaves none out")
    _must(list(store.keys(f"{place}/", after=f"{place}~")) == [], "a key after all of them leaves all out")


def a_listing_keeps_to_its_prefix(store: ObjectStore) -> None:
    """A prefix may end in mid-name."""
    place = _place()
    for key in ("model/a", "model/b/c", "models/d", "mode"):
        store.create(f"{place}/{key}", b"")
    for prefix, wanted in (
        ("model/", ["model/a", "model/b/c"]),
        ("model", ["model/a", "model/b/c", "models/d"]),
        ("model/b", ["model/b/c"]),
        ("mode", ["mode", "model/a", "model/b/c", "models/d"]),
        ("none/", []),
    ):
        found = list(store.keys(f"{place}/{prefix}"))
        _must(found == [f"{place}/{key}" for key in wanted], f"keys under {prefix!r} are {wanted}; got {found}")


def folders_are_named_once(store: ObjectStore) -> None:
    """Folders directly below a prefix, in the order of the keys; neither objects beside them nor folders below."""
    place = _place()
    for key in ("b/1", "b/2", "a/x/1", "a-b/1", "object"):
        store.create(f"{place}/{key}", b"bytes")
    _must(list(store.folders(f"{place}/")) == ["a-b", "a", "b"], "folders are named once, in the order of the keys")
    _must(list(store.folders(f"{place}/a/")) == ["x"], "folders below a folder are named")
    _must(list(store.folders(f"{place}/nothing/")) == [], "where nothing is, no folder is named")


def a_swept_object_is_gone(store: ObjectStore) -> None:
    """And sweeping it again is no error."""
    place = _place()
    store.create(f"{place}/key", b"bytes")
    store.create(f"{place}/other", b"bytes")
    for _ in range(2):
        store.delete_swept(f"{place}/key")
    store.delete_swept(f"{place}/never/there")
    _must(list(store.keys(place)) == [f"{place}/other"], "the swept key is gone, the other one stays")


def hostile_keys_are_refused(store: ObjectStore) -> None:
    """By every method, before anything is touched."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        source.write_bytes(b"")
        for key in HOSTILE_KEYS:
            for call in (
                partial(store.create, key, b""),
                partial(store.create_from_file, key, source),
                partial(store.read, key),
                partial(store.read_to_file, key, target),
                partial(store.exists, key),
                partial(store.stat, key),
                partial(store.delete_swept, key),
            ):
                _must_raise(UsageError, call, f"the key {ascii(key)[:40]}")
        _must(not target.exists(), "no file was fetched")
    for prefix in ("/", "a//", "../", "a/../", "\0"):
        _must_raise(UsageError, partial(store.keys, prefix), f"the prefix {prefix!r}")


def _place() -> str:
    return f"checks/{random_id()}"


def _must(holds: bool, what: str) -> None:
    if not holds:  # no assert statement: python -O would drop it
        raise AssertionError(f"It must hold that {what}.")


def _must_raise(kind: type[StokerError], call: Callable[[], object], what: str) -> None:
    try:
        call()
    except kind:
        return
    raise AssertionError(f"It must raise {kind.__name__}: {what}.")
