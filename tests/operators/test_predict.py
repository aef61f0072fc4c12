"""The scoring task: which version, which partitions, and when there is nothing to do."""

from __future__ import annotations

import pyarrow.compute as pc
import pytest
from airflow.sdk.exceptions import AirflowFailException

from stoker.core.clock import random_id
from stoker.engines.frames import read_table
from stoker.operators.predict import BatchPredictOperator
from stoker.registry.changes import ANY
from stoker.registry.registry import Registry
from stoker.store import partitions
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document
from stoker.store.memory import MemoryStore
from stoker.store.opening import open_store
from tests.operators.conftest import few_trees
from tests.operators.runs import Run
from tests.support.models import fit, flights, manifest, put
from tests.support.registrations import ACTOR

MONTHS = {month: flights(200, month=month, seed=int(month[-2:])) for month in ("2013-02", "2013-03", "2013-04")}


@pytest.fixture(scope="module")
def registered() -> ObjectStore:
    """A model with two versions and no champion, and the month that it was trained on under a name of its own."""
    store = MemoryStore()
    for seed in (1, 2):
        made = manifest(store, fit(store, put(store, flights(300, seed=seed)), few_trees))
        found = {**made, "fingerprint": made["candidate"]["fingerprint"]}
        Registry(store).register("late", found, actor=ACTOR, reason="trained")
    return store


@pytest.fixture
def run(registered: ObjectStore) -> Run:
    """A run over a copy of that store, with the first version in office."""
    run = Run(uri=f"memory://{random_id()}")
    for key in registered.keys(""):
        if not key.startswith("datasets/"):
            run.store.create(key, registered.read(key))
    _promote(run, 1)
    return run


def _promote(run: Run, version: int, alias: str = "champion") -> None:
    run.registry.promote(
        "late", version, alias=alias, expected_version=ANY, require_verdict=False, actor=ACTOR, reason="by hand"
    )


def _predict(run: Run, dataset, model="late@champion", **given):
    return run.execute(BatchPredictOperator, **{"model": model, "dataset": dataset, "id_columns": ["id"], **given})


def _put(run: Run, month: str):
    return put(run.store, MONTHS[month], month).to_xcom()


def _versions(run: Run) -> dict[str, list[int]]:
    """The versions that stand in each partition of the predictions."""
    found = {}
    for partition, digest in partitions.partitions(run.store, "late", "predictions"):
        column = read_table(run.store, get_document(run.store, digest, "dataset"), ["version"])["version"]
        found[partition] = pc.unique(column).to_pylist()
    return found


def test_a_snapshot_is_scored_by_the_champion(run):
    reference = _predict(run, _put(run, "2013-03"))
    assert (reference["kind"], reference["verdict"]) == ("predictions", "pass")
    summary = reference["summary"]
    assert (summary["partitions"], summary["rows"], summary["version"], summary["shadow"]) == (
        ["2013-03"],
        200,
        1,
        None,
    )
    assert _versions(run) == {"2013-03": [1]}


def test_predictions_name_the_task_that_made_them(run):
    _predict(run, _put(run, "2013-03"))
    pointer = partitions.last_pointer(run.store, "late", "predictions")
    assert pointer["origin"] == "churn_train/scheduled__1/own/-1"


def test_several_snapshots_are_scored_one_after_another(run):
    reference = _predict(run, [_put(run, month) for month in MONTHS])
    assert (reference["summary"]["partitions"], reference["summary"]["rows"]) == (list(MONTHS), 600)
    assert reference["digest"] == partitions.newest(run.store, "late", "predictions", "2013-04")


def test_a_name_means_all_that_is_not_scored_yet(run):
    _predict(run, _put(run, "2013-03"))
    _put(run, "2013-04")
    _put(run, "2013-02")
    assert _predict(run.of("scheduled__2"), "flights")["summary"]["partitions"] == ["2013-02", "2013-04"]


def test_nothing_left_to_score_skips_the_task(run):
    _put(run, "2013-03")
    _predict(run, "flights")
    later = run.of("scheduled__2")
    assert _predict(later, "flights") == {}
    assert later.refusal == "Nothing to score: late has scored all that there is."


