"""The reference DAG, run from a landed file to a champion."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stoker import Registry, open_store
from stoker.errors import NotFound
from tests.dags.conftest import returned, states
from tests.support.s3_server import client, s3_server

STEPS = {"plan", "snapshot", "validate", "train", "evaluate", "register", "promote"}
Run = Callable[..., Any]


@pytest.fixture
def dag() -> Any:
    import flights_training

    return flights_training.flights_training()


def test_the_newest_landed_month_becomes_the_champion(dag: Any, run: Run, store_uri: str) -> None:
    done = run(dag, reason="a test")
    assert states(done) == dict.fromkeys(STEPS, "success")
    champion = Registry(open_store(store_uri)).resolve("flights_late")
    assert champion.number == 1
    assert champion.manifest["candidate"]["partition"] == "2013-02"
    for task in STEPS - {"plan"}:
        value = returned(done, task)
        assert set(value) == {"kind", "uri", "digest", "verdict", "summary"}
        assert len(json.dumps(value)) < 8192


def test_months_follow_one_another_and_nothing_is_done_twice(dag: Any, run: Run, store_uri: str) -> None:
    first = run(dag, month="2013-01")
    second = run(dag, month="2013-02")
    again = run(dag, month="2013-02")
    registry = Registry(open_store(store_uri))
    assert states(second)["promote"] == states(first)["promote"] == "success"
    assert registry.aliases("flights_late") == {"champion": 2, "previous": 1}
    assert returned(second, "train")["summary"]["rows_train"] > returned(first, "train")["summary"]["rows_train"]
    assert returned(again, "train")["summary"]["cached"] is True
    assert returned(again, "train")["digest"] == returned(second, "train")["digest"]
    assert registry.state("flights_late").versions == 2


def test_a_challenger_that_is_not_better_leaves_the_champion_and_says_why(dag: Any, run: Run, store_uri: str) -> None:
    run(dag, month="2013-01")
    dag.get_task("evaluate").comparison, dag.get_task("evaluate").margin = "superiority", 0.3
    kept = run(dag, month="2013-02")
    assert states(kept)["evaluate"] == "success"
    assert states(kept)["register"] == states(kept)["promote"] == "skipped"
    evaluation = returned(kept, "evaluate")
    assert evaluation["verdict"] in ("fail", "inconclusive")
    assert any("better by more than 0.3" in reason for reason in evaluation["summary"]["reasons"])
    assert Registry(open_store(store_uri)).aliases("flights_late") == {"champion": 1}


def test_a_dry_run_judges_and_changes_nothing(dag: Any, run: Run, store_uri: str) -> None:
    done = run(dag, dry_run=True)
    assert states(done)["promote"] == states(done)["register"] == "skipped"
    assert returned(done, "evaluate")["verdict"]
    with pytest.raises(NotFound):
        Registry(open_store(store_uri)).resolve("flights_late")


def test_nothing_landed_is_skipped_and_no_failure(dag: Any, run: Run, landing: Path) -> None:
    shutil.rmtree(landing)
    assert set(states(run(dag)).values()) == {"skipped"}


def test_a_month_that_is_not_there_fails_at_its_snapshot_without_a_retry(dag: Any, run: Run) -> None:
    done = run(dag, month="2013-09")
    assert states(done)["snapshot"] == "failed"
    assert states(done)["promote"] == "upstream_failed"


@pytest.mark.parametrize("conf", [{"month": "2013-13"}, {"month": "../../etc"}, {"max_iter": 0}, {"force": "yes"}])
def test_the_trigger_form_refuses_what_makes_no_sense(dag: Any, run: Run, conf: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="Invalid input for param"):
        run(dag, **conf)


def test_every_param_explains_itself(dag: Any) -> None:
    for name in dag.params:
        schema = dag.params.get_param(name).schema
        assert schema["title"]
        assert dag.params.get_param(name).description
    assert dag.params.get_param("max_iter").schema["maximum"] == 1000


def test_a_null_burst_is_stopped_before_training(dag: Any, run: Run, landing: Path, store_uri: str) -> None:
    file = landing / "flights-2013-02.parquet"
    table = pq.read_table(file)
    index = table.schema.get_field_index("late")
    holes = pc.if_else(pc.equal(pc.bit_wise_and(pc.cast(table["distance"], "int64"), 1), 1), table["late"], None)
    pq.write_table(table.set_column(index, "late", holes), file)
    done = run(dag)
    assert states(done)["validate"] == "failed"
    assert states(done)["train"] == "upstream_failed"
    assert Registry(open_store(store_uri)).models() == []


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_server() as endpoint:
        client(endpoint).create_bucket(Bucket="models")
        connection = {"conn_type": "aws", "login": "test", "password": "testtest"}
        extra = {
            "endpoint_url": endpoint,
            "region_name": "us-east-1",
            "config_kwargs": {"s3": {"addressing_style": "path"}},
        }
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({**connection, "extra": extra}))
        yield "s3://models/stoker"


def test_the_same_dag_runs_unchanged_on_s3(dag: Any, run: Run, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_STOKER_DEFAULT", json.dumps({"conn_type": "stoker", "extra": {"store": bucket}}))
    done = run(dag, month="2013-01")
    assert states(done) == dict.fromkeys(STEPS, "success")
    assert returned(done, "promote")["uri"].startswith(f"{bucket}/models/flights_late/log/")
    assert "testtest" not in json.dumps([returned(done, task) for task in STEPS])
    assert not list(Path(os.environ["AIRFLOW_HOME"]).glob("stoker/models/*"))
