from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit

from stoker.engines.splitting import folds, resolve_kind, split_rows
from stoker.errors import UnsuitableData, UsageError


def _times(*hours: float | None) -> pd.Series:
    start = pd.Timestamp("2013-01-01", tz="UTC")
    values = [pd.NaT if hour is None else start + timedelta(hours=float(hour)) for hour in hours]
    return pd.Series(pd.to_datetime(values, utc=True), name="t")


def _split(times: pd.Series, test_size: float = 0.2):
    return split_rows("time", np.zeros(len(times)), times, test_size=test_size, random_state=0)


def test_the_newest_rows_are_held_out_and_training_rows_are_in_the_order_of_time():
    split = _split(_times(5, 1, 4, 2, 3))
    assert split.train.tolist() == [1, 3, 4, 2]
    assert split.holdout.tolist() == [0]
    assert split.boundary == pd.Timestamp("2013-01-01T05:00", tz="UTC")


def test_ties_at_the_boundary_are_all_held_out():
    split = _split(_times(1, 2, 3, 3, 3, 3, 3, 3, 3, 4))
    assert split.train.tolist() == [0, 1]
    assert len(split.holdout) == 8


@pytest.mark.parametrize("test_size", [0.01, 0.2, 0.5, 0.9])
def test_no_row_is_lost_and_training_is_strictly_older(test_size):
    times = _times(*np.random.default_rng(0).integers(0, 40, 200))
    split = _split(times, test_size)
    assert sorted([*split.train, *split.holdout]) == list(range(200))
    assert times[split.train].max() < times[split.holdout].min()
    assert len(split.holdout) >= round(200 * test_size)


def test_one_single_time_cannot_be_split():
    with pytest.raises(UnsuitableData, match="older"):
        _split(_times(*[1] * 30))


def test_a_row_without_a_time_is_refused():
    with pytest.raises(UnsuitableData, match="1 of 3 rows of 't'"):
        _split(_times(1, None, 2))


def test_a_stratified_split_keeps_the_shares_and_follows_the_seed():
    y = np.array([0] * 80 + [1] * 20)
    split, again, other = (split_rows("stratified", y, None, test_size=0.25, random_state=seed) for seed in (1, 1, 2))
    assert y[split.holdout].sum() == 5
    assert split.holdout.tolist() == again.holdout.tolist() != other.holdout.tolist()


def test_a_class_of_one_row_cannot_be_stratified():
    with pytest.raises(UnsuitableData, match="hold out"):
        split_rows("stratified", np.array([0] * 9 + [1]), None, test_size=0.2, random_state=0)


@pytest.mark.parametrize(
    ("kind", "time_column", "task", "expected"),
    [
        ("auto", "t", "binary", "time"),
        ("auto", None, "binary", "stratified"),
        ("auto", None, "regression", "random"),
        ("random", "t", "binary", "random"),
    ],
)
def test_auto_goes_by_time_then_by_class(kind, time_column, task, expected):
    assert resolve_kind(kind, time_column=time_column, task=task) == expected


@pytest.mark.parametrize(("kind", "task"), [("time", "binary"), ("stratified", "regression"), ("daily", "binary")])
def test_a_split_that_does_not_fit_the_data_is_refused(kind, task):
    with pytest.raises(UsageError, match="split"):
        resolve_kind(kind, time_column=None, task=task)


def test_folds_follow_the_split():
    assert isinstance(folds("time", "binary", 3, 0), TimeSeriesSplit)
    assert isinstance(folds("random", "regression", 3, 0), KFold)
    assert isinstance(folds("stratified", "binary", 3, 0), StratifiedKFold)
