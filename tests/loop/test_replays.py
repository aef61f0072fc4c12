"""Used signatures: remembered by every server, and forgotten once their age refuses them anyway."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from stoker.core.clock import random_id
from stoker.loop.replays import release, use
from stoker.store import layout
from stoker.store.memory import MemoryStore

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def at(moment: datetime) -> str:
    return str(int(moment.timestamp()))


def test_a_signature_can_be_used_once_whoever_asks() -> None:
    store = MemoryStore()
    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(lambda n: use(store, at(NOW), "abc", write_id=str(n), now=NOW), range(8)))
    assert sum(won) == 1
    assert use(store, at(NOW), "abd", write_id="x", now=NOW)
    assert use(store, at(NOW + timedelta(seconds=1)), "abc", write_id="y", now=NOW)


def test_a_lost_reply_is_found_to_have_won() -> None:
    store = MemoryStore()
    assert use(store, at(NOW), "abc", write_id="same", now=NOW)
    assert use(store, at(NOW), "abc", write_id="same", now=NOW)


def test_what_is_remembered_does_not_grow_for_ever() -> None:
    store = MemoryStore()
    for minute in range(120):
        moment = NOW + timedelta(minutes=minute)
        for n in range(3):
            assert use(store, at(moment), f"signature {n}", write_id=random_id(), now=moment)
    kept = [layout.replay_second(key) for key in store.keys(layout.REPLAYS)]
    assert min(kept) >= int((NOW + timedelta(minutes=109)).timestamp())
    assert len(kept) == 3 * 11


def test_a_signature_is_remembered_as_long_as_its_age_allows_it_anywhere() -> None:
    store = MemoryStore()
    use(store, at(NOW), "abc", write_id="x", now=NOW)
    later = NOW + timedelta(minutes=9)
    use(store, at(later), "abd", write_id="y", now=later)
    assert not use(store, at(NOW), "abc", write_id="z", now=later)


def test_a_released_signature_can_be_used_again() -> None:
    store = MemoryStore()
    for n in range(2):
        assert use(store, at(NOW), "abc", write_id=f"first {n}", now=NOW)
        assert not use(store, at(NOW), "abc", write_id=f"second {n}", now=NOW)
        release(store, at(NOW), "abc")
