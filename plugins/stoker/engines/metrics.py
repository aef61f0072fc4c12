"""The metrics of models by the names that scikit-learn gives them, each with the direction that is better.

Classes come here as codes: their position in the model's list of classes; the positive one of a binary task is 1.
"""

from __future__ import annotations

import difflib
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn.metrics as sk

from stoker.errors import UsageError

Array = npt.NDArray[Any]

BINARY, MULTICLASS, REGRESSION = TASKS = ("binary", "multiclass", "regression")

DEFAULT_METRIC = {BINARY: "roc_auc", MULTICLASS: "balanced_accuracy", REGRESSION: "rmse"}
"""The metric that decides when none is named."""


@dataclass(frozen=True)
class Output:
    """What a model says about some rows.

    :param labels: the predicted class codes, or the predicted values of a regression.
    :param scores: binary: one score a row, higher for class 1; multiclass: one column a class; ``None`` for a regression and for
        classifiers that only name a class.
    :param calibrated: whether the scores are probabilities.
    """

    labels: Array
    scores: Array | None = None
    calibrated: bool = False

    def take(self, rows: Array) -> Output:
        """The output for some of the rows."""
        return replace(self, labels=self.labels[rows], scores=None if self.scores is None else self.scores[rows])


Score = Callable[[Array, Output, Array | None], float]
RowValues = Callable[[Array, Output], Array]


@dataclass(frozen=True)
class Metric:
    """One number for how well an output fits the truth.

    :param name: its name in policies and reports.
    :param tasks: the tasks that it can judge.
    :param greater_is_better: its direction.
    :param score: computes it from truth, output and row weights.
    :param scorer: the name of scikit-learn's scorer for the same thing.
    :param needs: ``labels``, ``scores`` or ``probabilities``: what the output must hold.
    :param rows: the value of each row, when the metric is their weighted mean (or the square root of that).
    :param root: whether the square root is taken.
    :param negated: whether its sign was turned, as in ``neg_log_loss``.
    """

    name: str
    tasks: tuple[str, ...]
    greater_is_better: bool
    score: Score
    scorer: str
    needs: str = "labels"
    rows: RowValues | None = None
    root: bool = False
    negated: bool = False

    def __call__(self, y: Array, output: Output, weights: Array | None = None) -> float:
        """The value, or NaN where it is undefined: on too few rows, on one class, without the scores that it needs."""
        if not len(y) or not self.usable(output):
            return math.nan
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                value = float(self.score(y, output, weights))
            except ValueError:  # scikit-learn's word for undefined
                return math.nan
        return -value if self.negated else value

    def usable(self, output: Output) -> bool:
        """Whether the output holds what the metric needs."""
        if self.needs == "labels":
            return True
        return output.scores is not None and (self.needs == "scores" or output.calibrated)


def find(name: str, task: str) -> Metric:
    """The metric of that name.

    :param name: ours or scikit-learn's, also in the ``neg_`` form whose sign is turned so that greater is better.
    :raises UsageError: when there is none for this task; near misses are named.
    """
    known = {metric.name: metric for metric in _METRICS if task in metric.tasks}
    known |= {alias: known[name] for alias, name in _ALIASES.items() if name in known}
    known |= {
        f"neg_{alias}": replace(metric, name=f"neg_{alias}", greater_is_better=True, negated=True)
        for alias, metric in known.items()
        if not metric.greater_is_better
    }
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=3) or sorted(known)
        raise UsageError(f"A metric must be one that exists for a {task} task; got {name!r}. Near: {', '.join(near)}.")
    return replace(known[name], name=name)


def defaults(task: str) -> list[Metric]:
    """All metrics of a task under their own names."""
    return [metric for metric in _METRICS if task in metric.tasks]


def scorer_name(name: str | None, task: str) -> str:
    """The name of scikit-learn's scorer for a metric.

    :param name: a name that :func:`find` knows or any of scikit-learn's scorers; ``None`` for the task's own.
    :raises UsageError: when nobody knows it.
    """
    if name is None:
        return {BINARY: "roc_auc", MULTICLASS: "balanced_accuracy", REGRESSION: "r2"}[task]
    if name in sk.get_scorer_names():
        return name
    try:
        return find(name, task).scorer
    except UsageError as error:
        near = difflib.get_close_matches(name, sk.get_scorer_names(), n=3)
        raise UsageError(f"{error.message} Scorers of scikit-learn: {', '.join(near) or 'none near'}.") from None


def evaluate_all(metrics: Sequence[Metric], y: Array, output: Output) -> dict[str, float]:
    """The value of each metric by its name; NaN where it is undefined."""
    return {metric.name: metric(y, output) for metric in metrics}


def both_classes(y: Array) -> bool:
    """Whether there is more than one class to tell apart."""
    return len(np.unique(y)) > 1


def _scores(output: Output) -> Array:
    assert output.scores is not None  # noqa: S101 - Metric.usable has looked
    return output.scores


def _roc_auc(y: Array, output: Output, weights: Array | None) -> float:
    return float(sk.roc_auc_score(y, _scores(output), sample_weight=weights)) if both_classes(y) else math.nan


def _roc_auc_ovr(y: Array, output: Output, weights: Array | None) -> float:
    """The mean over classes of one class against the rest; undefined when a class has no row."""
    scores = _scores(output)
    indicator = y[:, None] == np.arange(scores.shape[1])
    return float(sk.roc_auc_score(indicator, scores, average="macro", sample_weight=weights))


