"""How two models do on parts of the rows: by category, or by quarter of a number."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from stoker.engines.bootstrap import paired_difference, vectorised
from stoker.engines.figures import number, text
from stoker.engines.metrics import Array, Metric, Output

if TYPE_CHECKING:
    import pyarrow as pa

MIN_ROWS = 30
"""A metric of fewer rows says more about chance than about the model."""

_SHOWN_COLUMNS = 3
_SHOWN_VALUES = 12
_MOST_DRAWN = 2_000  # rows of a draw, so that slices cost the same whatever the number of rows
_DRAWS = 200
_SEED = 0


def choose_columns(candidate: Mapping[str, Any], table: pa.Table, *, without: Collection[str] = ()) -> list[str]:
    """Up to three of the most important features that divide the rows into a few parts.

    :param candidate: the content of a candidate document; without importances nothing is chosen.
    :param table: the rows.
    :param without: columns that must not be shown.
    """
    shares = candidate.get("importances") or {}
    useful = [name for name in shares if shares[name] > 0 and name not in without]
    ranked = sorted(useful, key=lambda name: (-shares[name], name))
    return list(islice((name for name in ranked if _divides(table.column(name).to_pandas())), _SHOWN_COLUMNS))


def measure_slices(
    table: pa.Table,
    columns: Sequence[str],
    *,
    metric: Metric,
    y: Array,
    challenger: Output,
    champion: Output | None,
    alpha: float,
) -> list[dict[str, Any]]:
    """The metric of each model in each slice, with an interval of their difference where the metric is cheap to draw.

    The intervals are of each slice alone: of twenty slices, some look worse by chance.

    :param table: the rows, in canonical form.
    :param columns: a slice for each value of these; beyond twelve values, the rest together; numbers by their quarters.
    :param alpha: the interval goes from ``alpha`` to ``1 - alpha``.
    :returns: JSON-safe records, by column. ``metric`` is ``None`` in a slice of fewer than 30 rows; ``difference`` is how much
        better the challenger is, whatever the direction of the metric.
    """
    found = []
    for column in columns:
        for value, rows in _parts(table.column(column).to_pandas()):
            office = None if champion is None else champion.take(rows)
            measured = _measure(metric, y[rows], challenger.take(rows), office, alpha)
            found.append({"column": column, "value": value, "rows": len(rows), **measured})
    return found


def _measure(metric: Metric, y: Array, challenger: Output, champion: Output | None, alpha: float) -> dict[str, Any]:
    names = ("challenger", "champion", "difference", "low", "high")
    if len(y) < MIN_ROWS:
        return {"metric": None, **dict.fromkeys(names)}
    if champion is None:
        values = (metric(y, challenger), *[math.nan] * 4)
    else:
        values = (metric(y, challenger), metric(y, champion), *_difference(metric, y, challenger, champion, alpha))
    return {"metric": metric.name, **dict(zip(names, map(number, values), strict=True))}


def _difference(
    metric: Metric, y: Array, challenger: Output, champion: Output, alpha: float
) -> tuple[float, float, float]:
    """Estimate, low and high. Of many rows a random part is drawn from, and its deviations shrink with the root of the share."""
    sign = 1.0 if metric.greater_is_better else -1.0
    estimate = sign * (metric(y, challenger) - metric(y, champion))
    if not vectorised(metric):
        return estimate, math.nan, math.nan
    shrink = math.sqrt(min(1.0, _MOST_DRAWN / len(y)))
    if len(y) > _MOST_DRAWN:
        part = np.random.default_rng(_SEED).choice(len(y), _MOST_DRAWN, replace=False)
        y, challenger, champion = y[part], challenger.take(part), champion.take(part)
    drawn = paired_difference(metric, y, challenger, champion, alpha=alpha, n_boot=_DRAWS, seed=_SEED)
    low, high = (estimate + shrink * (end - drawn.estimate) for end in (drawn.low, drawn.high))
    return estimate, low, high


def _divides(values: pd.Series[Any]) -> bool:
    distinct = values.nunique()
    return distinct >= 2 and (distinct <= _SHOWN_VALUES or values.dtype.kind in "ifM")


def _parts(values: pd.Series[Any]) -> Iterator[tuple[str, Array]]:
    """The label of each slice and the places of its rows; a slice for missing values comes last."""
    known = values.replace([np.inf, -np.inf], np.nan) if values.dtype.kind == "f" else values
    if known.dtype.kind in "ifM" and known.nunique() > _SHOWN_VALUES:
        quarters = pd.qcut(known, 4, duplicates="drop")
        intervals = cast("pd.IntervalIndex[Any]", quarters.cat.categories)
        codes, labels = quarters.cat.codes.to_numpy(), _quarter_names(intervals)
    else:
        codes, labels = _by_value(known)
    for code, label in enumerate([*labels, "no value"]):
        rows = np.flatnonzero(codes == (code if code < len(labels) else -1))
        if len(rows):
            yield label, rows


def _quarter_names(quarters: pd.IntervalIndex[Any]) -> list[str]:
    ends = [text(end) for end in quarters.right[:-1]]
    middle = [f"{low} to {high}" for low, high in pairwise(ends)]
    return [f"up to {ends[0]}", *middle, f"above {ends[-1]}"] if ends else ["all"]


def _by_value(values: pd.Series[Any]) -> tuple[Array, list[str]]:
    """A code for each row, -1 where it has no value, and the label of each code, the most frequent ones by name."""
    counts = values.value_counts()
    ranked = sorted(counts.index, key=lambda value: (-int(counts[value]), text(value)))
    shown = sorted(ranked[:_SHOWN_VALUES])
    codes = pd.Index(shown).get_indexer(values.to_numpy())
    codes[(codes < 0) & values.notna().to_numpy()] = len(shown)
    return codes, [*map(text, shown), "other values"]
