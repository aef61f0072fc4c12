"""Whole loops in a cluster whose workers, schedulers and triggerer are killed with SIGKILL at every step."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.cluster import LANDING, Cluster

from stoker import Broker, Registry
from stoker.loop.cohorts import STAGE, cohorts
from stoker.registry.audit import verify
from stoker.store import layout
from stoker.store.base import ObjectStore
from tests.faults.loop_kills import DAG_OF, STEPS, ChampionWatch, Killer, plan, until_quiet, write_partition

pytestmark = [pytest.mark.fault, pytest.mark.timeout(5400)]
SEED = int(os.environ.get("STOKER_SEED", "20251121"))
RUNS = int(os.environ.get("STOKER_KILL_RUNS", "60"))
MODELS = [f"loop{number}" for number in range(int(os.environ.get("STOKER_KILL_MODELS", "6")))]
PATIENCE = {
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    # A task that a worker had fetched and not begun stays queued; Airflow's default is ten minutes.
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "40",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "8",
}
"""Airflow takes a part for dead after seconds instead of minutes."""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    # Not pytest's own folder: an address of a socket must be short, and PostgreSQL's user must reach it.
    folder = Path(tempfile.mkdtemp(prefix="stoker-kills-"))
    (folder / "orders").mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[Cluster]:
    environment = {
        **PATIENCE,
        "STOKER_MODELS": " ".join(MODELS),
        "STOKER_LANDING": f"s3://{LANDING}",
        "STOKER_ORDERS": str(home / "orders"),
    }
    with Cluster(home / "c", dags=Path(__file__).with_name("cluster") / "dags", environment=environment) as running:
        running.wait_until_ready()
        for model in MODELS:
            for dag in DAG_OF:
                running.unpause(f"{model}_{dag}")
        running.wait_until_watching(2 * len(MODELS))
        yield running


def test_whatever_dies_each_file_ends_in_one_snapshot_and_the_champion_is_whole(
    cluster: Cluster, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, killer = cluster.store(), Killer(cluster, home / "orders")
    kills = plan(RUNS, SEED)
    landed = 0
    started = time.monotonic()

    def land() -> None:
        nonlocal landed
        file = write_partition(home, landed, SEED)
        landed += 1
        for model in MODELS:
            cluster.land(file, model)

    def validated() -> bool:
        return all(_count(store, model, "ok") == landed for model in MODELS)

    def scored() -> bool:
        return validated() and all(_count(store, model, STAGE) == landed for model in MODELS)

    with ChampionWatch(cluster.store(), MODELS) as watch:
        land()  # undisturbed, for a champion
        until_quiet(cluster, killer, validated)
        for first in range(0, RUNS, len(MODELS)):
            for model, kill in zip(MODELS, kills[first:], strict=False):
                killer.order(model, kill)
            land()
            until_quiet(cluster, killer, scored)
            with capsys.disabled():
                done = ", ".join(f"{kill.part} at {kill.step}" for kill in kills[first : first + len(MODELS)])
                print(
                    f"\n{killer.done} of {RUNS} kills, {time.monotonic() - started:.0f} s: {done}", end="", flush=True
                )

    assert watch.faults == []
    assert watch.looks > RUNS
    assert killer.done == RUNS
    versions = [_check(store, model, landed) for model in MODELS]
    assert {run["state"] for run in cluster.runs()} == {"success"}
    with capsys.disabled():
        print(
            f"\nseed {SEED}: {RUNS} runs of {len(MODELS)} loops, {killer.done} kills at {len({k.step for k in kills})} of "
            f"{len(STEPS)} steps: {landed * len(MODELS)} files, each in one snapshot, {sum(versions)} versions, champions "
            f"whole in {watch.looks} looks, {time.monotonic() - started:.0f} s"
        )


def test_four_files_that_land_during_one_run_and_doubled_events_leave_nothing_behind(
    cluster: Cluster, home: Path
) -> None:
    """Two schedulers are at work, and the asset's event comes six times over."""
    store, model = cluster.store(), MODELS[0]
    before = _count(store, model, "ok")
    cluster.land(write_partition(home, 100, SEED), model)
    deadline = time.monotonic() + 120
    while cluster.idle():
        assert time.monotonic() < deadline, f"no run began:\n{cluster.log_tail()}"
        time.sleep(0.2)
    for number in range(101, 105):
        cluster.land(write_partition(home, number, SEED), model)
        cluster.emit(f"{model}.landed")
    for _ in range(2):
        cluster.emit(f"{model}.landed")
    until_quiet(cluster, Killer(cluster, home / "orders"), lambda: _count(store, model, STAGE) == before + 5)
    _check(store, model, before + 5)


def _count(store: ObjectStore, dataset: str, stage: str) -> int:
    """How many partitions there are; reads none of them."""
    return len({key.split("/")[-2] for key in store.keys(layout.partitions(dataset, stage))})


def _check(store: ObjectStore, model: str, landed: int) -> int:
    """One snapshot a file, at most one version, each once, all scored and sound. Returns the number of versions."""
    raw = [(key.split("/")[-2], layout.number_of(key)) for key in store.keys(layout.partitions(model, "raw"))]
    assert len(raw) == landed
    assert {number for _, number in raw} == {1}
    assert len(list(store.keys(layout.landings(model, "taken")))) == landed
    assert list(store.keys(layout.landings(model, "refused"))) == []
    registry = Registry(store)
    count = registry.state(model).versions
    fingerprints = {registry.version(model, number).manifest["fingerprint"] for number in range(1, count + 1)}
    assert len(fingerprints) == count <= landed
    assert [cohort.partition for cohort in cohorts(store, model)] == [name for name, _ in raw]
    assert verify(store, model).problems == ()
    broker = Broker(store, model)
    assert broker.state().lease is None
    assert broker.requests() == []
    return count
