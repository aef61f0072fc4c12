from __future__ import annotations

import math

import pytest

from stoker.core.policies import Bounds, Comparison, GatePolicy
from stoker.core.promotion import (
    PairedDifference,
    judge_comparison,
    judge_dummy,
    judge_overlap,
    judge_size,
    judge_thresholds,
)
from stoker.core.verdicts import Outcome
from stoker.errors import ConfigurationError

SUPERIOR = GatePolicy()
NOT_WORSE = GatePolicy(comparison=Comparison.NON_INFERIORITY, margin=0.01)


def difference(low: float, high: float) -> PairedDifference:
    return PairedDifference("roc_auc", 0.7, 0.7, (low + high) / 2, low, high)


@pytest.mark.parametrize(
    ("policy", "low", "high", "outcome"),
    [
        (SUPERIOR, 0.001, 0.02, Outcome.PASS),
        (SUPERIOR, -0.001, 0.02, Outcome.INCONCLUSIVE),
        (SUPERIOR, 0.0, 0.0, Outcome.FAIL),  # the very same predictions are not better
        (SUPERIOR, -0.02, -0.001, Outcome.FAIL),
        (NOT_WORSE, -0.005, 0.001, Outcome.PASS),
        (NOT_WORSE, 0.0, 0.0, Outcome.PASS),
        (NOT_WORSE, -0.02, 0.001, Outcome.INCONCLUSIVE),
        (NOT_WORSE, -0.03, -0.02, Outcome.FAIL),
        (SUPERIOR, math.nan, 0.1, Outcome.INSUFFICIENT_DATA),
        (SUPERIOR, 0.1, math.nan, Outcome.INSUFFICIENT_DATA),
        (NOT_WORSE, -math.inf, 0.1, Outcome.INSUFFICIENT_DATA),
    ],
)
def test_the_interval_decides_the_comparison(policy: GatePolicy, low: float, high: float, outcome: Outcome) -> None:
    verdict = judge_comparison(difference(low, high), policy)
    assert verdict.outcome is outcome
    assert "roc_auc" in verdict.reasons[0]


def test_a_first_model_is_left_to_its_thresholds() -> None:
    assert judge_comparison(None, SUPERIOR).passed


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_undefined_metric_is_never_a_pass(value: float) -> None:
    for bounds in (Bounds(min=0.5), Bounds(max=0.5)):
        verdict = judge_thresholds({"roc_auc": value}, {"roc_auc": bounds})
        assert verdict.outcome is Outcome.INSUFFICIENT_DATA


def test_a_metric_that_was_not_measured_is_never_a_pass() -> None:
    assert judge_thresholds({}, {"roc_auc": Bounds(min=0.5)}).outcome is Outcome.INSUFFICIENT_DATA


def test_bounds_are_kept_at_their_ends() -> None:
    assert judge_thresholds({"mae": 2.0}, {"mae": Bounds(min=2.0, max=2.0)}).passed


def test_every_broken_threshold_is_named() -> None:
    verdict = judge_thresholds({"a": 0.1, "b": 0.9}, {"a": Bounds(min=0.5), "b": Bounds(max=0.5)})
    assert verdict.outcome is Outcome.FAIL
    assert len(verdict.reasons) == 2
    assert "at least 0.5" in verdict.reasons[0]
    assert "at most 0.5" in verdict.reasons[1]


def test_no_thresholds_is_not_a_pass() -> None:
    assert judge_thresholds({"a": 1.0}, {}).outcome is Outcome.NOT_CONFIGURED


def test_too_few_rows_cannot_be_judged() -> None:
    assert judge_size(199, SUPERIOR).outcome is Outcome.INSUFFICIENT_DATA
    assert judge_size(200, SUPERIOR).passed


def test_overlap_makes_a_comparison_invalid() -> None:
    verdict = judge_overlap(0.001, "the champion", SUPERIOR)
    assert verdict.outcome is Outcome.FAIL
    assert "the champion" in verdict.reasons[0]
    assert judge_overlap(0.0, "the champion", SUPERIOR).passed
    assert judge_overlap(0.01, "the champion", GatePolicy(max_overlap=0.01)).passed


@pytest.mark.parametrize(
    ("model", "dummy", "greater", "outcome"),
    [
        (0.7, 0.5, True, Outcome.PASS),
        (0.5, 0.5, True, Outcome.FAIL),
        (0.5, 0.7, False, Outcome.PASS),
        (0.7, 0.5, False, Outcome.FAIL),
        (math.nan, 0.5, True, Outcome.INSUFFICIENT_DATA),
        (0.7, math.nan, False, Outcome.INSUFFICIENT_DATA),
    ],
)
def test_a_model_must_beat_a_dummy(model: float, dummy: float, greater: bool, outcome: Outcome) -> None:
    assert judge_dummy(model, dummy, "m", greater_is_better=greater).outcome is outcome


@pytest.mark.parametrize(
    "arguments",
    [
        {"alpha": 0.0},
        {"alpha": 0.6},
        {"alpha": math.nan},
        {"margin": -0.1},
        {"n_boot": 10},
        {"min_rows": 1},
        {"max_overlap": 1.5},
        {"comparison": Comparison.NON_INFERIORITY},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        GatePolicy(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("ends", [{}, {"min": 1.0, "max": 0.0}])
def test_bounds_that_nothing_can_meet_are_refused(ends: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        Bounds(**ends)
