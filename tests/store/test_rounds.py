from __future__ import annotations

import pytest

from stoker.core import wire
from stoker.errors import CorruptArtifact, NotFound, StoreUnavailable, TamperedRecord
from stoker.store import documents, layout, rounds
from stoker.store.base import ObjectStore
from stoker.store.memory import MemoryStore

ONE, TWO, THREE = (wire.sha256(text) for text in (b"one", b"two", b"three"))


def _given_up(store: ObjectStore) -> rounds.Round:
    begun = rounds.begin(store, [ONE, TWO])
    assert begun is not None
    claimed = rounds.append(store, begun, {"kind": "given_up", "digests": rounds.store_list(store, 1, [ONE])})
    assert claimed is not None
    return claimed


def test_a_round_goes_from_condemned_to_finished_on_every_store(store: ObjectStore) -> None:
    documents.put_bytes(store, b"two")
    assert rounds.open_round(store) is None
    begun = rounds.begin(store, [ONE, TWO])
    assert rounds.open_round(store) == begun
    rounds.spare(store, named=[TWO, THREE])
    seen = rounds.open_round(store)
    assert seen is not None
    assert seen.spared == {TWO}
    claimed = rounds.append(store, seen, {"kind": "given_up", "digests": rounds.store_list(store, 1, [ONE])})
    assert claimed is not None
    assert list(rounds.listed(store, claimed.doomed)) == [ONE]
    assert rounds.finish(store, claimed, {"removed": 1}) is not None
    assert rounds.open_round(store) is None
    rounds.begin(store, [THREE])
    assert (rounds.newest_number(store), rounds.open_round(store)) != (1, None)


def test_of_two_that_write_the_next_entry_one_is_first() -> None:
    store = MemoryStore()
    begun = rounds.begin(store, [ONE])
    assert begun is not None
    rounds.spare(store, stored=[ONE])
    assert rounds.append(store, begun, {"kind": "given_up", "digests": {}}) is None
    assert rounds.finish(store, begun, {"removed": 0}) is None


def test_what_is_given_up_can_be_stored_after_the_lease_only_and_not_named() -> None:
    store = MemoryStore()
    claimed = _given_up(store)
    assert claimed.lease_ends is not None
    rounds.spare(store, stored=[TWO], named=[TWO])
    with pytest.raises(StoreUnavailable, match="Try again after that"):
        rounds.spare(store, stored=[ONE])
    with pytest.raises(NotFound, match="Run the steps that made it again"):
        rounds.spare(store, named=[ONE], clock=lambda: claimed.lease_ends)
    rounds.spare(store, stored=[ONE], clock=lambda: claimed.lease_ends)
    seen = rounds.open_round(store)
    assert seen is not None
    assert seen.spared == {ONE}


def test_what_a_finished_round_removed_cannot_be_named_also_when_the_next_one_is_open() -> None:
    store = MemoryStore()
    rounds.finish(store, _given_up(store), {"removed": 1})
    with pytest.raises(NotFound):
        rounds.spare(store, named=[ONE])
    rounds.begin(store, [THREE])
    with pytest.raises(NotFound):
        rounds.spare(store, named=[ONE])
    documents.put_bytes(store, b"one")
    rounds.spare(store, named=[ONE])


def test_what_the_round_before_the_last_removed_keeps_no_writer_up_when_its_lists_are_gone() -> None:
    store = MemoryStore()
    rounds.finish(store, _given_up(store), {"removed": 1})
    begun = rounds.begin(store, [THREE])
    assert begun is not None
    claimed = rounds.append(store, begun, {"kind": "given_up", "digests": rounds.store_list(store, 2, [THREE])})
    assert claimed is not None
    rounds.finish(store, claimed, {"removed": 1})
    beside_one = ONE[:2] + TWO[2:]
    rounds.spare(store, named=[beside_one])
    with pytest.raises(NotFound):
        rounds.spare(store, named=[THREE])


def test_the_lists_of_a_round_go_when_the_next_one_is_over() -> None:
    store = MemoryStore()
    rounds.finish(store, _given_up(store), {"removed": 1})
    assert list(store.keys(layout.sweep_lists(1)))
    begun = rounds.begin(store, [THREE])
    assert begun is not None
    rounds.finish(store, begun, {"removed": 0})
    assert not list(store.keys(layout.sweep_lists(1)))


def test_a_missing_or_foreign_entry_and_a_changed_list_are_refused() -> None:
    store = MemoryStore()
    rounds.spare(store, named=[ONE])
    begun = _given_up(store)
    key = layout.numbered(layout.sweep_round(1), 1)
    data = store.read(key)
    store.delete_swept(key)
    with pytest.raises(TamperedRecord, match="it was removed"):
        rounds.open_round(store)
    store.create(key, b'{"format":1,"time":"2026-11-21T12:00:00Z","kind":"other"}')
    with pytest.raises(TamperedRecord, match="entry of a sweep"):
        rounds.open_round(store)
    store.delete_swept(key)
    store.create(key, data)
    piece = begun.doomed[ONE[:2]]
    store.delete_swept(piece)
    store.create(piece, b"{}")
    with pytest.raises(CorruptArtifact, match="Restore it"):
        rounds.spare(store, stored=[ONE])


def test_only_what_could_be_a_digest_is_taken_for_a_name() -> None:
    assert list(rounds.references({"a": [ONE, "x", 7, None], "b": {"c": (TWO,)}, THREE: 1})) == [ONE, TWO]
