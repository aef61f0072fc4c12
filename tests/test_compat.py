"""What Airflow 3.2 lacks of 3.3 is found missing for no other reason than that."""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import exceptions
from airflow.triggers.base import BaseEventTrigger

from stoker import compat
from stoker.core.clock import system_clock

OF_33 = tuple(int(part) for part in version("apache-airflow").split(".")[:2]) >= (3, 3)
Parked = getattr(exceptions, "TaskAwaitingInput" if OF_33 else "TaskDeferred")


def test_shared_streams_are_used_where_airflow_has_them() -> None:
    assert (compat.SharedStreamProducer is not object) == OF_33
    assert hasattr(BaseEventTrigger, "shared_stream_key") == OF_33


def test_a_task_waits_on_in_airflows_own_way_and_continues_with_the_answer() -> None:
    own = HITLOperator(task_id="own", subject="May it?", options=["Yes", "No"])
    context: Any = {"task_instance": SimpleNamespace(id="0")}
    with pytest.raises(Parked) as parked:
        compat.wait_on(own, context, timedelta(minutes=5))
    left: Any = parked.value
    assert left.method_name == "execute_complete"
    until = left.timeout if OF_33 else left.trigger.timeout_datetime - system_clock()
    assert timedelta(minutes=4) < until <= timedelta(minutes=5)
    if not OF_33:  # a trigger in place of the scheduler asks for the same answer
        path, arguments = left.trigger.serialize()
        assert path == "airflow.providers.standard.triggers.hitl.HITLTrigger"
        assert (arguments["ti_id"], arguments["options"], arguments["defaults"]) == ("0", ["Yes", "No"], None)
