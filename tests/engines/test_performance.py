from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sklearn.metrics as sk
from tests.support.predictions import BASELINE, TRAINED, label, manifest, noisy, predict, truth

from stoker.core.performance import PerformancePolicy
from stoker.core.policies import Bounds
from stoker.engines.performance import monitor_performance
from stoker.errors import UnsuitableData, UsageError
from stoker.loop.windows import WindowLog
from stoker.store.documents import get_document
from stoker.store.memory import MemoryStore

JULY = datetime(2013, 7, 1, tzinfo=UTC)
QUICK = PerformancePolicy(n_boot=200, max_drop=0.05)


@pytest.fixture
def store():
    return MemoryStore()


def _monitor(store, **given):
    usual = {
        "model": "late",
        "version_number": 1,
        "manifest": manifest(),
        "labels": "outcomes",
        "id_columns": ["id"],
        "as_of": JULY,
        "policy": QUICK,
        "max_threads": 1,
    }
    return monitor_performance(store, **{**usual, **given})


def _document(store, reference):
    return get_document(store, reference.digest, "performance")


def _month(store, month, *, skill=2.0, rows=1000, **given):
    found = truth(month, rows, skill=skill)
    predict(store, month, found, **given)
    label(store, month, found)
    return found


def test_a_model_that_is_as_good_as_ever_passes(store):
    found = _month(store, "2013-03")
    reference = _monitor(store)
    assert (reference.kind, reference.verdict, reference.summary["kinds"]) == ("performance", "pass", [])
    assert reference.summary["value"] == pytest.approx(sk.roc_auc_score(found["late"], found["score"]))
    low, high = reference.summary["interval"]
    assert low < reference.summary["value"] < high
    assert (reference.summary["baseline"], reference.summary["coverage"]) == (BASELINE["roc_auc"], 1.0)
    assert "The model is not worse than at its evaluation by more than 0.05" in reference.summary["reasons"][0]


def test_a_model_that_lost_its_skill_fails_as_concept_drift(store):
    _month(store, "2013-03", skill=0.5)
    reference = _monitor(store)
    assert (reference.verdict, reference.summary["kinds"]) == ("fail", ["concept"])
    assert "The model is worse than at its evaluation by more than 0.05: roc_auc" in reference.summary["reasons"][0]


def test_a_broken_threshold_fails(store):
    _month(store, "2013-03")
    policy = PerformancePolicy(n_boot=200, max_drop=0.05, thresholds={"accuracy": Bounds(min=0.99)})
    reference = _monitor(store, policy=policy)
    assert reference.verdict == "fail"
    assert "accuracy must be at least 0.99" in reference.summary["reasons"][0]


def test_a_metric_of_which_less_is_better_is_read_that_way(store):
    _month(store, "2013-03", skill=-2.0)
    for metric in ("log_loss", "neg_log_loss"):
        reference = _monitor(store, policy=PerformancePolicy(metric=metric, n_boot=200))
        assert reference.verdict == "fail"
        assert abs(reference.summary["baseline"]) == BASELINE["log_loss"]


def test_healthy_windows_are_rarely_called_a_drop():
    """At alpha 0.05 and with a baseline from as many rows as a window has."""
    rows, called = 400, 0
    for number in range(30):
        store = MemoryStore()
        found = _month(store, f"{2014 + number}-01", rows=rows)
        before = truth(f"{2014 + number}-06", rows)
        evaluation = {"metrics": {"roc_auc": sk.roc_auc_score(before["late"], before["score"])}, "rows": rows}
        reference = _monitor(
            store,
            manifest=manifest(evaluation=evaluation),
            policy=PerformancePolicy(n_boot=200),
            as_of=datetime(2100, 1, 1, tzinfo=UTC),
        )
        assert len(found) == rows
        called += reference.verdict == "fail"
    assert called <= 5  # 1.5 expected; more than 5 of 30 have a chance of 0.3 %


