"""The broker: many requests, one training, and nothing forgotten."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from tests.registry.cases import SteppedClock
from tests.support.faulty_store import Fault, FaultyStore, Killed, kill_at

from stoker.core.cadence import CadencePolicy
from stoker.core.records import Actor
from stoker.errors import InvalidName, UsageError
from stoker.loop.broker import MAX_WAITING, Broker
from stoker.store.memory import MemoryStore

ADA = Actor("ada", "cli")
HOUR = 3600
POLICY = CadencePolicy(cooldown=timedelta(hours=1), budget_per_day=4, lease=timedelta(hours=2), max_ineffective=3)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def broker(store: MemoryStore, clock: SteppedClock) -> Broker:
    return Broker(store, "churn", policy=POLICY, clock=clock)


def put(broker: Broker, key: str = "k1", **given: Any) -> Any:
    usual = {"source": "drift", "reason": f"delay drifted ({key})", "dedupe_key": key, "actor": ADA}
    return broker.put(**{**usual, **given})


def claim(broker: Broker, holder: str = "run 1") -> Any:
    return broker.claim(holder, actor=Actor("airflow", holder))


def settle(broker: Broker, outcome: str, holder: str = "run 1", **given: Any) -> bool:
    return broker.settle(holder, outcome=outcome, reason=f"It was {outcome}.", **given)


def kinds(broker: Broker) -> list[str]:
    return [record["kind"] for record in broker._journal.entries()]


def test_a_request_is_granted_served_and_closed(broker: Broker) -> None:
    ticket = put(broker, evidence={"window": "2013-03"})
    grant = claim(broker)
    assert (ticket.new, grant.granted, [request.id for request in grant.requests]) == (True, True, [ticket.id])
    assert (grant.requests[0].evidence, grant.requests[0].actor) == ({"window": "2013-03"}, ADA)
    assert settle(broker, "promoted", version=7)
    assert (broker.requests(), broker.pending()) == ([], False)
    assert [request.id for request in broker.requests(every=True)] == [ticket.id]


def test_the_same_request_again_is_the_same_request_open_or_served(broker: Broker) -> None:
    first = put(broker)
    again = put(broker, reason="said differently")
    claim(broker)
    during = put(broker)
    settle(broker, "kept")
    later = put(broker)
    assert [(ticket.id, ticket.new) for ticket in (again, during, later)] == [(first.id, False)] * 3
    assert kinds(broker) == ["request", "wake_up", "settlement"]


def test_what_comes_during_a_training_waits_for_the_next(broker: Broker, clock: SteppedClock) -> None:
    put(broker, "k1")
    claim(broker)
    late = put(broker, "k2")
    assert not broker.pending()
    settle(broker, "kept")
    assert claim(broker, "run 2").kind == "cooldown"
    clock.step(HOUR)
    assert broker.pending()
    assert [request.id for request in claim(broker, "run 2").requests] == [late.id]


def test_a_burst_of_requests_and_two_runs_make_one_training(store: MemoryStore, clock: SteppedClock) -> None:
    start = Barrier(52)

    def ask(number: int) -> str:
        own = Broker(store, "churn", policy=POLICY, clock=clock)
        start.wait(30)
        return str(put(own, f"k{number}").id)

    def train(holder: str) -> Any:
        own = Broker(store, "churn", policy=POLICY, clock=clock)
        start.wait(30)
        while not own.pending():
            if own.state().lease:
                break
        return claim(own, holder)

    with ThreadPoolExecutor(52) as pool:
        asked = [pool.submit(ask, number) for number in range(50)]
        trained = [pool.submit(train, holder) for holder in ("run 1", "run 2")]
        ids = {future.result(60) for future in asked}
        grants = [future.result(60) for future in trained]
    winner = next(grant for grant in grants if grant.granted)
    assert [grant.kind for grant in grants if not grant.granted] == ["leased"]
    broker = Broker(store, "churn", policy=POLICY, clock=clock)
    records = list(broker._journal.entries())
    granted = next(record for record in records if record["kind"] == "wake_up" and record["granted"])
    before = {record["id"] for record in records if record["kind"] == "request" and record["seq"] < granted["seq"]}
    assert {request.id for request in winner.requests} == before
    settle(broker, "promoted", granted["holder"])
    clock.step(HOUR)
    rest = claim(broker, "run 3")
    assert {request.id for request in rest.requests} == ids - before
    assert len(ids) == 50


def test_a_flood_from_one_source_is_bounded_and_leaves_room_for_others(broker: Broker) -> None:
    tickets = [put(broker, f"k{number}", source="webhook") for number in range(MAX_WAITING + 5)]
    assert [ticket.new for ticket in tickets[-6:]] == [True] + [False] * 5
    assert tickets[-1].id == tickets[MAX_WAITING - 1].id
    assert put(broker, "by hand", source="hand").new
    claim(broker)
    assert put(broker, "after the grant", source="webhook").new


def test_a_repeated_claim_of_one_run_is_one_claim(broker: Broker) -> None:
    put(broker)
    first = claim(broker)
    put(broker, "k2")
    assert claim(broker) == first
    assert kinds(broker).count("wake_up") == 1


def test_a_lease_is_renewed_by_its_holder_alone(broker: Broker, clock: SteppedClock) -> None:
    put(broker)
    assert not broker.renew("run 1")
    claim(broker)
    clock.step(1.5 * HOUR)
    assert (broker.renew("run 1"), broker.renew("run 2")) == (True, False)
    clock.step(1.5 * HOUR)
    assert claim(broker, "run 2").kind == "leased"


def test_a_lease_that_ran_out_is_taken_over_and_its_first_holder_is_told(broker: Broker, clock: SteppedClock) -> None:
    ticket = put(broker)
    claim(broker)
    clock.step(2 * HOUR)
    assert broker.pending()
    grant = claim(broker, "run 2")
    assert [request.id for request in grant.requests] == [ticket.id]
    assert not broker.renew("run 1")
    assert not settle(broker, "promoted", "run 1", version=7)
    assert broker.state().lease is not None
    assert settle(broker, "kept", "run 2")


def test_a_holder_that_comes_back_before_anybody_took_over_goes_on(broker: Broker, clock: SteppedClock) -> None:
    put(broker)
    claim(broker)
    clock.step(3 * HOUR)
    assert claim(broker).granted
    assert claim(broker, "run 2").kind == "leased"
    clock.step(3 * HOUR)
    assert settle(broker, "promoted")
    assert broker.state().ineffective == 0


def test_settling_twice_is_settling_once(broker: Broker) -> None:
    put(broker)
    claim(broker)
    assert settle(broker, "kept")
    assert settle(broker, "kept")
    assert not settle(broker, "kept", "run 2")
    assert kinds(broker).count("settlement") == 1


def test_a_failed_training_loses_no_request(broker: Broker) -> None:
    ticket = put(broker)
    claim(broker)
    settle(broker, "failed")
    assert [request.id for request in claim(broker, "run 2").requests] == [ticket.id]


def test_bad_data_closes_the_requests_and_costs_nothing(broker: Broker) -> None:
    for number in range(6):
        put(broker, f"k{number}")
        assert claim(broker, f"run {number}").granted
        settle(broker, "stopped", f"run {number}")
    assert (broker.requests(), broker.state().ineffective, broker.state().starts) == ([], 0, ())


def ineffective(broker: Broker, clock: SteppedClock, times: int) -> list[str]:
    answers = []
    for number in range(times):
        put(broker, f"useless {number}")
        answers.append(claim(broker, f"run {number}").kind)
        settle(broker, "kept", f"run {number}")
        clock.step(HOUR)
    return answers


def test_trainings_that_bring_nothing_open_the_breaker(broker: Broker, clock: SteppedClock) -> None:
    assert ineffective(broker, clock, 6) == ["granted"] * 3 + ["breaker_open"] * 3
    clock.step(24 * HOUR)
    probe = claim(broker, "probe")
    assert (probe.granted, len(probe.requests)) == (True, 3)
    settle(broker, "kept", "probe")
    put(broker, "k")
    clock.step(HOUR)
    assert claim(broker, "next").kind == "breaker_open"


def test_a_promotion_closes_the_breaker(broker: Broker, clock: SteppedClock) -> None:
    ineffective(broker, clock, 3)
    put(broker, "by hand", source="hand")
    assert claim(broker, "hand").granted
    settle(broker, "promoted", "hand")
    clock.step(24 * HOUR)
    put(broker, "k")
    assert claim(broker, "next").granted


def test_a_person_resumes_a_model_and_that_is_on_record(broker: Broker, clock: SteppedClock) -> None:
    ineffective(broker, clock, 4)
    assert broker.reset(actor=ADA, reason="the labels were wrong")
    assert not broker.reset(actor=ADA, reason="again")
    assert claim(broker, "next").granted
    record = next(record for record in broker._journal.entries() if record["kind"] == "reset")
    assert (record["actor"]["user"], record["reason"]) == ("ada", "the labels were wrong")


def test_a_training_that_always_kills_its_worker_opens_the_breaker(broker: Broker, clock: SteppedClock) -> None:
    put(broker)
    for number in range(3):
        assert claim(broker, f"run {number}").granted
        clock.step(2 * HOUR)
    assert claim(broker, "run 3").kind == "breaker_open"


def test_the_budget_of_a_day_ends(broker: Broker, clock: SteppedClock) -> None:
    answers = []
    for number in range(6):
        put(broker, f"k{number}")
        answers.append(claim(broker, f"run {number}").kind)
        settle(broker, "promoted", f"run {number}")
        clock.step(HOUR)
    assert answers == ["granted"] * 4 + ["budget"] * 2
    clock.step(19 * HOUR)
    assert claim(broker, "next").granted


def test_the_same_refusal_is_recorded_once_an_hour(broker: Broker, clock: SteppedClock) -> None:
    for _ in range(36):
        assert claim(broker).kind == "nothing_to_do"
        clock.step(300)
    assert kinds(broker) == ["wake_up"] * 3
    put(broker)
    claim(broker, "run 1")
    assert [claim(broker, holder).kind for holder in ("run 2", "run 3")] == ["leased"] * 2
    assert kinds(broker)[3:] == ["request", "wake_up", "wake_up"]


def test_everything_survives_a_restart(store: MemoryStore, clock: SteppedClock, broker: Broker) -> None:
    for number in range(40):
        put(broker, f"k{number}")
    claim(broker)
    put(broker, "late")
    anew = Broker(store, "churn", policy=POLICY, clock=clock)
    assert anew.state() == broker.state()
    assert settle(anew, "promoted")


def test_another_model_knows_nothing_of_it(store: MemoryStore, broker: Broker) -> None:
    put(broker)
    other = Broker(store, "late")
    assert (other.pending(), other.known, broker.known) == (False, False, True)


def test_why_the_loop_did_what_it_did_is_told_newest_first(broker: Broker, clock: SteppedClock) -> None:
    put(broker, "k1")
    put(broker, "k2", source="new_data", reason="3 files landed")
    claim(broker, "run 1")
    clock.step(60)
    settle(broker, "promoted", "run 1", version=7)
    put(broker, "k3")
    claim(broker, "run 2")
    broker.note_triage(action="stop", kind="data_quality", reason="half is null", dedupe_key="t1", actor=ADA)
    broker.note_triage(action="stop", kind="data_quality", reason="half is null", dedupe_key="t1", actor=ADA)
    clock.step(HOUR)
    claim(broker, "run 3")
    clock.step(2 * HOUR)
    claim(broker, "run 4")
    told = broker.wake_ups(10)
    assert [(one.who, one.result, one.condition) for one in told] == [
        ("run 4", "training", "granted"),
        ("run 3", "lost", "granted"),
        ("cli", "stop", "data_quality"),
        ("run 2", "skipped", "cooldown"),
        ("run 1", "promoted", "granted"),
    ]
    assert (told[-1].version, told[-1].reason) == (7, "It was promoted.")
    assert told[-1].woken_by == (
        {"source": "drift", "reason": "delay drifted (k1)"},
        {"source": "new_data", "reason": "3 files landed"},
    )
    assert broker.wake_ups(2) == told[:2]


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"source": "moon"}, "must be one of first, new_data.*; got 'moon'"),
        ({"reason": ""}, "reason must be text of 1 to 1000"),
        ({"reason": "x" * 1001}, "reason must be text of 1 to 1000"),
        ({"dedupe_key": None}, "dedupe_key must be text"),
        ({"evidence": {"rows": "x" * 4096}}, "at most 4096 bytes"),
        ({"evidence": {"psi": float("nan")}}, "must be plain JSON"),
        ({"evidence": {"when": object()}}, "must be plain JSON"),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused(broker: Broker, given: dict[str, Any], part: str) -> None:
    with pytest.raises(UsageError, match=part):
        put(broker, **given)
    assert not broker.known


def test_an_outcome_that_does_not_exist_is_refused(broker: Broker, store: MemoryStore) -> None:
    with pytest.raises(UsageError, match="must be one of promoted, proposed, kept"):
        settle(broker, "great")
    with pytest.raises(InvalidName):
        Broker(store, "../churn")


def life(store: Any, clock: SteppedClock) -> list[bool]:
    """Two trainings, each step a process of its own that is started again when it dies."""
    answers = []
    for turn in range(2):
        steps: list[Callable[[Broker], Any]] = [
            lambda broker, turn=turn: put(broker, f"a{turn}"),
            lambda broker, turn=turn: put(broker, f"b{turn}"),
            lambda broker, turn=turn: claim(broker, f"run {turn}"),
            lambda broker, turn=turn: settle(broker, "promoted", f"run {turn}", version=turn + 1),
        ]
        for step in steps:
            try:
                answer = step(Broker(store, "churn", policy=POLICY, clock=clock))
            except Killed:
                answer = step(Broker(store, "churn", policy=POLICY, clock=clock))
            answers.append(answer)
        clock.step(HOUR)
    return [answers[place].granted and answers[place + 1] for place in (2, 6)]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("write", range(1, 9))
def test_a_crash_between_any_two_writes_loses_and_doubles_nothing(write: int, after: bool) -> None:
    store, clock = FaultyStore(MemoryStore(), kill_at(write, after=after)), SteppedClock()
    assert life(store, clock) == [True, True]
    broker = Broker(store, "churn", clock=clock)
    assert broker.requests() == []
    assert kinds(broker) == ["request", "request", "wake_up", "settlement"] * 2


def test_lost_replies_double_nothing(clock: SteppedClock) -> None:
    plan = {2: Fault.AFTER, 4: Fault.LOST, 6: Fault.AFTER, 9: Fault.LOST}
    store = FaultyStore(MemoryStore(), plan)
    assert life(store, clock) == [True, True]
    assert kinds(Broker(store, "churn")) == ["request", "request", "wake_up", "settlement"] * 2


def test_what_was_decided_stands_in_the_log(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "stoker")
    put(broker)
    claim(broker)
    settle(broker, "kept")
    settle(broker, "kept", "run 2")
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        "Model churn: request from drift noted: delay drifted (k1)",
        "Model churn: claim of run 1: granted. A training serves 1 request (drift).",
        "Model churn: run 1 ended as kept. It was kept.",
        "Model churn: run 2 ended as kept, without the lease. It was kept.",
    ]
