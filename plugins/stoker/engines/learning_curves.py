"""How a model does with fewer rows to learn from: whether more of them would help."""

from __future__ import annotations

import logging
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import get_scorer

from stoker.engines.figures import number
from stoker.engines.metrics import Array

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

SHARES = (0.1, 0.25, 0.5)
"""Of the training rows; all of them are what the model itself was fitted on."""

_MIN_ROWS = 20
_MOST_SCORED = 10_000  # rows that a score is taken on

Table = tuple["pd.DataFrame", Array]
"""Features and target."""


def learning_curve(
    model: Any, training: Table, holdout: Table, *, scoring: str, by_time: bool, random_state: int
) -> dict[str, Any]:
    """Fit the model again on shares of its rows, each part of the next, and score every fit.

    Costs less than one more fit where fitting takes time in proportion to rows. A fit that fails, as it may on few rows, leaves a gap.

    :param model: fitted on all training rows; its parameters are those of the other fits.
    :param training: what it was fitted on, oldest first when ``by_time``.
    :param holdout: rows that it has not seen.
    :param scoring: the name of a scorer of scikit-learn; greater is better.
    :param by_time: take the last share of the rows, which is nearest to the holdout; a seeded sample otherwise.
    :returns: ``rows`` of each fit, and its score on them as ``train`` and on the holdout as ``holdout``; ``metric`` names the score.
    """
    frame, y = training
    order = np.arange(len(y))[::-1] if by_time else np.random.default_rng(random_state).permutation(len(y))
    sizes = [size for size in (round(share * len(y)) for share in SHARES) if size >= _MIN_ROWS]
    curve: dict[str, Any] = {"metric": scoring, "rows": [*sizes, len(y)], "train": [], "holdout": []}
    for size in curve["rows"]:
        rows = np.sort(order[:size])
        scores = _scores(model, (frame.iloc[rows], y[rows]), holdout, scoring, again=size < len(y))
        log.info("Learning curve, %d rows: %s %.4f on the holdout.", size, scoring, scores[1])
        curve["train"].append(number(scores[0]))
        curve["holdout"].append(number(scores[1]))
    return curve


def _scores(model: Any, training: Table, holdout: Table, scoring: str, *, again: bool) -> tuple[float, float]:
    scorer = get_scorer(scoring)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the fit on all rows has told them
            fitted = clone(model).fit(*training) if again else model
            train, held_out = (float(scorer(fitted, *_some(table))) for table in (training, holdout))
    except Exception as error:  # user code and library code alike
        log.warning("No point of the learning curve at %d rows: %s: %s", len(training[1]), type(error).__name__, error)
        return math.nan, math.nan
    return train, held_out


def _some(table: Table) -> Table:
    """Every so manieth row, 10,000 at most."""
    frame, y = table
    step = math.ceil(len(y) / _MOST_SCORED)
    return frame.iloc[::step], y[::step]
