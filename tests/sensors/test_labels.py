"""Waiting for labels, in a worker and in the triggerer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from stoker.core import wire
from stoker.core.clock import random_id
from stoker.registry.registry import Registry
from stoker.sensors.labels import LabelsMaturedSensor
from stoker.store.base import ObjectStore
from stoker.store.opening import open_store
from stoker.triggers.labels import LabelsMaturedTrigger
from tests.support.predictions import label, manifest, predict, truth
from tests.support.registrations import ACTOR

ROWS = truth("2013-03", 100)
END = datetime(2013, 3, 1, 1, 39, tzinfo=UTC)


@pytest.fixture
def uri() -> str:
    """A store with a registered model whose target is ``late``."""
    uri = f"memory://{random_id()}"
    found = {**manifest(), "evaluation": None, "fingerprint": wire.digest(1), "files": {}}
    Registry(open_store(uri)).register("late", found, actor=ACTOR, reason="trained")
    return uri


@pytest.fixture
def store(uri: str) -> ObjectStore:
    return open_store(uri)


def _sensor(uri: str, **given) -> LabelsMaturedSensor:
    usual = {"task_id": "wait", "name": "late", "labels": "outcomes", "id_columns": ["id"], "deferrable": False}
    return LabelsMaturedSensor(store=uri, **{**usual, **given})


def _trigger(uri: str, **given) -> LabelsMaturedTrigger:
    return LabelsMaturedTrigger(name="late", labels="outcomes", id_columns=["id"], store=uri, **given)


def _looks(uri: str, **given) -> bool:
    return bool(_sensor(uri, **given).poke({}))


def test_predictions_and_labels_are_waited_for(uri, store):
    assert not _looks(uri)
    predict(store, "2013-03", ROWS)
    assert not _looks(uri)
    label(store, "a", ROWS.iloc[:79])
    assert not _looks(uri)
    label(store, "b", ROWS.iloc[79:80])
    found = _sensor(uri).poke({})
    assert found.xcom_value["kind"] == "predictions"
    assert found.xcom_value["summary"]["reasons"] == ["80 of 100 rows of cohort 2013-03 have a label."]


def test_labels_count_once_their_delay_is_over(uri, store):
    predict(store, "2013-03", ROWS)
    label(store, "a", ROWS)
    for after, found in ((timedelta(days=7) - timedelta(seconds=1), False), (timedelta(days=7), True)):
        trigger = _trigger(uri, delay_seconds=7 * 86400, clock=lambda after=after: END + after)
        assert (trigger.look() is not None) == found


def test_the_newest_cohort_is_waited_for_unless_one_is_named(uri, store):
    predict(store, "2013-03", ROWS)
    label(store, "a", ROWS)
    predict(store, "2013-04", truth("2013-04", 100))
    assert not _looks(uri)
    assert _looks(uri, partition="2013-03")
    assert not _looks(uri, partition="2013-02")


def test_another_label_column_may_be_meant(uri, store):
    predict(store, "2013-03", ROWS)
    label(store, "a", ROWS.assign(paid=ROWS["late"]).drop(columns="late"))
    assert _looks(uri, label_column="paid")
    with pytest.raises(AirflowFailException, match=r"SchemaMismatch: .*'late'"):
        _looks(uri)


def test_a_wrong_delay_fails_for_good(uri):
    with pytest.raises(AirflowFailException, match="ConfigurationError: label_delay must be a duration"):
        _looks(uri, label_delay="soon")


def test_a_deferrable_sensor_waits_in_the_triggerer(uri, store):
    predict(store, "2013-03", ROWS)
    with pytest.raises(TaskDeferred) as deferred:
        _sensor(uri, deferrable=True, label_delay="7d", min_coverage="0.5").execute({})
    path, arguments = deferred.value.trigger.serialize()
    assert path == "stoker.triggers.labels.LabelsMaturedTrigger"
    assert wire.canonical(arguments)
    assert (arguments["delay_seconds"], arguments["min_coverage"], arguments["id_columns"]) == (604800.0, 0.5, ["id"])
    assert isinstance(LabelsMaturedTrigger(**arguments), LabelsMaturedTrigger)


def test_the_trigger_fires_once_the_labels_are_there(uri, store):
    predict(store, "2013-03", ROWS)

    async def watch() -> dict:
        waiting = anext(aiter(_trigger(uri, poll_seconds=0.01).run()))
        task = asyncio.ensure_future(waiting)
        await asyncio.sleep(0.05)
        assert not task.done()
        label(store, "a", ROWS)
        return (await asyncio.wait_for(task, 20)).payload

    assert asyncio.run(watch())["summary"]["labelled"] == 100
