"""Files land, a watcher wakes this DAG, and the DAG asks the ledger what to freeze."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, AssetWatcher, dag, task

from stoker import NewDataEventTrigger, SnapshotDatasetOperator, StokerHook

LANDING = os.environ["WATCHED_FOLDER"]
WATCHED = Asset(
    name="watched",
    uri=f"file://{LANDING}/",
    watchers=[
        AssetWatcher(
            name="watched",
            trigger=NewDataEventTrigger(
                source=LANDING, dataset="watched", poll_seconds=1, stable_seconds=1, remind_seconds=5
            ),
        )
    ],
)


@dag(
    schedule=WATCHED, catchup=False, max_active_runs=1, default_args={"retries": 3, "retry_delay": timedelta(seconds=1)}
)
def watching() -> None:
    """Freeze what is pending, each partition by itself."""

    @task
    def claim() -> list[dict[str, Any]]:
        from stoker.core.clock import system_clock
        from stoker.engines.landing import pending

        store = StokerHook().get_conn()
        found = pending(
            store, source=LANDING, partition=r"\d+", dataset="watched", now=system_clock(), stable_seconds=1
        )
        return [
            {
                "source": [file.uri for file in landed.files],
                "partition": landed.partition,
                "landed": [{name: asdict(file)[name] for name in ("uri", "size", "version")} for file in landed.files],
            }
            for landed in found
        ]

    SnapshotDatasetOperator.partial(task_id="snapshot", dataset="watched").expand_kwargs(claim())


watching()
