"""Waiting for something in a running Airflow, and telling what it is doing meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from rich.console import Console

from benchmarks.airflow_stack import AirflowStack

T = TypeVar("T")
console = Console()
_LOOK_SECONDS = 0.5


class Gone(Exception):
    """What was waited for did not come."""


def until(found: Callable[[], T | None], what: str, seconds: float) -> T:
    """Ask again and again until there is an answer.

    :param what: a sentence for the terminal and the error.
    :raises Gone: when there is none in time.
    """
    started = time.monotonic()
    with console.status(what) as status:
        while (passed := time.monotonic() - started) < seconds:
            answer = found()
            if answer is not None:
                return answer
            status.update(f"{what} ({passed:.0f} s)")
            time.sleep(_LOOK_SECONDS)
    raise Gone(f"{what}: nothing came of it within {seconds:.0f} s.")


class Runs:
    """The runs of one DAG.

    :param airflow: a running Airflow.
    """

    def __init__(self, airflow: AirflowStack, dag_id: str) -> None:
        self._airflow = airflow
        self._dag_id = dag_id

    def since(self, moment: datetime) -> list[dict[str, Any]]:
        """The runs that were queued at or after a moment, oldest first."""
        path = f"/api/v2/dags/{self._dag_id}/dagRuns?order_by=-id&limit=20"
        runs = self._airflow.request("GET", path)["dag_runs"]
        return [run for run in reversed(runs) if datetime.fromisoformat(run["queued_at"]) >= moment]

    def returned(self, run: dict[str, Any], task_id: str, map_index: int = -1) -> dict[str, Any]:
        """What a task of a run returned."""
        path = (
            f"/api/v2/dags/{self._dag_id}/dagRuns/{quote(run['dag_run_id'])}/taskInstances/{task_id}"
            f"/xcomEntries/return_value?stringify=false&map_index={map_index}"
        )
        value: dict[str, Any] = self._airflow.request("GET", path)["value"]
        return value


def seconds_to_start(run: dict[str, Any], moment: datetime) -> float:
    """From a moment to the start of a run."""
    return (datetime.fromisoformat(run["start_date"]) - moment).total_seconds()
