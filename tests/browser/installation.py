"""A real Airflow over a store with a past, and the people who use it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from benchmarks.airflow_stack import AirflowStack

from stoker.registry.registry import Registry
from stoker.store.opening import open_store
from tests.browser.seeding import seed

PROJECT = Path(__file__).resolve().parents[2]
ROLES = {"admin": "admin", "olivia": "op", "ursula": "user", "victor": "viewer"}
"""User name to role in Airflow. Everybody's password is the user name."""
_DAGS = (
    PROJECT / "dags/quickstart.py",
    PROJECT / "dags/flights_estimator.py",
    *Path(__file__).with_name("dags").glob("*.py"),
)
_OVER = {"success", "failed"}


class Installation:
    """Airflow with our plugin, its DAGs and a seeded store.

    :param home: for all of it.
    """

    def __init__(self, home: Path) -> None:
        self.store = home / "store"
        self.registry = Registry(open_store(f"file://{self.store}"))
        seed(self.registry.store)
        self._dags = home / "dags"
        self._dags.mkdir()
        for path in _DAGS:
            (self._dags / path.name).symlink_to(path)
        landed = home / "landed"
        landed.mkdir()
        for name, rows in (("a", 6), ("b", 2), ("c", 6)):
            lines = [f"{name}{row},{row % 2}" for row in range(rows)]
            (landed / f"{name}.csv").write_text("\n".join(["id,late", *lines]))
        passwords = home / "passwords.json"
        passwords.write_text(json.dumps({user: user for user in ROLES}))
        extra = {"store": f"file://{self.store}", "max_threads": 1}
        self.airflow = AirflowStack(
            PROJECT,
            home / "airflow",
            {
                "AIRFLOW__CORE__DAGS_FOLDER": str(self._dags),
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in ROLES.items()),
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
                "AIRFLOW_CONN_STOKER_DEFAULT": json.dumps({"conn_type": "stoker", "extra": extra}),
                "CHECKED_FOLDER": str(landed),
            },
        )

    def __enter__(self) -> Installation:
        self.airflow.__enter__()
        self.airflow.wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.airflow.stop()

    def run(self, dag_id: str, *, until: set[str] = _OVER, task: str | None = None, seconds: float = 240) -> str:
        """Run a DAG as its administrator, and give the run's id once it, or one of its tasks, is in a state.

        :raises AssertionError: when that does not happen in time.
        """
        self.airflow.unpause(dag_id)
        run_id: str = self.airflow.request("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})[
            "dag_run_id"
        ]
        self.wait(dag_id, run_id, until=until, task=task, seconds=seconds)
        return run_id

    def wait(
        self, dag_id: str, run_id: str, *, until: set[str] = _OVER, task: str | None = None, seconds: float = 240
    ) -> None:
        """Wait until a run, or one of its tasks, is in a state.

        :raises AssertionError: when that does not happen in time.
        """
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}" + (f"/taskInstances/{task}" if task else "")
        deadline = time.monotonic() + seconds
        found: dict[str, Any] = {}
        while time.monotonic() < deadline:
            found = self.airflow.request("GET", path)
            if found["state"] in until:
                return
            time.sleep(0.5)
        raise AssertionError(f"{path} must come into {until}; it is {found.get('state')}: {self.airflow.log_tail()}")
