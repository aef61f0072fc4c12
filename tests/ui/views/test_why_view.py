"""What the loop did and waits for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stoker.core.cadence import CadencePolicy
from stoker.loop.broker import Broker
from stoker.registry.registry import Registry
from stoker.store.base import ObjectStore
from stoker.ui.views import Views
from tests.registry.cases import SteppedClock
from tests.support.registrations import ACTOR, register
from tests.ui.views.conftest import CountingStore
from tests.ui.views.lives import TASK, ran


@pytest.fixture
def broker(registry: Registry, clock: SteppedClock) -> Broker:
    register(registry)
    return Broker(registry.store, "churn", policy=CadencePolicy(cooldown=timedelta(hours=5)), clock=clock)


def test_a_loop_that_never_ran_has_nothing_to_tell(views: Views, registry: Registry) -> None:
    register(registry)
    why = views.why("churn")
    assert (why.wake_ups, why.requests, why.lease) == ([], [], None)
    assert (why.breaker.open, why.breaker.ineffective) == (False, 0)
    assert (why.next_training.allowed, why.next_training.condition) == (False, "nothing_to_do")


def test_wake_ups_lead_to_their_runs(views: Views, broker: Broker, store: ObjectStore, clock: SteppedClock) -> None:
    ran(store, clock, "promoted", run="one")
    broker.note_triage(action="investigate", kind="label", reason="odd", dedupe_key="t", actor=TASK)
    triage, run = views.why("churn").wake_ups
    assert (run.result, run.reason) == ("promoted", "It ended as promoted.")
    assert run.where is not None
    assert run.where.href == "/dags/churn_train/runs/one"
    assert [cause.source for cause in run.woken_by] == ["hand"]
    assert (triage.result, triage.where and triage.where.task_id) == ("investigate", "register")


def test_open_requests_are_told_newest_first(views: Views, broker: Broker) -> None:
    for key in ("a", "b"):
        broker.put(source="drift", reason=f"because {key}", dedupe_key=key, actor=TASK, evidence={"key": key})
    requests = views.why("churn").requests
    assert [(one.reason, one.evidence) for one in requests] == [
        ("because b", {"key": "b"}),
        ("because a", {"key": "a"}),
    ]
    assert views.why("churn").next_training.allowed


def test_who_trains_is_told_until_the_lease_runs_out(views: Views, broker: Broker, clock: SteppedClock) -> None:
    broker.put(source="drift", reason="drift", dedupe_key="a", actor=TASK)
    broker.claim("churn_train/one", actor=TASK)
    why = views.why("churn")
    assert why.lease is not None
    assert (why.lease.holder, why.lease.lost) == ("churn_train/one", False)
    assert why.next_training.condition == "leased"
    assert why.wake_ups[0].result == "training"
    clock.step(3 * 3600)
    why = views.why("churn")
    assert why.lease is not None
    assert why.lease.lost
    assert why.wake_ups[0].result == "lost"
    assert why.next_training.allowed


def test_the_pace_that_refused_a_training_is_the_one_that_is_told(
    views: Views, broker: Broker, store: ObjectStore, clock: SteppedClock
) -> None:
    ran(store, clock, "promoted", run="one")
    clock.step(2 * 3600)
    broker.put(source="drift", reason="drift", dedupe_key="a", actor=TASK)
    assert views.why("churn").next_training.allowed  # as far as the usual pace tells
    broker.claim("churn_train/two", actor=TASK)
    following = views.why("churn").next_training
    assert (following.allowed, following.condition) == (False, "cooldown")
    assert "5 hours" in following.reason or "5h" in following.reason


def test_a_resumption_is_told_with_the_person(
    views: Views, broker: Broker, store: ObjectStore, clock: SteppedClock
) -> None:
    ran(store, clock, "kept", run="one")
    broker.reset(actor=ACTOR, reason="mended")
    told = views.why("churn").wake_ups[0]
    assert (told.result, told.who, told.where) == ("resumed", "ada", None)


def test_a_second_look_reads_nothing_but_probes(
    views: Views, broker: Broker, store: CountingStore, clock: SteppedClock
) -> None:
    for number in range(12):
        ran(store, clock, "promoted", run=f"run{number}")
    views.why("churn")
    before = store.reads
    assert len(views.why("churn").wake_ups) == 12
    assert store.reads - before <= 5
    assert len(views.why("churn", limit=3).wake_ups) == 3
