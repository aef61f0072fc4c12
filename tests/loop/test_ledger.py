"""The marks on landed files."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.faulty_store import Fault, FaultyStore, Killed, kill_at

from stoker.errors import CommitStateUnknown, StoreUnavailable
from stoker.loop.ledger import ANNOUNCED, REFUSED, TAKEN, Ledger, identity
from stoker.store.memory import MemoryStore


@dataclass(frozen=True)
class File:
    uri: str
    size: int = 1
    version: str = "v1"


A, B, C = File("file:///a"), File("file:///b"), File("file:///c")


class Counting(MemoryStore):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def exists(self, key: str) -> bool:
        self.asked += 1
        return super().exists(key)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        self.asked += 1
        return super().keys(prefix, after=after)


def test_a_replaced_file_is_another_file():
    states = [A, File("file:///a", size=2), File("file:///a", version="v2"), B]
    assert len({identity(file) for file in states}) == 4
    assert identity(A) == identity(File("file:///a"))


def test_a_file_is_pending_until_it_is_taken_or_refused():
    ledger = Ledger(MemoryStore(), "d")
    ledger.mark(TAKEN, A, snapshot="1" * 64)
    ledger.mark(REFUSED, B, reason="half a file")
    ledger.mark(ANNOUNCED, C)
    assert ledger.pending([C, A, B]) == [C]


def test_a_refused_file_is_pending_again_once_it_has_changed():
    ledger = Ledger(MemoryStore(), "d")
    ledger.mark(REFUSED, A, reason="half a file")
    grown = File("file:///a", size=2)
    assert ledger.pending([A, grown]) == [grown]


def test_the_first_snapshot_that_took_a_file_stays():
    store = MemoryStore()
    first = Ledger(store, "d").mark(TAKEN, A, snapshot="1" * 64)
    assert Ledger(store, "d").mark(TAKEN, A, snapshot="2" * 64) == first
    assert first["snapshot"] == "1" * 64


def test_of_many_snapshots_at_once_one_takes_the_file():
    store = MemoryStore()

    def take(number: int) -> str:
        return Ledger(store, "d").mark(TAKEN, A, snapshot=f"{number:064}")["snapshot"]

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(take, range(64)))) == 1


def test_a_mark_says_when_it_was_put_and_on_what():
    ledger = Ledger(MemoryStore(), "d", lambda: datetime(2013, 1, 1, tzinfo=UTC))
    assert ledger.mark(REFUSED, A, reason="half a file") == {
        "format": 1,
        "kind": "landing",
        "mark": "refused",
        "uri": "file:///a",
        "size": 1,
        "version": "v1",
        "time": "2013-01-01T00:00:00.000000Z",
        "reason": "half a file",
    }


def test_datasets_do_not_share_marks():
    store = MemoryStore()
    Ledger(store, "d").mark(TAKEN, A, snapshot="1" * 64)
    assert Ledger(store, "e").pending([A]) == [A]


def test_marks_of_other_processes_are_seen():
    store = MemoryStore()
    ledger, other = Ledger(store, "d"), Ledger(store, "d")
    assert ledger.pending([A, B]) == [A, B]
    other.mark(TAKEN, A, snapshot="1" * 64)
    assert ledger.pending([A, B]) == [B]
    assert ledger.marked(TAKEN) == {identity(A)}


def test_what_is_known_to_be_done_is_not_asked_again():
    store = Counting()
    ledger = Ledger(store, "d")
    files = [File(f"file:///{number}") for number in range(1000)]
    for file in files:
        ledger.mark(REFUSED if file.uri.endswith("7") else TAKEN, file)
    assert Ledger(store, "d").pending(files) == []
    asked = store.asked
    assert asked <= 2
    assert ledger.pending(files) == []
    assert store.asked == asked


def test_few_new_files_among_many_are_asked_one_by_one():
    store = Counting()
    ledger = Ledger(store, "d")
    assert ledger.pending([A, B]) == [A, B]
    assert store.asked == 4


def test_a_mark_whose_reply_was_lost_is_found_when_it_is_put_again():
    store = FaultyStore(MemoryStore(), {1: Fault.AFTER, 2: Fault.BEFORE})
    ticking = itertools.count()
    ledger = Ledger(store, "d", lambda: datetime(2013, 1, 1, tzinfo=UTC) + timedelta(seconds=next(ticking)))
    with pytest.raises(CommitStateUnknown):
        ledger.mark(TAKEN, A, snapshot="1" * 64)
    with pytest.raises(StoreUnavailable):
        ledger.mark(TAKEN, A, snapshot="1" * 64)
    assert ledger.mark(TAKEN, A, snapshot="2" * 64)["snapshot"] == "1" * 64


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_a_mark_leaves_the_file_pending_or_marked(after: bool):
    inner = MemoryStore()
    with pytest.raises(Killed):
        Ledger(FaultyStore(inner, kill_at(1, after=after)), "d").mark(TAKEN, A, snapshot="1" * 64)
    assert Ledger(inner, "d").pending([A]) == ([] if after else [A])
