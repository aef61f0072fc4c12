"""A version of the seeded model waits for a person, and takes office when they agree."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag

from stoker import PromoteModelOperator
from stoker.operators.approve import ApproveModelOperator

MODEL, VERSION = "asked_flights", 2


@dag(schedule=None, tags=["stoker", MODEL])
def approval() -> None:
    """Ask, then promote."""
    asked = ApproveModelOperator(task_id="approve", name=MODEL, version=VERSION, timeout=timedelta(hours=1))
    PromoteModelOperator(task_id="promote", name=MODEL, version=asked.output)


approval()
