from __future__ import annotations

import threading

import pytest
from tests.support.faulty_store import Fault, FaultyStore

from stoker.core import wire
from stoker.errors import CommitStateUnknown, NotFound, TamperedRecord
from stoker.loop.pins import pinned, pinned_plan
from stoker.store import layout
from stoker.store.memory import MemoryStore


def test_whatever_is_promoted_in_mid_run_the_run_keeps_its_version():
    store, champion = MemoryStore(), iter([3, 4, 5])
    assert [pinned(store, "churn", "dag/run", lambda: next(champion)) for _ in range(3)] == [3, 3, 3]
    assert pinned(store, "churn", "dag/other", lambda: next(champion)) == 4


def test_runs_of_other_models_decide_for_themselves():
    store = MemoryStore()
    assert (pinned(store, "churn", "run", lambda: 1), pinned(store, "late", "run", lambda: 2)) == (1, 2)


def test_none_is_an_answer_that_is_kept():
    store = MemoryStore()
    assert [pinned(store, "churn", "run", lambda number=number: number) for number in (0, 7)] == [0, 0]


def test_a_decision_that_fails_is_not_remembered():
    store = MemoryStore()

    def unset() -> int:
        raise NotFound("The alias must be set; it is not.")

    with pytest.raises(NotFound):
        pinned(store, "churn", "run", unset)
    assert pinned(store, "churn", "run", lambda: 2) == 2


def test_tasks_that_begin_at_once_agree():
    store, barrier, answers = MemoryStore(), threading.Barrier(8), []

    def task(number: int) -> None:
        def resolve() -> int:
            barrier.wait(10)  # all of them have found nothing pinned
            return number

        answers.append(pinned(store, "churn", "run", resolve))

    threads = [threading.Thread(target=task, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1


@pytest.mark.parametrize("fault", [Fault.AFTER, Fault.LOST])
def test_after_a_lost_reply_the_same_call_finds_out(fault):
    store = MemoryStore()
    with pytest.raises(CommitStateUnknown):
        pinned(FaultyStore(store, {1: fault}), "churn", "run", lambda: 1)
    assert pinned(store, "churn", "run", lambda: 2) == (1 if fault is Fault.AFTER else 2)


def test_a_plan_is_kept_as_it_was_decided():
    store = MemoryStore()
    plans = [pinned_plan(store, "churn", "task", lambda given=given: {"datasets": given}) for given in (["a"], ["b"])]
    assert plans == [{"datasets": ["a"]}] * 2


def test_a_damaged_pin_is_no_answer():
    store = MemoryStore()
    store.create(layout.pin("churn", wire.sha256(b"run")), b"{")
    with pytest.raises(TamperedRecord):
        pinned(store, "churn", "run", lambda: 1)
