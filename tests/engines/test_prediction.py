from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from stoker.engines.prediction import encode, predict
from stoker.errors import ModelError

FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0]})


def _model(predicted, **methods):
    return SimpleNamespace(
        predict=lambda frame: np.asarray(predicted),
        **{name: (lambda frame, v=value: np.asarray(v)) for name, value in methods.items()},
    )


@pytest.mark.parametrize("classes", [[False, True], [0, 1], ["no", "yes"], [0.0, 1.0]])
def test_labels_become_positions_in_the_list_of_classes(classes):
    assert encode(np.array([classes[1], classes[0]]), classes).tolist() == [1, 0]
    assert encode(np.array(["other"]), ["no", "yes"]).tolist() == [-1]


def test_a_binary_model_gives_the_score_of_the_second_class():
    output = predict(
        _model(["n", "y", "y"], predict_proba=[[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]),
        FRAME,
        task="binary",
        classes=["n", "y"],
    )
    assert output.labels.tolist() == [0, 1, 1]
    assert output.scores.tolist() == [0.1, 0.8, 0.6]
    assert output.calibrated


def test_margins_are_scores_but_no_probabilities():
    output = predict(_model([0, 1, 1], decision_function=[-1.0, 2.0, 3.0]), FRAME, task="binary", classes=[0, 1])
    assert output.scores.tolist() == [-1, 2, 3]
    assert not output.calibrated
    assert predict(_model([0, 1, 1]), FRAME, task="binary", classes=[0, 1]).scores is None


@pytest.mark.parametrize(
    ("model", "task", "match"),
    [
        (_model([1.0, np.nan, 2.0]), "regression", "1 of 3 are NaN"),
        (_model([1.0, np.inf, 2.0]), "regression", "infinite"),
        (_model([1.0]), "regression", r"shape \(1,\)"),
        (_model([[1.0]] * 3), "regression", "one prediction a row"),
        (_model([0, 1, 7]), "binary", "one of its classes"),
        (_model([0, 1, 1], predict_proba=np.full((3, 2), np.nan)), "binary", "NaN"),
        (SimpleNamespace(predict=lambda frame: 1 / 0), "binary", "ZeroDivisionError"),
    ],
)
def test_useless_predictions_are_a_model_error(model, task, match):
    with pytest.raises(ModelError, match=match):
        predict(model, FRAME, task=task, classes=[0, 1])
