"""From what monitoring found to a request, a rollback, or a note."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from stoker.engines import registration
from stoker.loop.broker import Broker
from stoker.operators.triage import TriageOperator
from stoker.store import partitions
from stoker.store.documents import get_document, put_document
from tests.operators.runs import Run
from tests.registry.cases import ALICE, MODEL, promote
from tests.support.faulty_store import Killed


@pytest.fixture
def run() -> Run:
    """A run of the monitoring DAG: v2 is champion, v1 was before."""
    made = Run()
    made.office(2)
    return made


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The versions that a rollback tried out; these have no model files to load."""
    seen: list[int] = []
    monkeypatch.setattr(registration, "verify_loads", lambda store, version, trusted: seen.append(version.number))
    return seen


def drift(run: Run, outcome: str = "fail", *, version: int = 2, **states: str) -> dict[str, Any]:
    due = [kind for kind, state in states.items() if state == "alert"]
    summary = {
        "version": version, "window": "2013-04", "rows": 900, "states": states, "kinds": list(states), "due": due
    }  # fmt: skip
    return run.reference("drift", outcome, **summary)


WORSE = {"version": 1, "value": 0.7, "difference": -0.1, "low": -0.12, "high": -0.08, "worse": True}
"""Than v1 on the same rows."""


def performance(
    run: Run, outcome: str = "fail", *, version: int = 2, windows: int = 1, shadow: dict[str, Any] | None = WORSE
) -> dict[str, Any]:
    return run.reference(
        "performance",
        outcome,
        version=version,
        window="2013-04",
        windows_since_promotion=windows,
        kinds=["concept"],
        shadow=shadow,
    )


def triaged(run: Run, **given: Any) -> dict[str, Any]:
    return run.execute(TriageOperator, **{"name": MODEL, **given})


def broker(run: Run) -> Broker:
    return Broker(run.store, MODEL)


def said(reference: dict[str, Any]) -> tuple[str | None, str, bool]:
    summary = reference["summary"]
    return summary["finding"], summary["action"], summary["acted"]


def policy(folder: Path, text: str) -> str:
    path = folder / "policy.yaml"
    path.write_text(text)
    return str(path)


def test_lost_quality_asks_for_a_training_with_its_evidence(run: Run) -> None:
    found = performance(run, windows=5)
    decided = triaged(run, performance=found, drift=drift(run, covariate="alert"))
    assert said(decided) == ("concept", "retrain", True)
    (request,) = broker(run).requests()
    assert (request.source, request.dedupe_key) == ("performance", "v2/2013-04/concept")
    assert request.evidence["concept"] == found["digest"]
    assert request.reason.startswith("concept leads to retrain. The performance was fail. Also found: covariate.")
    document = get_document(run.store, decided["digest"], "triage")
    assert found["digest"] in document["evidence"]


def test_quality_lost_right_after_a_promotion_is_rolled_back_and_the_version_blocked(run: Run, loaded: Any) -> None:
    assert said(triaged(run, performance=performance(run, windows=2))) == ("concept", "rollback", True)
    assert run.registry.state(MODEL).pointed("champion") == 1
    assert run.registry.version(MODEL, 2).blocked
    assert (loaded, broker(run).requests()) == ([1], [])
    told = broker(run).wake_ups(1)[0]
    assert (told.result, told.condition) == ("rollback", "concept")


@pytest.mark.parametrize(
    ("shadow", "reason"),
    [
        ({**WORSE, "worse": False}, "no version to go back to is surely better on the same rows."),
        (
            None,
            "the version before was not measured on the same rows; predict with shadow='previous' to have it measured.",
        ),
        (
            {**WORSE, "version": 3},
            "the version before was not measured on the same rows; predict with shadow='previous'",
        ),
    ],
)
def test_a_model_that_no_better_one_can_replace_is_not_rolled_back(run: Run, shadow: Any, reason: str) -> None:
    decided = triaged(run, performance=performance(run, shadow=shadow))
    assert said(decided) == ("concept", "retrain", True)
    assert decided["summary"]["reasons"][0].startswith(f"concept leads to retrain and not to rollback: {reason}")
    assert run.registry.state(MODEL).pointed("champion") == 2
    assert len(broker(run).requests()) == 1


