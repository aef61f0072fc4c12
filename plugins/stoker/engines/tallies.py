"""Count the values of one column: choose its cells from a sample of a reference, then add batch after batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stoker.engines.column_profiles import TEXTS, ColumnProfile, Counts, Floats, Moments, empty_column

CELLS = 1024
"""Cells of equal frequency between the outer quantiles of a number."""

MAX_CATEGORIES = 1000

_OUTER = 0.0005
_LARGEST = 1e140  # the squares of larger values have no finite sum


def choose_cells(name: str, kind: str, role: str, sample: pa.ChunkedArray) -> ColumnProfile:
    """An empty profile of a column, with cells that suit the sample.

    Equal counts of categories are ordered by name, so that the same sample always gives the same cells.
    """
    if kind in TEXTS:
        seen = pc.value_counts(sample.drop_null().cast(pa.string()))
        pairs = sorted((-one["counts"], one["values"]) for one in seen.to_pylist())
        categories = tuple(value for _, value in pairs[:MAX_CATEGORIES])
        return empty_column(name, kind, role, categories=categories, distinct=len(pairs))
    values, counts = np.unique(usable(to_numbers(sample)), return_counts=True)
    return empty_column(name, kind, role, edges=_edges(values, counts), distinct=len(values))


def _edges(values: Floats, counts: Counts) -> Floats:
    """Edges that give each cell about the same number of values, and each frequent value a cell of its own.

    :param values: ascending.
    :param counts: how often each occurs.
    """
    if not len(values):
        return np.zeros(1)
    shares = np.cumsum(counts) / counts.sum()
    quantiles = values[np.searchsorted(shares, np.linspace(_OUTER, 1 - _OUTER, CELLS + 1))]
    own = values if len(values) <= CELLS // 2 else values[counts > counts.sum() / CELLS]
    return np.unique(np.concatenate([quantiles, own, np.nextafter(own, np.inf)]))


def to_numbers(values: Any) -> Floats:
    """Doubles of Arrow as NumPy's, a missing one as NaN."""
    return np.asarray(values, dtype=np.float64)


def usable(values: Floats) -> Floats:
    """The values that can be counted: neither missing nor infinite, nor so large that their squares are."""
    return values[np.abs(values) < _LARGEST]


class Tally:
    """The counts of one column, while they grow.

    :param column: decides the cells.
    :param chunks: parts of the rows that are counted apart.
    """

    def __init__(self, column: ColumnProfile, chunks: int) -> None:
        size = column.counts.shape[1]
        self.chunks = chunks
        self._column = column
        self._categories = pa.array(column.categories, pa.string())
        self._counts = np.zeros(chunks * size, dtype=np.int64)
        self._sums = np.zeros(size if column.numeric else 0)
        self._missing = np.zeros(chunks, dtype=np.int64)
        self._infinite = np.zeros(chunks, dtype=np.int64)
        self._moments = Moments()

    def add(self, values: pa.Array, chunk: Counts) -> None:
        """Count some values.

        :param values: doubles for a numeric column, texts for the others.
        :param chunk: the chunk of each.
        """
        add = self._add_numbers if self._column.numeric else self._add_texts
        add(values, chunk)

    def _add_numbers(self, values: pa.Array, chunk: Counts) -> None:
        numbers = to_numbers(values)
        missing, good = np.isnan(numbers), np.abs(numbers) < _LARGEST
        if not good.all():
            self._missing += np.bincount(chunk[missing], minlength=self.chunks)
            self._infinite += np.bincount(chunk[~missing & ~good], minlength=self.chunks)
            numbers, chunk = numbers[good], chunk[good]
        cell = np.searchsorted(self._column.edges, numbers, side="right")
        size = len(self._sums)
        self._sums += np.bincount(cell, weights=numbers, minlength=size)
        self._counts += np.bincount(chunk * size + cell, minlength=len(self._counts))
        self._moments = self._moments.joined(Moments.of(numbers))

    def _add_texts(self, values: pa.Array, chunk: Counts) -> None:
        here = np.asarray(values.is_valid())
        size = len(self._categories) + 1
        codes = pc.index_in(values.cast(pa.string()), value_set=self._categories).fill_null(size - 1)
        cell = np.asarray(codes)[here].astype(np.int64)
        self._missing += np.bincount(chunk[~here], minlength=self.chunks)
        self._counts += np.bincount(chunk[here] * size + cell, minlength=len(self._counts))

    def profile(self) -> ColumnProfile:
        """What was counted."""
        return replace(
            self._column,
            counts=self._counts.reshape(self.chunks, -1),
            sums=self._sums,
            missing=self._missing,
            infinite=self._infinite,
            moments=self._moments,
        )
