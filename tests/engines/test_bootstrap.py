from __future__ import annotations

import math

import numpy as np
import pytest

from stoker.core.policies import GatePolicy
from stoker.core.promotion import judge_comparison
from stoker.core.verdicts import Outcome
from stoker.engines import metrics
from stoker.engines.bootstrap import draw_weights, paired_difference, weighted_metric
from stoker.engines.metrics import BINARY, MULTICLASS, REGRESSION, Output, find


def _binary(rows: int, seed: int = 0, *, ties: bool = False) -> tuple[np.ndarray, Output]:
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 2, rows)
    scores = np.clip(0.3 * y + 0.7 * generator.random(rows), 0, 1)
    if ties:
        scores = np.round(scores, 1)
    return y, Output((scores > 0.5).astype(int), scores, calibrated=True)


def _multiclass(rows: int) -> tuple[np.ndarray, Output]:
    generator = np.random.default_rng(1)
    shares = generator.dirichlet([1, 1, 1], rows)
    return generator.integers(0, 3, rows), Output(shares.argmax(axis=1), shares, calibrated=True)


def _regression(rows: int) -> tuple[np.ndarray, Output]:
    generator = np.random.default_rng(2)
    y = generator.normal(size=rows) + 10
    return y, Output(y + generator.normal(size=rows))


CASES = [
    *((metric.name, BINARY, _binary(150)) for metric in metrics.defaults(BINARY)),
    *((metric.name, BINARY, _binary(150, ties=True)) for metric in metrics.defaults(BINARY)),
    *((metric.name, MULTICLASS, _multiclass(150)) for metric in metrics.defaults(MULTICLASS)),
    *((metric.name, REGRESSION, _regression(150)) for metric in metrics.defaults(REGRESSION)),
    ("neg_log_loss", BINARY, _binary(150)),
    ("neg_rmse", REGRESSION, _regression(150)),
]


@pytest.mark.parametrize(
    ("name", "task", "data"), CASES, ids=[f"{name}-{number}" for number, (name, *_) in enumerate(CASES)]
)
def test_every_draw_is_exactly_what_scikit_learn_says(name, task, data):
    metric, (y, output) = find(name, task), data
    weights = draw_weights(len(y), 12, np.random.default_rng(3))
    if name == "median_ae":  # a weighted median is interpolated otherwise than the median of repeated rows
        expected = [
            metric(np.repeat(y, line), output.take(np.repeat(np.arange(150), line))) for line in weights.astype(int)
        ]
    else:
        expected = [metric(y, output, line) for line in weights]
    np.testing.assert_allclose(weighted_metric(metric, y, output)(weights), expected, rtol=0, atol=1e-12)


def test_draws_keep_the_number_of_rows_and_follow_the_seed():
    weights = draw_weights(40, 50, np.random.default_rng(5))
    assert weights.shape == (50, 40)
    assert (weights.sum(axis=1) == 40).all()
    np.testing.assert_array_equal(weights, draw_weights(40, 50, np.random.default_rng(5)))


def test_a_draw_of_one_class_is_undefined_and_not_a_crash():
    y, output = np.array([0, 0, 1]), Output(np.array([0, 1, 1]), np.array([0.1, 0.6, 0.9]), calibrated=True)
    values = weighted_metric(find("roc_auc", BINARY), y, output)(np.array([[3.0, 0, 0], [1, 1, 1]]))
    assert math.isnan(values[0])
    assert values[1] == 1.0


def test_a_model_compared_with_itself_differs_by_nothing():
    y, output = _binary(300)
    difference = paired_difference(find("roc_auc", BINARY), y, output, output, alpha=0.05, n_boot=200, seed=0)
    assert (difference.estimate, difference.low, difference.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "neg_log_loss", "f1"])