def test_the_interval_of_many_rows_is_as_wide_as_theory_says(store):
    found = _month(store, "2013-03", rows=60_000)
    reference = _monitor(store, policy=PerformancePolicy(metric="accuracy", n_boot=500))
    low, high = reference.summary["interval"]
    right = np.mean((found["score"] > 0.5) == found["late"])
    width = 2 * 1.645 * np.sqrt(right * (1 - right) / 60_000)  # of a binomial share, at alpha 0.05 on either side
    assert low < right < high
    assert high - low == pytest.approx(width, rel=0.15)


def test_a_cohort_counts_when_its_label_delay_is_over_and_not_before(store):
    _month(store, "2013-03")
    policy = PerformancePolicy(n_boot=200, max_drop=0.05, label_delay=timedelta(days=30))
    end = datetime(2013, 3, 1, 16, 39, tzinfo=UTC)  # the last of 1000 minutes
    early = _monitor(store, policy=policy, as_of=end + timedelta(days=30) - timedelta(microseconds=1))
    assert early.verdict == "insufficient_data"
    assert early.summary["window"] is None
    assert "must have matured by 2013-03-31T16:38:59.999999Z that version 1 scored" in early.summary["reasons"][0]
    assert _monitor(store, policy=policy, as_of=end + timedelta(days=30)).verdict == "pass"


def test_neither_the_time_of_the_call_nor_a_later_run_changes_what_was_found(store):
    _month(store, "2013-03")
    first = _monitor(store)
    before = list(store.keys(""))
    later = datetime(2033, 1, 1, tzinfo=UTC)
    assert _monitor(store, as_of=later, clock=lambda: later) == first
    assert list(store.keys("")) == before


def test_cohorts_that_the_version_was_trained_on_do_not_count(store):
    _month(store, "2013-03")
    for trained in ({"partition": "2013-03"}, {"partition": "2013-07"}, {"partition": None, "datasets": [None]}):
        candidate = {**manifest()["candidate"], **trained}
        reference = _monitor(store, manifest={**manifest(), "candidate": candidate})
        assert reference.verdict == "insufficient_data"
    other = {**manifest()["candidate"], "partition": "2013-07", "dataset_name": "other", "datasets": ["f" * 64]}
    assert _monitor(store, manifest={**manifest(), "candidate": other}).verdict == "pass"


def test_labels_in_any_order_late_and_twice_give_the_same_document():
    found, digests = truth("2013-03"), set()
    parts = [found.iloc[start : start + 250] for start in range(0, 1000, 250)]
    for seed in range(6):
        deliveries = [*parts, *parts[:2]]
        random.Random(seed).shuffle(deliveries)
        store = MemoryStore()
        predict(store, "2013-03", found)
        for number, rows in enumerate(deliveries):
            label(store, f"delivery-{number}", rows.sample(frac=1, random_state=seed))
        digests.add(_monitor(store).digest)
    assert len(digests) == 1


def test_labels_that_came_while_it_was_watched_give_the_same_document_in_the_end(store):
    found = truth("2013-03")
    predict(store, "2013-03", found)
    verdicts = []
    for number in range(4):
        label(store, f"delivery-{number}", found.iloc[number * 250 : (number + 1) * 250])
        last = _monitor(store)
        verdicts.append(last.verdict)
    assert verdicts == ["insufficient_data"] * 3 + ["pass"]
    at_once = MemoryStore()
    predict(at_once, "2013-03", found)
    label(at_once, "all", found)
    assert _monitor(at_once).digest == last.digest
    noted = WindowLog(store, "late", "performance").windows(1)
    assert [(one.window, one.facts["verdict"]) for one in noted] == [("2013-03", "pass")]


def test_a_window_that_is_judged_again_writes_nothing(store):
    _month(store, "2013-03")
    first = _monitor(store)
    before = list(store.keys(""))
    assert _monitor(store) == first
    assert list(store.keys("")) == before