def _average_precision(y: Array, output: Output, weights: Array | None) -> float:
    if not both_classes(y):
        return math.nan
    return float(sk.average_precision_score(y, _scores(output), sample_weight=weights))


def _log_loss(y: Array, output: Output, weights: Array | None) -> float:
    return float(sk.log_loss(y, _scores(output), labels=_codes(output), sample_weight=weights))


def _log_loss_rows(y: Array, output: Output) -> Array:
    scores = _scores(output).astype(np.float64)
    given = np.where(y == 1, scores, 1 - scores) if scores.ndim == 1 else scores[np.arange(len(y)), y]
    edge = np.finfo(np.float64).eps
    result: Array = -np.log(np.clip(given, edge, 1 - edge))
    return result


def _brier(y: Array, output: Output, weights: Array | None) -> float:
    return float(sk.brier_score_loss(y, _scores(output), sample_weight=weights, pos_label=1, labels=[0, 1]))


def _brier_rows(y: Array, output: Output) -> Array:
    result: Array = (_scores(output) - y) ** 2
    return result


def _accuracy_rows(y: Array, output: Output) -> Array:
    right: Array = (y == output.labels).astype(np.float64)
    return right


def _balanced_accuracy(y: Array, output: Output, weights: Array | None) -> float:
    if not both_classes(y):
        return math.nan
    return float(sk.balanced_accuracy_score(y, output.labels, sample_weight=weights))


def _codes(output: Output) -> Array:
    scores = _scores(output)
    return np.arange(2 if scores.ndim == 1 else scores.shape[1])


def _absolute_rows(y: Array, output: Output) -> Array:
    result: Array = np.abs(y - output.labels)
    return result


def _square_rows(y: Array, output: Output) -> Array:
    result: Array = (y - output.labels) ** 2
    return result


def _mape(y: Array, output: Output, weights: Array | None) -> float:
    """Undefined as soon as a true value is 0, where scikit-learn returns an arbitrarily large number."""
    if not np.all(y):
        return math.nan
    return float(sk.mean_absolute_percentage_error(y, output.labels, sample_weight=weights))


def _mape_rows(y: Array, output: Output) -> Array:
    if not np.all(y):
        return np.full(len(y), np.nan)
    result: Array = np.abs(y - output.labels) / np.abs(y)
    return result


def _r2(y: Array, output: Output, weights: Array | None) -> float:
    return float(sk.r2_score(y, output.labels, sample_weight=weights)) if both_classes(y) else math.nan


def _of_labels(function: Callable[..., Any], **fixed: Any) -> Score:
    """A metric of scikit-learn that compares labels or values."""

    def score(y: Array, output: Output, weights: Array | None) -> float:
        return float(function(y, output.labels, sample_weight=weights, **fixed))

    return score


_CLASSES = (BINARY, MULTICLASS)
_ONE = {"zero_division": np.nan}
_MACRO = {"zero_division": np.nan, "average": "macro"}

_METRICS = (
    Metric("roc_auc", (BINARY,), True, _roc_auc, "roc_auc", "scores"),
    Metric("roc_auc", (MULTICLASS,), True, _roc_auc_ovr, "roc_auc_ovr", "scores"),
    Metric("average_precision", (BINARY,), True, _average_precision, "average_precision", "scores"),
    Metric("log_loss", _CLASSES, False, _log_loss, "neg_log_loss", "probabilities", _log_loss_rows),
    Metric("brier", (BINARY,), False, _brier, "neg_brier_score", "probabilities", _brier_rows),
    Metric("accuracy", _CLASSES, True, _of_labels(sk.accuracy_score), "accuracy", rows=_accuracy_rows),
    Metric("balanced_accuracy", _CLASSES, True, _balanced_accuracy, "balanced_accuracy"),
    Metric("f1", (BINARY,), True, _of_labels(sk.f1_score, **_ONE), "f1"),
    Metric("precision", (BINARY,), True, _of_labels(sk.precision_score, **_ONE), "precision"),
    Metric("recall", (BINARY,), True, _of_labels(sk.recall_score, **_ONE), "recall"),
    Metric("f1_macro", (MULTICLASS,), True, _of_labels(sk.f1_score, **_MACRO), "f1_macro"),
    Metric("precision_macro", (MULTICLASS,), True, _of_labels(sk.precision_score, **_MACRO), "precision_macro"),
    Metric("recall_macro", (MULTICLASS,), True, _of_labels(sk.recall_score, **_MACRO), "recall_macro"),
    Metric("r2", (REGRESSION,), True, _r2, "r2"),
    Metric(
        "mae", (REGRESSION,), False, _of_labels(sk.mean_absolute_error), "neg_mean_absolute_error", rows=_absolute_rows
    ),
    Metric("mse", (REGRESSION,), False, _of_labels(sk.mean_squared_error), "neg_mean_squared_error", rows=_square_rows),
    Metric(
        "rmse",
        (REGRESSION,),
        False,
        _of_labels(sk.root_mean_squared_error),
        "neg_root_mean_squared_error",
        rows=_square_rows,
        root=True,
    ),
    Metric("mape", (REGRESSION,), False, _mape, "neg_mean_absolute_percentage_error", rows=_mape_rows),
    Metric("median_ae", (REGRESSION,), False, _of_labels(sk.median_absolute_error), "neg_median_absolute_error"),
)

_ALIASES = {
    "brier_score": "brier",
    "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mape",
    "mean_squared_error": "mse",
    "median_absolute_error": "median_ae",
    "roc_auc_ovr": "roc_auc",
    "root_mean_squared_error": "rmse",
}
