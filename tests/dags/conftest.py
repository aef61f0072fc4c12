"""An Airflow database, and a way to run a DAG in this process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session", autouse=True)
def airflow_database() -> None:
    from airflow.utils import db

    db.initdb()


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """A folder in which January and February have landed."""
    folder = tmp_path / "landing"
    folder.mkdir()
    for month in ("2013-01", "2013-02"):
        name = f"flights-{month}.parquet"
        shutil.copyfile(PROJECT / "include/data/flights" / name, folder / name)
    return folder


@pytest.fixture
def store_uri(tmp_path: Path) -> str:
    return f"file://{tmp_path}/store"


@pytest.fixture
def run(landing: Path, store_uri: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a DAG as Airflow would, with the test's own landing folder and store."""
    monkeypatch.setenv("AIRFLOW_VAR_FLIGHTS_LANDING", str(landing))
    extra = {"store": store_uri, "max_threads": 1}
    monkeypatch.setenv("AIRFLOW_CONN_STOKER_DEFAULT", json.dumps({"conn_type": "stoker", "extra": extra}))

    def run_dag(dag: Any, **conf: Any) -> Any:
        for task in dag.tasks:
            task.retries = 0  # dag.test() would sit out the delay before each
        return register(dag).test(run_conf=conf)

    return run_dag


def register(dag: Any) -> Any:
    """Airflow runs no DAG that it has not parsed before."""
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session

    with create_session() as session:
        session.merge(DagBundleModel(name="testing"))
        session.flush()
        update_dag_parsing_results_in_db(
            "testing", None, [LazyDeserializedDAG.from_dag(dag)], {}, None, set(), session=session, files_parsed=set()
        )
    return dag


def states(run: Any) -> dict[str, str]:
    """The state of each task of a run."""
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances()}


def returned(run: Any, task_id: str) -> Any:
    """What a task of a run returned."""
    ti = next(ti for ti in run.get_task_instances() if ti.task_id == task_id)
    return ti.xcom_pull(task_ids=task_id)
