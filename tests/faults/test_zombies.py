"""A try of a task that was given up comes back after its successor has finished: it changes nothing."""

from __future__ import annotations

import pytest

from stoker.core.records import Actor
from stoker.errors import PromotionConflict
from stoker.loop.broker import Broker
from stoker.registry.audit import verify
from stoker.registry.registry import Registry
from stoker.store.memory import MemoryStore
from tests.registry.cases import ALICE, MODEL, promote, register, rollback


def _registry() -> Registry:
    registry = Registry(MemoryStore())
    for number in (1, 2, 3):
        register(registry, number, idempotency_key=f"train/{number}")
    promote(registry, 1)
    return registry


def test_a_registration_that_comes_back_finds_its_version() -> None:
    registry = _registry()
    before = registry.state(MODEL)
    zombie = Registry(registry.store)
    assert register(zombie, 2, idempotency_key="train/2").number == 2
    assert register(zombie, 2, idempotency_key="another try").number == 2  # the same training, whatever the key
    assert registry.state(MODEL) == before


def test_a_promotion_that_comes_back_with_its_key_is_told_the_first_answer_and_moves_nothing() -> None:
    registry = _registry()
    first = promote(registry, 2, idempotency_key="run/promote")
    rollback(registry)
    before = registry.state(MODEL)
    again = promote(Registry(registry.store), 2, idempotency_key="run/promote")
    assert (again.seq, again.version) == (first.seq, first.version)
    assert registry.state(MODEL) == before


def test_a_promotion_that_comes_back_with_what_it_saw_is_refused() -> None:
    registry = _registry()
    promote(registry, 2, expected_version=1)
    promote(registry, 3, expected_version=2)
    before = registry.state(MODEL)
    with pytest.raises(PromotionConflict) as caught:
        promote(Registry(registry.store), 2, expected_version=1)
    assert (caught.value.details["seen_version"], caught.value.details["seen_seq"]) == (3, before.seq)
    assert registry.state(MODEL) == before


def test_a_rollback_that_comes_back_does_not_go_back_twice() -> None:
    registry = _registry()
    for version in (2, 3):
        promote(registry, version)
    rollback(registry, idempotency_key="run/rollback")
    before = registry.state(MODEL)
    assert rollback(Registry(registry.store), idempotency_key="run/rollback").version == 2
    with pytest.raises(PromotionConflict):
        rollback(Registry(registry.store), expected_version=3)
    assert registry.state(MODEL) == before
    assert verify(registry.store, MODEL).clean


def test_a_run_that_lost_its_lease_settles_nothing() -> None:
    store = MemoryStore()
    broker = Broker(store, MODEL)
    broker.put(source="hand", reason="asked", dedupe_key="1", actor=ALICE)
    assert broker.claim("first", actor=Actor("airflow", "dag/first")).granted
    assert broker.settle("first", outcome="failed", reason="it died")
    broker.put(source="hand", reason="asked again", dedupe_key="2", actor=ALICE)
    assert broker.claim("second", actor=Actor("airflow", "dag/second")).granted
    before = broker.state()
    zombie = Broker(store, MODEL)
    assert not zombie.settle("first", outcome="promoted", reason="late", version=9)
    assert not zombie.renew("first")
    assert broker.state() == before
