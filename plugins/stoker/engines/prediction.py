"""What a fitted model says about rows, in the one form that metrics, comparisons and the smoke test share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from stoker.engines.metrics import BINARY, REGRESSION, Array, Output
from stoker.errors import ModelError


def predict(model: Any, frame: pd.DataFrame, *, task: str, classes: Sequence[Any]) -> Output:
    """Let a model predict.

    :param frame: the features, in the order in which the model was fitted.
    :param task: ``binary``, ``multiclass`` or ``regression``.
    :param classes: the model's classes in their order; empty for a regression.
    :raises ModelError: when the model fails, or gives NaN, infinities, unknown classes or the wrong number of predictions.
    """
    try:
        return _predict(model, frame, task, classes)
    except (ModelError, MemoryError):
        raise
    except Exception as error:  # user code and library code alike
        raise ModelError(
            f"A model must predict rows with the columns that it was fitted on; it failed with "
            f"{type(error).__name__}: {str(error)[:300]}."
        ) from error


def encode(labels: Any, classes: Sequence[Any]) -> Array:
    """The position of each label in ``classes``; -1 for a label that is not there."""
    codes: Array = pd.Index(classes).get_indexer(np.asarray(labels))
    return codes


def _predict(model: Any, frame: pd.DataFrame, task: str, classes: Sequence[Any]) -> Output:
    predicted = np.asarray(model.predict(frame))
    if predicted.shape != (len(frame),):
        raise ModelError(
            f"A model must give one prediction a row, {len(frame)} here; it gave an array of shape {predicted.shape}."
        )
    if predicted.dtype.kind == "f":
        _require_finite(predicted)
    if task == REGRESSION:
        return Output(predicted.astype(np.float64))
    codes = encode(predicted, classes)
    if (codes < 0).any():
        raise ModelError(
            f"A model must predict one of its classes {list(classes)}; it predicted {predicted[codes < 0][0]!a}."
        )
    scores, calibrated = _scores(model, frame)
    if scores is None:
        return Output(codes)
    _require_finite(scores)
    return Output(codes, scores[:, 1] if task == BINARY and scores.ndim == 2 else scores, calibrated)


def _scores(model: Any, frame: pd.DataFrame) -> tuple[Array | None, bool]:
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(frame), dtype=np.float64), True
    if hasattr(model, "decision_function"):
        return np.asarray(model.decision_function(frame), dtype=np.float64), False
    return None, False


def _require_finite(values: Array) -> None:
    wrong = int(np.count_nonzero(~np.isfinite(values)))
    if wrong:
        raise ModelError(
            f"A model must predict finite numbers; {wrong} of {values.size} are NaN or infinite.", nan=wrong
        )
