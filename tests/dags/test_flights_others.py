"""The reference DAGs that watch, roll back and redo a month."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stoker import Registry, open_store
from stoker.store.partitions import newest, partitions
from tests.dags.conftest import connect, land, parse, returned, run_dag, states, watch

MODEL = "flights_late"
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two champions, one after the other."""
    folder = tmp_path_factory.mktemp("lived")
    landing = folder / "landing"
    landing.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        connect(f"file://{folder}/store", patch)
        watch(landing, patch)
        dag = parse("flights_training").flights_training()
        for month in ("2013-01", "2013-02"):
            land(landing, month)
            run_dag(dag)
    return folder / "store"


@pytest.fixture
def trained(lived: Path, store_uri: str) -> None:
    """The test's own store is a copy of it."""
    shutil.copytree(lived, store_uri.removeprefix("file://"))


@pytest.mark.usefixtures("trained")
def test_monitoring_scores_what_is_new_and_finds_nothing_to_do(
    parsed: Callable[[str], Any], run: Run, store_uri: str
) -> None:
    done = run(parsed("flights_monitoring").flights_monitoring())
    assert states(done) == dict.fromkeys(("predict", "drift", "performance", "triage"), "success")
    store = open_store(store_uri)
    assert [name for name, _ in partitions(store, MODEL, "predictions")] == ["2013-01", "2013-02"]
    assert returned(done, "triage")["summary"]["action"] == "none"


@pytest.mark.usefixtures("trained")
def test_many_months_are_scored_side_by_side(parsed: Callable[[str], Any], run: Run, store_uri: str) -> None:
    dag = parsed("flights_scoring").flights_scoring()
    done = run(dag, max_tasks=2)
    mapped = {ti.map_index: ti.rendered_map_index for ti in done.get_task_instances() if ti.task_id == "predict"}
    assert mapped == {0: "2013-01", 1: "2013-02"}
    summary = returned(done, "merge")["summary"]
    assert (summary["partitions"], summary["partitions_scored"]) == (["2013-01", "2013-02"], 2)
    assert [name for name, _ in partitions(open_store(store_uri), MODEL, "predictions")] == ["2013-01", "2013-02"]
    assert states(run(dag)) == dict.fromkeys(("plan", "predict", "merge"), "skipped")


@pytest.mark.usefixtures("trained")
def test_a_rollback_by_hand_goes_back_and_blocks(parsed: Callable[[str], Any], run: Run, store_uri: str) -> None:
    done = run(parsed("flights_rollback").flights_rollback(), reason="a test")
    assert states(done) == {"rollback": "success"}
    registry = Registry(open_store(store_uri))
    assert registry.resolve(MODEL).number == 1
    assert registry.state(MODEL).blocked == {2}


@pytest.mark.usefixtures("trained")
def test_a_month_that_was_corrected_is_redone_and_no_alias_moves(
    parsed: Callable[[str], Any], run: Run, landing: Path, store_uri: str
) -> None:
    store = open_store(store_uri)
    before = newest(store, "flights", "ok", "2013-01")
    aliases = Registry(store).aliases(MODEL)
    land(landing, "2013-01", rows=20_000)
    done = run(parsed("flights_backfill").flights_backfill(), month="2013-01")
    assert states(done) == dict.fromkeys(("snapshot", "validate", "predict"), "success")
    assert newest(store, "flights", "ok", "2013-01") != before
    assert Registry(store).aliases(MODEL) == aliases
