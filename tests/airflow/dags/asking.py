"""A request to retrain wakes this DAG, which waits for the champion without a worker."""

from __future__ import annotations

import os

from airflow.sdk import Asset, AssetWatcher, dag

from stoker import ModelAliasSensor, RetrainRequestTrigger

MODEL = os.environ["REQUESTED_MODEL"]
REQUESTED = Asset(
    name="asked",
    uri=f"x-stoker://retrain/{MODEL}",
    watchers=[AssetWatcher(name="asked", trigger=RetrainRequestTrigger(name=MODEL, poll_seconds=1))],
)


@dag(schedule=REQUESTED, catchup=False, max_active_runs=1)
def asking() -> None:
    """Wait for the champion."""
    ModelAliasSensor(task_id="wait", name=MODEL, poke_interval=1, deferrable=True)


asking()
