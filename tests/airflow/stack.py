"""A real Airflow whose parts can be killed and started anew."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from benchmarks.airflow_stack import AirflowStack

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE = {
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
}
"""Airflow takes a part for dead after seconds instead of minutes."""


class Killable:
    """``airflow standalone`` with the DAGs of this folder, over a folder in which files land.

    :param home: for Airflow, the landing folder and the store.
    """

    def __init__(self, home: Path) -> None:
        self.landing = home / "landing"
        self.store = home / "store"
        self.landing.mkdir(parents=True)
        extra = {"store": f"file://{self.store}", "max_threads": 1}
        self.airflow = AirflowStack(
            PROJECT,
            home / "airflow",
            {
                **PATIENCE,
                "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).with_name("dags")),
                "AIRFLOW_CONN_STOKER_DEFAULT": json.dumps({"conn_type": "stoker", "extra": extra}),
                "WATCHED_FOLDER": str(self.landing),
                "REQUESTED_MODEL": "requested",
                "STORMED_MODEL": "stormed",
            },
        )
        self._started: list[subprocess.Popen[bytes]] = []
        self._events: list[str] = []
        self._read: dict[str, int] = {}

    def __enter__(self) -> Killable:
        self.airflow.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for process in self._started:
                for one in _with_children(psutil.Process(process.pid)) if process.poll() is None else ():
                    one.kill()
                process.wait()
        finally:
            self.airflow.stop()

    def kill(self, part: str) -> None:
        """SIGKILL a part with all that it started."""
        family = [process for root in _roots(part) for process in _with_children(root)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)

    def start(self, part: str) -> None:
        """Start a part that was killed: ``standalone`` itself does not."""
        command = [str(Path(sys.executable).with_name("airflow")), part]
        with (self.airflow.home / f"{part}.log").open("ab") as log:
            self._started.append(
                subprocess.Popen(command, env=self.airflow.environment, cwd=self.airflow.home, stdout=log, stderr=log)
            )

    def land(self, name: str) -> float:
        """Write a file of one row, and give the time."""
        (self.landing / f"{name}.csv").write_text(f"id,value\n{name},1\n")
        return time.time()  # noqa: TID251 - it is compared with Airflow's own times

    def marks(self, mark: str) -> dict[str, dict[str, Any]]:
        """The marks of one kind, by the name of the file."""
        found = (json.loads(path.read_text()) for path in (self.store / "landings/watched" / mark).glob("*.json"))
        return {Path(record["uri"]).stem: record for record in found}

    def events(self, named: str = "") -> int:
        """How many events triggers have fired so far, or those that name a file."""
        for log in self.airflow.home.glob("*.log"):
            with log.open(errors="replace") as lines:
                lines.seek(self._read.get(log.name, 0))
                self._events += [line for line in lines if "Trigger fired event" in line]
                self._read[log.name] = lines.tell()
        return sum(named in line for line in self._events)

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """All runs of a DAG, the oldest first."""
        path = f"/api/v2/dags/{dag_id}/dagRuns?limit=100&order_by=run_after"
        found: list[dict[str, Any]] = self.airflow.request("GET", path)["dag_runs"]
        return found

    def emit(self, asset: str) -> None:
        """Emit an asset from outside. On SQLite Airflow answers with an error while another part writes; then once more."""
        found = self.airflow.request("GET", f"/api/v2/assets?name_pattern={asset}")["assets"]
        body = {"asset_id": next(one["id"] for one in found if one["name"] == asset), "extra": {}}
        for patience in (1, 2, 4, None):
            try:
                self.airflow.request("POST", "/api/v2/assets/events", body)
                return
            except urllib.error.HTTPError as error:
                if error.code != 500 or patience is None:
                    raise
                time.sleep(patience)

    def pause(self, dag_id: str, paused: bool) -> None:
        """Switch a DAG off or on."""
        self.airflow.request("PATCH", f"/api/v2/dags/{dag_id}?update_mask=is_paused", {"is_paused": paused})


def _roots(part: str) -> list[psutil.Process]:
    """The processes below this one that were started as a part of Airflow; not their forks, which look the same."""
    named: dict[int, psutil.Process] = {}
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # zombies included
            if process.cmdline()[-1:] == [part]:
                named[process.pid] = process
    return [process for process in named.values() if process.ppid() not in named]


def _with_children(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def until(condition: Callable[[], Any], what: str, *, seconds: float = 90, pause: float = 0.2) -> None:
    """Wait for a condition.

    :param pause: seconds between two looks at it.
    :raises AssertionError: when it does not come true in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(pause)
