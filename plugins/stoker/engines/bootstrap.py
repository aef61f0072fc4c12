"""The paired bootstrap: how sure a difference between two models is, on one set of rows.

Rows are drawn with replacement, both models are scored on the same draw, and the percentiles of the differences give the interval
(Efron & Tibshirani, *An Introduction to the Bootstrap*, 1993, chapters 13 and 16). A draw of rows is the same as giving each row a whole
weight, so metrics that are means over rows, or areas over ranked rows, are computed for many draws at once.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator

import numpy as np

from stoker.core.promotion import PairedDifference
from stoker.engines.metrics import BINARY, Array, Metric, Output

log = logging.getLogger(__name__)

_CHUNK_VALUES = 2_000_000  # weights held at once: 16 MB
_LOG_EVERY = 500

Draws = Callable[[Array], Array]
"""Takes weights, one row a draw, and gives the metric of each draw."""


def paired_difference(
    metric: Metric,
    y: Array,
    challenger: Output,
    champion: Output,
    *,
    alpha: float,
    n_boot: int,
    seed: int,
) -> PairedDifference:
    """How much better the challenger is, with the percentile interval from ``alpha`` to ``1 - alpha``.

    The lower end above 0 is a one-sided test at level ``alpha``. Draws on which the metric is undefined are left out; when they are more
    than ``alpha`` of all, the ends are NaN.

    :param metric: found by :func:`stoker.engines.metrics.find`.
    :param y: the truth: class codes or values.
    :param alpha: between 0 and 0.5.
    :param n_boot: the number of draws.
    :param seed: of the draws. The same seed gives the same interval.
    """
    sign = 1.0 if metric.greater_is_better else -1.0
    values = metric(y, challenger), metric(y, champion)
    differences = sign * _differences(metric, y, challenger, champion, n_boot, seed)
    defined = differences[np.isfinite(differences)]
    low = high = math.nan
    if len(defined) >= (1 - alpha) * n_boot:
        low, high = (float(end) for end in np.quantile(defined, [alpha, 1 - alpha]))
    return PairedDifference(metric.name, *values, sign * (values[0] - values[1]), low, high)


def draw_weights(rows: int, draws: int, generator: np.random.Generator) -> Array:
    """How often each row is drawn: ``draws`` lines that each sum to ``rows``."""
    picked = generator.integers(0, rows, size=(draws, rows))
    picked += np.arange(draws)[:, None] * rows
    return np.bincount(picked.ravel(), minlength=draws * rows).reshape(draws, rows).astype(np.float64)


def vectorised(metric: Metric) -> bool:
    """Whether the metric is computed for many draws at once; any other costs a call for each draw."""
    # The two areas are defined on one score a row: a binary task.
    return metric.rows is not None or (metric.scorer in _AREAS and metric.tasks == (BINARY,))


def weighted_metric(metric: Metric, y: Array, output: Output) -> Draws:
    """The metric as a function of row weights, in the fastest way that is exact."""
    if not metric.usable(output):
        return lambda weights: np.full(len(weights), math.nan)
    if metric.rows is not None:
        return _mean_of_rows(metric, y, output)
    if vectorised(metric):
        return _ranked(y, output, _AREAS[metric.scorer], metric)
    return _one_by_one(metric, y, output)


def _differences(metric: Metric, y: Array, challenger: Output, champion: Output, n_boot: int, seed: int) -> Array:
    first, second = (weighted_metric(metric, y, output) for output in (challenger, champion))
    generator = np.random.default_rng(seed)
    parts, done = [], 0
    for size in _chunks(n_boot, len(y)):
        weights = draw_weights(len(y), size, generator)
        parts.append(first(weights) - second(weights))
        if (done + size) // _LOG_EVERY > done // _LOG_EVERY and done + size < n_boot:
            log.info("Bootstrap of %s: %d of %d draws.", metric.name, done + size, n_boot)
        done += size
    return np.concatenate(parts)


def _chunks(n_boot: int, rows: int) -> Iterator[int]:
    most = max(1, _CHUNK_VALUES // max(rows, 1))
    for start in range(0, n_boot, most):
        yield min(most, n_boot - start)


def _mean_of_rows(metric: Metric, y: Array, output: Output) -> Draws:
    assert metric.rows is not None  # noqa: S101 - asked by the only caller
    values = metric.rows(y, output)
    sign = -1.0 if metric.negated else 1.0

    def draws(weights: Array) -> Array:
        means = weights @ values / weights.sum(axis=1)
        result: Array = sign * (np.sqrt(means) if metric.root else means)
        return result

    return draws


def _ranked(y: Array, output: Output, area: Callable[[Array, Array], Array], metric: Metric) -> Draws:
    """An area over the ranking of rows. Ranks never change between draws, so rows are sorted once."""
    assert output.scores is not None  # noqa: S101 - Metric.usable has looked
    order = np.argsort(-output.scores, kind="stable")
    ranked = output.scores[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # the last row of each group of equal scores
    positive = y[order] == 1
    sign = -1.0 if metric.negated else 1.0

    def draws(weights: Array) -> Array:
        sorted_weights = weights[:, order]
        seen = np.cumsum(sorted_weights, axis=1)[:, ends]
        hits = np.cumsum(sorted_weights * positive, axis=1)[:, ends]
        with np.errstate(invalid="ignore", divide="ignore"):
            return sign * area(hits, seen)

    return draws


def _area_under_roc(hits: Array, seen: Array) -> Array:
    """Per draw; NaN when a class was not drawn. Groups of equal scores count half, as the trapezoidal rule has it."""
    misses = seen - hits
    new_misses = np.diff(misses, axis=1, prepend=0)
    middle = hits - np.diff(hits, axis=1, prepend=0) / 2
    total: Array = hits[:, -1] * misses[:, -1]
    result: Array = np.where(total > 0, np.einsum("ij,ij->i", new_misses, middle) / total, np.nan)
    return result


def _area_under_precision(hits: Array, seen: Array) -> Array:
    precision = np.where(seen > 0, hits / seen, 0.0)
    gained = np.diff(hits, axis=1, prepend=0)
    all_hits = hits[:, -1]
    both = (all_hits > 0) & (all_hits < seen[:, -1])
    result: Array = np.where(both, np.einsum("ij,ij->i", gained, precision) / all_hits, np.nan)
    return result


_AREAS = {"roc_auc": _area_under_roc, "average_precision": _area_under_precision}


def _one_by_one(metric: Metric, y: Array, output: Output) -> Draws:
    """Any other metric, on the rows that were drawn."""

    def draws(weights: Array) -> Array:
        drawn = (np.repeat(np.arange(len(y)), line.astype(np.intp)) for line in weights)
        return np.array([metric(y[rows], output.take(rows)) for rows in drawn])

    return draws