def test_a_blocked_version_is_nothing_to_go_back_to(run: Run) -> None:
    run.registry.block(MODEL, 1, actor=ALICE, reason="bad")
    assert said(triaged(run, performance=performance(run))) == ("concept", "retrain", True)


def test_a_champion_that_keeps_its_promise_stays_in_office(run: Run) -> None:
    assert said(triaged(run, performance=performance(run, "pass"))) == (None, "none", False)


def test_without_a_version_to_go_back_to_it_is_trained_again(run: Run) -> None:
    alone = Run()
    alone.office(1)
    assert said(triaged(alone, performance=performance(alone, version=1))) == ("concept", "retrain", True)


def test_broken_data_stops_everything_and_is_on_record(run: Run) -> None:
    broken = [run.reference("validation"), None, run.reference("validation", "fail", partition="2013-04")]
    decided = triaged(run, validation=broken, performance=performance(run), drift=drift(run, label="alert"))
    assert said(decided) == ("data_quality", "stop", True)
    assert (broker(run).requests(), run.registry.state(MODEL).pointed("champion")) == ([], 2)
    told = broker(run).wake_ups(5)
    assert [(one.result, one.condition) for one in told] == [("stop", "data_quality")]


def judged(run: Run, partition: str, *kinds: str, stage: str = "ok") -> dict[str, Any]:
    """A drift reference about a partition that is in use, whose window shows these kinds."""
    data = {"dataset": MODEL, "stage": stage, "partition": partition}
    snapshot = put_document(run.store, {"kind": "dataset", **data})
    partitions.point(run.store, **data, snapshot=snapshot, data_id="d")
    document = put_document(run.store, {"kind": "drift", "current": [snapshot]})
    found = drift(run, data_quality="alert")
    return {**found, "digest": document, "summary": {**found["summary"], "kinds": list(kinds)}}


def used(run: Run, stage: str = "ok") -> list[str]:
    return [partition for partition, _ in partitions.partitions(run.store, MODEL, stage)]


def test_a_broken_partition_is_withdrawn_and_the_others_stay(run: Run) -> None:
    judged(run, "2013-03", "data_quality")
    found = judged(run, "2013-04", "data_quality", "covariate")
    for _ in range(2):
        assert said(triaged(run, drift=found)) == ("data_quality", "stop", True)
        assert used(run) == ["2013-03"]


def test_an_incident_that_goes_on_withdraws_no_window_that_is_sound_itself(run: Run) -> None:
    assert said(triaged(run, drift=judged(run, "2013-05", "covariate"))) == ("data_quality", "stop", True)
    assert used(run) == ["2013-05"]


def test_predictions_are_not_withdrawn_nor_is_anything_by_a_backfill(run: Run) -> None:
    triaged(run, drift=judged(run, "2013-04", "data_quality", stage="predictions"))
    triaged(run.of("backfill__1", "backfill"), drift=judged(run, "2013-04", "data_quality"))
    assert (used(run), used(run, "predictions")) == (["2013-04"], ["2013-04"])


def test_only_alarms_count_not_windows_that_drifted_by_themselves(run: Run) -> None:
    found = drift(run, data_quality="quiet", covariate="violating", prediction="alert", label="cleared")
    assert said(triaged(run, drift=found)) == ("prediction", "investigate", True)


def test_the_policy_decides_what_drifted_features_lead_to(run: Run, tmp_path: Path) -> None:
    own = policy(tmp_path, "triage: {covariate: retrain}\n")
    assert said(triaged(run, drift=drift(run, covariate="alert"), policy=own)) == ("covariate", "retrain", True)
    assert [request.source for request in broker(run).requests()] == ["drift"]


def test_no_finding_leads_to_nothing(run: Run) -> None:
    decided = triaged(run, drift=drift(run, "pass"), performance=performance(run, "insufficient_data"))
    assert said(decided) == (None, "none", False)
    assert decided["summary"]["reasons"][0].startswith("No verdict about concept: insufficient_data.")
    assert said(triaged(run)) == (None, "none", False)
    assert not broker(run).known


