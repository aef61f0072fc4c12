"""A version that a run is told of waits for a person, for days or for seconds, and is promoted."""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import dag

from stoker import ApproveModelOperator, PromoteModelOperator

MODEL = os.environ["AWAITED_MODEL"]


def approve_and_promote(timeout: timedelta) -> None:
    """The two tasks."""
    approve = ApproveModelOperator(
        task_id="approve", name=MODEL, version="{{ dag_run.conf['version'] }}", timeout=timeout, poll_seconds=2
    )
    PromoteModelOperator(
        task_id="promote", name=MODEL, version=approve.output, require_approval=True, expected_version="any"
    )


@dag(schedule=None)
def approving() -> None:
    """There is time."""
    approve_and_promote(timedelta(days=3))


@dag(schedule=None)
def hurrying() -> None:
    """There is next to none."""
    approve_and_promote(timedelta(seconds=3))


approving()
hurrying()