def test_too_few_labels_give_no_verdict_and_a_warning_when_they_are_the_easy_ones(store):
    found = truth("2013-03")
    predict(store, "2013-03", found)
    easy = found[np.abs(found["score"] - 0.5) > 0.3]
    label(store, "a", easy)
    reference = _monitor(store)
    assert reference.verdict == "insufficient_data"
    assert reference.summary["coverage"] == len(easy) / 1000
    assert "Warning: selection bias" in reference.summary["reasons"][1]


def test_labels_of_high_scores_alone_are_called_biased(store):
    found = truth("2013-03")
    predict(store, "2013-03", found)
    label(store, "a", found.sort_values("score").iloc[100:])
    reference = _monitor(store)
    assert reference.summary["coverage"] == 0.9
    assert any("Warning: selection bias" in reason for reason in reference.summary["reasons"])
    assert _document(store, reference)["selection_bias"]["distance"] == 1.0


def test_labels_that_are_missing_by_chance_are_not_called_biased(store):
    found = truth("2013-03")
    predict(store, "2013-03", found)
    label(store, "a", found.sample(frac=0.9, random_state=1))
    assert not any("bias" in reason for reason in _monitor(store).summary["reasons"])


def test_contradicting_labels_are_counted_and_left_out(store):
    found = _month(store, "2013-03")
    label(store, "again", found.iloc[:50].assign(late=1 - found["late"]))
    reference = _monitor(store)
    assert (_document(store, reference)["contradicting"], reference.summary["coverage"]) == (50, 0.95)
    assert any(reason.startswith("50 rows have labels that contradict") for reason in reference.summary["reasons"])


def test_a_class_that_the_model_never_saw_is_named_and_left_out(store):
    found = truth("2013-03")
    predict(store, "2013-03", found)
    label(store, "a", found.assign(late=found["late"].where(found.index >= 30, 2)))
    reference = _monitor(store)
    assert _document(store, reference)["labelled"] == 970
    assert any(reason.startswith("30 labelled rows are of a class") for reason in reference.summary["reasons"])


def test_only_cohorts_of_the_version_in_office_count(store):
    _month(store, "2013-03", skill=0.0)
    _month(store, "2013-04", version=2)
    reference = _monitor(store, version_number=2)
    assert (reference.verdict, reference.summary["window"], reference.summary["windows_since_promotion"]) == (
        "pass", "2013-04", 1,
    )  # fmt: skip
    assert _monitor(store).verdict == "fail"
    assert _monitor(store, version_number=3).verdict == "insufficient_data"


def test_the_newest_cohorts_are_judged_together(store):
    for month in ("2013-03", "2013-04", "2013-05"):
        _month(store, month, rows=300)
    reference = _monitor(store, policy=PerformancePolicy(n_boot=200, windows=2))
    document = _document(store, reference)
    assert [cohort["partition"] for cohort in document["cohorts"]] == ["2013-04", "2013-05"]
    assert [cohort["labelled"] for cohort in document["cohorts"]] == [300, 300]
    assert (document["predicted"], reference.summary["windows_since_promotion"]) == (600, 3)


def test_a_named_window_is_judged_as_if_nothing_had_come_after_it(store):
    _month(store, "2013-03")
    alone = _monitor(store, window="2013-03")
    _month(store, "2013-04", skill=0.0)
    assert _monitor(store, window="2013-03").digest == alone.digest
    assert _monitor(store).verdict == "fail"
    missing = _monitor(store, window="2013-05")
    assert missing.verdict == "insufficient_data"
    assert missing.summary["reasons"][0].startswith("The cohort 2013-05 must have matured")


def test_what_was_found_is_noted_for_its_window(store):
    _month(store, "2013-03")
    reference = _monitor(store)
    noted = WindowLog(store, "late", "performance").at("2013-03", 1)
    assert (noted.end, noted.facts["document"], noted.facts["verdict"]) == (
        "2013-03-01T16:39:00.000000Z", reference.digest, "pass",
    )  # fmt: skip
    assert noted.facts["value"] == reference.summary["value"]


