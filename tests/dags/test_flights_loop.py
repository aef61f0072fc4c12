"""The short form: three DAGs from one spec, in tasks of their own or fused, and what they do to one another."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from airflow.serialization.serialized_objects import DagSerialization

from stoker import Broker, LoopSpec, Registry, continuous_training_dags, open_store
from stoker.store.partitions import partitions
from tests.dags.conftest import PROJECT, land, returned, states

MODEL = "flights_loop"
Run = Callable[..., Any]
STEPS = {"claim", "landed", "snapshot", "validate", "train", "evaluate", "register", "promote", "settle"}


@pytest.fixture
def spec(landing: Path) -> LoopSpec:
    return LoopSpec(
        name=MODEL,
        estimator="flights_estimator.flights_estimator",
        target="late",
        source=str(landing),
        pattern="flights-*.parquet",
        partition=r"flights-(\d{4}-\d{2})\.parquet",
        id_columns=["flight_id"],
        time_column="scheduled_departure",
        expectations=str(PROJECT / "include/expectations/flights.json"),
        max_quarantine_share=0.05,
        training={"history": "all", "test_size": 0.3, "estimator_params": {"max_iter": 20}},
        policy=str(PROJECT / "include/policies/flights_loop.yaml"),
    )


def test_the_file_of_the_reference_project_gives_three_dags(parsed: Callable[[str], Any]) -> None:
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    DagContext.autoregistered_dags.clear()
    DagContext.current_autoregister_module_name = "flights_loop"
    try:
        parsed("flights_loop")
        assert {dag.dag_id for dag, _ in DagContext.autoregistered_dags} == {
            f"{MODEL}_{step}" for step in ("train", "score", "monitor")
        }
    finally:
        DagContext.current_autoregister_module_name = None


def test_the_same_spec_gives_the_same_dags(spec: LoopSpec) -> None:
    first, second = (
        [
            json.dumps(DagSerialization.to_dict(dag), sort_keys=True, default=str)
            for dag in continuous_training_dags(spec)
        ]
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("granularity", ["steps", "fused"])
def test_the_loop_goes_round(spec: LoopSpec, run: Run, landing: Path, store_uri: str, granularity: str) -> None:
    train, score, monitor = continuous_training_dags(replace(spec, granularity=granularity))
    first = run(train)
    assert set(states(first).values()) == {"success"}
    assert set(states(first)) == (STEPS if granularity == "steps" else {"train"})
    store = open_store(store_uri)
    registry = Registry(store)
    assert registry.resolve(MODEL).number == 1

    land(landing, "2013-02")
    run(train)  # a person's run trains; without one, new data alone would not: see the policy
    assert [name for name, _ in partitions(store, MODEL, "ok")] == ["2013-01", "2013-02"]
    scored = run(score)
    assert states(scored) == {"predict": "success"}
    assert returned(scored, "predict")["summary"]["partitions"] == ["2013-01", "2013-02"]
    watched = run(monitor)
    assert states(watched)["triage"] == "success"
    assert returned(watched, "performance")["summary"]["version"] == registry.resolve(MODEL).number
    assert states(run(score)) == {"predict": "skipped"}


def test_with_approval_the_lease_is_given_back_before_a_person_is_waited_for(spec: LoopSpec) -> None:
    train, _, _ = continuous_training_dags(replace(spec, approval=True, approval_hours=2))
    assert set(train.task_dict) == STEPS | {"approve"}
    approve, promote, settle = (cast(Any, train).get_task(name) for name in ("approve", "promote", "settle"))
    assert approve.upstream_task_ids == {"register"}
    assert promote.upstream_task_ids == {"approve"}
    assert "register" in settle.upstream_task_ids
    assert not settle.upstream_task_ids & {"approve", "promote"}
    assert settle.is_teardown
    assert (approve.timeout, promote.require_approval) == (timedelta(hours=2), True)
    assert train.max_active_runs > 4


def test_without_approval_nobody_is_asked(spec: LoopSpec) -> None:
    train, _, _ = continuous_training_dags(spec)
    assert set(train.task_dict) == STEPS
    assert cast(Any, train).get_task("promote").require_approval is None


def test_both_granularities_give_the_same_model(spec: LoopSpec, run: Run, tmp_path: Path) -> None:
    manifests = []
    for granularity in ("steps", "fused"):
        uri = f"file://{tmp_path}/{granularity}"
        train, _, _ = continuous_training_dags(replace(spec, granularity=granularity, store=uri))
        run(train)
        manifests.append(Registry(open_store(uri)).resolve(MODEL).manifest)
    steps, fused = manifests
    assert steps["fingerprint"] == fused["fingerprint"]
    assert _timeless(steps["candidate"]) == _timeless(fused["candidate"])
    assert steps["evaluation"]["metrics"] == fused["evaluation"]["metrics"]


def test_data_that_is_not_fit_to_train_on_stops_a_fused_run_as_well(spec: LoopSpec, run: Run, store_uri: str) -> None:
    impossible = [{"type": "expect_table_row_count_to_be_between", "kwargs": {"max_value": 10}}]
    train, _, _ = continuous_training_dags(replace(spec, granularity="fused", expectations=impossible))
    assert run(train).state == "failed"
    store = open_store(store_uri)
    assert Registry(store).models() == []
    assert Broker(store, MODEL).wake_ups(1)[0].result == "stopped"


def _timeless(value: Any) -> Any:
    """Without what a clock decided: how long training took, the files' own time stamps, and what names a document that says so."""
    if isinstance(value, dict):
        apart = {"training", "digest", "latency_seconds", "seconds", "timings", "files"}
        return {name: _timeless(inner) for name, inner in value.items() if name not in apart}
    return [_timeless(inner) for inner in value] if isinstance(value, list) else value
