from __future__ import annotations

import logging

import pandas as pd
import pytest
from scipy.stats import uniform
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from stoker.engines.splitting import folds
from stoker.engines.tuning import check_search, search_params
from stoker.errors import ModelError, UsageError

ROWS, LABELS = make_classification(200, 5, random_state=0)
FRAME = pd.DataFrame(ROWS).rename(columns=str)


def _search(kind: str, grid, *, iterations: int = 3, labels=LABELS, scoring: str = "roc_auc"):
    return search_params(
        kind,
        LogisticRegression(),
        FRAME,
        labels,
        param_grid=grid,
        iterations=iterations,
        cv=folds("stratified", "binary", 3, 0),
        scoring=scoring,
        random_state=0,
    )


def test_a_grid_tries_every_combination_and_says_so(caplog):
    caplog.set_level(logging.INFO)
    model, trials = _search("grid", {"C": [0.01, 1.0]})
    assert [trial["params"] for trial in trials] == [{"C": 0.01}, {"C": 1.0}]
    assert model.C in {0.01, 1.0}
    assert "Trial 1 of 2: roc_auc" in caplog.text
    assert "Trial 2 of 2: roc_auc" in caplog.text


def test_a_random_search_draws_as_often_as_asked_and_follows_the_seed():
    first, again = (_search("random", {"C": uniform(0.1, 5)})[1] for _ in range(2))
    assert len(first) == 3
    assert [trial["params"] for trial in first] == [trial["params"] for trial in again]


def test_halving_drops_the_worse_ones():
    model, trials = _search("halving", {"C": [0.001, 0.1, 1.0, 10.0]})
    assert len(trials) > 4
    assert hasattr(model, "coef_")


@pytest.mark.filterwarnings("ignore")
def test_a_search_without_a_single_score_is_a_model_error():
    with pytest.raises(ModelError, match="none gave a finite"):
        _search("grid", {"C": [1.0]}, scoring="neg_mean_squared_log_error", labels=LABELS - 2)


@pytest.mark.parametrize(
    ("kind", "grid", "iterations", "cv", "match"),
    [
        ("bayes", {"C": [1]}, 3, 3, "one of grid"),
        ("grid", None, 3, 3, "needs a param_grid"),
        ("grid", {"c": [1]}, 3, 3, "Near: C"),
        ("grid", {"C": []}, 3, 3, "list of values"),
        ("grid", {"C": "all"}, 3, 3, "list of values"),
        ("grid", {"C": 1.0}, 3, 3, "list of values"),
        ("grid", {"C": [1]}, 3, 1, "at least 2"),
        ("random", {"C": [1]}, 0, 3, "at least 1"),
        (None, {"C": [1]}, 3, 3, "needs a search"),
    ],
)
def test_a_search_that_cannot_run_is_refused(kind, grid, iterations, cv, match):
    with pytest.raises(UsageError, match=match):
        check_search(kind, grid, LogisticRegression(), iterations, cv)
