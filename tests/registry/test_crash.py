"""The writer dies at every write of registering, promoting and rolling back, before and after it landed."""

from __future__ import annotations

from contextlib import suppress

import pytest

from stoker.registry.registry import Registry
from stoker.store.memory import MemoryStore
from tests.registry.lives import BEFORE_CHECKPOINT, Life, live, prepare, survived
from tests.support.faulty_store import Fault, FaultyStore, Killed, kill_at


def _run(plan: dict[int, Fault]) -> tuple[MemoryStore, Life, int]:
    store = MemoryStore()
    prepare(Registry(store))
    faulty, life = FaultyStore(store, plan), Life()
    with suppress(Killed):
        live(Registry(faulty), life.acknowledge)
    return store, life, faulty.writes


def test_a_life_without_faults_ends_at_a_checkpoint() -> None:
    store, life, writes = _run({})
    assert life.acknowledged == {"register", "promote", "rollback"}
    assert writes > 10
    assert Registry(store).state("churn").seq == BEFORE_CHECKPOINT + 3 == 16
    survived(store, life)


@pytest.mark.parametrize("after", [False, True])
def test_nothing_acknowledged_is_lost_wherever_the_writer_dies(after: bool) -> None:
    *_, writes = _run({})
    for k in range(1, writes + 1):
        store, life, _ = _run(kill_at(k, after=after))
        survived(store, life)


def test_nothing_acknowledged_is_lost_when_the_writer_dies_again_while_repeating() -> None:
    *_, writes = _run({})
    for k in range(1, writes + 1, 2):
        store, life, _ = _run(kill_at(k, after=True))
        for again in range(1, 4):
            with suppress(Killed):
                live(Registry(FaultyStore(store, kill_at(again, after=again % 2 == 0))), life.acknowledge)
        survived(store, life)
