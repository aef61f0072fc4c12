"""Which snapshot a partition means."""

from __future__ import annotations

import threading

import pytest

from stoker.core import wire
from stoker.errors import AlreadyExists, CorruptArtifact, StoreUnavailable
from stoker.store import partitions
from stoker.store.memory import MemoryStore

A, B = wire.sha256(b"a"), wire.sha256(b"b")


def point(store, partition, snapshot):
    return partitions.point(
        store, dataset="d", stage="raw", partition=partition, snapshot=snapshot, data_id=wire.sha256(b"data")
    )


def test_the_highest_pointer_counts():
    store = MemoryStore()
    assert [point(store, "p", snapshot) for snapshot in (A, B, A)] == [True, True, True]
    assert partitions.newest(store, "d", "raw", "p") == A


def test_pointing_at_the_same_snapshot_again_is_no_news():
    store = MemoryStore()
    assert (point(store, "p", A), point(store, "p", A)) == (True, False)
    assert len(list(store.keys("datasets/"))) == 1


def test_another_validation_of_the_same_snapshot_is_news_but_brings_nothing_back():
    store = MemoryStore()
    place = {"dataset": "d", "stage": "ok", "partition": "p"}
    facts = {**place, "snapshot": A, "data_id": wire.sha256(b"data")}
    assert [partitions.point(store, **facts, validation=one) for one in (A, A, B, B)] == [True, False, True, False]
    assert partitions.newest_pointer(store, "d", "ok", "p")["validation"] == B
    partitions.withdraw(store, **place, snapshot=A, reason="broken")
    assert not partitions.point(store, **facts, validation=A)
    assert partitions.newest(store, "d", "ok", "p") is None


def test_partitions_come_in_text_order_with_their_newest_snapshot():
    store = MemoryStore()
    for partition, snapshot in (("2013-1", A), ("2013-1.5", B), ("2013-1", B), ("2013-2", A)):
        point(store, partition, snapshot)
    assert partitions.partitions(store, "d", "raw") == [("2013-1", B), ("2013-1.5", B), ("2013-2", A)]
    assert partitions.partitions(store, "d", "raw", until="2013-1.5") == [("2013-1", B), ("2013-1.5", B)]
    assert partitions.newest_before(store, "d", "raw", "2013-1.5") == B
    assert partitions.newest_before(store, "d", "raw", "2013-1") is None


def test_validated_partitions_go_before_those_as_they_came_even_when_all_are_withdrawn():
    store = MemoryStore()
    point(store, "p", A)
    assert partitions.usable_partitions(store, "d") == [("p", A)]
    data_id = wire.sha256(b"data")
    partitions.point(store, dataset="d", stage="ok", partition="p", snapshot=B, data_id=data_id)
    point(store, "q", A)
    assert partitions.usable_partitions(store, "d") == [("p", B)]
    partitions.withdraw(store, dataset="d", stage="ok", partition="p", snapshot=B, reason="broken")
    assert partitions.usable_partitions(store, "d") == []


def test_a_dataset_without_partitions_has_one():
    store = MemoryStore()
    assert partitions.newest(store, "d", "raw", None) is None
    point(store, None, A)
    assert partitions.newest(store, "d", "raw", None) == A
    assert partitions.partitions(store, "d", "ok") == []


def test_concurrent_writers_all_find_their_number():
    store = MemoryStore()
    snapshots = [wire.sha256(bytes([number])) for number in range(8)]
    threads = [threading.Thread(target=point, args=(store, "p", snapshot)) for snapshot in snapshots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(store.keys("datasets/d/raw/p/"))) == 8
    assert partitions.newest(store, "d", "raw", "p") in snapshots


def test_a_writer_that_always_loses_gives_up_with_a_retryable_error():
    class Busy(MemoryStore):
        def create(self, key, data):
            raise AlreadyExists("somebody was faster")

    with pytest.raises(StoreUnavailable, match="hold still") as caught:
        point(Busy(), "p", A)
    assert caught.value.retryable


def test_a_pointer_names_a_digest():
    with pytest.raises(CorruptArtifact):
        point(MemoryStore(), "p", "latest")


def withdraw(store, partition, snapshot):
    return partitions.withdraw(
        store, dataset="d", stage="raw", partition=partition, snapshot=snapshot, reason="a null burst"
    )


def test_a_withdrawn_partition_is_there_for_nobody_until_it_means_another_snapshot():
    store = MemoryStore()
    point(store, "p1", A)
    point(store, "p2", B)
    assert [withdraw(store, "p2", B), withdraw(store, "p2", B)] == [True, False]
    assert partitions.newest(store, "d", "raw", "p2") is None
    assert partitions.partitions(store, "d", "raw") == [("p1", A)]
    assert partitions.newest_before(store, "d", "raw", "p3") == A
    assert partitions.last_pointer(store, "d", "raw")["partition"] == "p1"
    assert not point(store, "p2", B)
    assert partitions.newest(store, "d", "raw", "p2") is None
    assert point(store, "p2", A)
    assert partitions.newest(store, "d", "raw", "p2") == A


def test_a_partition_that_means_another_snapshot_by_now_is_not_withdrawn():
    store = MemoryStore()
    point(store, "p", B)
    assert not withdraw(store, "p", A)
    assert not withdraw(store, "nowhere", A)
    assert partitions.newest(store, "d", "raw", "p") == B


def test_a_pointer_tells_the_task_that_made_it_where_that_is_known():
    store = MemoryStore()
    common = {"dataset": "d", "stage": "raw", "partition": "p", "data_id": wire.sha256(b"data")}
    partitions.point(store, snapshot=A, origin="dag/run/task/-1", **common)
    assert partitions.newest_pointer(store, "d", "raw", "p")["origin"] == "dag/run/task/-1"
    partitions.point(store, snapshot=B, **common)
    assert "origin" not in partitions.newest_pointer(store, "d", "raw", "p")
    assert partitions.pointer_to(store, "d", "raw", "p", A)["origin"] == "dag/run/task/-1"
    assert partitions.pointer_to(store, "d", "raw", "p", A, tries=1) is None
    assert partitions.pointer_to(store, "d", "raw", "nowhere", A) is None


def test_a_withdrawal_is_no_pointer_to_its_snapshot():
    store = MemoryStore()
    point(store, "p", A)
    withdraw(store, "p", A)
    assert partitions.pointer_to(store, "d", "raw", "p", A)["snapshot"] == A
    assert partitions.pointer_to(store, "d", "raw", "p", A, tries=1) is None


def test_the_last_partitions_in_use_are_given_and_the_others_counted():
    store = MemoryStore()
    for number in range(1, 7):
        point(store, f"p{number}", A)
    withdraw(store, "p5", A)
    found, earlier = partitions.last_pointers(store, "d", "raw", limit=3)
    assert [pointer["partition"] for pointer in found] == ["p6", "p4", "p3"]
    assert earlier == 2
    assert partitions.last_pointers(store, "d", "none", limit=3) == ([], 0)
