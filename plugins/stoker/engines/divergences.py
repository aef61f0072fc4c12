"""How far two profiles of a column lie apart, and how surely.

Names and definitions are those of Evidently 0.7, so that its users find their numbers again. For a numeric column
``psi`` and ``jensenshannon`` compare shares in the equally wide bins of Sturges' rule over both samples, and single
values when the reference has at most 20 of them. One far outlier makes such bins too wide to tell anything; Wasserstein and
KS need no bins.

What profiles cost in accuracy, against the same method on the raw values (:func:`error_bound` computes the first two):

* ``wasserstein`` differs by at most the sum over cells of 2 (m - a)(b - m) / (b - a), weighted with the cell's share, for
  both samples; a and b are the cell's ends, m its mean. Below 0.01 sd of the reference for a normal column.
* ``ks`` misses at most the smaller of the two shares in one cell that is wider than a single value, about 1/1024.
* ``psi`` and ``jensenshannon`` spread a cell that an equally wide bin cuts evenly over its width. So the share in a bin is off by at
  most the shares of the two cells at its ends, about 2/1024; compared value by value, it is exact.
* Categories are exact as long as the reference has no more than its profile keeps; the rest, new ones included, count as one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from scipy.spatial import distance

from stoker.engines.column_profiles import ColumnProfile, Counts, Floats, same_cells
from stoker.errors import UsageError

FEW = 20
"""A numeric reference with at most so many values is compared value by value, as Evidently does."""

_LEAST_SD = 0.001  # Evidently's: a constant reference has a finite distance
_LEAST_EXPECTED = 5.0  # Cochran's rule for the chi-square test
_FEW_MISSING = 10.0  # below so many expected missing values the normal approximation is not trusted
_FILL = 0.0001


@dataclass(frozen=True)
class Method:
    """One measure of how far two distributions lie apart; 0 for equal ones.

    :param name: Evidently's word, except ``l_infinity``, which is TensorFlow Data Validation's.
    :param threshold: the effect from which a column counts as drifted, if nobody says otherwise.
    :param numeric: whether it is meant for numbers.
    :param categorical: whether it is meant for categories.
    """

    name: str
    threshold: float
    numeric: bool
    categorical: bool
    effect: Callable[[ColumnProfile, ColumnProfile], float]


def find_method(name: str, *, numeric: bool) -> Method:
    """The method of that name.

    :raises UsageError: when there is none for such columns.
    """
    fitting = [one.name for one in METHODS.values() if (one.numeric if numeric else one.categorical)]
    if name not in fitting:
        kind = "numeric" if numeric else "categorical"
        raise UsageError(f"The method for {kind} columns must be one of {', '.join(fitting)}; got {name!r}.")
    return METHODS[name]


def divergence(method: str, reference: ColumnProfile, window: ColumnProfile) -> float:
    """The effect size: how far a window lies from its reference.

    Missing values play no part; see :func:`missing_increase`. A constant reference gives a finite number for every method.

    :param method: a name in :data:`METHODS`.
    :param reference: the whole reference, or the part of it that the window is no part of.
    :param window: counted in the cells of the reference.
    :returns: NaN when one of the two has no values.
    :raises UsageError: when the method does not suit the column, or the cells differ.
    """
    found = find_method(method, numeric=reference.numeric)
    _check_cells(reference, window)
    return found.effect(reference, window) if reference.values and window.values else float("nan")


def significance(reference: ColumnProfile, window: ColumnProfile) -> float:
    """The p-value of "both are samples of one distribution", missing values apart.

    Numbers by the two-sample Kolmogorov-Smirnov test in its asymptotic form; on binned values it can only be larger than on raw
    ones. Categories, and numbers with at most 20 values, by the chi-square test of homogeneity, with cells of less than 5 expected rows
    put together.

    :returns: 1 when one of the two has no values: nothing speaks for a difference.
    """
    _check_cells(reference, window)
    if not reference.values or not window.values:
        return 1.0
    if reference.numeric and reference.distinct > FEW:
        return _ks_p(_ks(reference, window), reference.values, window.values)
    return _chi2_p(reference.cells, window.cells)


def missing_increase(reference: ColumnProfile, window: ColumnProfile) -> float:
    """Share of rows without a usable value in the window, less that share in the reference; NaN without rows."""
    if not reference.rows or not window.rows:
        return float("nan")
    return window.nulls / window.rows - reference.nulls / reference.rows


def missing_significance(reference: ColumnProfile, window: ColumnProfile) -> float:
    """The two-sided p-value of "values are missing equally often".

    The two-proportion z test; the hypergeometric distribution (Fisher) where few are expected to be missing or present.

    :returns: 1 when one of the two has no rows.
    """
    rows = reference.rows + window.rows
    missing = reference.nulls + window.nulls
    rare = min(missing, rows - missing)
    if not reference.rows or not window.rows or not rare:
        return 1.0
    here = window.nulls if missing == rare else window.values
    if rare * min(window.rows, reference.rows) / rows < _FEW_MISSING:
        return _hypergeometric_p(here, rows, rare, window.rows)
    variance = missing / rows * (1 - missing / rows) * (1 / reference.rows + 1 / window.rows)
    return float(2 * stats.norm.sf(abs(missing_increase(reference, window)) / np.sqrt(variance)))


def leave_one_out(method: str, reference: ColumnProfile) -> Floats:
    """The effect of each chunk of a reference against all its other chunks: what the reference's own unrest amounts to.

    A chunk is never compared with a reference that contains it, which would look calmer than it is. Spread and means of cells are those
    of the whole.

    :returns: one effect for each chunk that has values; empty when there are fewer than two.
    """
    chunks = reference.counts[reference.counts.sum(axis=1) > 0]
    if len(chunks) < 2:
        return np.empty(0)
    total = chunks.sum(axis=0)
    pairs = ((reference.with_counts(total - chunk), reference.with_counts(chunk)) for chunk in chunks)
    return np.array([divergence(method, rest, part) for rest, part in pairs])


def error_bound(method: str, reference: ColumnProfile, window: ColumnProfile) -> float:
    """How far :func:`divergence` may lie from the same method on the raw values; formulas at the head of this module.

    :param method: ``wasserstein`` or ``ks``, of a numeric column.
    :raises UsageError: for the others.
    """
    bounds = {"wasserstein": _wasserstein_bound, "ks": _ks_bound}
    if method not in bounds or not reference.numeric:
        raise UsageError(f"An error bound is known for {' and '.join(bounds)} of numeric columns; got {method!r}.")
    return bounds[method](reference, window)


# Effects -------------------------------------------------------------------------------------------------------------


def _psi(reference: ColumnProfile, window: ColumnProfile) -> float:
    """The population stability index; empty bins are filled as Evidently does."""
    p, q = (_filled(shares) for shares in _bins(reference, window))
    return float(np.sum((p - q) * np.log(p / q)))


def _jensen_shannon(reference: ColumnProfile, window: ColumnProfile) -> float:
    """The distance: the root of the divergence in nats, at most 0.833."""
    return float(distance.jensenshannon(*_bins(reference, window)))


def _wasserstein(reference: ColumnProfile, window: ColumnProfile) -> float:
    """In standard deviations of the reference, every cell of a sample drawn together in its mean."""
    p, q = reference.cells, window.cells
    raw = stats.wasserstein_distance(reference.cell_means()[p > 0], window.cell_means()[q > 0], p[p > 0], q[q > 0])
    return float(raw) / max(reference.sd, _LEAST_SD)


def _ks(reference: ColumnProfile, window: ColumnProfile) -> float:
    """The largest difference between the distribution functions at the ends of cells."""
    p, q = _shares(reference), _shares(window)
    return float(np.abs(np.cumsum(p - q)).max())


def _chi_square(reference: ColumnProfile, window: ColumnProfile) -> float:
    """Cohen's w against the mean of both distributions, so that it is finite when a category is new; at most 2."""
    p, q = _shares(reference), _shares(window)
    both = p + q
    here = both > 0
    return float(np.sqrt(2 * np.sum((p - q)[here] ** 2 / both[here])))


