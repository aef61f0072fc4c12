"""How much of a model's quality hangs on each feature."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.inspection import permutation_importance
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from stoker.engines import metrics
from stoker.engines.metrics import Array
from stoker.engines.prediction import encode, predict

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

MAX_ROWS = 2_000
_REPEATS = 2


def importances(
    model: Any, frame: pd.DataFrame, y: Array, *, task: str, classes: Sequence[Any], random_state: int
) -> dict[str, float]:
    """The share of each feature in the loss of quality when the values of one feature are shuffled (Breiman 2001).

    Measured twice on a seeded sample of at most 2,000 rows, by log loss, by accuracy for a model without probabilities, or by squared
    error. Features that carry the same information share it badly: each alone looks dispensable.

    :param frame: rows that the model was not fitted on.
    :param y: their labels or values.
    :returns: a share for each feature, 1 together; all the same when none matters.
    """
    started = time.perf_counter()
    generator = np.random.default_rng(random_state)
    rows = np.sort(generator.choice(len(frame), min(len(frame), MAX_ROWS), replace=False))

    def quality(model: Any, frame: pd.DataFrame, truth: Array) -> float:
        output = predict(model, frame, task=task, classes=classes)
        if task == metrics.REGRESSION:
            return -metrics.find("mse", task)(truth, output)
        loss = metrics.find("neg_log_loss", task)
        return (loss if loss.usable(output) else metrics.find("accuracy", task))(truth, output)

    truth = y[rows] if task == metrics.REGRESSION else encode(y[rows], classes)
    with threadpool_limits(1):  # for so few rows the threads would cost more than they do
        found = permutation_importance(
            model, frame.iloc[rows], truth, scoring=quality, n_repeats=_REPEATS, random_state=random_state
        )
    lost = np.clip(np.nan_to_num(found.importances_mean), 0.0, None)
    shares = lost / lost.sum() if lost.sum() > 0 else np.full(len(lost), 1 / len(lost))
    log.info(
        "Measured the importance of %d features on %d rows in %.1f s.",
        len(shares),
        len(rows),
        time.perf_counter() - started,
    )
    return {str(name): round(float(share), 6) for name, share in zip(frame, shares, strict=True)}
