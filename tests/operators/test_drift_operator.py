"""The drift monitoring task: which windows it takes, what it emits, and how the run goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG, Asset, AssetAlias
from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped
from airflow.sdk.execution_time.context import OutletEventAccessors

from stoker.core.drift import Correction
from stoker.operators.drift import MonitorDriftOperator
from stoker.store.documents import get_document
from tests.operators.conftest import Lived, Loop
from tests.support.models import flights


@dataclass
class Ran:
    """What one execution left behind."""

    returned: dict[str, Any]
    events: list[Any]
    skipped: list[str]
    failure: str | None = None

    @property
    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = self.returned["summary"]
        return found


def monitor(loop: Loop, current: Any = "flights", run_id: str | None = None, **given: Any) -> Ran:
    """Run the operator as a worker would, in a DAG with a task after it."""
    with DAG("loop", schedule=None) as dag:
        usual = {"name": "late", "report": "never", **given}
        task = MonitorDriftOperator(task_id="drift", store=loop.uri, current=current, **usual)
        task >> BaseOperator(task_id="after")
    pushed: dict[str, Any] = {}
    ti = SimpleNamespace(
        dag_id="loop", run_id=run_id or loop.run_id, task_id="drift", map_index=-1, task=task,
        xcom_push=lambda key, value: pushed.update({key: value}),
    )  # fmt: skip
    events = OutletEventAccessors()
    context: Any = {
        "ti": ti, "task": task, "dag": dag, "outlet_events": events,
        "dag_run": SimpleNamespace(run_type="manual", triggering_user_name=None),
    }  # fmt: skip
    skipped, failure = [], None
    try:
        pushed["return_value"] = task.execute(context)
    except DownstreamTasksSkipped as skip:
        skipped = sorted(name if isinstance(name, str) else name[0] for name in skip.tasks)
    except AirflowFailException as error:
        if "return_value" not in pushed:
            raise
        failure = str(error)
    return Ran(pushed["return_value"], events[AssetAlias("stoker.alert.late")].asset_alias_events, skipped, failure)


def land(loop: Loop, month: str, *, shift: float = 0.0) -> dict[str, Any]:
    """A month of flights, its wind shifted, as a snapshot."""
    table = flights(1200, month=month, seed=int(month[-2:]))
    wind = pa.array(table["wind"].to_numpy() + shift, from_pandas=True)
    path = loop.landing / f"{month}-{shift}.parquet"
    pq.write_table(table.set_column(table.column_names.index("wind"), "wind", wind), path)
    return loop.validate(loop.snapshot(month, source=str(path)))


def test_a_quiet_month_passes_and_emits_nothing(old: Loop, lived: Lived) -> None:
    ran = monitor(old)
    assert (ran.returned["kind"], ran.returned["verdict"], ran.events) == ("drift", "pass", [])
    assert (ran.summary["window"], ran.summary["version"], ran.summary["alert"]) == ("2013-02", 1, False)
    assert monitor(old, lived.february["good"]).returned["digest"] == ran.returned["digest"]


def test_a_lasting_drift_emits_one_alert_with_its_facts(old: Loop) -> None:
    months = [land(old, f"2013-0{number}", shift=1.5) for number in (3, 4, 5)]
    ran = [monitor(old, month) for month in months]
    assert [one.returned["verdict"] for one in ran] == ["pass", "fail", "fail"]
    assert [len(one.events) for one in ran] == [0, 1, 0]
    (event,) = ran[1].events
    assert (event.dest_asset_key.name, event.dest_asset_key.uri) == ("late.alert", "x-stoker://alert/late")
    assert event.extra["drift"] == ran[1].returned["digest"]
    assert (event.extra["window"], event.extra["alerted"], event.extra["version"]) == ("2013-04", ["covariate"], 1)
    assert any("wind drifted" in reason for reason in event.extra["reasons"])


def test_a_dataset_by_name_means_every_month_not_judged_yet(old: Loop) -> None:
    for number in (3, 4, 5):
        land(old, f"2013-0{number}", shift=1.5)
    ran = monitor(old)
    assert ran.summary["windows"] == ["2013-02", "2013-03", "2013-04", "2013-05"]
    assert (ran.summary["window"], ran.returned["verdict"], ran.summary["states"]["covariate"]) == (
        "2013-05", "fail", "ongoing",
    )  # fmt: skip
    assert (ran.summary["alert"], len(ran.events)) == (True, 1)


def test_a_retry_gives_the_same_answer_and_the_next_run_has_nothing_new_to_tell(old: Loop) -> None:
    for number in (3, 4, 5):
        land(old, f"2013-0{number}", shift=1.5)
    first = monitor(old)
    before = list(old.store.keys(""))
    again = monitor(old)
    assert (again.returned, len(again.events)) == (first.returned, 1)
    assert list(old.store.keys("")) == before
    later = monitor(old, run_id="manual__2")
    assert (later.summary["windows"], later.returned["verdict"], later.events) == (["2013-05"], "fail", [])


def test_broken_data_ends_the_round_and_the_next_run_goes_on_behind_it(old: Loop) -> None:
    for number in (3, 4, 5):
        land(old, f"2013-0{number}", shift=math.nan if number == 4 else 0.0)
    for _ in range(2):
        ran = monitor(old)
        assert (ran.summary["windows"], ran.summary["kinds"]) == (["2013-02", "2013-03", "2013-04"], ["data_quality"])
        assert (ran.returned["verdict"], len(ran.events)) == ("fail", 1)
    later = monitor(old, run_id="manual__2")
    assert (later.summary["windows"], later.returned["verdict"]) == (["2013-05"], "pass")


def test_one_partition_of_a_dataset_may_be_named(old: Loop) -> None:
    assert monitor(old, window="2013-01").summary["window"] == "2013-01"
    assert monitor(old, window="2014-01").returned["verdict"] == "insufficient_data"


def test_without_a_champion_there_is_nothing_to_compare_with(old: Loop, loop: Loop) -> None:
    ran = monitor(old, name="unborn")
    assert (ran.returned["verdict"], ran.events) == ("not_configured", [])
    assert monitor(old, baseline="challenger").returned["verdict"] == "not_configured"


@pytest.mark.parametrize("on_alert", ["continue", "skip", "fail"])
def test_an_open_incident_does_to_the_run_what_was_asked(old: Loop, on_alert: str) -> None:
    month = land(old, "2013-03", shift=1.5)
    ran = monitor(old, month, on_alert=on_alert, min_violations="1")
    assert ran.returned["verdict"] == "fail"
    assert ran.skipped == (["after"] if on_alert == "skip" else [])
    if on_alert == "fail":
        assert str(ran.failure).startswith("VerdictError: The data must not have drifted; Alert (covariate)")
    else:
        assert (ran.failure, len(ran.events)) == (None, 1)


def test_a_quiet_month_lets_the_run_go_on_whatever_was_asked(old: Loop) -> None:
    for on_alert in ("skip", "fail"):
        ran = monitor(old, on_alert=on_alert)
        assert (ran.skipped, ran.failure) == ([], None)


def test_a_policy_file_holds_and_arguments_win_over_it(old: Loop, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("drift: {windows: 7, alpha: 0.01, cooldown: 6h, per_column_threshold: {wind: 0.5}}\n")
    operator = MonitorDriftOperator(
        task_id="t",
        name="m",
        current="d",
        policy=str(file),
        alpha="0.02",
        correction="holm",
        cooldown=timedelta(hours=2),
    )
    policy = operator._policy()
    assert (policy.windows, policy.alpha, policy.correction) == (7, 0.02, Correction.HOLM)
    assert (policy.cooldown, policy.per_column_threshold) == (timedelta(hours=2), {"wind": 0.5})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"on_alert": "panic"}, "ConfigurationError: on_alert must be one of"),
        ({"report": "sometimes"}, "ConfigurationError: report must be one of"),
        ({"num_method": "guess"}, "UsageError: The method for numeric columns must be one of"),
        ({"min_violations": 9}, "ConfigurationError: .*min_violations must lie between"),
        ({"name": "No Name"}, "InvalidName"),
        ({"current": "../flights"}, "InvalidName"),
        ({"current": {"kind": "dataset"}}, "UsageError: A reference of dataset or validation or predictions must"),
    ],
)
def test_a_wrong_call_fails_at_once(old: Loop, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(AirflowFailException, match=message):
        monitor(old, **wrong)


def test_outlets_of_the_author_are_kept_beside_the_alert() -> None:
    mine = Asset("mine")
    operator = MonitorDriftOperator(task_id="t", name="late", current="d", outlets=[mine])
    assert operator.outlets == [mine, AssetAlias("stoker.alert.late")]


def test_the_document_tells_everything_that_was_found(old: Loop) -> None:
    ran = monitor(old)
    document = get_document(old.store, ran.returned["digest"], "drift")
    assert {one["column"] for one in document["columns"]} == {"wind", "seats", "carrier", "weekend", "late"}
    assert sum(one["weight"] for one in document["columns"]) == pytest.approx(1.0)
    assert document["policy"]["cooldown"] == 86400.0
