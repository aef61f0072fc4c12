"""The monitoring task on late labels: its arguments, and what follows from a verdict."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException

from stoker.core import wire
from stoker.operators.performance import MonitorPerformanceOperator
from stoker.registry.changes import ANY
from stoker.store.documents import get_document
from tests.operators.runs import Run
from tests.support.predictions import label, manifest, noisy, predict, truth
from tests.support.registrations import ACTOR

JULY = datetime(2013, 7, 1, tzinfo=UTC)


@pytest.fixture
def run() -> Run:
    """A model in office, and a month of its predictions with all labels."""
    run = Run(run_after=JULY)
    for number in (1, 2):
        found = {**manifest(), "evaluation": None, "fingerprint": wire.digest(number), "files": {}}
        run.registry.register("late", found, actor=ACTOR, reason="trained")
    _promote(run, 1)
    _month(run, "2013-03")
    return run


def _promote(run: Run, version: int) -> None:
    run.registry.promote("late", version, expected_version=ANY, require_verdict=False, actor=ACTOR, reason="by hand")


def _month(run: Run, month: str, **given) -> None:
    predict(run.store, month, truth(month), **given)
    label(run.store, month, truth(month))


def _monitor(run: Run, **given):
    usual = {"name": "late", "labels": "outcomes", "id_columns": ["id"], "thresholds": {"roc_auc": {"min": 0.7}}}
    return run.execute(MonitorPerformanceOperator, **{**usual, **given})


def test_a_champion_that_keeps_its_quality_passes(run):
    reference = _monitor(run)
    assert (reference["kind"], reference["verdict"], reference["summary"]["window"]) == (
        "performance",
        "pass",
        "2013-03",
    )
    assert run.skipped == []


@pytest.mark.parametrize(("on_failure", "skipped"), [("continue", []), ("skip", ["intake", "settle", "train"])])
def test_a_lost_quality_lets_the_run_go_on_or_skips_what_follows(run, on_failure, skipped):
    reference = _monitor(run, thresholds={"roc_auc": {"min": 0.99}}, on_failure=on_failure)
    assert (reference["verdict"], reference["summary"]["kinds"], run.skipped) == ("fail", ["concept"], skipped)


def test_a_lost_quality_can_fail_the_task(run):
    with pytest.raises(
        AirflowFailException, match="GateFailed: The model in office must keep its quality; roc_auc must"
    ):
        _monitor(run, thresholds={"roc_auc": {"min": 0.99}}, on_failure="fail")
    assert run.pushed["return_value"]["verdict"] == "fail"


def test_too_few_labels_fail_nothing(run):
    predict(run.store, "2013-04", truth("2013-04"))
    label(run.store, "2013-04", truth("2013-04").iloc[:100])
    reference = _monitor(run, thresholds={"roc_auc": {"min": 0.99}}, on_failure="fail")
    assert (reference["verdict"], reference["summary"]["coverage"]) == ("insufficient_data", 0.1)
    assert _monitor(run, min_coverage="0.1", policy=None)["verdict"] == "insufficient_data"  # 100 rows are too few


def test_the_run_decides_what_has_matured(run):
    _month(run, "2013-06")
    delay = timedelta(days=60)
    assert _monitor(run, label_delay=delay)["summary"]["window"] == "2013-03"
    assert (
        _monitor(run.of("b", run_after=datetime(2013, 9, 1, tzinfo=UTC)), label_delay=delay)["summary"]["window"]
        == "2013-06"
    )


def test_an_explicit_moment_wins(run):
    _month(run, "2013-06")
    assert _monitor(run, as_of="2013-06-01T00:00:00Z")["summary"]["window"] == "2013-03"
    assert _monitor(run, as_of=datetime(2013, 6, 2, tzinfo=UTC))["summary"]["window"] == "2013-06"


@pytest.mark.parametrize("delay", [timedelta(days=60), 60 * 86400, "5184000.0", "60d"])
def test_a_delay_may_be_written_in_many_ways(run, delay):
    document = get_document(run.store, _monitor(run, label_delay=delay)["digest"], "performance")
    assert document["policy"]["label_delay"] == 60 * 86400


def test_a_policy_file_holds_and_arguments_win_over_it(run, tmp_path):
    file = Path(tmp_path, "policy.yaml")
    file.write_text("performance:\n  min_rows: 300\n  label_delay: 2d\n  max_drop: 0.02\n  min_coverage: 0.6\n")
    reference = _monitor(run, policy=str(file), max_drop="0.05", label_delay="")
    rules = get_document(run.store, reference["digest"], "performance")["policy"]
    assert (rules["min_rows"], rules["label_delay"], rules["max_drop"], rules["min_coverage"]) == (
        300,
        172800,
        0.05,
        0.6,
    )
    assert rules["thresholds"] == {"roc_auc": {"min": 0.7, "max": None}}


def test_the_run_keeps_its_version_and_the_next_takes_the_new_champion(run):
    assert _monitor(run)["summary"]["version"] == 1
    _promote(run, 2)
    assert _monitor(run)["summary"]["version"] == 1
    later = _monitor(run.of("b", run_after=JULY))
    assert (later["summary"]["version"], later["verdict"]) == (2, "insufficient_data")


def test_a_version_that_scored_beside_is_compared_on_the_same_rows(run):
    assert _monitor(run)["summary"]["shadow"] is None
    _promote(run, 2)
    predict(run.store, "2013-04", noisy(truth("2013-04")), version=2, shadow=1)
    label(run.store, "2013-04", truth("2013-04"))
    reference = _monitor(run.of("b", run_after=JULY))
    assert (reference["summary"]["window"], reference["summary"]["shadow"]["version"]) == ("2013-04", 1)
    assert reference["summary"]["shadow"]["worse"]
    assert any("surely worse than v1" in reason for reason in reference["summary"]["reasons"])


def test_without_a_champion_nothing_is_configured():
    assert _monitor(Run(run_after=JULY))["verdict"] == "not_configured"


def test_labels_may_come_from_earlier_tasks(run):
    predict(run.store, "2013-04", truth("2013-04"))
    label(run.store, "2013-04", truth("2013-04"), dataset="others")
    digest = next(key for key in run.store.keys("datasets/others/raw/"))
    snapshot = wire.parse(run.store.read(digest), "pointer")["snapshot"]
    reference = {"kind": "dataset", "uri": "", "digest": snapshot, "verdict": "pass", "summary": {}}
    for given in (reference, [reference]):
        assert _monitor(run, labels=given)["summary"]["window"] == "2013-04"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"on_failure": "stop"}, "ConfigurationError: on_failure must be one of"),
        ({"label_delay": "a week"}, "ConfigurationError: label_delay must be a duration"),
        ({"as_of": "2013-07-01"}, "UsageError: as_of must be a time with a zone"),
        ({"min_coverage": 2}, "ConfigurationError: .*min_coverage"),
        ({"labels": {"kind": "candidate"}}, "UsageError: A reference"),
        ({"label_column": "nowhere"}, "SchemaMismatch: .*nowhere"),
    ],
)
def test_a_wrong_argument_fails_for_good(run, wrong, error):
    with pytest.raises(AirflowFailException, match=error):
        _monitor(run, **wrong)
