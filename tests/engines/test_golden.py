from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from stoker.engines.golden import deviation, golden_rows, read_golden
from stoker.engines.metrics import Output

TABLE = pa.table({"a": np.arange(100.0), "b": [None, "x"] * 50})
SHARES = np.random.default_rng(0).random((100, 3))


@pytest.mark.parametrize(
    "output",
    [
        Output(np.arange(100) % 2),
        Output(np.arange(100) % 2, SHARES[:, 0]),
        Output(np.arange(100) % 3, SHARES),
        Output(SHARES[:, 0]),
    ],
    ids=["labels", "binary", "multiclass", "regression"],
)
def test_golden_rows_come_back_with_their_predictions(output):
    table, found = read_golden(golden_rows(TABLE, output, 0))
    rows = table.column("a").to_numpy().astype(int)
    assert table.column_names == ["a", "b"]
    assert len(rows) == 32
    assert deviation(output.take(rows), found) == 0.0


def test_few_rows_are_all_golden_and_the_seed_decides_otherwise():
    output = Output(np.arange(100.0))
    few = TABLE.slice(0, 5)
    assert read_golden(golden_rows(few, output.take(np.arange(5)), 0))[0].num_rows == 5
    assert golden_rows(TABLE, output, 1) == golden_rows(TABLE, output, 1) != golden_rows(TABLE, output, 2)


@pytest.mark.parametrize(
    ("expected", "found", "away"),
    [
        (Output(np.array([0, 1])), Output(np.array([0, 1])), 0.0),
        (Output(np.array([0, 1])), Output(np.array([1, 1])), math.inf),
        (Output(np.array([0])), Output(np.array([0, 1])), math.inf),
        (Output(np.array([0]), np.array([0.5])), Output(np.array([0])), math.inf),
        (Output(np.array([0]), np.array([0.5])), Output(np.array([0]), np.array([[0.5]])), math.inf),
        (Output(np.array([0]), np.array([0.5])), Output(np.array([0]), np.array([0.25])), 0.25),
        (Output(np.array([2e6])), Output(np.array([1e6])), 0.5),
    ],
)
def test_a_deviation_is_measured_or_infinite(expected, found, away):
    assert deviation(expected, found) == pytest.approx(away)
