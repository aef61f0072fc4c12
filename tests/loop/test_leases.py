"""A run gives signs of life while it works, so that nobody takes it for dead."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from tests.support.faulty_store import Fault, FaultyStore

from stoker.core.cadence import CadencePolicy
from stoker.core.records import Actor
from stoker.loop.broker import Broker
from stoker.loop.leases import kept
from stoker.store.memory import MemoryStore

POLICY = CadencePolicy(cooldown=timedelta(0), lease=timedelta(seconds=0.4))
ADA = Actor("ada", "cli")


@pytest.fixture
def broker() -> Broker:
    broker = Broker(MemoryStore(), "churn", policy=POLICY)
    _ask(broker, "k1")
    assert _claim(broker, "run 1")
    _ask(broker, "k2")
    return broker


def test_a_lease_outlasts_its_length_while_the_work_goes_on(broker: Broker) -> None:
    with kept(broker, "run 1"):
        for _ in _for(3 * POLICY.lease.total_seconds()):
            assert not _claim(broker, "run 2")


def test_without_signs_of_life_another_run_takes_over(broker: Broker) -> None:
    assert _until(lambda: _claim(broker, "run 2"))


def test_the_signs_end_with_the_work_also_when_it_fails(broker: Broker) -> None:
    with pytest.raises(ZeroDivisionError), kept(broker, "run 1"):
        _ = 1 / 0
    assert _until(lambda: _claim(broker, "run 2"))


def test_a_renewal_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    inner = MemoryStore()
    first = Broker(inner, "churn", policy=POLICY)
    _ask(first, "k1")
    assert _claim(first, "run 1")
    with (
        caplog.at_level(logging.WARNING, "stoker"),
        kept(Broker(FaultyStore(inner, {1: Fault.BEFORE}), "churn", policy=POLICY), "run 1"),
    ):
        assert _until(lambda: "run 1" in _renewals(first))
    assert "was not renewed: planned fault" in caplog.text


def test_a_run_that_lost_its_lease_is_told_so_and_takes_none(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "stoker"), kept(broker, "run 7"):
        assert _until(lambda: "the lease of run 7 is not its own any more" in caplog.text)
    assert _renewals(broker) == []


def _ask(broker: Broker, key: str) -> None:
    broker.put(source="hand", reason="Please.", dedupe_key=key, actor=ADA)


def _claim(broker: Broker, holder: str) -> bool:
    return broker.claim(holder, actor=ADA).granted


def _renewals(broker: Broker) -> list[str]:
    return [record["holder"] for record in broker._journal.entries() if record["kind"] == "renewal"]


def _for(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.02)


def _until(holds: Callable[[], bool]) -> bool:
    return any(holds() for _ in _for(20))