def _total_variation(reference: ColumnProfile, window: ColumnProfile) -> float:
    return float(np.abs(_shares(reference) - _shares(window)).sum() / 2)


def _l_infinity(reference: ColumnProfile, window: ColumnProfile) -> float:
    return float(np.abs(_shares(reference) - _shares(window)).max())


METHODS: dict[str, Method] = {
    one.name: one
    for one in (
        Method("wasserstein", 0.1, True, False, _wasserstein),
        Method("jensenshannon", 0.1, True, True, _jensen_shannon),
        Method("psi", 0.1, True, True, _psi),
        Method("ks", 0.1, True, False, _ks),
        Method("chisquare", 0.1, False, True, _chi_square),
        Method("TVD", 0.1, False, True, _total_variation),
        Method("l_infinity", 0.3, False, True, _l_infinity),
    )
}
"""The methods by name. Thresholds: 0.1 for ``wasserstein``, ``jensenshannon``, ``psi`` and ``TVD`` are Evidently's (Siddiqi 2006 calls a
PSI above 0.1 a moderate shift), 0.3 for ``l_infinity`` is Vertex AI Model Monitoring's, 0.1 for ``chisquare`` is Cohen's small effect
(1988), and 0.1 for ``ks`` is ours: a tenth of the rows moved. Evidently's ``ks``, ``chisquare`` and ``TVD`` report p-values instead, for
which there is :func:`significance`.
"""


# Shares --------------------------------------------------------------------------------------------------------------


def _check_cells(reference: ColumnProfile, window: ColumnProfile) -> None:
    if not same_cells(reference, window):
        raise UsageError(
            f"A window must be counted in the cells of the reference that it is compared with; those of {reference.name!r} differ. "
            "Profile it again with this reference."
        )


