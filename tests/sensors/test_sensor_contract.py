"""What holds for every sensor, whatever it waits for."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from stoker.sensors._base import StokerSensor
from stoker.sensors.alias import ModelAliasSensor
from stoker.sensors.new_data import NewDataSensor

REQUIRED: dict[type[StokerSensor], dict[str, Any]] = {
    NewDataSensor: {"source": "/nowhere", "dataset": "d"},
    ModelAliasSensor: {"name": "m"},
}


@pytest.fixture(params=REQUIRED, ids=lambda kind: kind.__name__)
def sensor(request: pytest.FixtureRequest) -> StokerSensor:
    kind: type[StokerSensor] = request.param
    return kind(task_id="t", **REQUIRED[kind])


def test_a_trigger_looks_for_what_the_sensor_was_given(sensor: StokerSensor) -> None:
    _, arguments = sensor.trigger.serialize()
    assert arguments.items() >= REQUIRED[type(sensor)].items()
    assert arguments["poll_seconds"] == sensor.poke_interval
    assert all(value is None or isinstance(value, (str, int, float)) for value in arguments.values())


def test_every_template_field_is_an_attribute(sensor: StokerSensor) -> None:
    assert {"store", "stoker_conn_id"} <= set(sensor.template_fields)
    assert all(hasattr(sensor, field) for field in sensor.template_fields)


def test_every_argument_is_given_by_name_and_documented(sensor: StokerSensor) -> None:
    documentation = f"{inspect.getdoc(type(sensor))}{inspect.getdoc(StokerSensor)}"
    parameters = list(inspect.signature(type(sensor).__init__).parameters.values())[1:-1]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters)
    assert [parameter.name for parameter in parameters if f":param {parameter.name}:" not in documentation] == []
