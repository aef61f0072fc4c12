"""Shares of work: in order, even, decided once, and small enough for XCom."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.core import wire
from stoker.core.records import MAX_REFERENCE_BYTES
from stoker.errors import ConfigurationError, NotFound, UsageError
from stoker.loop.pins import pinned
from stoker.loop.plans import MAX_TASKS, Plan, check_tasks, hand_out, is_share, label_of, share_of, shared_out
from stoker.store.memory import MemoryStore

MODEL = "late"


def plan(*shares: list[str], **facts: Any) -> Plan:
    return Plan(facts, shares, [label_of(share[0], share[-1]) for share in shares])


@given(st.lists(st.integers(), max_size=200), st.integers(1, MAX_TASKS))
def test_shares_hold_every_item_once_in_order_and_evenly(items: list[int], tasks: int) -> None:
    shares = shared_out(items, tasks)
    assert [item for share in shares for item in share] == items
    assert len(shares) == min(tasks, len(items))
    sizes = {len(share) for share in shares}
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_the_first_try_decides_for_all() -> None:
    store = MemoryStore()
    first = hand_out(store, MODEL, "dag/run/plan/-1", lambda: plan(["a", "b"], ["c"], version=3))
    again = hand_out(store, MODEL, "dag/run/plan/-1", lambda: plan(["z"]))
    other = hand_out(store, MODEL, "dag/run2/plan/-1", lambda: plan(["z"], version=4))
    assert first == again
    assert [one["label"] for one in first] == ["a to b", "c"]
    assert [share_of(store, MODEL, one) for one in first] == [({"version": 3}, ["a", "b"]), ({"version": 3}, ["c"])]
    assert share_of(store, MODEL, other[0]) == ({"version": 4}, ["z"])


def test_what_could_not_be_decided_is_not_remembered() -> None:
    store = MemoryStore()

    def fail() -> Plan:
        raise NotFound("The model must exist; it does not. Train it.")

    with pytest.raises(NotFound):
        hand_out(store, MODEL, "run", fail)
    assert len(hand_out(store, MODEL, "run", lambda: plan(["a"]))) == 1


def test_the_longest_plan_fits_into_xcom() -> None:
    names = [f"{number:02d}-" + "x" * 60 for number in range(MAX_TASKS)]
    shares = hand_out(MemoryStore(), MODEL, "run", lambda: plan(*([name] for name in names)))
    assert len(shares) == MAX_TASKS
    assert len(wire.canonical(shares)) < MAX_REFERENCE_BYTES - 700  # what else the reference of a plan holds


@pytest.mark.parametrize("tasks", [0, -1, 51, 1.5, "4", True, None])
def test_a_number_of_tasks_that_is_none_is_refused(tasks: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_tasks must be a whole number between 1 and 50"):
        check_tasks(tasks, "max_tasks")


@pytest.mark.parametrize(
    "changed", [{"share": 2}, {"share": -1}, {"share": "0"}, {"share": None}, {"share": [0]}, {"more": 1}]
)
def test_a_share_that_is_none_is_refused(changed: dict[str, Any]) -> None:
    store = MemoryStore()
    share = hand_out(store, MODEL, "run", lambda: plan(["a"], ["b"]))[0]
    with pytest.raises(UsageError, match="must be given one share of a plan"):
        share_of(store, MODEL, {**share, **changed})
    assert is_share(share)


def test_what_a_run_pinned_otherwise_is_no_plan() -> None:
    store = MemoryStore()
    pinned(store, MODEL, "run", lambda: 3)
    with pytest.raises(UsageError, match="must be given one share of a plan"):
        share_of(store, MODEL, {"plan": wire.sha256(b"run"), "share": 0, "label": "a"})


def test_the_plan_of_another_model_is_not_found() -> None:
    store = MemoryStore()
    share = hand_out(store, MODEL, "run", lambda: plan(["a"]))[0]
    with pytest.raises(NotFound):
        share_of(store, "other", share)