def test_a_window_without_rows_is_looked_into(run: Run) -> None:
    empty = run.reference("drift", "insufficient_data", version=2, window="2013-04", rows=0, states={})
    assert said(triaged(run, drift=empty)) == ("no_data", "investigate", True)
    assert broker(run).wake_ups(1)[0].result == "investigate"


@pytest.mark.parametrize(("days", "finding"), [(30, None), (31, "staleness")])
def test_a_champion_may_not_grow_too_old_at_the_time_of_the_run(run: Run, days: int, finding: str | None) -> None:
    later = run.of("scheduled__2", run_after=run.run_after + timedelta(days=days))
    assert said(triaged(later, max_age="30d"))[0] == finding
    assert [request.source for request in broker(run).requests()] == ([finding] if finding else [])


def test_the_age_may_stand_in_the_policy(run: Run, tmp_path: Path) -> None:
    later = run.of("scheduled__2", run_after=run.run_after + timedelta(days=2))
    own = policy(tmp_path, "cadence: {max_age: 1d}\n")
    assert said(triaged(later, policy=own)) == ("staleness", "retrain", True)


def test_findings_about_a_version_that_left_office_lead_to_nothing(run: Run) -> None:
    promote(run.registry, 1)
    decided = triaged(run, performance=performance(run))
    assert said(decided) == (None, "none", False)
    assert decided["summary"]["reasons"] == ["The findings are about v2; the champion is v1 now."]
    assert run.registry.state(MODEL).pointed("champion") == 1


def test_a_repeated_triage_does_nothing_twice(run: Run) -> None:
    given = {"performance": performance(run, windows=5)}
    first = triaged(run, **given)
    keys = list(run.store.keys(""))
    assert triaged(run, **given) == first
    assert list(run.store.keys("")) == keys


def test_a_try_that_died_before_its_rollback_is_made_good(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(registration, "verify_loads", die)
        with pytest.raises(Killed):
            triaged(run, performance=performance(run))
    assert run.registry.state(MODEL).pointed("champion") == 2
    triaged(run, performance=performance(run))
    assert run.registry.state(MODEL).pointed("champion") == 1
    assert len(broker(run).wake_ups(10)) == 1


@pytest.mark.parametrize("found", [performance, lambda run: performance(run, windows=9)])
def test_a_backfill_decides_and_does_nothing_unless_it_may(run: Run, found: Any) -> None:
    backfill = run.of("backfill__1", "backfill")
    kind, action, acted = said(triaged(backfill, performance=found(run)))
    assert (kind, action in {"rollback", "retrain"}, acted) == ("concept", True, False)
    assert (run.registry.state(MODEL).pointed("champion"), broker(run).known) == (2, False)
    assert said(triaged(backfill, performance=found(run), allow_backfill=True)) == ("concept", action, True)


def test_a_flapping_series_makes_one_request_a_window(run: Run) -> None:
    for _ in range(3):
        triaged(run, performance=performance(run, windows=5))
        triaged(run, performance=performance(run, "pass"))
    assert len(broker(run).requests()) == 1
    broker(run).put(source="hand", reason="more", dedupe_key="k", actor=ALICE)
    assert len(broker(run).requests()) == 2


def test_an_age_that_is_no_duration_fails_the_task(run: Run) -> None:
    with pytest.raises(AirflowFailException, match="max_age must be a duration such as 30m"):
        triaged(run, max_age="a month")


def test_an_incident_that_goes_on_asks_again_only_when_it_is_due(run: Run) -> None:
    going_on = drift(run, covariate="ongoing")
    assert triaged(run, drift=going_on)["summary"]["action"] == "none"
    assert broker(run).requests() == []
    going_on["summary"]["due"] = ["covariate"]
    assert triaged(run, drift=going_on)["summary"]["action"] == "retrain"
    assert [request.source for request in broker(run).requests()] == ["drift"]


def test_broken_data_that_goes_on_stops_each_of_its_windows(run: Run) -> None:
    found = judged(run, "2013-04", "data_quality")
    found["summary"] |= {"states": {"data_quality": "ongoing"}, "due": []}
    assert said(triaged(run, drift=found)) == ("data_quality", "stop", True)
