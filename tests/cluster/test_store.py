"""The store's promises, on a real S3 server."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from stoker.errors import AlreadyExists
from stoker.store.checks import Check, conformance_checks
from stoker.store.probe import probe_conditional_writes
from stoker.store.s3_objects import S3Store

pytestmark = pytest.mark.cluster

WRITERS = 32
ROUNDS = 50


@pytest.mark.parametrize("check", conformance_checks(), ids=lambda check: check.__name__)
def test_the_gateway_passes_every_check(store: S3Store, check: Check) -> None:
    check(store)


def test_the_probe_finds_the_condition_honoured_and_leaves_nothing(store: S3Store) -> None:
    probe_conditional_writes(store)
    assert list(store.keys("")) == []


def test_of_32_writers_at_one_key_one_wins(store: S3Store, figure: Callable[[str], None]) -> None:
    start = Barrier(WRITERS)

    def write(number: int) -> list[bool]:
        return [_wins(store, f"race/{turn}", b"%d" % number, start) for turn in range(ROUNDS)]

    with ThreadPoolExecutor(WRITERS) as pool:
        won = list(pool.map(write, range(WRITERS)))
    for turn in range(ROUNDS):
        winners = [number for number in range(WRITERS) if won[number][turn]]
        assert len(winners) == 1
        assert store.read(f"race/{turn}") == b"%d" % winners[0]
    figure(f"create races: {ROUNDS} of {ROUNDS} rounds of {WRITERS} writers had one winner, whose bytes stayed")


def _wins(store: S3Store, key: str, data: bytes, start: Barrier) -> bool:
    start.wait(120)
    try:
        store.create(key, data)
    except AlreadyExists:
        return False
    return True