def test_a_retry_gives_the_answer_of_the_first_try(run):
    _put(run, "2013-03")
    first = _predict(run, "flights")
    _promote(run, 2)
    before = list(run.store.keys(""))
    again = _predict(run, "flights")
    assert (again["digest"], again["summary"]["partitions"]) == (first["digest"], ["2013-03"])
    assert list(run.store.keys("")) == before


def test_mapped_tasks_of_a_run_score_with_one_version_and_the_next_run_with_the_new(run):
    _predict(run, _put(run, "2013-02"))
    _promote(run, 2)
    sibling = run.of(run.run_id)
    _predict(sibling, _put(run, "2013-02"))
    assert _versions(run) == {"2013-02": [1]}
    _predict(run.of("scheduled__2"), _put(run, "2013-03"))
    assert _versions(run) == {"2013-02": [1], "2013-03": [2]}


@pytest.mark.parametrize(("model", "version"), [("late", 1), ("late@champion", 1), ("late@2", 2)])
def test_a_model_is_named_by_alias_or_number(run, model, version):
    assert _predict(run, _put(run, "2013-03"), model)["summary"]["version"] == version


def test_without_a_champion_the_task_is_skipped(registered):
    run = Run(uri=f"memory://{random_id()}")
    assert _predict(run, _put(run, "2013-03")) == {}
    assert run.refusal == "Nothing to score with: late@champion is not set yet."
    for key in registered.keys("models/"):
        open_store(run.uri).create(key, registered.read(key))
    assert _predict(run, _put(run, "2013-03")) == {}


def test_a_shadow_scores_beside_as_soon_as_there_is_one(run):
    assert _predict(run, _put(run, "2013-03"), shadow="shadow")["summary"]["shadow"] is None
    _promote(run, 2, "shadow")
    later = run.of("scheduled__2")
    reference = _predict(later, _put(run, "2013-03"), shadow="shadow")
    assert (reference["summary"]["version"], reference["summary"]["shadow"]) == (1, 2)
    columns = {column["name"] for column in get_document(run.store, reference["digest"], "dataset")["columns"]}
    assert {"shadow_prediction", "shadow_score", "shadow_version"} <= columns


def test_a_version_that_was_rolled_back_scores_only_when_it_is_allowed_to(run):
    _promote(run, 2)
    run.registry.rollback("late", actor=ACTOR, reason="worse")
    with pytest.raises(
        AirflowFailException, match="VersionBlocked: The version that scores must not be blocked; late v2"
    ):
        _predict(run, _put(run, "2013-03"), "late@2")
    assert _versions(run) == {}
    assert _predict(run, _put(run, "2013-03"), "late@2", allow_blocked=True)["summary"]["version"] == 2


def test_a_run_whose_version_was_rolled_back_meanwhile_does_not_go_on(run):
    _promote(run, 2)
    _predict(run, _put(run, "2013-03"))
    run.registry.rollback("late", actor=ACTOR, reason="worse")
    with pytest.raises(AirflowFailException, match="Start a new run"):
        _predict(run, _put(run, "2013-04"))
    assert _predict(run.of("scheduled__2"), _put(run, "2013-04"))["summary"]["version"] == 1


@pytest.mark.parametrize(
    ("model", "error"),
    [("late@9", "NotFound"), ("late@v1", "InvalidName"), ("Late", "InvalidName"), ("late@latest", "InvalidName")],
)
def test_a_wrong_model_fails_for_good(run, model, error):
    with pytest.raises(AirflowFailException, match=error):
        _predict(run, _put(run, "2013-03"), model)


def test_a_dataset_that_is_none_fails_for_good(run):
    with pytest.raises(AirflowFailException, match="UsageError"):
        _predict(run, {"kind": "candidate"})
    with pytest.raises(AirflowFailException, match="InvalidName"):
        _predict(run, "../flights")


def test_a_summary_stays_small_however_many_partitions_there_are(run):
    few = flights(20, month="2013-03", seed=3)
    given = [put(run.store, few, f"2013-03.{number:04d}").to_xcom() for number in range(60)]
    summary = _predict(run, given)["summary"]
    assert (summary["partitions_scored"], len(summary["partitions"]), summary["rows"]) == (60, 50, 1200)
