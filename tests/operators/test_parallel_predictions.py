"""Scoring over mapped tasks gives what scoring in one task gives, whoever does which part in which order."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.operators.runs import Run
from tests.support.faulty_store import kill_at
from tests.support.models import flights, put
from tests.support.registrations import ACTOR
from tests.support.spread_scoring import (
    ROWS,
    Mortal,
    merge,
    plan,
    predict,
    promote,
    scored,
    start,
    timeless,
    trained_on,
)


@pytest.fixture(scope="module")
def trained() -> dict[str, bytes]:
    return trained_on()


@st.composite
def spread(draw: st.DrawFn) -> tuple[list[int], int, list[int]]:
    """Partitions of the same rows, a number of tasks, and the order in which these end."""
    cuts = sorted(draw(st.sets(st.integers(1, len(ROWS) - 1), max_size=4)))
    sizes = [end - begin for begin, end in zip([0, *cuts], [*cuts, len(ROWS)], strict=True)]
    tasks = draw(st.integers(1, 4))
    return sizes, tasks, draw(st.permutations(range(min(tasks, len(sizes)))))


@settings(max_examples=5, deadline=None)
@given(spread())
def test_mapped_tasks_give_what_one_task_gives(
    trained: dict[str, bytes], how: tuple[list[int], int, list[int]]
) -> None:
    sizes, tasks, order = how
    alone, mapped = start(trained, sizes), start(trained, sizes)
    wanted = predict(alone, "flights", shadow="previous")
    shares = plan(mapped, max_tasks=tasks, shadow="previous")
    results = {number: predict(mapped.of(mapped.run_id), shares[number]) for number in order}
    together = merge(mapped, [results[number] for number in sorted(results)])
    assert timeless(together) == timeless(wanted)
    assert scored(mapped) == scored(alone)
    assert together["summary"]["rows"] == len(ROWS)


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_results_that_were_put_together_before_change_nothing(sizes: list[int]) -> None:
    made = [one_of(number) for number in range(sum(sizes))]
    ends = [sum(sizes[:number]) for number in range(len(sizes) + 1)]
    parts = [made[begin:end] for begin, end in pairwise(ends)]
    run = Run()
    together = merge(run, [merge(run, part) for part in parts])
    assert together == merge(run, made)
    summary = together["summary"]
    assert (summary["partitions_scored"], summary["rows"]) == (len(made), 10 * len(made))
    assert summary["partitions"] == [one["summary"]["partition"] for one in made][-50:]


def one_of(number: int) -> dict[str, Any]:
    """What scoring a partition returns when its shadow fails."""
    summary = {
        "partition": f"part-{number:03d}",
        "partitions": [f"part-{number:03d}"],
        "partitions_scored": 1,
        "rows": 10,
        "reasons": [f"10 rows of {number}.", f"The shadow is left out of {number}."],
    }
    return {
        "kind": "predictions",
        "uri": f"memory://{number}",
        "digest": f"{number:064x}",
        "verdict": "pass",
        "summary": summary,
    }


def test_the_version_is_decided_before_the_first_task_and_a_cleared_run_keeps_it(trained: dict[str, bytes]) -> None:
    run = start(trained, [30, 30, 30])
    shares = plan(run, max_tasks=3, shadow="shadow")
    promote(run, 2)
    promote(run, 2, "shadow")
    put(run.store, flights(20, month="2013-05"), "part-99")
    assert plan(run, max_tasks=5, shadow="shadow") == shares
    results = [predict(run, share, shadow="shadow") for share in shares]
    assert {(one["summary"]["version"], one["summary"]["shadow"]) for one in results} == {(1, None)}
    assert merge(run, results)["summary"]["partitions"] == ["part-00", "part-01", "part-02"]
    assert [share["label"] for share in plan(run.of("scheduled__2"), max_tasks=3)] == ["part-99"]


def test_a_task_that_is_repeated_redoes_nothing(trained: dict[str, bytes]) -> None:
    run = start(trained, [45, 45])
    share = plan(run)[0]
    first = predict(run, share)
    before = list(run.store.keys(""))
    again = predict(run, share)
    assert (again["digest"], again["summary"]["new"], first["summary"]["new"]) == (first["digest"], False, True)
    assert list(run.store.keys("")) == before


@pytest.mark.parametrize("after", [False, True])
def test_a_task_that_dies_at_any_write_is_made_good_by_its_retry_alone(trained: dict[str, bytes], after: bool) -> None:
    sizes = [30, 30, 30]
    alone = start(trained, sizes)
    wanted = predict(alone, "flights")
    for number in range(1, 30):
        run, mortal = start(trained, sizes), Mortal(kill_at(number, after=after))
        shares = mortal.do(plan, run, max_tasks=2)
        results = [mortal.do(predict, run, share) for share in shares]
        together = mortal.do(merge, run, results)
        told = {name: value for name, value in wanted["summary"].items() if name not in ("rows_per_second", "new")}
        assert (together["digest"], {name: together["summary"][name] for name in told}) == (wanted["digest"], told)
        assert scored(run) == scored(alone)
        if not mortal.died:
            assert number > 6  # a partition takes three writes, and a task has up to two
            return
    pytest.fail("There are more writes than were tried.")


def test_snapshots_are_shared_out_as_they_are_given(trained: dict[str, bytes]) -> None:
    run = start(trained, [])
    given = [put(run.store, ROWS.slice(at, 30), f"part-{at}").to_xcom() for at in (60, 0, 30)]
    assert [share["label"] for share in plan(run, dataset=given, max_tasks=2)] == ["part-60", "part-0 to part-30"]


def test_nothing_to_score_skips_the_plan_with_the_reason(trained: dict[str, bytes]) -> None:
    run = start(trained, [])
    assert plan(run) == {}
    assert run.refusal == "Nothing to score: late has scored all that there is."
    assert plan(run, model="late@challenger") == {}
    assert run.refusal == "Nothing to score with: late@challenger is not set yet."
    assert merge(run, []) == {}
    assert run.refusal == "Nothing to put together: no task has scored anything."


def test_a_version_that_was_rolled_back_meanwhile_scores_no_more(trained: dict[str, bytes]) -> None:
    run = start(trained, [45, 45])
    promote(run, 2)
    shares = plan(run)
    predict(run, shares[0])
    run.registry.rollback("late", actor=ACTOR, reason="worse")
    with pytest.raises(AirflowFailException, match=r"late v2 was rolled back\. Start a new run"):
        predict(run, shares[1])
    assert [name for name, _ in scored(run)] == ["part-00"]


@pytest.mark.parametrize("tasks", [0, 51, "many", 2.5])
def test_a_number_of_tasks_that_is_none_fails_for_good(trained: dict[str, bytes], tasks: Any) -> None:
    with pytest.raises(AirflowFailException, match="max_tasks must be a"):
        plan(start(trained, [90]), max_tasks=tasks)


def test_the_share_of_another_model_is_refused(trained: dict[str, bytes]) -> None:
    run = start(trained, [90])
    with pytest.raises(AirflowFailException, match="NotFound"):
        predict(run, plan(run)[0], model="other@champion")
