"""An Airflow database, and a way to run a DAG in this process."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session", autouse=True)
def airflow_database() -> None:
    from airflow.utils import db

    db.initdb()


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """A folder in which January has landed."""
    folder = tmp_path / "landing"
    folder.mkdir()
    land(folder, "2013-01")
    return folder


@pytest.fixture
def store_uri(tmp_path: Path) -> str:
    return f"file://{tmp_path}/store"


@pytest.fixture
def run(landing: Path, store_uri: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a DAG as Airflow would, with the test's own landing folder and store."""
    connect(store_uri, monkeypatch)
    return run_dag


@pytest.fixture
def parsed(landing: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Parse a DAG file as an Airflow does whose files land in the test's own folder."""
    watch(landing, monkeypatch)
    return parse


def connect(store_uri: str, patch: pytest.MonkeyPatch) -> None:
    """Let Airflow's connection name a store."""
    extra = {"store": store_uri, "max_threads": 1}
    patch.setenv("AIRFLOW_CONN_STOKER_DEFAULT", json.dumps({"conn_type": "stoker", "extra": extra}))


def watch(landing: Path, patch: pytest.MonkeyPatch) -> None:
    """Let the reference DAGs, when they are parsed, take files from a folder."""
    patch.setenv("FLIGHTS_LANDING", str(landing))
    patch.setenv("FLIGHTS_LOOP_LANDING", str(landing))


def run_dag(dag: Any, **conf: Any) -> Any:
    """Run a DAG at once, each task once."""
    for task in dag.tasks:
        task.retries = 0  # dag.test() would sit out the delay before each
    return register(dag).test(run_conf=conf)


def parse(name: str) -> Any:
    """The module of a DAG file, read anew."""
    return importlib.reload(importlib.import_module(name))


def land(folder: Path, *months: str, rows: int | None = None) -> None:
    """Let months of 2013 land, as finished as a file is that was not touched for a while.

    :param rows: only so many of them.
    """
    for month in months:
        name = f"flights-{month}.parquet"
        pq.write_table(pq.read_table(PROJECT / "include/data/flights" / name).slice(0, rows), folder / name)
        os.utime(folder / name, (0, 0))


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
