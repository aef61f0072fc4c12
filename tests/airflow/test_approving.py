"""Approvals in a real Airflow: its form, its users and its clock, and what the registry makes of them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from benchmarks.airflow_stack import AirflowStack

from stoker.core.records import Actor
from stoker.registry.registry import Registry
from stoker.store.local_files import LocalStore
from tests.airflow.stack import PROJECT, until
from tests.support.registrations import register

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]
MODEL = "awaited"


class Approvals:
    """A real Airflow with two users, over a store with a model whose versions nobody has decided on."""

    def __init__(self, airflow: AirflowStack, store: Path) -> None:
        self.airflow = airflow
        self.registry = Registry(LocalStore(store))
        self.path = ""

    def run(self, dag_id: str, version: int) -> None:
        """Start a run as the administrator, and go on when its version waits."""
        body = {"logical_date": None, "conf": {"version": version}}
        run = self.airflow.request("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"]
        self.path = f"/api/v2/dags/{dag_id}/dagRuns/{run}"

    def states(self) -> dict[str, str]:
        """The states of the two tasks."""
        tasks = self.airflow.request("GET", f"{self.path}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in tasks}

    def wait_for(self, approve: str, promote: str | None) -> None:
        """Wait until the tasks are in these states."""
        until(lambda: self.states() == {"approve": approve, "promote": promote}, f"{approve}, {promote}")

    def form(self) -> dict[str, Any]:
        """Airflow's form."""
        form: dict[str, Any] = self.airflow.request("GET", f"{self.path}/taskInstances/approve/-1/hitlDetails")
        return form

    def answer(self, option: str) -> None:
        """Answer Airflow's form."""
        time.sleep(1)  # the scheduler takes a task that goes on before it saw it leave its worker for a lost one
        body = {"chosen_options": [option], "params_input": {"comment": "seen"}}
        self.airflow.request("PATCH", f"{self.path}/taskInstances/approve/-1/hitlDetails", body)

    @contextmanager
    def signed_in(self, user: str) -> Iterator[None]:
        """Let another user make the requests."""
        password = json.loads((self.airflow.home / "passwords.json").read_text())[user]
        before = self.airflow._token
        answer = self.airflow.request("POST", "/auth/token", {"username": user, "password": password})
        self.airflow._token = answer["access_token"]
        try:
            yield
        finally:
            self.airflow._token = before


@pytest.fixture(scope="module")
def approvals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Approvals]:
    home = tmp_path_factory.mktemp("approving")
    store = home / "store"
    extra = {"store": f"file://{store}", "max_threads": 1}
    environment = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).with_name("dags")),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,bob:op",
        "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1",
        "AIRFLOW_CONN_STOKER_DEFAULT": json.dumps({"conn_type": "stoker", "extra": extra}),
        "AWAITED_MODEL": MODEL,
    }
    with AirflowStack(PROJECT, home / "airflow", environment) as airflow:
        airflow.wait_until_ready()
        for dag_id in ("approving", "hurrying"):
            airflow.unpause(dag_id)
        found = Approvals(airflow, store)
        for _ in range(3):
            register(found.registry, MODEL)
        yield found


def test_whoever_started_the_run_may_not_approve_it_and_somebody_else_may(approvals: Approvals) -> None:
    approvals.run("approving", 1)
    approvals.wait_for("awaiting_input", None)
    assert approvals.registry.version(MODEL, 1).digest in approvals.form()["body"]
    approvals.answer("Approve")
    until(lambda: approvals.form()["response_received"] is False, "the form to open again")
    approvals.wait_for("awaiting_input", None)
    assert approvals.registry.aliases(MODEL) == {}

    with approvals.signed_in("bob"):
        approvals.answer("Approve")
    approvals.wait_for("success", "success")
    assert approvals.registry.aliases(MODEL) == {"champion": 1}
    review = approvals.registry.state(MODEL).reviews[1]
    assert (review.asked_by, review.status, review.decided_by) == ("admin", "approved", "bob")
    reasons = [entry.reason for entry in approvals.registry.history(MODEL, after=review.seq - 1, limit=1)]
    assert reasons == ["seen"]


def test_the_form_goes_on_when_somebody_decides_elsewhere(approvals: Approvals) -> None:
    approvals.run("approving", 2)
    approvals.wait_for("awaiting_input", None)
    digest = approvals.registry.version(MODEL, 2).digest
    approvals.registry.approve(MODEL, 2, evidence=digest, actor=Actor("carol", "ui"), reason="fine")
    approvals.wait_for("success", "success")
    assert approvals.registry.aliases(MODEL)["champion"] == 2


def test_what_nobody_answers_in_time_is_not_promoted(approvals: Approvals) -> None:
    approvals.run("hurrying", 3)
    approvals.wait_for("success", "skipped")
    review = approvals.registry.state(MODEL).reviews[3]
    assert (review.status, review.decided_by) == ("rejected", "airflow")
    assert approvals.registry.aliases(MODEL)["champion"] != 3
