"""When a training may begin."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from stoker.core.cadence import CadencePolicy, decide
from stoker.core.clock import to_text
from stoker.core.records import Actor
from stoker.core.requests import Lease, Request, State, dump, fold, load
from stoker.errors import ConfigurationError
from tests.registry.cases import START

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
POLICY = CadencePolicy(cooldown=6 * HOUR, budget_per_day=2, lease=2 * HOUR, max_ineffective=3, retry_after=DAY)


def request(id_: str = "r1", source: str = "drift", **more: Any) -> Request:
    return Request(**{
        "id": id_,
        "source": source,
        "reason": "delay drifted",
        "dedupe_key": f"key of {id_}",
        "time": START,
        "actor": Actor("ada", "cli"),
        **more,
    })


WAITING = State(requests=(request(),))
LEASED = replace(WAITING, lease=Lease("run 1", START, START + 2 * HOUR, ("r1",)))


def test_a_request_is_granted_with_all_that_wait() -> None:
    state = State(requests=(request("r1"), request("r2", "new_data")))
    grant = decide(state, POLICY, START, "run 1")
    assert (grant.granted, grant.requests, grant.until) == (True, state.requests, START + 2 * HOUR)
    assert grant.reason == "A training serves 2 requests (drift, new_data)."


def test_without_a_request_there_is_nothing_to_do() -> None:
    grant = decide(State(), POLICY, START, "run 1")
    assert (grant.granted, grant.kind, grant.reason) == (False, "nothing_to_do", "No request asks for a training.")


def test_a_source_that_the_policy_does_not_name_starts_nothing_but_is_served_along() -> None:
    policy = replace(POLICY, retrain_on=("hand",))
    refused = decide(WAITING, policy, START, "run 1")
    assert (refused.kind, refused.requests) == ("nothing_to_do", ())
    assert "Those of drift start no training" in refused.reason
    both = State(requests=(request(), request("r2", "hand")))
    assert decide(both, policy, START, "run 1").requests == both.requests


def test_one_run_trains_at_a_time_and_the_other_learns_until_when() -> None:
    state = replace(LEASED, requests=(request("r1"), request("r2", "hand")))
    grant = decide(state, POLICY, START + HOUR, "run 2")
    assert (grant.kind, grant.until) == ("leased", START + 2 * HOUR)
    assert "run 1 trains this model until 2026-11-21 14:00 UTC." in grant.reason


def test_the_holder_that_asks_again_gets_the_same_grant() -> None:
    state = replace(LEASED, requests=(request("r1"), request("r2")))
    grant = decide(state, POLICY, START + HOUR, "run 1")
    assert (grant.granted, [one.id for one in grant.requests], grant.until) == (True, ["r1"], START + 2 * HOUR)
    late = decide(state, POLICY, START + 3 * HOUR, "run 1")
    assert (late.granted, late.until) == (True, START + 5 * HOUR)


def test_a_lease_that_ran_out_is_taken_over_with_its_requests() -> None:
    grant = decide(LEASED, POLICY, START + 2 * HOUR, "run 2")
    assert (grant.granted, grant.requests) == (True, LEASED.requests)


HELD_BACK = [
    ("cooldown", replace(WAITING, last_result=START - 5 * HOUR), START + HOUR),
    ("budget", replace(WAITING, starts=(START - 23 * HOUR, START - HOUR)), START + HOUR),
    ("breaker_open", replace(WAITING, ineffective=3, last_ineffective=START - HOUR), START + 23 * HOUR),
    (
        "breaker_open",
        replace(LEASED, ineffective=2, last_ineffective=START - DAY, lease=replace(LEASED.lease, until=START - HOUR)),
        START + 23 * HOUR,
    ),
]


@pytest.mark.parametrize(("kind", "state", "until"), HELD_BACK)
def test_a_training_waits_with_the_reason_and_the_moment(kind: str, state: State, until: Any) -> None:
    early = decide(state, POLICY, START, "run 9")
    assert (early.granted, early.kind, early.until) == (False, kind, until)
    assert not decide(state, POLICY, until - timedelta(microseconds=1), "run 9").granted
    assert decide(state, POLICY, until, "run 9").granted


@pytest.mark.parametrize(("kind", "state", "until"), HELD_BACK)
def test_a_person_passes_all_of_that(kind: str, state: State, until: Any) -> None:
    assert decide(replace(state, requests=(*state.requests, request("r2", "hand"))), POLICY, START, "run 9").granted


def test_no_budget_leaves_only_trainings_by_hand() -> None:
    policy = replace(POLICY, budget_per_day=0)
    assert decide(WAITING, policy, START, "run 1").kind == "budget"
    assert decide(State(requests=(request(source="hand"),)), policy, START, "run 1").granted


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"retrain_on": ("drift", "moon")}, "must name some of first, new_data.*; got moon"),
        ({"cooldown": -HOUR}, "cooldown must not be negative"),
        ({"lease": timedelta()}, "lease must be longer"),
        ({"max_age": timedelta()}, "max_age must be longer"),
        ({"budget_per_day": -1}, "got -1 and 3"),
        ({"max_ineffective": 0}, "got 4 and 0"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(given: dict[str, Any], part: str) -> None:
    with pytest.raises(ConfigurationError, match=part):
        CadencePolicy(**given)


def wake_up(holder: str, at: Any, *ids: str) -> dict[str, Any]:
    until = to_text(at + 2 * HOUR)
    return {"kind": "wake_up", "granted": True, "holder": holder, "until": until, "requests": ids, "time": to_text(at)}


def ended(holder: str, outcome: str, at: Any) -> dict[str, Any]:
    return {"kind": "settlement", "holder": holder, "outcome": outcome, "covers": [], "time": to_text(at)}


TRAINING = fold(replace(WAITING, ineffective=2, last_ineffective=START - DAY), wake_up("run 1", START, "r1"))
END = START + HOUR


@pytest.mark.parametrize(
    ("outcome", "closed", "ineffective", "starts", "last_result"),
    [
        ("promoted", True, 0, 1, END),
        ("proposed", True, 0, 1, END),
        ("kept", True, 3, 1, END),
        ("failed", False, 3, 1, None),
        ("stopped", True, 2, 0, None),
        ("skipped", True, 2, 0, None),
    ],
)
def test_what_an_outcome_changes(outcome: str, closed: bool, ineffective: int, starts: int, last_result: Any) -> None:
    state = fold(TRAINING, ended("run 1", outcome, END))
    assert state.lease is None
    assert (not state.requests, state.ineffective, len(state.starts)) == (closed, ineffective, starts)
    assert state.last_result == last_result
    assert state.known("key of r1") == "r1"


def test_a_run_that_lost_its_lease_changes_nothing() -> None:
    taken = fold(TRAINING, wake_up("run 2", START + 3 * HOUR, "r1"))
    assert (taken.ineffective, taken.last_ineffective) == (3, START + 2 * HOUR)
    assert fold(taken, ended("run 1", "promoted", END)) == taken
    assert fold(taken, {"kind": "renewal", "holder": "run 1", "until": to_text(END), "time": to_text(END)}) == taken


def test_a_record_of_a_kind_from_the_future_changes_nothing() -> None:
    assert fold(LEASED, {"kind": "prophecy", "time": to_text(START)}) == LEASED


@pytest.mark.parametrize("state", [State(), WAITING, LEASED, *(state for _, state, _ in HELD_BACK), TRAINING])
def test_a_state_survives_being_written_down(state: State) -> None:
    full = replace(state, served={"b": "1", "a": "2"}, refused=("cooldown", "Wait.", START), last_holder="run 0")
    for one in (state, full):
        assert load(dump(one)) == one
    assert list(load(dump(full)).served) == ["b", "a"]


def test_only_the_last_thousand_keys_are_remembered() -> None:
    state = State()
    for number in range(1010):
        record = {**request(f"r{number}").to_record(), "kind": "request"}
        state = fold(fold(state, record), wake_up("run", START, f"r{number}"))
        state = fold(state, ended("run", "kept", START))
    assert len(state.served) == 1000
    assert (state.known("key of r9"), state.known("key of r10")) == (None, "r10")
