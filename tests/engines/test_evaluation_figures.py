from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from sklearn.calibration import calibration_curve

from stoker.core import wire
from stoker.engines.evaluation_figures import draw_models
from stoker.engines.metrics import Output

ROWS = 3000


@pytest.fixture
def binary():
    generator = np.random.default_rng(1)
    y = generator.integers(0, 2, ROWS)
    scores = np.clip(0.5 + 0.2 * (y - 0.5) + 0.2 * generator.normal(size=ROWS), 0, 1)
    return y, Output((scores > 0.5).astype(int), scores, calibrated=True)


def draw(task, classes, y, output):
    figures = draw_models(task, classes, y, {"challenger": output})
    wire.canonical(figures)
    return figures["challenger"]


def test_the_curves_of_a_binary_model_are_those_of_scikit_learn(binary):
    y, output = binary
    found = draw("binary", [0, 1], y, output)
    assert found["roc"]["auc"] == pytest.approx(sk.roc_auc_score(y, output.scores), abs=1e-6)
    assert sk.auc(found["roc"]["fpr"], found["roc"]["tpr"]) == pytest.approx(found["roc"]["auc"], abs=0.001)
    assert found["precision_recall"]["average_precision"] == pytest.approx(
        sk.average_precision_score(y, output.scores), abs=1e-6
    )
    recall, precision = found["precision_recall"]["recall"], found["precision_recall"]["precision"]
    assert sk.auc(recall, precision) == pytest.approx(found["precision_recall"]["average_precision"], abs=0.005)
    assert max(len(found["roc"]["fpr"]), len(recall)) <= 200


def test_counts_and_bins_of_a_binary_model_cover_all_rows(binary):
    y, output = binary
    found = draw("binary", ["early", "late"], y, output)
    assert found["confusion"] == {
        "labels": ["early", "late"],
        "counts": sk.confusion_matrix(y, output.labels).tolist(),
    }
    observed, predicted = calibration_curve(y, output.scores, n_bins=10)
    assert found["calibration"]["observed"] == pytest.approx(observed, abs=1e-5)
    assert found["calibration"]["predicted"] == pytest.approx(predicted, abs=1e-5)
    assert len(found["calibration"]["rows"]) == len(observed)
    assert sum(found["calibration"]["rows"]) == sum(found["scores"]["counts"]) == ROWS
    assert sum(found["scores"]["positive"]) == y.sum()
    assert len(found["scores"]["edges"]) == len(found["scores"]["counts"]) + 1


def test_a_score_that_is_no_probability_has_no_calibration(binary):
    y, output = binary
    found = draw("binary", [0, 1], y, Output(output.labels, 10 * output.scores - 5))
    assert found["calibration"] is None
    assert found["scores"]["edges"][0] < -1
    assert sum(found["scores"]["counts"]) == ROWS


def test_what_is_undefined_is_none(binary):
    y, output = binary
    assert draw("binary", [0, 1], np.zeros(ROWS, dtype=int), output)["roc"] is None
    only_labels = draw("binary", [0, 1], y, Output(output.labels))
    assert {name for name, one in only_labels.items() if one} == {"confusion"}


def test_each_class_of_several_has_its_curve_against_the_rest():
    generator = np.random.default_rng(2)
    y = generator.integers(0, 3, ROWS)
    scores = generator.dirichlet([1, 1, 1], ROWS) * 0.5 + 0.5 * np.eye(3)[y] * generator.random((ROWS, 1))
    found = draw("multiclass", ["a", "b", "c"], y, Output(scores.argmax(axis=1), scores))
    assert [curve["label"] for curve in found["roc"]] == ["a", "b", "c"]
    for code, curve in enumerate(found["roc"]):
        assert curve["auc"] == pytest.approx(sk.roc_auc_score(y == code, scores[:, code]), abs=1e-6)
    assert found["confusion"]["counts"] == sk.confusion_matrix(y, scores.argmax(axis=1)).tolist()


def test_of_many_classes_the_most_frequent_are_shown_and_the_rest_together():
    generator = np.random.default_rng(3)
    y = np.minimum(generator.geometric(0.05, ROWS) - 1, 59)
    scores = generator.random((ROWS, 60))
    found = draw("multiclass", [f"class {code}" for code in range(60)], y, Output(scores.argmax(axis=1), scores))
    assert len(found["confusion"]["labels"]) == len(found["confusion"]["counts"]) == 30
    assert found["confusion"]["labels"][-1] == "other classes"
    assert np.sum(found["confusion"]["counts"]) == ROWS
    assert len(found["roc"]) == 10


def test_a_class_without_rows_has_no_curve():
    y, scores = np.array([0, 1] * 50), np.full((100, 3), 1 / 3)
    found = draw("multiclass", ["a", "b", "c"], y, Output(y, scores))
    assert [curve["label"] for curve in found["roc"]] == ["a", "b"]


def test_residuals_of_two_models_have_the_same_bins_and_the_same_points():
    generator = np.random.default_rng(4)
    y = generator.normal(size=ROWS)
    good, bad = Output(y + 0.1 * generator.normal(size=ROWS)), Output(y + generator.standard_cauchy(ROWS))
    found = draw_models("regression", [], y, {"challenger": good, "champion": bad})
    wire.canonical(found)
    assert found["challenger"]["residuals"]["edges"] == found["champion"]["residuals"]["edges"]
    for one in found.values():
        assert sum(one["residuals"]["counts"]) + one["residuals"]["below"] + one["residuals"]["above"] == ROWS
        assert len(one["actual_predicted"]["actual"]) == len(one["actual_predicted"]["predicted"]) == 500
    assert found["challenger"]["actual_predicted"]["actual"] == found["champion"]["actual_predicted"]["actual"]
    assert found == draw_models("regression", [], y, {"challenger": good, "champion": bad})


def test_a_perfect_regression_can_be_drawn():
    y = np.arange(10.0)
    found = draw("regression", [], y, Output(y))
    assert sum(found["residuals"]["counts"]) == 10
