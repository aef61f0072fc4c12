"""One column in counts: what a profile knows of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import numpy.typing as npt

from stoker.errors import UsageError

TEXTS = ("string", "bool")
"""Types of columns that are counted by their values; all others are numbers, counted by intervals."""

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Moments:
    """Mean and spread of numbers, in the form in which parts add up without losing digits (Chan, Golub, LeVeque 1983).

    :param squares: sum of the squared differences from the mean.
    """

    count: int = 0
    mean: float = math.nan
    squares: float = 0.0
    minimum: float = math.nan
    maximum: float = math.nan

    @classmethod
    def of(cls, values: Floats) -> Moments:
        """The moments of finite numbers."""
        if not len(values):
            return cls()
        apart = values - values[0]  # a sum of large numbers close together would lose the digits that differ
        mean = apart.mean()
        squares = float(((apart - mean) ** 2).sum())
        return cls(len(values), float(values[0] + mean), squares, float(values.min()), float(values.max()))

    def joined(self, other: Moments) -> Moments:
        """The moments of both together."""
        if not self.count or not other.count:
            return self if self.count else other
        count, apart = self.count + other.count, other.mean - self.mean
        return Moments(
            count,
            self.mean + apart * other.count / count,
            self.squares + other.squares + apart**2 * self.count * other.count / count,
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
        )


@dataclass(frozen=True, eq=False)
class ColumnProfile:
    """One column, counted.

    :param type: ``int64``, ``float64``, ``timestamp`` (as seconds since 1970), ``string`` or ``bool``.
    :param role: ``feature``, ``prediction`` or ``target``.
    :param edges: of a numeric column, ascending; ``n`` edges make ``n + 1`` cells. Empty for a category.
    :param categories: of all other columns, the most frequent of the reference first; their last cell counts all others.
    :param counts: rows by chunk and cell.
    :param sums: the sum of the values in each cell, all chunks together; empty for a category.
    :param missing: rows without a value, by chunk.
    :param infinite: rows with a value that is infinite or beyond 1e140, by chunk; they are in no cell.
    :param moments: of the values in the cells of a numeric column.
    :param distinct: different values among the at most 200,000 rows of the reference that its cells were chosen from.
    """

    name: str
    type: str
    role: str
    edges: Floats
    categories: tuple[str, ...]
    counts: Counts
    sums: Floats
    missing: Counts
    infinite: Counts
    moments: Moments
    distinct: int

    @property
    def numeric(self) -> bool:
        """Whether the cells are intervals of numbers."""
        return self.type not in TEXTS

    @property
    def cells(self) -> Counts:
        """The values in each cell, all chunks together."""
        cells: Counts = np.sum(self.counts, axis=0, dtype=np.int64)
        return cells

    @property
    def values(self) -> int:
        """Rows that lie in a cell."""
        return int(self.counts.sum())

    @property
    def nulls(self) -> int:
        """Rows without a usable value: missing or infinite."""
        return int(self.missing.sum() + self.infinite.sum())

    @property
    def rows(self) -> int:
        """All rows."""
        return self.values + self.nulls

    @property
    def other(self) -> int:
        """Values that are none of the categories; 0 for numbers."""
        return 0 if self.numeric else int(self.counts[:, -1].sum())

    @property
    def sd(self) -> float:
        """The standard deviation of the values, with n as its divisor; NaN when there are none."""
        moments = self.moments
        return math.sqrt(moments.squares / moments.count) if moments.count else math.nan

    def with_counts(self, counts: Counts) -> ColumnProfile:
        """The same cells with other counts, for parts of a reference and for simulations.

        The mean of each cell and the moments of the column stay as they are; no value is missing.

        :param counts: one number a cell, or chunks of them.
        """
        counts = np.atleast_2d(np.asarray(counts, dtype=np.int64))
        none = np.zeros(len(counts), dtype=np.int64)
        sums = self.cell_means() * counts.sum(axis=0) if self.numeric else self.sums
        return replace(self, counts=counts, sums=sums, missing=none, infinite=none)

    def cell_means(self) -> Floats:
        """The mean of the values in each numeric cell; for an empty cell the middle of its ends, or its one end."""
        cells = self.cells
        low = np.concatenate([self.edges[:1], self.edges])
        high = np.concatenate([self.edges, self.edges[-1:]])
        means: Floats = np.where(cells > 0, self.sums / np.maximum(cells, 1), low + (high - low) / 2)
        return means


def empty_column(
    name: str, kind: str, role: str, *, edges: Floats | None = None, categories: Sequence[str] = (), distinct: int
) -> ColumnProfile:
    """The cells of a column without a row in them.

    :param edges: of a numeric column.
    :param categories: of another one.
    """
    size = (len(categories) if edges is None else len(edges)) + 1
    none = np.zeros(1, dtype=np.int64)
    return ColumnProfile(
        name=name,
        type=kind,
        role=role,
        edges=np.empty(0) if edges is None else edges,
        categories=tuple(categories),
        counts=np.zeros((1, size), dtype=np.int64),
        sums=np.empty(0) if edges is None else np.zeros(size),
        missing=none,
        infinite=none,
        moments=Moments(),
        distinct=distinct,
    )


def same_cells(first: ColumnProfile, second: ColumnProfile) -> bool:
    """Whether both were counted in the same cells, so that they can be added and compared."""
    return np.array_equal(first.edges, second.edges) and first.categories == second.categories


def merge_columns(columns: Sequence[ColumnProfile]) -> ColumnProfile:
    """The rows of all together, each with its chunks.

    :raises UsageError: when they were not counted in the same cells.
    """
    first = columns[0]
    if not all(same_cells(first, other) for other in columns[1:]):
        raise UsageError(
            f"Profiles can be merged when they were counted in the cells of one reference; those of {first.name!r} differ."
        )
    return replace(
        first,
        counts=np.concatenate([one.counts for one in columns]),
        sums=np.sum([one.sums for one in columns], axis=0),
        missing=np.concatenate([one.missing for one in columns]),
        infinite=np.concatenate([one.infinite for one in columns]),
        moments=reduce(Moments.joined, [one.moments for one in columns]),
    )
