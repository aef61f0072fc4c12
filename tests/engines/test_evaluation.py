from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import sklearn.metrics as sk
from tests.support.models import boosting, boosting_regressor, fit, flights, guess, manifest, put

from stoker.core.policies import Bounds, Comparison, GatePolicy
from stoker.core.records import Reference
from stoker.core.verdicts import Outcome, Verdict
from stoker.engines import evaluation
from stoker.engines.evaluation import evaluate
from stoker.engines.frames import read_frame
from stoker.engines.persistence import load_model
from stoker.errors import DataValidationFailed, SchemaMismatch, UnsuitableData, UsageError
from stoker.store.documents import get_bytes, get_document, put_bytes, put_document
from stoker.store.memory import MemoryStore

QUICK = GatePolicy(n_boot=200, min_rows=100)
BOUNDED = GatePolicy(n_boot=200, min_rows=100, thresholds={"roc_auc": Bounds(min=0.6)})


@pytest.fixture(scope="module")
def store():
    """Two months: a champion that saw little of January, a challenger that saw all of it."""
    return MemoryStore()


@pytest.fixture(scope="module")
def champion(store):
    put_january = put(store, flights(1500, month="2013-01", seed=1), "2013-01")
    return fit(store, put_january, boosting, estimator_params={"max_iter": 1}, features=["wind", "seats"])


@pytest.fixture(scope="module")
def challenger(store, champion):
    return fit(store, put(store, flights(1500, month="2013-02", seed=2), "2013-02"), boosting, history="all")


@pytest.fixture
def no_process(monkeypatch):
    """Leave the clean process to the tests of the smoke test."""
    passed = Verdict(Outcome.PASS, ("It loads.",), {"smoke": "pass"})
    monkeypatch.setattr(evaluation, "smoke_test", lambda *_, **__: passed)


def _document(store, reference):
    return get_document(store, reference.digest, "evaluation")


def _changed(store, reference: Reference, **changes) -> dict:
    """The manifest of a candidate with some facts changed."""
    found = manifest(store, reference)
    return {"candidate": {**found["candidate"], **changes}, "files": {**found["files"], **changes.pop("files", {})}}


def test_the_whole_way_with_a_real_clean_process(store, champion, challenger):
    reference = evaluate(
        store, model=challenger, policy=BOUNDED, champion=manifest(store, champion), champion_version=4
    )
    document = _document(store, reference)
    assert reference.verdict == document["verdict"]["outcome"] == "pass"
    assert reference.summary["champion_version"] == document["baseline_version"] == 4
    assert document["smoke_passed"] is True
    assert document["comparison"]["low"] > 0
    assert reference.to_xcom()


@pytest.mark.usefixtures("no_process")
def test_metrics_are_those_of_scikit_learn_on_the_holdout(store, champion, challenger):
    document = _document(store, evaluate(store, model=challenger, policy=QUICK, champion=manifest(store, champion)))
    for which, reference in (("metrics", challenger), ("champion_metrics", champion)):
        candidate = get_document(store, reference.digest)
        frame = read_frame(store, get_document(store, document["dataset"]))
        model = load_model(get_bytes(store, candidate["files"]["model.skops"]["sha256"]))
        scores = model.predict_proba(frame[[one["name"] for one in candidate["features"]]])[:, 1]
        assert document[which]["roc_auc"] == pytest.approx(sk.roc_auc_score(frame["late"], scores))
    assert document["dataset"] == get_document(store, challenger.digest)["holdout"]
    assert set(document["baselines"]) == {"dummy", "linear"}
    assert document["baselines"]["dummy"]["roc_auc"] == 0.5


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize(
    ("policy", "with_champion", "outcome"),
    [
        (QUICK, False, "not_configured"),
        (BOUNDED, False, "pass"),
        (QUICK, True, "pass"),
        (GatePolicy(n_boot=200, thresholds={"roc_auc": Bounds(min=0.99)}), True, "fail"),
        (GatePolicy(n_boot=200, thresholds={"neg_log_loss": Bounds(min=-0.01)}), False, "fail"),
        (GatePolicy(n_boot=200, min_rows=301, thresholds={"roc_auc": Bounds(min=0.6)}), False, "insufficient_data"),
        (GatePolicy(n_boot=200, margin=0.5), True, "fail"),
        (GatePolicy(n_boot=200, metric="log_loss"), True, "pass"),
        (GatePolicy(n_boot=200, comparison=Comparison.NON_INFERIORITY, margin=0.01), True, "pass"),
    ],
)
def test_the_verdict_follows_from_policy_and_champion(store, champion, challenger, policy, with_champion, outcome):
    office = manifest(store, champion) if with_champion else None
    reference = evaluate(store, model=challenger, policy=policy, champion=office)
    assert reference.verdict == outcome
    assert reference.summary["reasons"]
    assert _document(store, reference)["verdict"]["outcome"] == outcome


