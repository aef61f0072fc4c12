"""What a second worker is worth: the same scoring by one Celery worker and by two, in a real cluster.

Each worker is a machine with one processor and runs one task at a time. Schedulers, database, broker and S3 server share the same two
processors, so a half of the time is out of reach here. Both orders are measured: 1, 2, 2, 1.

    python -m benchmarks.cluster_workers [--partitions 24] [--rows 100000]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.cluster import ROOT, Cluster
from benchmarks.waiting import until
from stoker import Registry
from stoker.core.records import Actor
from stoker.engines.registration import register
from stoker.engines.snapshots import snapshot
from stoker.engines.training import train
from stoker.store.base import ObjectStore

BAR = 0.6
ORDER = (1, 2, 2, 1)
DAG, DATASET = "bench_score", "bench"
SEED, FEATURES = 7, 12
_ME = Actor("bench", "python")
_RUN_SECONDS = 1800
_QUIET = {
    "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
    "AIRFLOW__CORE__PARALLELISM": "64",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3600",
}
"""Nothing is parsed while the clock runs."""


def prepare(store: ObjectStore, models: int, partitions: int, rows: int) -> None:
    """Store the partitions, train one forest, and make it the champion of several models, of which each scores once."""
    data = [
        snapshot(store, source=[], table=table(number, rows), dataset=DATASET, partition=f"{number:04}")
        for number in range(partitions)
    ]
    lesson = snapshot(store, source=[], table=table(partitions, 1000), dataset="lesson")
    estimator = "sklearn.ensemble.RandomForestClassifier"
    params = {"n_estimators": 150, "max_depth": 10, "n_jobs": 1}
    model = train(
        store, dataset=lesson, estimator=estimator, estimator_params=params, target="answer", id_columns=["id"]
    )
    registry = Registry(store)
    for number in range(models):
        register(
            store, registry, name=f"m{number}", model=model, evaluation=None, actor=_ME, reason="bench", aliases=()
        )
        registry.promote(f"m{number}", 1, require_verdict=False, actor=_ME, reason="bench")
    print(f"{len(data)} partitions of {rows:,} rows stored")


def table(number: int, rows: int) -> pd.DataFrame:
    """Rows of made-up numbers, the same for the same number."""
    rng = np.random.default_rng([SEED, number])
    frame = pd.DataFrame({f"x{column}": rng.normal(size=rows) for column in range(FEATURES)})
    frame.insert(0, "id", np.arange(number * rows, (number + 1) * rows))
    frame["answer"] = (frame["x0"] + frame["x1"] > 0).astype("int64")
    return frame


def measure(cluster: Cluster, model: str, partitions: int) -> float:
    """Score all partitions, and return the seconds from the start of the first task to the end of the run."""
    run_id = cluster.trigger(DAG, {"model": model})
    path = f"/api/v2/dags/{DAG}/dagRuns/{run_id}"

    def ended() -> dict[str, Any] | None:
        run: dict[str, Any] = cluster.request("GET", path)
        time.sleep(2)  # each look costs the machine that is measured
        return run if run["state"] in {"success", "failed"} else None

    run = until(ended, f"Scoring with {model}", _RUN_SECONDS)
    tasks = cluster.task_instances(DAG, run_id)
    scored = [task for task in tasks if task["task_id"] == "predict" and task["state"] == "success"]
    if run["state"] != "success" or len(scored) != partitions:
        raise RuntimeError(f"All {partitions} partitions must be scored; {len(scored)} are.\n{cluster.log_tail()}")
    first = min(datetime.fromisoformat(task["start_date"]) for task in tasks)
    last = max(datetime.fromisoformat(task["end_date"]) for task in tasks)
    shares = sorted(sum(task["hostname"] == worker for task in scored) for worker in cluster.workers)
    print(f"{model}: {(last - first).total_seconds():.1f} s, tasks by worker {shares}", flush=True)
    return (last - first).total_seconds()


def switch(cluster: Cluster, workers: int) -> None:
    """Have so many workers, and go on when they are ready."""
    one, other = cluster.workers
    if workers == 1 and other in cluster.running:
        cluster.kill(other)
    elif workers == 2 and other not in cluster.running:
        cluster.start(other)
    for worker in (one, other)[:workers]:
        until(partial(_ready, cluster, worker), f"Starting {worker}", 120)


def _ready(cluster: Cluster, worker: str) -> bool | None:
    return cluster.ready(worker) or None


def main() -> int:
    """Measure, and print the ratio; the exit code is 1 above the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--partitions", type=int, default=24)
    parser.add_argument("--rows", type=int, default=100_000, help="of each partition")
    arguments = parser.parse_args()
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory(prefix="stoker-workers-") as home:
        dags = ROOT / "benchmarks/cluster_dags"
        with Cluster(Path(home, "c"), dags=dags, environment=_QUIET, schedulers=1, slots=1, pinned=True) as cluster:
            prepare(cluster.store(), len(ORDER), arguments.partitions, arguments.rows)
            cluster.wait_until_ready()
            cluster.unpause(DAG)
            for number, workers in enumerate(ORDER):
                switch(cluster, workers)
                seconds[workers].append(measure(cluster, f"m{number}", arguments.partitions))
    ratio = sum(seconds[2]) / sum(seconds[1])
    print(
        f"{arguments.partitions} partitions of {arguments.rows:,} rows: one worker {sum(seconds[1]) / 2:.0f} s, two workers "
        f"{sum(seconds[2]) / 2:.0f} s, ratio {ratio:.2f} (at most {BAR})"
    )
    return 0 if ratio <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
