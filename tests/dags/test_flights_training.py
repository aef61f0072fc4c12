"""The long form of the training DAG, run from a landed file to a champion."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stoker import Broker, Registry, open_store
from stoker.core.records import Actor
from stoker.errors import NotFound
from stoker.store.partitions import partitions
from tests.dags.conftest import land, returned, states
from tests.support.s3_server import client, s3_server

MODEL = "flights_late"
STEPS = {"claim", "landed", "snapshot", "validate", "train", "evaluate", "register", "promote", "settle"}
Run = Callable[..., Any]


@pytest.fixture
def dag(parsed: Callable[[str], Any]) -> Any:
    return parsed("flights_training").flights_training()


def test_the_month_that_landed_becomes_the_champion(dag: Any, run: Run, store_uri: str) -> None:
    done = run(dag, reason="a test")
    assert states(done) == dict.fromkeys(STEPS, "success")
    champion = Registry(open_store(store_uri)).resolve(MODEL)
    assert champion.number == 1
    assert champion.manifest["candidate"]["partition"] == "2013-01"
    for task in STEPS - {"landed", "snapshot", "validate"}:
        value = returned(done, task)
        assert set(value) == {"kind", "uri", "digest", "verdict", "summary"}
        assert len(json.dumps(value)) < 8192


def test_months_follow_one_another_and_nothing_is_done_twice(dag: Any, run: Run, landing: Path, store_uri: str) -> None:
    run(dag)
    land(landing, "2013-02")
    second = run(dag)
    assert returned(second, "claim")["summary"]["partitions"][0]["partition"] == "2013-02"
    assert states(second)["promote"] == "success"
    again = run(dag)
    assert states(again)["snapshot"] == states(again)["validate"] == "skipped"
    assert returned(again, "train")["digest"] == returned(second, "train")["digest"]
    registry = Registry(open_store(store_uri))
    assert registry.aliases(MODEL) == {"champion": 2, "previous": 1}
    assert registry.state(MODEL).versions == 2
    results = [wake.result for wake in Broker(open_store(store_uri), MODEL).wake_ups()]
    assert results == ["skipped", "promoted", "promoted"]


def test_months_that_landed_while_nobody_looked_are_all_taken_in_by_one_run(
    dag: Any, run: Run, landing: Path, store_uri: str
) -> None:
    land(landing, "2013-02", "2013-03")
    done = run(dag)
    assert states(done)["promote"] == "success"
    store = open_store(store_uri)
    assert [name for name, _ in partitions(store, "flights", "ok")] == ["2013-01", "2013-02", "2013-03"]
    assert Registry(store).resolve(MODEL).manifest["candidate"]["partition"] == "2013-03"


def test_a_challenger_that_is_not_better_leaves_the_champion_and_says_why(
    dag: Any, run: Run, landing: Path, store_uri: str
) -> None:
    run(dag)
    land(landing, "2013-02")
    dag.get_task("evaluate").comparison, dag.get_task("evaluate").margin = "superiority", 0.3
    kept = run(dag)
    assert states(kept)["evaluate"] == "success"
    assert states(kept)["register"] == states(kept)["promote"] == "skipped"
    evaluation = returned(kept, "evaluate")
    assert evaluation["verdict"] in ("fail", "inconclusive")
    assert any("better by more than 0.3" in reason for reason in evaluation["summary"]["reasons"])
    assert Registry(open_store(store_uri)).aliases(MODEL) == {"champion": 1}
    assert Broker(open_store(store_uri), MODEL).wake_ups(1)[0].result == "kept"


def test_a_dry_run_judges_and_changes_nothing(dag: Any, run: Run, store_uri: str) -> None:
    done = run(dag, dry_run=True)
    assert states(done)["promote"] == states(done)["register"] == "skipped"
    assert returned(done, "evaluate")["verdict"]
    with pytest.raises(NotFound):
        Registry(open_store(store_uri)).resolve(MODEL)


def test_a_retrain_that_somebody_else_holds_is_not_begun_twice(dag: Any, run: Run, store_uri: str) -> None:
    run(dag)
    broker = Broker(open_store(store_uri), MODEL)
    broker.put(source="hand", reason="first", dedupe_key="first", actor=Actor("ada", "test"))
    assert broker.claim("another/run", actor=Actor("ada", "test")).granted
    done = run(dag)
    assert states(done)["claim"] == states(done)["train"] == states(done)["promote"] == "skipped"
    assert len(broker.requests()) == 2  # what the second run asked for waits for the next


@pytest.mark.parametrize("conf", [{"dry_run": "perhaps"}, {"reason": "x" * 201}, {"force": "yes"}])
def test_the_trigger_form_refuses_what_makes_no_sense(dag: Any, run: Run, conf: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="Invalid input for param"):
        run(dag, **conf)


def test_every_param_explains_itself(dag: Any) -> None:
    for name in dag.params:
        schema = dag.params.get_param(name).schema
        assert schema["title"]
        assert dag.params.get_param(name).description


def test_bad_labels_stop_the_loop_before_training(dag: Any, run: Run, landing: Path, store_uri: str) -> None:
    file = landing / "flights-2013-01.parquet"
    table = pq.read_table(file)
    index = table.schema.get_field_index("late")
    holes = pc.if_else(pc.equal(pc.bit_wise_and(pc.cast(table["distance"], "int64"), 1), 1), table["late"], None)
    pq.write_table(table.set_column(index, "late", holes), file)
    os.utime(file, (0, 0))
    done = run(dag)
    assert done.state == "failed"
    assert states(done)["validate"] == "failed"
    assert states(done)["train"] == "upstream_failed"
    assert states(done)["settle"] == "success"
    store = open_store(store_uri)
    assert Registry(store).models() == []
    assert Broker(store, MODEL).wake_ups(1)[0].result == "stopped"


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
    done = run(dag)
    assert states(done) == dict.fromkeys(STEPS, "success")
    assert returned(done, "promote")["uri"].startswith(f"{bucket}/models/{MODEL}/log/")
    assert "testtest" not in json.dumps([returned(done, task) for task in STEPS - {"landed", "snapshot", "validate"}])
    assert not list(Path(os.environ["AIRFLOW_HOME"]).glob("stoker/models/*"))
