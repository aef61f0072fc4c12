"""Which rows are trained on, and which are held out to judge the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection import (
    BaseCrossValidator,
    KFold,
    StratifiedKFold,
    TimeSeriesSplit,
    train_test_split,
)

from stoker.engines.metrics import REGRESSION, Array
from stoker.errors import UnsuitableData, UsageError

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("auto", "time", "stratified", "random")


@dataclass(frozen=True)
class Split:
    """Positions of rows.

    :param train: the rows to train on; oldest first when split by time.
    :param holdout: the rows held out, in the order of the data.
    :param boundary: the time of the first held-out row, when split by time: every training row is older.
    """

    train: Array
    holdout: Array
    boundary: pd.Timestamp | None = None


def resolve_kind(kind: str, *, time_column: str | None, task: str) -> str:
    """What ``auto`` means: by time when rows have one, else by class, else at random.

    :raises UsageError: when the kind does not fit the data.
    """
    if kind not in KINDS:
        raise UsageError(f"split must be one of {', '.join(KINDS)}; got {kind!r}.")
    if kind == "time" and time_column is None:
        raise UsageError("split='time' needs a time column; the dataset has none. Pass time_column, or split='random'.")
    if kind == "stratified" and task == REGRESSION:
        raise UsageError("split='stratified' needs classes; the target is a number. Use 'time' or 'random'.")
    if kind != "auto":
        return kind
    if time_column is not None:
        return "time"
    return "random" if task == REGRESSION else "stratified"


def split_rows(kind: str, y: Array, times: pd.Series[Any] | None, *, test_size: float, random_state: int) -> Split:
    """Divide rows.

    By time the newest ``test_size`` of the rows are held out; rows with the very time of the boundary are all held out, so that the
    held-out share can be larger, and training rows are strictly older.

    :param kind: ``time``, ``stratified`` or ``random``.
    :param y: the target.
    :param times: the time of each row; only needed for ``time``.
    :param test_size: share of rows, between 0 and 1.
    :raises UnsuitableData: when no division is possible.
    """
    if kind == "time":
        assert times is not None  # noqa: S101 - resolve_kind has seen to it
        return _by_time(times, test_size)
    rows = np.arange(len(y))
    try:
        train, holdout = train_test_split(
            rows, test_size=test_size, random_state=random_state, stratify=y if kind == "stratified" else None
        )
    except ValueError as error:
        raise UnsuitableData(f"Rows must be enough to hold out {test_size:.0%} of them; {error}") from error
    return Split(np.sort(train), np.sort(holdout))


def folds(kind: str, task: str, cv: int, random_state: int) -> BaseCrossValidator:
    """How the training rows are divided again to compare parameters, in the same spirit as the holdout."""
    if kind == "time":
        return TimeSeriesSplit(n_splits=cv)
    if task == REGRESSION:
        return KFold(n_splits=cv, shuffle=True, random_state=random_state)
    return StratifiedKFold(n_splits=cv, shuffle=True, random_state=random_state)


def _by_time(times: pd.Series[Any], test_size: float) -> Split:
    missing = int(times.isna().sum())
    if missing:
        raise UnsuitableData(
            f"Every row needs a time to be split by it; {missing} of {len(times)} rows of {times.name!r} have none. "
            "Quarantine them, or split at random."
        )
    order = np.argsort(times.to_numpy(), kind="stable")
    first = len(order) - max(1, round(len(order) * test_size))
    boundary = times.iloc[order[first]] if first > 0 else times.min()
    older = (times < boundary).to_numpy()
    if not older.any():
        raise UnsuitableData(
            f"Training rows must be older than held-out rows; all rows up to the boundary have the time {boundary} in "
            f"{times.name!r}. Use a finer time, a smaller test_size, or split at random."
        )
    return Split(order[older[order]], np.flatnonzero(~older), boundary)