def _shares(column: ColumnProfile) -> Floats:
    shares: Floats = column.cells / column.values
    return shares


def _bins(reference: ColumnProfile, window: ColumnProfile) -> tuple[Floats, Floats]:
    """Shares of both in the bins that Evidently compares."""
    if reference.numeric and reference.distinct > FEW:
        bins = _sturges(reference, window)
        return _shares_between(reference, bins), _shares_between(window, bins)
    p, q = _shares(reference), _shares(window)
    seen = p + q > 0
    return p[seen], q[seen]


def _sturges(reference: ColumnProfile, window: ColumnProfile) -> Floats:
    """The edges of equally wide bins over both samples; NumPy's rule, from counts and ends alone."""
    low, high = (
        min(reference.moments.minimum, window.moments.minimum),
        max(reference.moments.maximum, window.moments.maximum),
    )
    if low == high:
        return np.array([low - 0.5, high + 0.5])
    width = (high - low) / (np.log2(reference.values + window.values) + 1.0)
    if reference.type == window.type == "int64":
        width = max(width, 1.0)
    return np.linspace(low, high, int(np.ceil((high - low) / width)) + 1)


def _shares_between(column: ColumnProfile, bins: Floats) -> Floats:
    """The share of the values in each bin, the upper end included in the last; even within a cell."""
    below = np.concatenate([[0], np.cumsum(column.cells)]) / column.values
    reached = np.interp(bins, _knots(column), below)
    reached[0], reached[-1] = 0.0, 1.0
    return np.diff(reached)


def _knots(column: ColumnProfile) -> Floats:
    """The ends of all cells, the outermost at the column's own."""
    edges = column.edges
    low = min(column.moments.minimum, edges[0])
    high = max(np.nextafter(column.moments.maximum, np.inf), edges[-1])
    knots: Floats = np.concatenate([[low], edges, [high]])
    return knots


def _filled(shares: Floats) -> Floats:
    """Evidently's way with empty bins: a ten-thousandth, or a millionth of the smallest share when that is smaller."""
    smallest = shares[shares > 0].min()
    return np.where(shares == 0, smallest / 10**6 if smallest <= _FILL else _FILL, shares)


# Tests ---------------------------------------------------------------------------------------------------------------


def _ks_p(statistic: float, first: int, second: int) -> float:
    effective = first * second / (first + second)
    return float(np.clip(stats.kstwo.sf(statistic, np.round(effective)), 0.0, 1.0))


def _chi2_p(first: Counts, second: Counts) -> float:
    table = _pooled(np.stack([first, second]).astype(np.float64))
    if table.shape[1] < 2:
        return 1.0
    return float(stats.chi2_contingency(table, correction=False).pvalue)


def _pooled(table: Any) -> Any:
    """The two rows of counts with all rare columns put together, so that each column expects at least 5 in both rows."""
    table = table[:, np.argsort(table.sum(axis=0), kind="stable")]
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    rare = int(np.searchsorted(expected, _LEAST_EXPECTED))
    if rare:
        rare = max(rare, int(np.searchsorted(np.cumsum(expected), _LEAST_EXPECTED)) + 1)
    return np.column_stack([table[:, :rare].sum(axis=1), table[:, rare:]]) if rare else table


def _hypergeometric_p(here: int, rows: int, rare: int, drawn: int) -> float:
    """Twice the smaller tail. The distribution is symmetric in both numbers; the smaller one makes the shorter sum."""
    known = stats.hypergeom(rows, max(rare, drawn), min(rare, drawn))
    return float(min(1.0, 2 * min(known.sf(here - 1), known.cdf(here))))


# Bounds --------------------------------------------------------------------------------------------------------------


def _wasserstein_bound(reference: ColumnProfile, window: ColumnProfile) -> float:
    return (_spread(reference) + _spread(window)) / max(reference.sd, _LEAST_SD)


def _spread(column: ColumnProfile) -> float:
    """The largest mean distance of the values from the means of their cells."""
    knots = _knots(column)
    low, high, mean = (
        np.maximum(knots[:-1], column.moments.minimum),
        np.minimum(knots[1:], column.moments.maximum),
        column.cell_means(),
    )
    place = np.divide(mean - low, high - low, out=np.zeros_like(mean), where=high > low)
    return float(np.sum(_shares(column) * np.clip(2 * place * (high - mean), 0.0, None)))


def _ks_bound(reference: ColumnProfile, window: ColumnProfile) -> float:
    both = np.minimum(_shares(reference), _shares(window))
    return float(np.max(both, initial=0.0, where=_wide(reference)))


def _wide(column: ColumnProfile) -> Any:
    """Which cells can hold more than one value."""
    knots = _knots(column)
    return knots[1:] > np.nextafter(knots[:-1], np.inf)
