"""What the report of an evaluation shows of each model: its curves, its confusions, its residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sklearn.metrics as sk
from sklearn.calibration import calibration_curve

from stoker.engines import metrics
from stoker.engines.figures import number, numbers, text, thinned
from stoker.engines.metrics import Array, Output

_SEED = 0
_BINS = 40
_CALIBRATION_BINS = 10
_SHOWN_CLASSES = 30
_SHOWN_CURVES = 10
_SHOWN_POINTS = 500
_OUTER = 0.005  # a few residuals far out would squeeze all others into one bar


def draw_models(task: str, classes: Sequence[Any], y: Array, outputs: Mapping[str, Output]) -> dict[str, Any]:
    """The figures of several models on the same rows, with the same bins and points for all of them.

    :param task: ``binary``, ``multiclass`` or ``regression``.
    :param classes: the classes in their order; empty for a regression.
    :param y: class codes or values.
    :param outputs: what each model says, by a name for it.
    :returns: JSON-safe figures by the same names. A figure that is undefined, such as a ROC curve of one class, is ``None``.
    """
    if task == metrics.REGRESSION:
        return _draw_regressions(y, outputs)
    labels = [text(one) for one in classes]
    draw = _draw_binary if task == metrics.BINARY else _draw_multiclass
    return {name: draw(y, output, labels) for name, output in outputs.items()}


def _draw_binary(y: Array, output: Output, labels: Sequence[str]) -> dict[str, Any]:
    confusion = _confusion(y, output.labels, labels)
    scores = output.scores
    if scores is None:
        return {"confusion": confusion, **dict.fromkeys(("roc", "precision_recall", "calibration", "scores"))}
    ranked = metrics.both_classes(y)
    return {
        "roc": _roc(y, scores) if ranked else None,
        "precision_recall": _precision_recall(y, scores) if ranked else None,
        "calibration": _calibration(y, scores) if output.calibrated else None,
        "confusion": confusion,
        "scores": _scores(y, scores, calibrated=output.calibrated),
    }


def _draw_multiclass(y: Array, output: Output, labels: Sequence[str]) -> dict[str, Any]:
    frequent = np.argsort(-np.bincount(y, minlength=len(labels)), kind="stable")
    curves = None
    if output.scores is not None:
        shown = [code for code in sorted(frequent[:_SHOWN_CURVES].tolist()) if metrics.both_classes(y == code)]
        curves = [{"label": labels[code], **_roc(y == code, output.scores[:, code])} for code in shown]
    return {"confusion": _confusion(*_grouped(y, output.labels, labels, frequent)), "roc": curves}


def _grouped(y: Array, predicted: Array, labels: Sequence[str], frequent: Array) -> tuple[Array, Array, Sequence[str]]:
    """Of too many classes the most frequent ones; the last stands for all others."""
    if len(labels) <= _SHOWN_CLASSES:
        return y, predicted, labels
    kept = np.sort(frequent[: _SHOWN_CLASSES - 1])
    codes = np.full(len(labels), len(kept))
    codes[kept] = np.arange(len(kept))
    return codes[y], codes[predicted], [*(labels[code] for code in kept), "other classes"]


def _draw_regressions(y: Array, outputs: Mapping[str, Output]) -> dict[str, Any]:
    residuals = {name: output.labels - y for name, output in outputs.items()}
    low, high = np.quantile(np.concatenate(list(residuals.values())), [_OUTER, 1 - _OUTER])
    edges = np.histogram_bin_edges([low, high], bins=_BINS)
    picked = np.random.default_rng(_SEED).choice(len(y), min(len(y), _SHOWN_POINTS), replace=False)
    places = np.sort(picked)
    return {
        name: {
            "residuals": {
                "edges": numbers(edges),
                "counts": np.histogram(residuals[name], bins=edges)[0].tolist(),
                "below": int((residuals[name] < edges[0]).sum()),
                "above": int((residuals[name] > edges[-1]).sum()),
            },
            "actual_predicted": {"actual": numbers(y[places]), "predicted": numbers(output.labels[places])},
        }
        for name, output in outputs.items()
    }


def _roc(y: Array, scores: Array) -> dict[str, Any]:
    false_positives, true_positives, _ = sk.roc_curve(y, scores)
    kept = thinned(false_positives, true_positives)
    return {
        "fpr": numbers(false_positives[kept]),
        "tpr": numbers(true_positives[kept]),
        "auc": number(sk.auc(false_positives, true_positives)),
    }


def _precision_recall(y: Array, scores: Array) -> dict[str, Any]:
    precision, recall, _ = sk.precision_recall_curve(y, scores, drop_intermediate=True)
    kept = thinned(recall, precision)
    return {
        "recall": numbers(recall[kept]),
        "precision": numbers(precision[kept]),
        "average_precision": number(sk.average_precision_score(y, scores)),
    }


def _calibration(y: Array, scores: Array) -> dict[str, Any]:
    observed, predicted = calibration_curve(y, scores, n_bins=_CALIBRATION_BINS, pos_label=1)
    # The function does not tell how many rows are in its bins, which are these.
    rows = np.bincount(np.searchsorted(np.linspace(0, 1, _CALIBRATION_BINS + 1)[1:-1], scores))
    return {"predicted": numbers(predicted), "observed": numbers(observed), "rows": rows[rows > 0].tolist()}


def _confusion(y: Array, predicted: Array, labels: Sequence[str]) -> dict[str, Any]:
    counts = sk.confusion_matrix(y, predicted, labels=np.arange(len(labels)))
    return {"labels": list(labels), "counts": counts.tolist()}


def _scores(y: Array, scores: Array, *, calibrated: bool) -> dict[str, Any]:
    edges = np.histogram_bin_edges([0.0, 1.0] if calibrated else scores, bins=_BINS)
    return {
        "edges": numbers(edges),
        "counts": np.histogram(scores, bins=edges)[0].tolist(),
        "positive": np.histogram(scores[y == 1], bins=edges)[0].tolist(),
    }
