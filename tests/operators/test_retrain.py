"""Both ends of a training run: what is asked for and claimed, and how the run's end is told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from stoker.engines.landing import list_landed
from stoker.loop.broker import Broker
from stoker.loop.ledger import TAKEN, Ledger
from stoker.operators.retrain import ClaimRetrainOperator, RequestRetrainOperator, SettleRetrainOperator
from stoker.store import partitions
from stoker.store.documents import get_document
from tests.operators.runs import Run
from tests.registry.cases import ALICE, MODEL

REGEX = r"churn-(.+)\.csv"


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    (tmp_path / "landing").mkdir()
    return tmp_path / "landing"


def land(landing: Path, *months: str, parts: int = 1) -> None:
    for month in months:
        for part in range(parts):
            name = f"churn-{month}.csv" if parts == 1 else f"part-{part:04d}-{'x' * 60}-churn-{month}.csv"
            (landing / name).write_text(f"{month},{part}")


def claim(run: Run, landing: Path | None = None, **given: Any) -> dict[str, Any]:
    files = {} if landing is None else {"source": str(landing), "partition": REGEX}
    return run.execute(ClaimRetrainOperator, **{"name": MODEL, **files, **given})


def settle(run: Run, claimed: Any, **given: Any) -> dict[str, Any]:
    return run.execute(SettleRetrainOperator, name=MODEL, claim=claimed, **given)


def broker(run: Run) -> Broker:
    return Broker(run.store, MODEL)


def asked(run: Run) -> list[str]:
    return [request.source for request in reversed(broker(run).requests(every=True))]


def policy(folder: Path, text: str) -> str:
    path = folder / "policy.yaml"
    path.write_text(f"cadence: {{{text}}}\n")
    return str(path)


def point(run: Run, partition: str, snapshot: str) -> None:
    facts = {"dataset": MODEL, "stage": "raw", "partition": partition, "snapshot": snapshot * 64, "data_id": "d"}
    partitions.point(run.store, **facts)


def test_a_request_is_put_once_however_often_its_task_runs(run: Run) -> None:
    given = {"name": MODEL, "reason": "delay drifted", "evidence": {"window": "2013-03"}}
    first = run.execute(RequestRetrainOperator, **given)
    again = run.execute(RequestRetrainOperator, **given)
    assert (first["kind"], first["digest"], first["summary"]["new"]) == ("request", again["digest"], True)
    assert again["summary"]["reasons"] == [f"Known already as {first['summary']['id']}: delay drifted"]
    (request,) = broker(run).requests()
    assert (request.source, request.dedupe_key) == ("alert", "churn_train/scheduled__1")
    assert (request.actor.user, request.actor.origin) == ("airflow", "churn_train/scheduled__1/own/-1")


def test_a_backfill_asks_for_nothing_unless_it_may(run: Run) -> None:
    backfill = run.of("backfill__1", "backfill")
    backfill.execute(RequestRetrainOperator, name=MODEL, reason="old drift")
    assert "does not ask for a training of churn; pass allow_backfill=True" in backfill.refusal
    assert not broker(run).known
    backfill.execute(RequestRetrainOperator, name=MODEL, reason="old drift", allow_backfill=True)
    assert len(broker(run).requests()) == 1


def test_a_request_that_breaks_a_rule_fails_its_task(run: Run) -> None:
    with pytest.raises(AirflowFailException, match="UsageError: A request's source must be one of"):
        run.execute(RequestRetrainOperator, name=MODEL, reason="why", source="moon")


def test_landed_files_make_a_plan_and_a_training(run: Run, landing: Path) -> None:
    land(landing, "2013-02", "2013-01")
    claimed = claim(run.of("asset__1", "asset_triggered"), landing)
    summary = claimed["summary"]
    assert (claimed["kind"], claimed["verdict"], summary["granted"]) == ("claim", "granted", True)
    assert [one["partition"] for one in summary["partitions"]] == ["2013-01", "2013-02"]
    first = summary["partitions"][0]
    assert first["source"] == [(landing / "churn-2013-01.csv").as_uri()]
    assert [set(file) for file in first["landed"]] == [{"uri", "size", "version"}]
    assert [one["source"] for one in summary["requests"]] == ["new_data", "first"]
    assert "2 files landed: 2013-01, 2013-02." in summary["requests"][0]["reason"]
    assert get_document(run.store, claimed["digest"], "claim")["partitions"] == summary["partitions"]


def test_files_that_are_taken_ask_for_nothing(run: Run, landing: Path) -> None:
    land(landing, "2013-01")
    for file in list_landed(str(landing)):
        Ledger(run.store, MODEL).mark(TAKEN, file)
    assert claim(run.of("asset__1", "asset_triggered"), landing)["verdict"] == "nothing_to_do"


def test_a_repeated_claim_gives_the_same_answer_and_writes_nothing(run: Run, landing: Path) -> None:
    land(landing, "2013-01")
    first = claim(run, landing)
    keys = list(run.store.keys(""))
    assert claim(run, landing) == first
    assert list(run.store.keys("")) == keys


def test_with_nothing_to_do_the_run_is_skipped_with_the_reason(run: Run, landing: Path) -> None:
    claimed = claim(run, landing)
    assert claimed["summary"]["granted"] is False
    assert run.refusal == "There is nothing to do: No request asks for a training."
    assert claimed["summary"]["partitions"] == []


def test_files_without_a_lease_are_taken_in_and_the_training_is_skipped(run: Run, landing: Path) -> None:
    land(landing, "2013-01")
    assert claim(run.of("asset__1", "asset_triggered"), landing)["summary"]["granted"]
    land(landing, "2013-02")
    claimed = claim(run, landing, only_with_lease=["train", "settle"])
    assert (claimed["verdict"], run.skipped) == ("leased", ["settle", "train"])
    assert [one["partition"] for one in claimed["summary"]["partitions"]] == ["2013-01", "2013-02"]
    assert claim(run, landing, only_with_lease="train") == claimed
    assert run.skipped == ["train"]
    assert claim(run, landing) == claimed
    assert run.skipped == []


def test_as_many_partitions_as_fit_are_taken_the_first_ones_first(run: Run, landing: Path) -> None:
    months = [f"{year}-{month:02d}" for year in range(2010, 2016) for month in range(1, 13)]
    land(landing, *months)
    claimed = claim(run, landing)
    taken = [one["partition"] for one in claimed["summary"]["partitions"]]
    assert taken == months[: len(taken)]
    assert 10 < len(taken) < 72
    assert f"; {72 - len(taken)} more are left for the next run." in claimed["summary"]["reasons"][1]
    assert claimed["summary"]["requests"][0]["reason"].startswith(f"{len(taken)} files landed")


def test_a_partition_of_too_many_files_is_refused_with_advice(run: Run, landing: Path) -> None:
    land(landing, "2013-01", parts=60)
    with pytest.raises(AirflowFailException, match=r"the 60 of '2013-01' do not\. Land fewer, larger files"):
        claim(run, landing)
    assert not broker(run).known


def test_the_schedule_asks_once_for_each_state_of_the_data(run: Run) -> None:
    run.office()
    point(run, "2013-01", "a")
    assert claim(run)["summary"]["requests"][0]["source"] == "schedule"
    settle(run, None, evaluation=run.reference("evaluation", "fail"))
    later = run.of("scheduled__2")
    assert claim(later)["verdict"] == "nothing_to_do"
    point(run, "2013-02", "b")
    claim(run.of("scheduled__3"))
    assert asked(run) == ["schedule", "schedule"]


def test_the_schedule_does_not_ask_for_data_that_a_training_took_in(run: Run, landing: Path) -> None:
    run.office()
    land(landing, "2013-01")
    woken = run.of("asset__1", "asset_triggered")
    claimed = claim(woken, landing)
    point(run, "2013-01", "a")
    for file in list_landed(str(landing)):
        Ledger(run.store, MODEL).mark(TAKEN, file)
    settle(woken, claimed, evaluation=run.reference("evaluation", "fail"))
    assert claim(run, landing)["verdict"] == "nothing_to_do"
    point(run, "2013-01", "b")
    assert claim(run, landing)["verdict"] == "cooldown"


def test_a_model_without_a_champion_asks_for_its_first_only_when_there_is_data(run: Run) -> None:
    assert claim(run)["verdict"] == "nothing_to_do"
    point(run, "2013-01", "a")
    assert claim(run)["summary"]["requests"][0]["source"] == "first"


def test_a_champion_that_is_too_old_at_the_time_of_the_run_is_stale(run: Run, tmp_path: Path) -> None:
    run.office()
    given = {"policy": policy(tmp_path, "max_age: 30d, retrain_on: [staleness]")}
    young = run.of("scheduled__1", run_after=run.run_after + timedelta(days=30))
    assert claim(young, **given)["verdict"] == "nothing_to_do"
    old = run.of("scheduled__2", run_after=run.run_after + timedelta(days=30, hours=1))
    claimed = claim(old, **given)
    assert claimed["summary"]["requests"] == [
        {"source": "staleness", "reason": "Champion v1 is 30d1h old; it may be 30d."}
    ]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"conf": {"reason": "for the audit"}}, "for the audit"),
        ({"params": {"reason": "from the form"}}, "from the form"),
        ({}, "ada started manual__1."),
    ],
)
def test_a_run_that_a_person_starts_trains_with_that_reason(run: Run, more: Any, reason: str) -> None:
    run.office()
    point(run, "2013-01", "a")
    claim(run)
    settle(run, None, evaluation=run.reference("evaluation", "fail"))
    claimed = claim(run.of("manual__1", "manual", **more))
    assert claimed["summary"]["requests"] == [{"source": "hand", "reason": reason}]


def test_the_policy_says_what_may_ask(run: Run, landing: Path, tmp_path: Path) -> None:
    land(landing, "2013-01")
    claimed = claim(run, landing, policy=policy(tmp_path, "retrain_on: [hand]"), only_with_lease="train")
    assert (claimed["verdict"], run.skipped, asked(run)) == ("nothing_to_do", ["train"], [])


def test_a_backfill_claims_nothing_unless_it_may(run: Run, landing: Path) -> None:
    land(landing, "2013-01")
    backfill = run.of("backfill__1", "backfill")
    assert claim(backfill, landing) == {}
    assert "A backfill does not train churn" in backfill.refusal
    assert not broker(run).known
    assert claim(backfill, landing, allow_backfill=True)["summary"]["granted"]


def test_a_source_that_is_not_there_fails_the_task(run: Run, landing: Path) -> None:
    with pytest.raises(AirflowFailException, match="SourceNotFound"):
        claim(run, landing / "nowhere")


ENDS: dict[str, Any] = {
    "promoted": lambda run: {
        "validation": [run.reference("validation")],
        "evaluation": run.reference("evaluation"),
        "promotion": run.reference("alias", changed=True, version=2),
    },
    "proposed": lambda run: {
        "evaluation": run.reference("evaluation"),
        "registration": run.reference("version", version=2),
    },
    "kept": lambda run: {"evaluation": run.reference("evaluation", "inconclusive")},
    "skipped": lambda run: {"evaluation": run.reference("evaluation", "fail", candidate=run.candidate(1))},
    "stopped": lambda run: {"validation": [run.reference("validation"), None, run.reference("validation", "fail")]},
    "failed": lambda run: {"evaluation": run.reference("evaluation")},
}


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("promoted", "Version 2 took over."),
        ("proposed", "Version 2 waits for approval."),
        ("kept", "The champion stays: The evaluation was inconclusive."),
        ("skipped", "The training gave the champion again: there was nothing new to learn."),
        ("stopped", "The data is not fit to train on: The validation was fail."),
        ("failed", "A task failed before the end; see its log."),
    ],
)
def test_the_end_of_a_run_follows_from_what_its_steps_returned(run: Run, outcome: str, reason: str) -> None:
    run.office()
    broker(run).put(source="drift", reason="delay drifted", dedupe_key="k", actor=ALICE)
    claimed = claim(run)
    returned = ENDS[outcome](run)
    settled = settle(run, claimed, **returned)
    facts = {name: settled["summary"][name] for name in ("outcome", "reasons", "held")}
    assert facts == {"outcome": outcome, "reasons": [reason], "held": True}
    assert settled["summary"]["version"] == (2 if outcome in {"promoted", "proposed"} else None)
    told = broker(run).wake_ups(1)[0]
    assert (told.result, told.reason) == (outcome, reason)
    assert settle(run, claimed, **returned) == settled
    assert len(broker(run).requests()) == (2 if outcome == "failed" else 0)


def test_a_first_model_that_does_not_pass_leaves_the_office_empty(run: Run) -> None:
    point(run, "2013-01", "a")
    claimed = claim(run)
    settled = settle(run, claimed, evaluation=run.reference("evaluation", "fail", candidate=run.candidate(1)))
    assert settled["summary"]["outcome"] == "kept"
    assert claim(run.of("scheduled__2"))["verdict"] == "nothing_to_do"


@pytest.mark.parametrize("seconds", [1.0, 2.0])
def test_a_training_that_gave_a_version_again_is_proposed_unless_it_is_in_office(run: Run, seconds: float) -> None:
    run.office()
    broker(run).put(source="drift", reason="delay drifted", dedupe_key="k", actor=ALICE)
    claimed = claim(run)
    again = {
        "evaluation": run.reference("evaluation", candidate=run.candidate(1, seconds)),
        "registration": run.reference("version", version=1),
    }
    assert settle(run, claimed, **again)["summary"]["outcome"] == "skipped"


def test_a_run_that_fails_before_it_returns_anything_gives_its_lease_back(run: Run) -> None:
    broker(run).put(source="drift", reason="delay drifted", dedupe_key="k", actor=ALICE)
    claim(run)
    assert settle(run, None)["summary"]["outcome"] == "failed"
    assert broker(run).state().lease is None


def test_a_run_without_a_lease_settles_nothing(run: Run) -> None:
    claimed = claim(run)
    assert settle(run, claimed)["summary"]["outcome"] == "none"
    assert settle(run, None)["summary"]["held"] is False
    assert [record["kind"] for record in broker(run)._journal.entries()] == ["wake_up"]


def test_broken_data_that_was_only_taken_in_is_told_of_once(run: Run) -> None:
    claimed = claim(run)
    broken = {"validation": [run.reference("validation"), run.reference("validation", "fail")]}
    settled = settle(run, claimed, **broken)
    assert (settled["summary"]["outcome"], settled["summary"]["held"]) == ("stopped", False)
    assert settle(run, claimed, **broken) == settled
    told = [one for one in broker(run).wake_ups() if one.result == "stop"]
    assert [(one.condition, one.reason) for one in told] == [
        ("data_quality", "The data is not fit to train on: The validation was fail.")
    ]


def test_a_run_that_lost_its_lease_is_told_and_stays_green(run: Run, tmp_path: Path) -> None:
    given = {"policy": policy(tmp_path, "lease: 1s, retrain_on: [drift]")}
    broker(run).put(source="drift", reason="delay drifted", dedupe_key="k", actor=ALICE)
    claimed = claim(run, **given)
    late = Broker(run.store, MODEL, clock=lambda: broker(run).state().lease.until)  # type: ignore[union-attr]
    assert late.claim("another", actor=ALICE).granted
    settled = settle(run, claimed, promotion=run.reference("alias", changed=True, version=2))
    assert (settled["summary"]["outcome"], settled["summary"]["held"]) == ("promoted", False)


def test_a_reference_of_another_kind_is_refused(run: Run) -> None:
    with pytest.raises(AirflowFailException, match="A reference of claim is needed here; got one of kind 'alias'"):
        settle(run, run.reference("alias"))
