"""How much of a model's quality hangs on each feature."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC

from stoker.engines.importances import importances

FRAME = pd.DataFrame(np.random.default_rng(0).normal(size=(5000, 3)), columns=["strong", "weak", "none"])
SCORE = 3 * FRAME["strong"] + FRAME["weak"]
LATE = (SCORE > 0).to_numpy()
GRADE = np.select([SCORE < -2, SCORE < 2], ["good", "fair"], "bad")


def shares(model, y, task, classes=()):
    return importances(model.fit(FRAME, y), FRAME, y, task=task, classes=classes, random_state=0)


@pytest.mark.parametrize(
    ("model", "y", "task", "classes"),
    [
        (LogisticRegression(), LATE, "binary", [False, True]),
        (LogisticRegression(), GRADE, "multiclass", ["bad", "fair", "good"]),
        (LinearSVC(), LATE, "binary", [False, True]),
        (LinearRegression(), SCORE.to_numpy(), "regression", []),
    ],
    ids=["probabilities", "several classes", "classes only", "numbers"],
)
def test_the_feature_that_matters_most_has_the_largest_share(model, y, task, classes):
    found = shares(model, y, task, classes)
    assert sum(found.values()) == pytest.approx(1, abs=1e-5)
    assert found["strong"] > found["weak"] > found["none"]
    assert found["none"] < 0.05


def test_features_that_do_not_matter_share_equally():
    found = shares(DummyClassifier(), LATE, "binary", [False, True])
    assert found == {name: pytest.approx(1 / 3, abs=1e-6) for name in FRAME}


def test_rows_of_one_class_are_enough():
    model = LogisticRegression().fit(FRAME, LATE)
    late = FRAME[LATE]
    found = importances(model, late, LATE[LATE], task="binary", classes=[False, True], random_state=0)
    assert sum(found.values()) == pytest.approx(1, abs=1e-5)


def test_the_same_seed_gives_the_same_shares():
    assert shares(LinearRegression(), SCORE, "regression") == shares(LinearRegression(), SCORE, "regression")
