"""What the report of a drift shows of each column: its distribution at training, and in the window."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stoker.engines.column_profiles import ColumnProfile, Floats
from stoker.engines.figures import number, numbers, text
from stoker.engines.metrics import Array
from stoker.engines.profiles import Profile

MAX_BINS = 30

_MAX_COLUMNS = 500  # a document has a largest size; nobody looks at more
_OUTER = 0.005  # of the values lie beyond the first and the last bin, which take them in
_DIGITS = 10  # of an edge: times are seconds since 1970


@dataclass(frozen=True, eq=False)
class _Distribution:
    """Where the values of a column lie, as far as its cells tell: evenly in each of them.

    :param places: ascending.
    :param below: how many values lie below each place.
    """

    places: Floats
    below: Floats

    @classmethod
    def of(cls, column: ColumnProfile) -> _Distribution:
        """The outer cells have one edge only: there the values lie evenly around their mean, as far as the smallest or largest."""
        cells, means, edges = column.cells, column.cell_means(), column.edges
        first = _around(means[0], column.moments.minimum, edges[0]) if cells[0] else (edges[0], edges[0])
        last = _around(means[-1], edges[-1], column.moments.maximum) if cells[-1] else (edges[-1], edges[-1])
        below = np.cumsum(cells)
        return cls(
            np.concatenate([first, edges, last]),
            np.concatenate([[0, below[0]], below[:-1], below[-2:]]).astype(np.float64),
        )

    @property
    def rows(self) -> float:
        """All values."""
        return float(self.below[-1])

    def counts(self, edges: Floats) -> Floats:
        """The values in each bin; those beyond the bins are in the outer ones."""
        below = np.interp(edges, self.places, self.below)
        below[0], below[-1] = 0, self.rows
        return np.diff(below)

    def quantile(self, share: float) -> float:
        """The place below which a share of the values lies."""
        return float(np.interp(share * self.rows, self.below, self.places))


def draw_columns(
    reference: Profile, window: Profile, findings: Sequence[Mapping[str, Any]], *, personal: Collection[str] = ()
) -> dict[str, Any]:
    """The distribution of each column in both, in the same bins: those that drifted first, then by effect.

    :param window: counted in the cells of the reference.
    :param findings: the records of the columns in the drift document; columns without one are left out, as are those that either
        side does not have.
    :param personal: columns that are drawn without labels and edges.
    """
    ranked = sorted(findings, key=lambda one: (not one["drifted"], -(one["effect"] or 0.0), one["column"]))
    names = [one["column"] for one in ranked if one["column"] in reference.columns.keys() & window.columns.keys()]
    return {
        "rows": window.rows,
        "reference_rows": reference.rows,
        "left_out": max(0, len(names) - _MAX_COLUMNS),
        "columns": [
            _draw(reference.columns[name], window.columns[name], private=name in personal)
            for name in names[:_MAX_COLUMNS]
        ],
    }


def _draw(reference: ColumnProfile, window: ColumnProfile, *, private: bool) -> dict[str, Any]:
    axis, before, now = (_draw_numbers if reference.numeric else _draw_categories)(reference, window)
    return {
        "column": reference.name,
        "role": reference.role,
        "type": reference.type,
        "kind": "numeric" if reference.numeric else "categorical",
        "reference": numbers(_shares(before)),
        "current": numbers(_shares(now)),
        "missing": {
            "reference": number(reference.nulls / max(reference.rows, 1)),
            "current": number(window.nulls / max(window.rows, 1)),
        },
        **({} if private else axis),
    }


def _draw_numbers(reference: ColumnProfile, window: ColumnProfile) -> tuple[dict[str, Any], Array, Array]:
    """Cells put together to bins; the first and the last bin hold all that lies beyond."""
    before, now = _Distribution.of(reference), _Distribution.of(window)
    values = np.concatenate([one.cell_means()[one.cells > 0] for one in (reference, window)])
    edges = _edges(np.unique(values), [one for one in (before, now) if one.rows])
    return {"edges": numbers(edges, _DIGITS)}, before.counts(edges), now.counts(edges)


def _edges(distinct: Floats, sides: Sequence[_Distribution]) -> Floats:
    """A bin for each of a few values, with the value in its middle; else bins of equal width."""
    if not len(distinct):
        return np.array([0.0, 1.0])
    if len(distinct) <= MAX_BINS:
        between = (distinct[1:] + distinct[:-1]) / 2
        half = np.diff(distinct).min() / 2 if len(distinct) > 1 else 0.5
        return np.concatenate([[distinct[0] - half], between, [distinct[-1] + half]])
    low, high = min(one.quantile(_OUTER) for one in sides), max(one.quantile(1 - _OUTER) for one in sides)
    return np.histogram_bin_edges([low, high], bins=MAX_BINS)


def _around(mean: float, low: float, high: float) -> tuple[float, float]:
    half = max(0.0, min(mean - low, high - mean))
    return mean - half, mean + half


def _draw_categories(reference: ColumnProfile, window: ColumnProfile) -> tuple[dict[str, Any], Array, Array]:
    """The categories with the largest share on either side; the rest together."""
    largest = np.maximum(_shares(reference.cells), _shares(window.cells))[:-1]
    shown = np.sort(np.argsort(-largest, kind="stable")[: MAX_BINS - 1])
    labels = [text(reference.categories[place]) for place in shown]
    before, now = (
        np.append(cells[shown], cells.sum() - cells[shown].sum()) for cells in (reference.cells, window.cells)
    )
    if not before[-1] and not now[-1]:
        return {"labels": labels}, before[:-1], now[:-1]
    return {"labels": [*labels, "other values"]}, before, now


def _shares(counts: Array) -> Floats:
    shares: Floats = counts / max(int(counts.sum()), 1)
    return shares