def test_a_better_challenger_has_a_positive_difference_whatever_the_sign_of_the_metric(name):
    y, worse = _binary(400)
    scores = 0.5 * worse.scores + 0.5 * np.where(y == 1, 0.95, 0.05)
    better = Output((scores > 0.5).astype(int), scores, calibrated=True)
    metric = find(name, BINARY)
    forth = paired_difference(metric, y, better, worse, alpha=0.05, n_boot=200, seed=0)
    back = paired_difference(metric, y, worse, better, alpha=0.05, n_boot=200, seed=0)
    assert 0 < forth.low < forth.estimate < forth.high
    assert back.estimate == pytest.approx(-forth.estimate)
    assert back.high == pytest.approx(-forth.low)


def test_the_same_seed_gives_the_same_interval_and_chunks_do_not_matter(monkeypatch):
    y, challenger = _binary(300, 1)
    champion = Output(challenger.labels, np.random.default_rng(9).random(300), calibrated=True)
    asked = {"alpha": 0.05, "n_boot": 300, "seed": 4}
    whole = paired_difference(find("roc_auc", BINARY), y, challenger, champion, **asked)
    assert whole == paired_difference(find("roc_auc", BINARY), y, challenger, champion, **asked)
    monkeypatch.setattr("stoker.engines.bootstrap._CHUNK_VALUES", 300 * 7)
    assert whole == paired_difference(find("roc_auc", BINARY), y, challenger, champion, **asked)


def test_rows_of_one_class_give_an_undefined_interval():
    y = np.zeros(50, dtype=int)
    output = Output(y, np.linspace(0, 1, 50), calibrated=True)
    difference = paired_difference(find("roc_auc", BINARY), y, output, output, alpha=0.05, n_boot=100, seed=0)
    assert math.isnan(difference.low)
    assert judge_comparison(difference, GatePolicy()).outcome is Outcome.INSUFFICIENT_DATA


def test_a_model_without_scores_gives_an_undefined_interval():
    y, output = _binary(50)
    difference = paired_difference(
        find("roc_auc", BINARY), y, output, Output(output.labels), alpha=0.05, n_boot=100, seed=0
    )
    assert math.isnan(difference.champion)
    assert math.isnan(difference.low)


def _pair(rows: int, seed: int, gain: float) -> tuple[np.ndarray, Output, Output]:
    """Two noisy views on the same truth; ``gain`` is what the challenger's view is sharper by."""
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 2, rows)
    shared = generator.normal(size=rows)
    views = [strength * y + 0.7 * shared + 0.7 * generator.normal(size=rows) for strength in (0.7 + gain, 0.7)]
    challenger, champion = (Output((view > 0.3).astype(int), view) for view in views)
    return y, challenger, champion


def _outcome(rows: int, seed: int, gain: float, n_boot: int) -> Outcome:
    y, challenger, champion = _pair(rows, seed, gain)
    difference = paired_difference(
        find("roc_auc", BINARY), y, challenger, champion, alpha=0.05, n_boot=n_boot, seed=seed
    )
    return judge_comparison(difference, GatePolicy()).outcome


def test_challengers_that_are_no_better_slip_through_no_more_often_than_alpha():
    runs = 400
    passed = sum(_outcome(400, seed, 0.0, 300) is Outcome.PASS for seed in range(runs))
    assert passed / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)


def test_a_challenger_that_is_better_by_five_points_is_seen_in_5000_rows():
    gains = [
        find("roc_auc", BINARY)(y, challenger) - find("roc_auc", BINARY)(y, champion)
        for y, challenger, champion in (_pair(5000, seed, 0.19) for seed in range(20))
    ]
    assert np.mean(gains) == pytest.approx(0.05, abs=0.005)
    passed = sum(_outcome(5000, seed, 0.19, 200) is Outcome.PASS for seed in range(20))
    assert passed >= 18


def test_thirty_rows_cannot_tell():
    outcomes = [_outcome(30, seed, 0.1, 300) for seed in range(40)]
    assert outcomes.count(Outcome.INCONCLUSIVE) >= 30
