from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from stoker.engines.learning_curves import learning_curve


class Recorder(ClassifierMixin, BaseEstimator):
    """Remembers in a list of the class which rows it was fitted on."""

    fits: list[list[int]] = []  # noqa: RUF012 - shared between clones on purpose

    def fit(self, frame, y):
        self.classes_ = np.unique(y)
        self.fits.append(frame["place"].tolist())
        if len(frame) < self.fails_below:
            raise ValueError("too few")
        return self

    fails_below = 0

    def predict_proba(self, frame):
        return np.column_stack([1 - frame["x"], frame["x"]])

    def predict(self, frame):
        return (frame["x"] > 0.5).astype(int)


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    monkeypatch.setattr(Recorder, "fits", [])


def rows(count, seed):
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 2, count)
    return pd.DataFrame({"place": np.arange(count), "x": np.clip(y * 0.3 + generator.random(count) * 0.7, 0, 1)}), y


def drawn(model, training, holdout, **options):
    usual = {"scoring": "roc_auc", "by_time": False, "random_state": 0}
    return learning_curve(model, training, holdout, **{**usual, **options})


def test_each_point_is_a_fit_on_that_many_rows():
    training, holdout = rows(1000, 1), rows(400, 2)
    model = LogisticRegression().fit(*training)
    curve = drawn(model, training, holdout)
    assert (curve["metric"], curve["rows"]) == ("roc_auc", [100, 250, 500, 1000])
    assert curve["holdout"][-1] == pytest.approx(roc_auc_score(holdout[1], model.predict_proba(holdout[0])[:, 1]))
    assert curve["train"][-1] == pytest.approx(roc_auc_score(training[1], model.predict_proba(training[0])[:, 1]))
    assert curve == drawn(model, training, holdout)


def test_shares_are_parts_of_each_other_and_the_model_itself_is_not_fitted_again():
    training = rows(1000, 1)
    drawn(Recorder().fit(*training), training, rows(100, 2))
    first, *again = [set(one) for one in Recorder.fits]
    assert [len(one) for one in again] == [100, 250, 500]
    assert again[0] < again[1] < again[2] < first
    assert again[0] != set(range(900, 1000))


def test_by_time_the_last_rows_are_taken_in_their_order():
    training = rows(1000, 1)
    drawn(Recorder().fit(*training), training, rows(100, 2), by_time=True)
    assert Recorder.fits[1:] == [list(range(900, 1000)), list(range(750, 1000)), list(range(500, 1000))]


def test_shares_of_few_rows_are_left_out():
    training = rows(60, 1)
    assert drawn(Recorder().fit(*training), training, rows(100, 2))["rows"] == [30, 60]


def test_a_fit_that_fails_leaves_a_gap(monkeypatch, caplog):
    training = rows(1000, 1)
    model = Recorder().fit(*training)
    monkeypatch.setattr(Recorder, "fails_below", 200)
    curve = drawn(model, training, rows(100, 2))
    assert (curve["train"][0], curve["holdout"][0]) == (None, None)
    assert None not in curve["holdout"][1:]
    assert "No point of the learning curve at 100 rows: ValueError: too few" in caplog.text
