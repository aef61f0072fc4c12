"""The evaluation task: what follows from a verdict, in each mode."""

from __future__ import annotations

from pathlib import Path

from stoker import EvaluateModelOperator
from stoker.store.documents import get_document
from tests.operators.conftest import Lived, Loop, refused, twice


def test_a_model_that_passes_lets_the_run_go_on(lived: Lived) -> None:
    judged = lived.february["judged"]
    assert (judged["kind"], judged["verdict"], judged["summary"]["champion_version"]) == ("evaluation", "pass", 1)


def test_a_model_that_fails_skips_what_follows_and_says_why(old: Loop, lived: Lived) -> None:
    judged = old.evaluate(lived.february["model"], thresholds={"roc_auc": {"min": 0.99}})
    assert (judged["verdict"], old.last.skipped) == ("fail", ["after", "aside"])
    assert "roc_auc must be at least 0.99" in judged["summary"]["reasons"][0]
    assert get_document(old.store, judged["digest"], "evaluation")["verdict"]["outcome"] == "fail"
    assert old.registry.aliases("late") == {"champion": 1}


def test_a_model_that_fails_can_fail_the_task(old: Loop, lived: Lived) -> None:
    with refused(old, "GateFailed: The model must pass its gate; .*0.99"):
        old.evaluate(lived.february["model"], thresholds={"roc_auc": {"min": 0.99}}, on_failure="fail")
    assert old.last.pushed["return_value"]["verdict"] == "fail"


def test_a_switched_off_gate_is_no_pass(old: Loop, lived: Lived) -> None:
    judged = old.evaluate(lived.february["model"], mode="off", on_failure="continue")
    assert (judged["verdict"], old.last.skipped) == ("not_configured", [])
    version = old.register(lived.february["model"], evaluation=judged, name="ungated")
    with refused(old, "GateFailed"):
        old.promote(version, name="ungated", expected_version="any")


def test_a_dry_run_skips_what_follows_even_when_it_passes(old: Loop, lived: Lived) -> None:
    judged = old.evaluate(lived.february["model"], mode="dry_run")
    assert (judged["verdict"], old.last.skipped) == ("pass", ["after", "aside"])


def test_a_dry_run_has_no_consequence_whatever_a_failure_would_do(old: Loop, lived: Lived) -> None:
    impossible = {"roc_auc": {"min": 0.999}}
    for on_failure in ("fail", "continue"):
        old.evaluate(lived.february["model"], mode="dry_run", on_failure=on_failure, thresholds=impossible)
        assert old.last.skipped == ["after", "aside"]


def test_a_comparison_may_be_given_beside_a_margin_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("gate: {margin: 0.01}\n")
    operator = EvaluateModelOperator(task_id="t", model={}, name="m", policy=str(file), comparison="non_inferiority")
    policy = operator._policy()
    assert (policy.comparison, policy.margin) == ("non_inferiority", 0.01)


def test_a_policy_file_holds_and_arguments_win_over_it(old: Loop, lived: Lived) -> None:
    policy = Path(old.landing, "policy.yaml")
    policy.write_text("gate:\n  thresholds:\n    accuracy: {min: 0.5}\n  min_rows: 100000\n")
    judged = old.evaluate(lived.february["model"], policy=str(policy), alpha="0.1")
    rules = get_document(old.store, judged["digest"], "evaluation")["policy"]
    assert (rules["min_rows"], rules["alpha"], set(rules["thresholds"])) == (100000, 0.1, {"roc_auc"})
    assert judged["verdict"] == "insufficient_data"


def test_training_rows_are_no_fair_judge(old: Loop, lived: Lived) -> None:
    judged = old.evaluate(lived.february["model"], dataset=lived.february["good"])
    assert judged["verdict"] == "fail"
    assert any("are training rows of the challenger" in reason for reason in judged["summary"]["reasons"])


def test_a_retry_gives_the_same_verdict(old: Loop, lived: Lived) -> None:
    assert twice(old, lambda: old.evaluate(lived.february["model"]))["digest"] == lived.february["judged"]["digest"]


def test_slices_are_measured_for_the_report(old: Loop, lived: Lived) -> None:
    judged = old.evaluate(lived.february["model"], slices=["carrier"])
    document = get_document(old.store, judged["digest"], "evaluation")
    slices = get_document(old.store, document["figures"], "figures")["slices"]
    assert {one["column"] for one in slices} == {"carrier"}
    with refused(old, "SchemaMismatch: .*missing: gate"):
        old.evaluate(lived.february["model"], slices=["gate"])