@pytest.mark.usefixtures("no_process")
def test_a_model_that_is_no_better_than_the_champion_does_not_pass(store, champion, challenger):
    office = manifest(store, challenger)
    weaker = evaluate(
        store,
        model=champion,
        policy=QUICK,
        dataset=put(store, flights(800, month="2014-01", seed=9), "2014-01"),
        champion=office,
    )
    assert weaker.verdict == "fail"
    assert "not better" in weaker.summary["reasons"][0]


@pytest.mark.usefixtures("no_process")
def test_a_run_repeated_after_its_promotion_finds_its_own_model_good(store, challenger):
    again = evaluate(store, model=challenger, policy=QUICK, champion=manifest(store, challenger), champion_version=2)
    assert again.verdict == "pass"
    assert "the champion v2 itself" in again.summary["reasons"][0]


@pytest.mark.usefixtures("no_process")
def test_a_model_that_ignores_its_input_fails_against_the_dummy(store, challenger):
    model = fit(store, put(store, flights(1000)), guess)
    reference = evaluate(store, model=model, policy=GatePolicy(thresholds={"accuracy": Bounds(min=0.1)}))
    assert reference.verdict == "fail"
    assert "dummy" in reference.summary["reasons"][0]


@pytest.mark.usefixtures("no_process")
def test_a_model_that_loses_to_a_linear_one_is_told_so_and_passes(store):
    table = flights(2000)
    table = table.set_column(
        table.column_names.index("late"), "late", pa.array((np.nan_to_num(table["wind"].to_numpy()) > 0).astype(int))
    )
    model = fit(store, put(store, table), boosting, estimator_params={"max_iter": 1}, features=["wind", "seats"])
    policy = GatePolicy(metric="log_loss", thresholds={"roc_auc": Bounds(min=0.5)})
    document = _document(store, evaluate(store, model=model, policy=policy))
    assert document["verdict"]["outcome"] == "pass"
    assert any("linear model" in reason for reason in document["verdict"]["reasons"])


