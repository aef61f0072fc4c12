"""The reference loop on two schedulers and two Celery workers, with PostgreSQL, Redis and a real S3 server."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.cluster import LANDING, ROOT, Cluster

from stoker import Registry
from stoker.loop.cohorts import cohorts
from stoker.registry.audit import verify
from stoker.store import layout
from stoker.store.documents import get_bytes
from stoker.store.s3_objects import S3Store

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]
MODEL, DATASET = "flights_late", "flights"
TRAINING, MONITORING = "flights_training", "flights_monitoring"
MONTHS = ("2013-01", "2013-02", "2013-03")
RUN_SECONDS = 300


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    # Not pytest's own folder: an address of a socket must be short, and PostgreSQL's user must reach it.
    home = Path(tempfile.mkdtemp(prefix="stoker-cluster-"))
    environment = {"FLIGHTS_LANDING": f"s3://{LANDING}/flights", "FLIGHTS_LOOP_LANDING": f"s3://{LANDING}/loop"}
    try:
        with Cluster(home, environment=environment) as running:
            running.wait_until_ready()
            for dag_id in (TRAINING, MONITORING):
                running.unpause(dag_id)
            yield running
    finally:
        shutil.rmtree(home)


def test_each_month_that_lands_ends_in_one_snapshot_one_version_its_scores_and_its_watch(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    store = cluster.store()
    registry = Registry(store)
    started = time.monotonic()
    for month in MONTHS:
        cluster.land(ROOT / f"include/data/flights/flights-{month}.parquet", "flights")
        _until_quiet(cluster, store, month)
        _check_champion(store, registry)

    keys = list(store.keys(layout.partitions(DATASET, "raw")))
    assert [(key.split("/")[-2], layout.number_of(key)) for key in keys] == [(month, 1) for month in MONTHS]
    assert len(list(store.keys(layout.landings(DATASET, "taken")))) == len(MONTHS)
    trained = [task for task in _tasks(cluster, "train") if task["state"] == "success"]
    judged = [_returned(cluster, task, "evaluate") for task in trained]
    passed = [one for one in judged if one["verdict"] == "pass"]
    assert len(trained) == len(MONTHS)
    assert registry.state(MODEL).versions == len(passed) > 0
    assert [cohort.partition for cohort in cohorts(store, MODEL)] == list(MONTHS)  # all of them scored
    for step in ("drift", "performance"):
        assert list(store.keys(layout.journal(MODEL, step))), f"{step} was never noted"
    assert verify(store, MODEL).problems == ()
    assert {run["state"] for run in cluster.runs()} == {"success"}
    with capsys.disabled():
        print(
            f"\n{len(MONTHS)} months on two schedulers and two workers over S3: {len(MONTHS)} snapshots, "
            f"{len(passed)} versions, champion v{registry.resolve(MODEL).number}, {time.monotonic() - started:.0f} s"
        )


def test_the_steps_of_a_run_ran_on_both_workers(cluster: Cluster) -> None:
    """Each had what it needed, so nothing but the store connects them."""
    hosts = [
        [task["hostname"] for task in cluster.task_instances(TRAINING, run["dag_run_id"]) if task["state"] == "success"]
        for run in cluster.runs(TRAINING)
    ]
    busy = [set(ran) for ran in hosts if len(ran) > 2]  # the runs that had something to do
    assert len(busy) >= len(MONTHS)
    assert all(ran == set(cluster.workers) for ran in busy)


def test_no_worker_keeps_anything_between_two_tasks(cluster: Cluster) -> None:
    for worker in cluster.workers:
        for folder in ("home", "tmp"):
            kept = [path for path in (cluster.root / worker / folder).rglob("*") if path.is_file()]
            assert kept == []
        # Airflow's own: its configuration, its logs and the process id of its worker.
        kept = {path.name for path in (cluster.root / worker / "airflow").iterdir()}
        assert kept <= {"airflow.cfg", "logs", "airflow-worker.pid"}


def _until_quiet(cluster: Cluster, store: S3Store, month: str) -> None:
    """Wait until the month is taken in, and nothing runs for some seconds."""
    deadline, quiet = time.monotonic() + RUN_SECONDS, 0
    while quiet < 5:
        assert time.monotonic() < deadline, f"{month} was not dealt with in time:\n{cluster.log_tail()}"
        taken = any(store.keys(layout.partition(DATASET, "ok", month)))
        quiet = quiet + 1 if taken and cluster.idle() else 0
        time.sleep(1)


def _check_champion(store: S3Store, registry: Registry) -> None:
    """Every file of the champion is there, and has the bytes that its digest tells."""
    version = registry.resolve(MODEL)
    for name, file in version.files.items():
        assert len(get_bytes(store, file.sha256, name)) == file.size


def _tasks(cluster: Cluster, task_id: str) -> list[dict[str, Any]]:
    return [task for task in cluster.task_instances(TRAINING) if task["task_id"] == task_id]


def _returned(cluster: Cluster, task: dict[str, Any], task_id: str) -> dict[str, Any]:
    path = f"/api/v2/dags/{TRAINING}/dagRuns/{task['dag_run_id']}/taskInstances/{task_id}/xcomEntries/return_value"
    value: dict[str, Any] = cluster.request("GET", f"{path}?stringify=false")["value"]
    return value
