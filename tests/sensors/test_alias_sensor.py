"""A task that waits for a model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, TaskDeferred

from stoker.core.clock import random_id
from stoker.core.records import Reference
from stoker.registry.registry import Registry
from stoker.sensors.alias import ModelAliasSensor
from stoker.store.opening import open_store
from stoker.triggers.alias import ModelAliasTrigger
from tests.support.registrations import ACTOR, register


@pytest.fixture
def uri() -> str:
    return f"memory://{random_id()}"


@pytest.fixture
def registry(uri: str) -> Registry:
    """Three versions; the second is the champion."""
    registry = Registry(open_store(uri))
    for _ in range(3):
        register(registry)
    registry.promote("churn", 2, actor=ACTOR, reason="better")
    return registry


def sensor(uri: str, **given: Any) -> ModelAliasSensor:
    return ModelAliasSensor(task_id="wait", **{"name": "churn", "store": uri, "timeout": 0, **given})


@pytest.mark.parametrize(
    "wanted", [{}, {"version": 2}, {"version": "2"}, {"newer_than": 1}, {"version": 2, "newer_than": "1"}]
)
def test_an_alias_that_points_there_is_found_at_once(registry: Registry, uri: str, wanted: dict[str, Any]) -> None:
    version = registry.resolve("churn", "champion")
    reference = Reference.from_xcom(sensor(uri, **wanted).execute({}), "version")
    assert (reference.digest, reference.summary["version"]) == (version.digest, 2)


@pytest.mark.parametrize(
    "wanted",
    [{"version": 3}, {"newer_than": 2}, {"version": 2, "newer_than": 2}, {"alias": "shadow"}, {"name": "other"}],
)
def test_an_alias_that_points_elsewhere_is_waited_for(registry: Registry, uri: str, wanted: dict[str, Any]) -> None:
    with pytest.raises(AirflowSensorTimeout):
        sensor(uri, **wanted).execute({})


def test_a_rollback_is_not_newer(registry: Registry, uri: str) -> None:
    registry.promote("churn", 3, actor=ACTOR, reason="better")
    assert sensor(uri, newer_than=2).poke({})
    registry.rollback("churn", to=2, actor=ACTOR, reason="worse")
    assert not sensor(uri, newer_than=2).poke({})


def test_waiting_goes_on_in_the_triggerer(registry: Registry, uri: str) -> None:
    waiting = sensor(uri, version="3", deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute({})
    path, arguments = deferred.value.trigger.serialize()
    assert path == "stoker.triggers.alias.ModelAliasTrigger"
    trigger = ModelAliasTrigger(**json.loads(json.dumps(arguments)))
    assert trigger.look() is None
    registry.promote("churn", 3, actor=ACTOR, reason="better")
    found = trigger.look()
    assert found is not None
    assert waiting.found({}, found.to_xcom()) == found.to_xcom()


@pytest.mark.parametrize("wrong", [{"version": "two"}, {"name": "../x"}, {"alias": "latest"}])
def test_a_wrong_call_fails_the_task(registry: Registry, uri: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match="InvalidName"):
        sensor(uri, **wrong).execute({})