def test_without_a_version_in_office_nothing_is_configured(store):
    reference = _monitor(store, version_number=None, manifest=None)
    assert (reference.verdict, reference.summary["version"]) == ("not_configured", None)


def test_a_version_without_evaluation_or_thresholds_has_nothing_to_be_held_to(store):
    _month(store, "2013-03")
    assert _monitor(store, manifest=manifest(evaluation=None)).verdict == "not_configured"


def test_predictions_without_a_time_have_no_label_delay(store):
    _month(store, "2013-03", time=False)
    assert _monitor(store).verdict == "pass"
    with pytest.raises(UnsuitableData, match="A label delay needs predictions with a time column"):
        _monitor(store, policy=PerformancePolicy(label_delay=timedelta(days=1)))


def test_a_regression_is_measured_on_its_values(store):
    found = truth("2013-03").assign(late=lambda rows: rows["score"] + np.random.default_rng(1).normal(size=1000))
    predict(store, "2013-03", found.assign(prediction=found["score"]))
    label(store, "a", found)
    candidate = {"task": "regression", "classes": [], "target": "late", **TRAINED}
    given = {"candidate": candidate, "evaluation": {"metrics": {"rmse": 0.5}, "rows": 1000}}
    reference = _monitor(store, manifest=given)
    assert (reference.verdict, reference.summary["metric"]) == ("fail", "rmse")
    assert reference.summary["value"] == pytest.approx(1.0, abs=0.1)


def test_of_several_classes_only_the_predicted_one_is_known(store):
    found = truth("2013-03")
    classes = np.array(["bad", "fair", "good"])
    answers = found.assign(late=classes[np.arange(1000) % 3])
    predict(store, "2013-03", answers.assign(prediction=answers["late"]))
    label(store, "a", answers)
    candidate = {"task": "multiclass", "classes": classes.tolist(), "target": "late", **TRAINED}
    given = {"candidate": candidate, "evaluation": {"metrics": {"balanced_accuracy": 0.9}, "rows": 1000}}
    reference = _monitor(store, manifest=given)
    assert (reference.verdict, reference.summary["value"]) == ("pass", 1.0)
    with pytest.raises(UsageError, match="log_loss needs the scores of all classes"):
        _monitor(store, manifest=given, policy=PerformancePolicy(metric="log_loss"))


def test_an_unknown_metric_is_refused(store):
    with pytest.raises(UsageError, match="Near: roc_auc"):
        _monitor(store, policy=PerformancePolicy(metric="roc_auk"))


def _beside(store, found, month="2013-03", **given):
    """What is said of version 2 beside version 1, on rows that hold the scores of both."""
    predict(store, month, found, version=2, shadow=1)
    label(store, month, found)
    return _monitor(store, version_number=2, manifest_of=lambda _: manifest(), **given)


def test_a_model_that_is_worse_than_the_one_before_is_told_from_it_on_the_same_rows(store):
    found = noisy(truth("2013-03"))
    reference = _beside(store, found)
    assert reference.verdict == "fail"
    shadow = reference.summary["shadow"]
    values = [sk.roc_auc_score(found["late"], found[name]) for name in ("score", "shadow_score")]
    assert (shadow["version"], shadow["worse"]) == (1, True)
    assert (shadow["value"], shadow["difference"]) == pytest.approx((values[1], values[0] - values[1]))
    assert shadow["low"] < shadow["difference"] < shadow["high"] < 0
    assert reference.summary["reasons"][-1].startswith("On the same rows the model is surely worse than v1: roc_auc 0.")
    assert _document(store, reference)["shadow"] == shadow


def test_a_week_that_is_hard_for_both_models_says_nothing_against_either(store):
    hard = truth("2013-03", skill=0.3)
    better = noisy(hard).rename(columns={"score": "shadow_score", "shadow_score": "score"})
    for found in (hard.assign(shadow_score=hard["score"]), better):
        reference = _beside(store, found)
        assert (reference.verdict, reference.summary["shadow"]["worse"]) == ("fail", False)
        assert "On the same rows the model is not surely worse than v1" in reference.summary["reasons"][-1]


