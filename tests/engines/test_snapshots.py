"""Sources frozen as datasets."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from stoker.engines.frames import read_frame
from stoker.engines.snapshots import snapshot
from stoker.errors import (
    ConfigurationError,
    InvalidName,
    SchemaMismatch,
    SourceNotFound,
    UnreadableData,
    UnsuitableData,
)
from stoker.store import documents, partitions
from stoker.store.memory import MemoryStore

TABLE = pa.table({"n": [1, 2, 3], "x": [0.5, None, 1.0], "code": ["007", "a", None]})


@pytest.fixture
def store():
    return MemoryStore()


def freeze(store, table=TABLE, **names):
    return snapshot(store, **{"source": "test", "table": table, "dataset": "d", **names})


def document(store, reference):
    return documents.get_document(store, reference.digest, "dataset")


def test_a_snapshot_is_one_partition_of_its_dataset(store):
    reference = freeze(store, partition="2013-01")
    assert (reference.kind, reference.verdict) == ("dataset", "pass")
    assert reference.summary == {
        "dataset": "d",
        "partition": "2013-01",
        "stage": "raw",
        "rows": 3,
        "columns": 3,
        "data_id": document(store, reference)["data_id"][:12],
        "new": True,
        "schema_changes": [],
    }
    assert partitions.partitions(store, "d", "raw") == [("2013-01", reference.digest)]
    assert read_frame(store, document(store, reference))["n"].tolist() == [1, 2, 3]
    reference.to_xcom()


def test_the_same_rows_in_another_file_are_the_same_snapshot(store, tmp_path):
    pq.write_table(TABLE, tmp_path / "a.parquet")
    pyarrow.csv.write_csv(TABLE.select(["code", "x", "n"]), tmp_path / "b.csv")
    first = snapshot(store, source=str(tmp_path / "a.parquet"), dataset="d")
    keys = list(store.keys(""))
    second = snapshot(store, source=str(tmp_path / "b.csv"), dataset="d")
    assert (second.digest, second.summary["new"]) == (first.digest, False)
    assert list(store.keys("")) == keys
    (source,) = document(store, first)["source"]
    assert source["uri"] == (tmp_path / "a.parquet").as_uri()


def test_one_changed_cell_is_a_new_snapshot_of_the_partition(store):
    first = freeze(store)
    second = freeze(store, TABLE.set_column(0, "n", [[1, 2, 4]]))
    assert second.digest != first.digest
    assert partitions.newest(store, "d", "raw", None) == second.digest


def test_content_that_comes_back_is_pointed_at_again(store):
    first = freeze(store)
    freeze(store, TABLE.slice(1))
    again = freeze(store)
    assert (again.digest, again.summary["new"]) == (first.digest, True)
    assert partitions.newest(store, "d", "raw", None) == first.digest


def test_another_time_column_is_another_snapshot(store):
    first = freeze(store, partition="p", time_column="n")
    second = freeze(store, partition="p", time_column="x")
    assert first.digest != second.digest
    assert (document(store, first)["time_min"], document(store, first)["time_max"]) == (1, 3)


def test_the_earlier_partition_is_the_contract(store):
    freeze(store, partition="2013-01")
    changed = pa.table({"x": ["a"], "n": [1], "kode": ["b"]})
    with pytest.raises(
        SchemaMismatch, match=r"2 differ: column 'code' is missing; did it become 'kode'\?; column 'x' must be float64"
    ):
        freeze(store, changed, partition="2013-02")
    assert [partition for partition, _ in partitions.partitions(store, "d", "raw")] == ["2013-01"]


def test_a_changed_schema_can_be_let_through_with_a_warning(store, caplog):
    freeze(store, partition="2013-01")
    reference = freeze(store, pa.table({"n": ["a"], "x": [1]}), partition="2013-02", on_schema_change="warn")
    assert reference.summary["schema_changes"] == ["column 'code' is missing", "column 'n' must be int64; it is string"]
    assert "column 'code' is missing" in caplog.text
    assert [column["type"] for column in document(store, reference)["columns"]] == ["string", "float64"]


def test_later_partitions_are_no_contract(store):
    freeze(store, partition="2013-02")
    freeze(store, pa.table({"other": [1]}), partition="2013-01")


def test_columns_take_the_order_and_the_types_of_the_contract(store):
    first = freeze(store, partition="2013-01")
    later = pa.table({"code": [None], "x": [7], "n": [1.0]})
    columns = document(store, freeze(store, later, partition="2013-02"))["columns"]
    assert [(column["name"], column["type"]) for column in columns] == [
        ("n", "int64"),
        ("x", "float64"),
        ("code", "string"),
    ]
    assert [column["name"] for column in document(store, first)["columns"]] == ["n", "x", "code"]


def test_an_empty_column_is_text_until_it_has_values(store):
    first = freeze(store, pa.table({"a": [None, None]}), partition="1")
    assert document(store, first)["columns"][0]["type"] == "string"
    second = freeze(store, pa.table({"a": [1.5]}), partition="2")
    assert document(store, second)["columns"][0]["type"] == "float64"


@pytest.mark.parametrize("as_file", [False, True])
def test_a_given_schema_is_the_contract(store, tmp_path, as_file):
    schema = {"n": "float64", "code": "string", "x": "float64"}
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(schema))
    reference = freeze(store, schema=str(path) if as_file else schema)
    assert {column["name"]: column["type"] for column in document(store, reference)["columns"]} == schema


def test_a_data_frame_is_taken_with_times_assumed_to_be_utc(store):
    frame = pd.DataFrame({"t": pd.to_datetime(["2013-01-01 05:00"]), "s": ["a"]}, index=[9])
    found = document(store, freeze(store, frame, time_column="t"))
    assert (found["assumed_utc"], found["time_min"]) == (["t"], "2013-01-01T05:00:00.000000Z")
    assert [column["name"] for column in found["columns"]] == ["t", "s"]


def test_rows_are_needed(store, tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n")
    with pytest.raises(UnsuitableData, match="at least one row"):
        snapshot(store, source=str(tmp_path / "a.csv"), dataset="d")


@pytest.mark.parametrize(
    ("names", "error"),
    [
        ({"dataset": "D"}, InvalidName),
        ({"partition": "../x"}, InvalidName),
        ({"on_schema_change": "ignore"}, ConfigurationError),
        ({"time_column": "tiem"}, SchemaMismatch),
        ({"time_column": "code"}, SchemaMismatch),
        ({"table": pd.DataFrame({"a": [1, "x"]})}, UnsuitableData),
        ({"table": pa.table({"a": [[1]]})}, SchemaMismatch),
        ({"table": None, "source": "nothing.csv"}, SourceNotFound),
    ],
)
def test_a_bad_call_writes_nothing(store, names, error):
    with pytest.raises(error):
        freeze(store, **names)
    assert list(store.keys("")) == []


def test_a_broken_file_writes_nothing(store, tmp_path):
    Path(tmp_path, "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(UnreadableData):
        snapshot(store, source=str(tmp_path / "a.parquet"), dataset="d")
    assert list(store.keys("")) == []
