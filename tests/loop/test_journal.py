"""Journals: one writer is next, nothing is lost, and whatever was changed is noticed."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.registry.cases import SteppedClock
from tests.support.faulty_store import Fault, FaultyStore, Killed, kill_at

from stoker.core import wire
from stoker.errors import CommitStateUnknown, StoreUnavailable, TamperedRecord
from stoker.loop.journal import EVERY, Journal
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.contests import Limits
from stoker.store.memory import MemoryStore

PREFIX = layout.journal("churn", "broker")
Words = tuple[str, ...]


def journal(store: ObjectStore, **given: Any) -> Journal[Words]:
    """A journal whose state is the words that were written."""
    ids = itertools.count(1)
    usual = {"clock": SteppedClock(), "new_id": lambda: f"id-{next(ids)}", "limits": Limits(sleep=lambda _: None)}
    return Journal(
        store,
        PREFIX,
        fold=lambda state, record: (*state, record["word"]),
        empty=(),
        dump=lambda state: {"words": list(state)},
        load=lambda record: tuple(record["words"]),
        **{**usual, **given},
    )


def say(to: Journal[Words], word: str) -> dict[str, Any] | None:
    return to.append(lambda _: {"kind": "word", "word": word})[1]


def once(to: Journal[Words], word: str) -> dict[str, Any] | None:
    return to.append(lambda state: None if word in state else {"kind": "word", "word": word})[1]


def count(to: Journal[Words]) -> None:
    for number in range(EVERY + 2):
        once(to, str(number))


def key(seq: int) -> str:
    return layout.numbered(f"{PREFIX}entries/", seq)


def rewrite(store: ObjectStore, where: str, data: bytes | None) -> None:
    store.delete_swept(where)
    if data is not None:
        store.create(where, data)


def test_what_is_written_is_folded_and_told_in_order() -> None:
    own = journal(MemoryStore())
    assert own.read() == (0, ())
    written = [say(own, word) for word in ("a", "b", "c")]
    assert own.read() == (3, ("a", "b", "c"))
    assert list(own.entries()) == written
    assert list(own.entries(after=2)) == written[2:]
    assert own.newest(2) == written[1:]
    assert list(own.backwards()) == written[::-1]
    assert [(one["seq"], one["write_id"]) for one in own.newest(10)] == [(1, "id-1"), (2, "id-2"), (3, "id-3")]


def test_deciding_nothing_writes_nothing() -> None:
    store = MemoryStore()
    own = journal(store)
    say(own, "a")
    assert own.append(lambda _: None) == (("a",), None)
    assert len(list(store.keys(""))) == 1


def test_whoever_was_overtaken_decides_again_on_the_newest_state() -> None:
    store = MemoryStore()
    first, second, seen = journal(store), journal(store), []

    def decide(state: Words) -> dict[str, Any]:
        seen.append(state)
        if len(seen) == 1:
            say(second, "theirs")
        return {"kind": "word", "word": f"after {len(state)}"}

    assert first.append(decide)[0] == ("theirs", "after 1")
    assert seen == [(), ("theirs",)]


def test_a_refusal_leaves_the_journal_as_it_is() -> None:
    own = journal(MemoryStore())

    def refuse(_: Words) -> None:
        raise StoreUnavailable("no")

    with pytest.raises(StoreUnavailable):
        own.append(refuse)
    assert own.read()[0] == 0


def test_every_one_of_many_threads_gets_its_record_in() -> None:
    store = MemoryStore()
    shared = journal(store)
    own = [shared, *(journal(store) for _ in range(7))]
    with ThreadPoolExecutor(24) as pool:
        list(pool.map(lambda n: say(own[n % 8], str(n)), range(150)))
    seq, words = journal(store).read()
    assert (seq, sorted(words, key=int)) == (150, [str(n) for n in range(150)])
    assert [one["seq"] for one in journal(store).entries()] == list(range(1, 151))


def test_a_writer_that_never_gets_its_turn_gives_up_with_nothing_written() -> None:
    store = MemoryStore()
    other = journal(store)
    own = journal(store, limits=Limits(tries=3, sleep=lambda _: None))

    def overtaken(_: Words) -> dict[str, Any]:
        say(other, "theirs")
        return {"kind": "word", "word": "mine"}

    with pytest.raises(StoreUnavailable, match="must be written before other writers'"):
        own.append(overtaken)
    assert set(own.read()[1]) == {"theirs"}


@pytest.mark.parametrize("fault", [Fault.AFTER, Fault.LOST])
def test_a_lost_reply_is_settled_by_the_same_bytes_again(fault: Fault) -> None:
    store = MemoryStore()
    say(journal(FaultyStore(store, {1: fault})), "a")
    assert journal(store).read() == (1, ("a",))


def test_a_reply_that_stays_lost_is_no_success_and_no_failure() -> None:
    store = FaultyStore(MemoryStore(), dict.fromkeys(range(1, 9), Fault.LOST))
    with pytest.raises(CommitStateUnknown):
        say(journal(store, limits=Limits(tries=3, sleep=lambda _: None)), "a")


def test_a_clean_failure_is_told_at_once() -> None:
    store = FaultyStore(MemoryStore(), {1: Fault.BEFORE})
    own = journal(store)
    with pytest.raises(StoreUnavailable):
        say(own, "a")
    assert say(own, "a") is not None


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_write_leaves_a_journal_to_go_on_with(after: bool) -> None:
    for write in range(1, EVERY + 3):
        store = MemoryStore()
        dying = journal(FaultyStore(store, kill_at(write, after=after)))
        with pytest.raises(Killed):
            count(dying)
        heir = journal(store)
        count(heir)
        assert heir.read()[1] == tuple(str(number) for number in range(EVERY + 2))


def filled(count: int = 2 * EVERY + 5) -> MemoryStore:
    store = MemoryStore()
    own = journal(store)
    for number in range(count):
        say(own, str(number))
    return store


class Counting(FaultyStore):
    reads = 0

    def read(self, key: str) -> bytes:
        self.reads += 1
        return super().read(key)


def test_a_cold_reader_begins_at_the_newest_checkpoint() -> None:
    store = Counting(filled(), {})
    assert journal(store).read()[1][-1] == str(2 * EVERY + 4)
    assert store.reads == 2 + 5 + 1  # checkpoint and its record, five records, and the end


def test_checkpoints_can_be_lost_or_damaged_without_loss() -> None:
    store = filled()
    newest, older = list(store.keys(f"{PREFIX}checkpoints/"))
    rewrite(store, newest, b"{}")
    whole = journal(store).read()
    rewrite(store, older, None)
    assert journal(store).read() == whole


def test_a_checkpoint_that_cannot_be_written_fails_nothing() -> None:
    store = FaultyStore(MemoryStore(), {EVERY + 1: Fault.BEFORE})
    own = journal(store)
    for number in range(EVERY + 1):
        say(own, str(number))
    assert journal(store).read()[0] == EVERY + 1
    assert not list(store.keys(f"{PREFIX}checkpoints/"))


def forged(store: ObjectStore, seq: int) -> bytes:
    return wire.canonical({**wire.parse(store.read(key(seq)), ""), "word": "forged"})


@pytest.mark.parametrize("seq", [1, EVERY + 2])
def test_a_changed_record_is_noticed_by_whoever_reads_the_next(seq: int) -> None:
    store = filled()
    rewrite(store, key(seq), forged(store, seq))
    with pytest.raises(TamperedRecord, match="follow"):
        list(journal(store).entries())
    with pytest.raises(TamperedRecord, match="must have the digest"):
        list(journal(store).backwards())


@pytest.mark.parametrize("data", [None, b"forged", b"[]"])
def test_nothing_is_written_to_a_journal_that_lost_a_record_to_somebody(data: bytes | None) -> None:
    store = filled(EVERY)
    rewrite(store, key(EVERY), data)
    with pytest.raises(TamperedRecord, match="must"):
        say(journal(store), "more")


def test_a_record_in_another_place_is_noticed() -> None:
    store = filled(3)
    rewrite(store, key(2), store.read(key(3)))
    with pytest.raises(TamperedRecord, match="must hold record 2"):
        journal(store).read()
