from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.core.performance import Measured, PerformancePolicy, judge_performance
from stoker.core.policies import Bounds
from stoker.core.verdicts import Outcome
from stoker.errors import ConfigurationError

POLICY = PerformancePolicy()
GOOD = Measured(
    metric="roc_auc",
    greater_is_better=True,
    value=0.80,
    low=0.79,
    high=0.81,
    values={},
    labelled=900,
    predicted=1000,
    baseline=0.80,
    baseline_rows=1_000_000,
)


def _outcome(policy=POLICY, **changes):
    return judge_performance(replace(GOOD, **changes), policy).outcome


def test_a_drop_beyond_the_noise_fails():
    verdict = judge_performance(replace(GOOD, value=0.70, low=0.69, high=0.71), POLICY)
    assert verdict.outcome is Outcome.FAIL
    assert "roc_auc 0.7000 against 0.8000" in verdict.reasons[0]
    assert "-0.1000" in verdict.reasons[0]


def test_a_gain_beyond_the_noise_passes():
    assert _outcome(value=0.9, low=0.89, high=0.91) is Outcome.PASS


def test_an_interval_with_both_answers_is_inconclusive():
    assert _outcome(value=0.795, low=0.785, high=0.805) is Outcome.INCONCLUSIVE


def test_a_drop_within_the_margin_passes():
    assert _outcome(PerformancePolicy(max_drop=0.05), value=0.78, low=0.77, high=0.79) is Outcome.PASS


def test_where_less_is_better_more_is_a_drop():
    worse = {"greater_is_better": False, "metric": "rmse", "value": 12.0, "low": 11.5, "high": 12.5, "baseline": 10.0}
    assert _outcome(**worse) is Outcome.FAIL
    assert _outcome(**{**worse, "value": 8.0, "low": 7.5, "high": 8.5}) is Outcome.PASS
    assert replace(GOOD, **worse).change() == pytest.approx((-2.0, -2.5, -1.5), abs=1e-3)


def test_a_baseline_from_few_rows_is_as_uncertain_as_they_are():
    dropped = {"value": 0.77, "low": 0.76, "high": 0.78}
    assert _outcome(**dropped) is Outcome.FAIL
    assert _outcome(**dropped, baseline_rows=100) is Outcome.INCONCLUSIVE
    _, low, high = replace(GOOD, baseline_rows=300).change()
    assert (low, high) == pytest.approx((-0.02, 0.02))  # sqrt(1 + 900 / 300) = 2


def test_a_broken_threshold_fails_whatever_the_baseline():
    policy = PerformancePolicy(thresholds={"accuracy": Bounds(min=0.9)})
    verdict = judge_performance(replace(GOOD, value=0.9, low=0.89, high=0.91, values={"accuracy": 0.8}), policy)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.reasons[0] == "accuracy must be at least 0.9; it is 0.8000."


def test_thresholds_alone_can_judge():
    policy = PerformancePolicy(thresholds={"accuracy": Bounds(min=0.7)})
    assert _outcome(policy, baseline=None, values={"accuracy": 0.8}) is Outcome.PASS


def test_without_baseline_and_thresholds_nothing_is_configured():
    assert _outcome(baseline=None) is Outcome.NOT_CONFIGURED


def test_too_few_labels_give_no_verdict_however_bad_they_look():
    verdict = judge_performance(replace(GOOD, labelled=790, value=0.1, low=0.0, high=0.2), POLICY)
    assert verdict.outcome is Outcome.INSUFFICIENT_DATA
    assert "790 of 1000 predicted rows have a label (79.0%)" in verdict.reasons[0]
    assert "selection bias" in verdict.reasons[0]


def test_exactly_the_least_coverage_is_enough():
    assert _outcome(labelled=800, value=0.9, low=0.89, high=0.91) is Outcome.PASS


def test_too_few_rows_give_no_verdict():
    assert _outcome(labelled=199, predicted=199) is Outcome.INSUFFICIENT_DATA
    assert _outcome(labelled=0, predicted=0) is Outcome.INSUFFICIENT_DATA


@pytest.mark.parametrize("end", ["value", "low", "high"])
def test_an_undefined_metric_gives_no_verdict(end):
    assert _outcome(**{end: math.nan}) is Outcome.INSUFFICIENT_DATA


def test_warnings_stand_beside_every_verdict():
    for labelled in (900, 100):
        verdict = judge_performance(replace(GOOD, labelled=labelled, warnings=("Beware.",)), POLICY)
        assert verdict.reasons[-1] == "Beware."


@given(
    value=st.floats(0, 1), below=st.floats(0, 0.5), above=st.floats(0, 0.5), baseline=st.floats(0, 1), greater=st.booleans(),
    rows=st.integers(1, 10**6),
)  # fmt: skip
def test_the_interval_holds_the_change_and_is_never_narrower_than_the_bootstraps(
    value, below, above, baseline, greater, rows
):
    measured = replace(
        GOOD, value=value, low=value - below, high=value + above, baseline=baseline, greater_is_better=greater,
        baseline_rows=rows,
    )  # fmt: skip
    change, low, high = measured.change()
    assert low <= change <= high
    assert high - low >= below + above - 1e-9


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_drop": -0.1},
        {"max_drop": math.nan},
        {"alpha": 0.6},
        {"min_coverage": 1.1},
        {"min_rows": 1},
        {"windows": 0},
        {"n_boot": 99},
        {"label_delay": timedelta(days=-1)},
    ],
)
def test_a_policy_with_an_impossible_field_is_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        PerformancePolicy(**wrong)