@pytest.mark.parametrize("metric", ["log_loss", "neg_log_loss"])
def test_with_a_metric_of_which_less_is_better_a_negative_difference_is_still_the_worse_model(store, metric):
    policy = PerformancePolicy(metric=metric, n_boot=200)
    shadow = _beside(store, noisy(truth("2013-03")), policy=policy).summary["shadow"]
    assert (shadow["difference"] < 0, shadow["worse"]) == (True, True)


def test_the_interval_of_a_difference_shrinks_with_many_rows(store):
    found = noisy(truth("2013-03", 60_000), 0.05)
    policy = PerformancePolicy(metric="accuracy", n_boot=500)
    shadow = _beside(store, found, policy=policy).summary["shadow"]
    right, before = (((found[name] > 0.5) == found["late"]).astype(int) for name in ("score", "shadow_score"))
    width = 2 * 1.645 * np.std(right - before) / np.sqrt(60_000)  # of a mean of paired differences, at alpha 0.05
    assert shadow["high"] - shadow["low"] == pytest.approx(width, rel=0.15)
    assert shadow["difference"] == pytest.approx(float((right - before).mean()))


def test_equal_models_are_rarely_called_worse():
    """Two models with noise of their own each; at alpha 0.05."""
    worse = 0
    for number in range(30):
        store, found = MemoryStore(), truth(f"{2014 + number}-01", 400)
        signal = np.log(found["score"] / (1 - found["score"])) / 2
        first, second = 1 / (1 + np.exp(-signal.to_numpy() - np.random.default_rng(number).normal(size=(2, 400))))
        both = found.assign(score=first, shadow_score=second)
        reference = _beside(store, both, f"{2014 + number}-01", as_of=datetime(2100, 1, 1, tzinfo=UTC))
        worse += reference.summary["shadow"]["worse"]
    assert worse <= 5  # 1.5 expected; more than 5 of 30 have a chance of 0.3 %


def test_a_shadow_that_scored_only_some_of_the_cohorts_is_not_compared(store):
    policy, shadows = (
        PerformancePolicy(n_boot=200, windows=2),
        {"2013-03": None, "2013-04": 1, "2013-05": 1, "2013-06": 3},
    )
    for month, shadow in shadows.items():
        found = noisy(truth(month, 300))
        predict(store, month, found if shadow else found.drop(columns="shadow_score"), version=2, shadow=shadow)
        label(store, month, found)
    given = {"version_number": 2, "policy": policy, "manifest_of": lambda _: manifest()}
    april, may, june = (_monitor(store, window=month, **given).summary["shadow"] for month in [*shadows][1:])
    assert (april, may["version"], june) == (None, 1, None)


def test_a_shadow_that_failed_is_not_compared(store):
    predict(store, "2013-03", truth("2013-03"), version=2, shadow=1, shadow_failure="it broke")
    label(store, "2013-03", truth("2013-03"))
    assert _monitor(store, version_number=2, manifest_of=lambda _: manifest()).summary["shadow"] is None


@pytest.mark.parametrize("changed", [{"partition": "2013-03"}, {"classes": ["no", "yes"]}, {"task": "regression"}])
def test_a_shadow_that_knows_the_rows_or_answers_another_question_is_not_compared(store, changed):
    predict(store, "2013-03", noisy(truth("2013-03")), version=2, shadow=1)
    label(store, "2013-03", truth("2013-03"))
    other = {**manifest()["candidate"], **changed}
    reference = _monitor(store, version_number=2, manifest_of=lambda _: {"candidate": other})
    assert (reference.verdict, reference.summary["shadow"]) == ("fail", None)


def test_too_few_labels_compare_nothing(store):
    predict(store, "2013-03", noisy(truth("2013-03")), version=2, shadow=1)
    label(store, "2013-03", truth("2013-03").iloc[:300])
    assert _monitor(store, version_number=2, manifest_of=lambda _: manifest()).summary["shadow"] is None