@pytest.mark.usefixtures("no_process")
def test_rows_that_a_model_was_trained_on_make_the_comparison_invalid(store, champion, challenger):
    january = put(store, flights(1500, month="2013-01", seed=1), "2013-01")
    reference = evaluate(store, model=challenger, policy=QUICK, dataset=january, champion=manifest(store, champion))
    reasons = _document(store, reference)["verdict"]["reasons"]
    assert reference.verdict == "fail"
    assert any("100.00% of the evaluation rows are training rows of the challenger" in reason for reason in reasons)
    assert any("80.00% of the evaluation rows are training rows of the champion" in reason for reason in reasons)
    allowed = GatePolicy(n_boot=200, max_overlap=1.0)
    assert (
        evaluate(store, model=challenger, policy=allowed, dataset=january, champion=manifest(store, champion)).verdict
        == "pass"
    )


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize(
    "changes",
    [
        {"target": "delayed"},
        {"classes": [1, 0]},
        {"task": "multiclass"},
        {"features": [{"name": "gust", "type": "float64"}]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_champion_of_another_contract_cannot_be_compared(store, champion, challenger, changes):
    reference = evaluate(store, model=challenger, policy=BOUNDED, champion=_changed(store, champion, **changes))
    document = _document(store, reference)
    assert reference.verdict == "fail"
    assert document["verdict"]["reasons"][0].startswith("Invalid comparison")
    assert document["verdict"]["numbers"]["invalid_comparison"] is True
    assert document["comparison"] is None


@pytest.mark.usefixtures("no_process")
def test_a_champion_that_does_not_load_fails_with_advice(store, champion, challenger):
    broken = put_bytes(store, b"no model")
    for digest in (broken.sha256, "0" * 64):
        office = _changed(store, champion)
        office["files"]["model.skops"] = {"sha256": digest, "size": 8}
        reference = evaluate(store, model=challenger, policy=BOUNDED, champion=office, champion_version=2)
        assert reference.verdict == "fail"
        assert "champion v2 must be scored" in reference.summary["reasons"][0]
        assert "Roll back" in _document(store, reference)["verdict"]["reasons"][0]


@pytest.mark.usefixtures("no_process")
def test_overlap_that_cannot_be_told_is_no_pass(store, champion, challenger):
    office = _changed(store, champion, hashed_columns=["id", "gust"])
    reference = evaluate(store, model=challenger, policy=BOUNDED, champion=office)
    assert reference.verdict == "insufficient_data"
    assert "gust" in reference.summary["reasons"][0]


def test_a_model_that_fails_the_smoke_test_is_not_loaded_here(store, challenger, monkeypatch):
    document = get_document(store, challenger.digest)
    broken = put_bytes(store, b"no model")
    files = {**document["files"], "model.skops": {"sha256": broken.sha256, "size": 8}}
    digest = put_document(store, {**document, "files": files})
    monkeypatch.setattr(evaluation, "load_model", lambda *_, **__: pytest.fail("it was loaded"))
    reference = evaluate(store, model=Reference("candidate", "", digest, "pass"), policy=BOUNDED)
    found = _document(store, reference)
    assert reference.verdict == "fail"
    assert found["smoke_passed"] is False
    assert found["verdict"]["numbers"]["smoke"] == "corrupt"
    assert found["metrics"] == {}


@pytest.mark.usefixtures("no_process")
def test_dry_run_records_the_verdict_and_off_judges_nothing(store, champion, challenger):
    dry = evaluate(store, model=challenger, policy=BOUNDED, champion=manifest(store, champion), mode="dry_run")
    assert dry.verdict == "pass"
    assert dry.summary["mode"] == "dry_run"
    assert _document(store, dry)["verdict"]["numbers"]["dry_run"] is True
    off = evaluate(store, model=challenger, policy=BOUNDED, mode="off")
    assert off.verdict == "not_configured"
    assert _document(store, off)["metrics"] == {}


@pytest.mark.usefixtures("no_process")
def test_the_same_evaluation_is_the_same_document(store, champion, challenger):
    first, again = (
        evaluate(store, model=challenger, policy=QUICK, champion=manifest(store, champion)).digest for _ in range(2)
    )
    assert first == again


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize(
    ("target", "estimator", "metric"), [("grade", boosting, "balanced_accuracy"), ("delay", boosting_regressor, "rmse")]
)
def test_other_tasks_are_judged_by_their_own_metric(store, target, estimator, metric):
    own = MemoryStore()
    january = put(own, flights(1500), "2013-01")
    weak = fit(own, january, estimator, target, features=["seats", "wind"], estimator_params={"max_iter": 1})
    strong = fit(own, put(own, flights(1500, month="2013-02", seed=1), "2013-02"), estimator, target)
    reference = evaluate(own, model=strong, policy=QUICK, champion=manifest(own, weak))
    assert reference.summary["metric"] == metric
    assert reference.verdict == "pass"


@pytest.mark.usefixtures("no_process")
def test_a_class_that_the_model_was_never_shown_makes_the_comparison_invalid(store, champion, challenger):
    table = flights(500, month="2015-01")
    table = table.set_column(table.column_names.index("late"), "late", pa.array([2, *[0, 1] * 249, 1]))
    reference = evaluate(
        store,
        model=challenger,
        policy=BOUNDED,
        dataset=put(store, table, "2015-01"),
        champion=manifest(store, champion),
    )
    assert reference.verdict == "fail"
    assert "never shown" in reference.summary["reasons"][0]


@pytest.mark.usefixtures("no_process")
def test_one_class_alone_is_insufficient_data(store, champion, challenger):
    table = flights(500, month="2015-02")
    table = table.set_column(table.column_names.index("late"), "late", pa.array([1] * 500))
    reference = evaluate(
        store,
        model=challenger,
        policy=BOUNDED,
        dataset=put(store, table, "2015-02"),
        champion=manifest(store, champion),
    )
    assert reference.verdict == "insufficient_data"
    assert _document(store, reference)["comparison"]["low"] is None


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize(("column", "error"), [("wind", SchemaMismatch), ("late", SchemaMismatch)])
def test_rows_without_a_column_of_the_model_are_refused(store, challenger, column, error):
    dataset = put(store, flights(300, month="2016-01").drop_columns([column]), "2016-01")
    with pytest.raises(error, match=column):
        evaluate(store, model=challenger, policy=QUICK, dataset=dataset)


@pytest.mark.usefixtures("no_process")
def test_rows_without_a_target_are_refused(store, challenger):
    table = flights(300, month="2016-02")
    table = table.set_column(table.column_names.index("late"), "late", pa.array([None, *[1] * 299], pa.int64()))
    with pytest.raises(UnsuitableData, match="1 of 300"):
        evaluate(store, model=challenger, policy=QUICK, dataset=put(store, table, "2016-02"))


@pytest.mark.parametrize("policy", [GatePolicy(metric="roc_acu"), GatePolicy(thresholds={"rmse": Bounds(max=1)})])
def test_a_metric_that_the_task_does_not_have_is_refused(store, challenger, policy):
    with pytest.raises(UsageError, match="must be one that exists for a binary task"):
        evaluate(store, model=challenger, policy=policy)


def test_rows_that_failed_validation_are_not_judged_on(store, challenger):
    digest = put_document(
        store, {"kind": "validation", "ok": None, "verdict": {"outcome": "fail", "reasons": ["Bad."]}}
    )
    with pytest.raises(DataValidationFailed, match="Bad"):
        evaluate(store, model=challenger, policy=QUICK, dataset=Reference("validation", "", digest, "fail"))


def _figures(store, reference):
    return get_document(store, _document(store, reference)["figures"], "figures")


@pytest.mark.usefixtures("no_process")
def test_figures_show_both_models_on_the_same_rows(store, champion, challenger):
    reference = evaluate(store, model=challenger, policy=QUICK, champion=manifest(store, champion))
    figures, document = _figures(store, reference), _document(store, reference)
    assert (figures["of"], figures["task"], figures["metric"], figures["rows"]) == (
        "evaluation",
        "binary",
        "roc_auc",
        document["rows"],
    )
    for which, facts in (("challenger", "metrics"), ("champion", "champion_metrics")):
        assert figures["models"][which]["roc"]["auc"] == pytest.approx(document[facts]["roc_auc"], abs=1e-5)
    assert {one["column"] for one in figures["slices"]} <= {"wind", "carrier", "weekend", "seats"}
    again = evaluate(store, model=challenger, policy=QUICK, champion=manifest(store, champion))
    assert again.digest == reference.digest


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize("target", ["delay", "grade"])
def test_a_first_model_of_another_task_has_figures_of_its_own(store, target):
    estimator = boosting_regressor if target == "delay" else boosting
    model = fit(store, put(store, flights(600)), estimator, target)
    figures = _figures(store, evaluate(store, model=model, policy=GatePolicy(n_boot=100)))
    assert figures["models"].keys() == {"challenger"}
    assert ("residuals" in figures["models"]["challenger"]) == (target == "delay")
    assert all(one["champion"] is None for one in figures["slices"])


@pytest.mark.usefixtures("no_process")
def test_slices_are_by_any_column_of_the_rows(store, challenger):
    figures = _figures(store, evaluate(store, model=challenger, policy=QUICK, slices=["grade", "departure"]))
    assert [one["value"] for one in figures["slices"]][:3] == ["bad", "fair", "good"]
    assert len(figures["slices"]) == 7
    assert _figures(store, evaluate(store, model=challenger, policy=QUICK, slices=[]))["slices"] == []


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize(
    ("slices", "error", "said"),
    [(["gate"], SchemaMismatch, "missing: gate"), ("carrier", UsageError, "list of columns")],
)
def test_slices_that_do_not_exist_are_refused(store, challenger, slices, error, said):
    with pytest.raises(error, match=said):
        evaluate(store, model=challenger, policy=QUICK, slices=slices)


@pytest.mark.usefixtures("no_process")
def test_figures_that_cannot_be_drawn_leave_the_verdict_as_it_is(store, champion, challenger, monkeypatch, caplog):
    office = manifest(store, champion)
    drawn = evaluate(store, model=challenger, policy=QUICK, champion=office)
    monkeypatch.setattr(evaluation, "draw_models", lambda *_: 1 / 0)
    plain = evaluate(store, model=challenger, policy=QUICK, champion=office)
    assert _document(store, plain) == {**_document(store, drawn), "figures": None}
    assert "could not be drawn" in caplog.text


@pytest.mark.usefixtures("no_process")
def test_what_was_not_judged_has_no_figures(store, challenger):
    assert _document(store, evaluate(store, model=challenger, policy=QUICK, mode="off"))["figures"] is None


@pytest.mark.usefixtures("no_process")
def test_candidates_of_before_there_were_figures_are_judged(store, champion, challenger):
    new = ("personal_columns", "learning_curve", "timings", "importances")
    old, office = get_document(store, challenger.digest), manifest(store, champion)
    before = put_document(store, {name: value for name, value in old.items() if name not in new})
    for name in new:
        del office["candidate"][name]
    reference = evaluate(store, model=Reference("candidate", "", before, "pass"), policy=QUICK, champion=office)
    assert reference.verdict == "pass"
    assert _figures(store, reference)["slices"] == []
