from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics as sk

from stoker.engines import metrics
from stoker.engines.metrics import BINARY, MULTICLASS, REGRESSION, Output, find
from stoker.errors import UsageError

GENERATOR = np.random.default_rng(0)
Y = GENERATOR.integers(0, 2, 300)
SCORES = np.clip(Y * 0.3 + GENERATOR.random(300) * 0.7, 0, 1)
GUESS = Output((SCORES > 0.5).astype(int), SCORES, calibrated=True)
Y3 = GENERATOR.integers(0, 3, 300)
P3 = GENERATOR.dirichlet([1, 1, 1], 300)
GUESS3 = Output(P3.argmax(axis=1), P3, calibrated=True)
VALUES = GENERATOR.normal(size=300) + 5
FITTED = Output(VALUES + GENERATOR.normal(size=300))
WEIGHTS = GENERATOR.random(300) + 0.1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("roc_auc", sk.roc_auc_score(Y, SCORES, sample_weight=WEIGHTS)),
        ("average_precision", sk.average_precision_score(Y, SCORES, sample_weight=WEIGHTS)),
        ("log_loss", sk.log_loss(Y, SCORES, sample_weight=WEIGHTS)),
        ("neg_log_loss", -sk.log_loss(Y, SCORES, sample_weight=WEIGHTS)),
        ("brier", sk.brier_score_loss(Y, SCORES, sample_weight=WEIGHTS)),
        ("neg_brier_score", -sk.brier_score_loss(Y, SCORES, sample_weight=WEIGHTS)),
        ("accuracy", sk.accuracy_score(Y, GUESS.labels, sample_weight=WEIGHTS)),
        ("balanced_accuracy", sk.balanced_accuracy_score(Y, GUESS.labels, sample_weight=WEIGHTS)),
        ("f1", sk.f1_score(Y, GUESS.labels, sample_weight=WEIGHTS)),
        ("precision", sk.precision_score(Y, GUESS.labels, sample_weight=WEIGHTS)),
        ("recall", sk.recall_score(Y, GUESS.labels, sample_weight=WEIGHTS)),
    ],
)
def test_binary_metrics_are_those_of_scikit_learn(name, expected):
    assert find(name, BINARY)(Y, GUESS, WEIGHTS) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("roc_auc", sk.roc_auc_score(Y3, P3, multi_class="ovr")),
        ("roc_auc_ovr", sk.roc_auc_score(Y3, P3, multi_class="ovr")),
        ("log_loss", sk.log_loss(Y3, P3)),
        ("f1_macro", sk.f1_score(Y3, GUESS3.labels, average="macro")),
        ("precision_macro", sk.precision_score(Y3, GUESS3.labels, average="macro")),
        ("recall_macro", sk.recall_score(Y3, GUESS3.labels, average="macro")),
    ],
)
def test_multiclass_metrics_are_those_of_scikit_learn(name, expected):
    assert find(name, MULTICLASS)(Y3, GUESS3) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("r2", sk.r2_score),
        ("mae", sk.mean_absolute_error),
        ("mean_absolute_error", sk.mean_absolute_error),
        ("mse", sk.mean_squared_error),
        ("rmse", sk.root_mean_squared_error),
        ("mape", sk.mean_absolute_percentage_error),
        ("median_ae", sk.median_absolute_error),
    ],
)
def test_regression_metrics_are_those_of_scikit_learn(name, function):
    value = find(name, REGRESSION)(VALUES, FITTED, WEIGHTS)
    assert value == pytest.approx(function(VALUES, FITTED.labels, sample_weight=WEIGHTS), abs=1e-12)


@pytest.mark.parametrize("task", metrics.TASKS)
def test_every_metric_has_a_scorer_of_scikit_learn_with_the_right_sign(task):
    for metric in metrics.defaults(task):
        assert metric.scorer in sk.get_scorer_names()
        assert metric.scorer.startswith("neg_") is not metric.greater_is_better
        assert metrics.scorer_name(metric.name, task) in {metric.scorer, metric.name}


def test_the_negated_form_turns_sign_and_direction():
    assert find("rmse", REGRESSION).greater_is_better is False
    assert find("neg_rmse", REGRESSION).greater_is_better is True
    assert find("neg_root_mean_squared_error", REGRESSION)(VALUES, FITTED) == -find("rmse", REGRESSION)(VALUES, FITTED)


@pytest.mark.parametrize("name", ["roc_acu", "neg_roc_auc", "", "rmse"])
def test_an_unknown_metric_is_refused_with_near_misses(name):
    with pytest.raises(UsageError, match="Near: "):
        find(name, BINARY)
    with pytest.raises(UsageError, match="roc_auc"):
        find("roc_acu", BINARY)


def test_an_unknown_scorer_is_refused_and_the_tasks_own_is_the_default():
    with pytest.raises(UsageError, match="roc_auc"):
        metrics.scorer_name("roc_acu", BINARY)
    assert metrics.scorer_name(None, REGRESSION) == "r2"
    assert metrics.scorer_name("brier", BINARY) == "neg_brier_score"
    assert metrics.scorer_name("jaccard", BINARY) == "jaccard"


@pytest.mark.parametrize("task", metrics.TASKS)
def test_no_rows_are_undefined_for_every_metric(task):
    output = {BINARY: GUESS, MULTICLASS: GUESS3, REGRESSION: FITTED}[task].take(np.array([], dtype=int))
    values = metrics.evaluate_all(metrics.defaults(task), np.array([]), output)
    assert values
    assert all(math.isnan(value) for value in values.values())


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "balanced_accuracy"])
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone_is_undefined(name, label):
    rows = np.flatnonzero(label == Y)
    assert math.isnan(find(name, BINARY)(Y[rows], GUESS.take(rows)))


def test_a_missing_class_a_zero_and_missing_scores_are_undefined():
    assert math.isnan(find("roc_auc", MULTICLASS)(np.array([0, 1]), GUESS3.take(np.array([0, 1]))))
    assert math.isnan(find("mape", REGRESSION)(np.array([0.0, 1.0]), Output(np.array([1.0, 1.0]))))
    assert math.isnan(find("r2", REGRESSION)(np.array([1.0]), Output(np.array([1.0]))))
    assert math.isnan(find("precision", BINARY)(np.array([1, 0]), Output(np.array([0, 0]))))
    labels_only, margins = Output(GUESS.labels), Output(GUESS.labels, SCORES * 9)
    assert math.isnan(find("roc_auc", BINARY)(Y, labels_only))
    assert math.isnan(find("log_loss", BINARY)(Y, margins))
    assert find("roc_auc", BINARY)(Y, margins) == find("roc_auc", BINARY)(Y, GUESS)
