"""A loop that is spread over mapped tasks, run by Airflow: the same predictions and verdicts as in one task, and one event a run."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from stoker import LoopSpec, Registry, continuous_training_dags, open_store
from stoker.registry.changes import ANY
from stoker.store.partitions import partitions
from tests.dags.conftest import returned
from tests.support.models import boosting, fit, flights, manifest, put
from tests.support.registrations import ACTOR

MONTHS = ["2013-01", "2013-02", "2013-03", "2013-04"]
PREDICTIONS = "x-stoker://predictions/late"
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose champion learned from January, with three more months."""
    folder = tmp_path_factory.mktemp("lived")
    store = open_store(f"file://{folder}")
    months = [put(store, flights(200, month=month, seed=int(month[-2:])), month) for month in MONTHS]
    made = manifest(store, fit(store, months[0], boosting))
    registry = Registry(store)
    found = {**made, "fingerprint": made["candidate"]["fingerprint"]}
    registry.register("late", found, actor=ACTOR, reason="trained")
    registry.promote("late", 1, expected_version=ANY, require_verdict=False, actor=ACTOR, reason="by hand")
    return folder


@pytest.fixture
def spec(lived: Path, tmp_path: Path, landing: Path) -> LoopSpec:
    return LoopSpec(
        name="late",
        estimator="tests.support.models.boosting",
        target="late",
        source=str(landing),
        partition=r"flights-(.+)\.parquet",
        dataset="flights",
        id_columns=["id"],
        expectations=[{"type": "expect_column_to_exist", "kwargs": {"column": "id"}}],
        time_column="departure",
        parallel=3,
        store=copy_of(lived, tmp_path / "parallel"),
    )


def copy_of(lived: Path, folder: Path) -> str:
    shutil.copytree(lived, folder)
    return f"file://{folder}"


def states(run: Any) -> Counter[tuple[str, str]]:
    """How many instances of each task ended in each state."""
    return Counter((ti.task_id, str(ti.state)) for ti in run.get_task_instances())


def events(uri: str) -> int:
    """How many events there ever were of an asset."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    with create_session() as session:
        query = select(func.count()).select_from(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        return int(session.scalar(query.where(AssetModel.uri == uri)) or 0)


def test_mapped_tasks_give_the_predictions_and_the_verdict_of_one_task(
    spec: LoopSpec, lived: Path, run: Run, tmp_path: Path
) -> None:
    alone = replace(spec, parallel=1, store=copy_of(lived, tmp_path / "alone"))
    found = {}
    for one in (spec, alone):
        _, score, monitor = continuous_training_dags(one)
        before = events(PREDICTIONS)
        scored, watched = run(score), run(monitor)
        assert events(PREDICTIONS) == before + 1
        summary = returned(scored, "merge" if one.parallel > 1 else "predict")["summary"]
        counts = {name: summary[name] for name in ("partitions", "partitions_scored", "rows", "version", "reasons")}
        store = open_store(one.store or "")
        drift = returned(watched, "drift")
        found[one.parallel] = (counts, partitions(store, "late", "predictions"), drift["digest"], drift["summary"])
        if one.parallel > 1:
            assert states(scored) == {("plan", "success"): 1, ("predict", "success"): 3, ("merge", "success"): 1}
            assert states(watched)["profile", "success"] == 3
            assert states(watched)["triage", "success"] == 1
    assert found[3] == found[1]
    assert found[1][0]["partitions"] == MONTHS


def test_with_nothing_new_scoring_is_skipped_and_monitoring_answers_all_the_same(spec: LoopSpec, run: Run) -> None:
    _, score, monitor = continuous_training_dags(replace(spec, parallel=2))
    run(score)
    first, before = run(monitor), events(PREDICTIONS)
    assert set(states(run(score))) == {("plan", "skipped"), ("predict", "skipped"), ("merge", "skipped")}
    assert events(PREDICTIONS) == before
    again = run(monitor)
    assert {state for state in states(again) if state[1] == "skipped"} == {
        ("windows", "skipped"),
        ("profile", "skipped"),
    }
    assert returned(again, "drift")["digest"] == returned(first, "drift")["digest"]


def test_a_mapped_task_that_fails_fails_alone_and_the_next_run_does_the_rest(spec: LoopSpec, run: Run) -> None:
    store = open_store(spec.store or "")
    twice = flights(200, month=MONTHS[2], seed=3).slice(0, 100)
    put(store, twice.from_batches([*twice.to_batches(), *twice.to_batches()]), MONTHS[2])  # ids that stand there twice
    _, score, _ = continuous_training_dags(replace(spec, parallel=4))
    before = events(PREDICTIONS)
    broken = run(score)
    assert states(broken) == {
        ("plan", "success"): 1,
        ("predict", "success"): 3,
        ("predict", "failed"): 1,
        ("merge", "upstream_failed"): 1,
    }
    assert [name for name, _ in partitions(store, "late", "predictions")] == [one for one in MONTHS if one != MONTHS[2]]
    assert events(PREDICTIONS) == before
    put(store, flights(200, month=MONTHS[2], seed=3), MONTHS[2])
    assert returned(run(score), "merge")["summary"]["partitions"] == [MONTHS[2]]
    assert events(PREDICTIONS) == before + 1
