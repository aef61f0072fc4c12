"""What may be wrong with rows, columns and labels, each with the error that says so; nothing is stored then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression
from tests.support.models import OUTCOMES, boosting, fit, flights, put

from stoker.engines.canonical import TYPES
from stoker.engines.snapshots import snapshot
from stoker.errors import SchemaMismatch, StokerError, UnsuitableData, UsageError
from stoker.store.memory import MemoryStore
from stoker.store.partitions import partitions

ROWS = 60
VALUES: dict[str, list[Any]] = {
    "bool": [True, False],
    "int64": [1, 2],
    "float64": [0.5, 1.5],
    "string": ["a", "b"],
    "timestamp": [pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp("2013-01-02", tz="UTC")],
}
FLIGHTS = flights(ROWS)


def _table(**columns: Any) -> pa.Table:
    """The flights with other columns in the place of some; ``None`` drops one."""
    table = FLIGHTS
    for name, values in columns.items():
        if name in table.column_names:
            table = table.drop_columns([name])
        if values is not None:
            table = table.append_column(name, pa.array(values))
    return table


# Snapshots


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (wanted, found)
        for wanted in TYPES
        for found in TYPES
        if found != wanted and (wanted, found) != ("float64", "int64")
    ],
)
def test_a_column_of_another_type_is_refused_with_both_types(wanted: str, found: str) -> None:
    store = MemoryStore()
    with pytest.raises(SchemaMismatch, match=f"1 differ: column 'x' must be {wanted}; it is {found}"):
        snapshot(store, source="a query", table=pa.table({"x": VALUES[found]}), dataset="d", schema={"x": wanted})
    assert list(store.keys("")) == []


CONTRACTS: dict[str, tuple[dict[str, Any], str]] = {
    "a column that is missing": ({"b": [1]}, "2 differ: column 'a' is missing; column 'b' must be string; it is int64"),
    "a column that was renamed": ({"aa": [1], "b": ["x"]}, "column 'a' is missing; did it become 'aa'"),
    "a column in capitals": ({"A": [1], "b": ["x"]}, "column 'a' is missing; column 'A' is not in the schema"),
    "a column more": ({"a": [1], "b": ["x"], "c": [1]}, "1 differ: column 'c' is not in the schema"),
    "a fraction among whole numbers": ({"a": [1, 2.5], "b": ["x", "y"]}, "column 'a' must be int64; it is float64"),
    "a whole number beyond the exact ones": ({"a": [1.0, 2.0**60 + 2**10, 0.5], "b": ["x"] * 3}, "column 'a' must be int64"),
    "everything at once": ({"c": [1]}, "3 differ: column 'a' is missing; column 'b' is missing; column 'c' is not"),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTRACTS)
def test_columns_that_break_the_contract_are_all_told_at_once(case: str) -> None:
    columns, said = CONTRACTS[case]
    store = MemoryStore()
    contract = {"a": "int64", "b": "string"}
    with pytest.raises(SchemaMismatch, match=said):
        snapshot(store, source="a query", table=pa.table(columns), dataset="d", schema=contract)
    assert list(store.keys("")) == []


@pytest.mark.parametrize(
    "columns",
    [
        {"b": ["x", "y"], "a": [1, 2]},
        {"a": [1.0, 2.0], "b": ["x", "y"]},
        {"a": [1, None], "b": ["x", None]},
        {"a": [None, None], "b": [None, None]},
    ],
    ids=["another order", "whole numbers as floats", "gaps", "nothing at all"],
)
def test_columns_that_lose_nothing_fit_the_contract(columns: dict[str, Any]) -> None:
    contract = {"a": "int64", "b": "string"}
    taken = snapshot(MemoryStore(), source="a query", table=pa.table(columns), dataset="d", schema=contract)
    assert taken.summary["schema_changes"] == []


TIMES: dict[str, tuple[Any, str]] = {
    "texts": (["2013-01-01"], "'t' must hold times or numbers; it holds string"),
    "flags": ([True], "'t' must hold times or numbers; it holds bool"),
    "nothing": (pa.array([None]), "'t' must hold times or numbers; it holds null"),
}


@pytest.mark.parametrize("case", TIMES)
def test_a_time_column_without_times_is_refused(case: str) -> None:
    values, said = TIMES[case]
    with pytest.raises(SchemaMismatch, match=said):
        snapshot(MemoryStore(), source="a query", table=pa.table({"t": values}), dataset="d", time_column="t")


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1, "x"], "values of one type"),
        ([1, [2]], "values of one type"),
        ([{"a": 1}, {"a": 2}], "hold numbers, text, booleans or times"),
        ([b"x", b"y"], "hold numbers, text, booleans or times"),
        ([2**63, 2**63 + 1], "int64"),
    ],
    ids=["a number and a text", "a number and a list", "objects", "bytes", "numbers beyond int64"],
)
def test_a_frame_with_a_column_that_cannot_be_stored_is_refused(values: list[Any], found: str) -> None:
    store = MemoryStore()
    with pytest.raises(StokerError, match=found):
        snapshot(store, source="a query", table=pd.DataFrame({"x": values}), dataset="d")
    assert list(store.keys("")) == []


# Training

_SAME_TIME = [pd.Timestamp("2013-01-01", tz="UTC")] * ROWS
_NONE = pa.array([None] * ROWS, pa.float64())
_ALL = sorted({*FLIGHTS.column_names} - {"late", "departure"})
Training = tuple[pa.Table, dict[str, Any], type[StokerError], str]
TRAININGS: dict[str, Training] = {
    "one row": (flights(1), {}, UnsuitableData, "at least 20 rows; this one has 1"),
    "19 rows": (flights(19), {}, UnsuitableData, "at least 20 rows; this one has 19"),
    "one class of numbers": (_table(late=[0] * ROWS), {}, UnsuitableData, "at least two classes; all rows have 0"),
    "one class of texts": (_table(late=["no"] * ROWS), {}, UnsuitableData, "all rows have 'no'"),
    "one class of flags": (_table(late=[True] * ROWS), {}, UnsuitableData, "all rows have True"),
    "a class of one row": (_table(late=[1] + [0] * (ROWS - 1)), {"split": "stratified"}, UnsuitableData, "class"),
    "a label that is missing": (_table(late=[None] + [0, 1] * 29 + [1]), {}, UnsuitableData, "1 of 60 rows of 'late'"),
    "a label that is NaN": (_table(late=[float("nan")] + [0.0, 1.0] * 29 + [1.0]), {}, UnsuitableData, "1 of 60 rows"),
    "a label that is infinite": (
        _table(delay=[float("-inf")] * 2 + [1.5] * 58), {"target": "delay", "estimator": LinearRegression}, UnsuitableData, "2 of 60 rows",
    ),
    "labels that are all missing": (_table(late=_NONE), {}, UnsuitableData, "late"),
    "labels that are fractions": (FLIGHTS, {"target": "delay"}, UnsuitableData, "holds fractions. Use a regressor"),
    "labels that are texts": (FLIGHTS, {"target": "grade", "estimator": LinearRegression}, UnsuitableData, "Use a classifier"),
    "a feature that is all missing": (_table(wind=_NONE), {}, UnsuitableData, "wind"),
    "a feature that is not there": (FLIGHTS, {"features": ["gusts"]}, UnsuitableData, "missing: 'gusts'"),
    "a feature twice": (FLIGHTS, {"features": ["wind", "wind"]}, UsageError, "each once"),
    "no feature": (FLIGHTS, {"features": []}, UsageError, "at least one column"),
    "nothing left for features": (FLIGHTS, {"id_columns": _ALL}, UsageError, "at least one column"),
    "the label among the features": (FLIGHTS, {"features": ["late"]}, UsageError, "must not be one of the features"),
    "an id that is not there": (FLIGHTS, {"id_columns": ["flight"]}, UnsuitableData, "'flight'"),
    "a time of numbers": (FLIGHTS, {"time_column": "seats"}, UnsuitableData, "'seats' holds int64"),
    "a time of texts": (FLIGHTS, {"time_column": "carrier"}, UnsuitableData, "'carrier' holds string"),
    "a time that is missing": (
        _table(departure=pa.array([None, *FLIGHTS["departure"].to_pylist()[1:]], pa.timestamp("us", "UTC"))), {}, UnsuitableData,
        "1 of 60 rows of 'departure'",
    ),
    "a time that is always the same": (_table(departure=_SAME_TIME), {}, UnsuitableData, "older"),
    "a history that is negative": (FLIGHTS, {"history": -1}, UsageError, "history"),
    "a history in words": (FLIGHTS, {"history": "some"}, UsageError, "history"),
    "a history that is a flag": (FLIGHTS, {"history": True}, UsageError, "history"),
    "folds of one": (FLIGHTS, {"cv": 1}, UsageError, "cv must be at least 2"),
    "an estimator of a relative path": (FLIGHTS, {"estimator": "../models.build"}, UsageError, "dotted path"),
}  # fmt: skip


@pytest.mark.parametrize("case", TRAININGS)
def test_data_that_cannot_be_trained_on_are_refused_before_anything_is_stored(case: str) -> None:
    table, options, error, said = TRAININGS[case]
    store = MemoryStore()
    dataset = put(store, table)
    before = list(store.keys(""))
    with pytest.raises(error, match=said):
        fit(store, dataset, **{"estimator": boosting, **options})
    assert list(store.keys("")) == before


HISTORIES: dict[str, tuple[pa.Table, str]] = {
    "a column that was not there": (_table(seats=None), "seats is missing, not int64"),
    "a column of another type": (_table(seats=["n"] * ROWS), "seats is string, not int64"),
    "a label of another type": (_table(late=["no", "yes"] * 30), "late is string, not int64"),
    "a time of another type": (_table(departure=list(range(ROWS))), "departure is int64, not timestamp"),
}


@pytest.mark.parametrize("case", HISTORIES)
def test_history_with_other_columns_is_refused_by_partition_and_column(case: str) -> None:
    table, said = HISTORIES[case]
    store = MemoryStore()
    put(store, table, "2012-12", time_column=None)
    dataset = put(store, FLIGHTS, "2013-01")
    with pytest.raises(SchemaMismatch, match=f"2012-12: {said}"):
        fit(store, dataset, boosting, history="all")
    assert [name for name, _ in partitions(store, "flights", "ok")] == ["2012-12", "2013-01"]


def test_the_outcomes_that_are_left_out_of_the_features_exist() -> None:
    assert set(OUTCOMES) <= set(FLIGHTS.column_names)
    assert np.unique(FLIGHTS["late"].to_numpy()).tolist() == [0, 1]
