"""Tables in the store and as data frames."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from stoker.core import wire
from stoker.engines.canonical import canonical
from stoker.engines.frames import read_frame, read_table, row_hashes, store_table, stored_file
from stoker.errors import CorruptArtifact
from stoker.store import documents, layout
from stoker.store.memory import MemoryStore

TABLE = pa.table({
    "n": [1, None, 3],
    "x": [0.5, float("inf"), None],
    "s": ["a" * 100, None, "b"],
    "f": [True, None, False],
    "t": [dt.datetime(2013, 1, 1, tzinfo=dt.UTC), None, dt.datetime(2013, 1, 2, tzinfo=dt.UTC)],
    "empty": [None, None, None],
})


def stored(store, table=TABLE, **names):
    facts = {"dataset": "d", "partition": "p", "stage": "raw", "time_column": "t", "source": [], "parent": None}
    return store_table(store, table, **{**facts, **names})


def test_a_stored_table_comes_back_whole():
    store = MemoryStore()
    digest, document = stored(store)
    assert documents.get_document(store, digest, "dataset") == {"format": wire.FORMAT, **document}
    assert read_table(store, document).drop_columns(["empty"]).equals(canonical(TABLE).drop_columns(["empty"]))
    assert read_table(store, document, ["s", "n"]).column_names == ["s", "n"]


def test_storing_the_same_table_again_writes_nothing():
    store = MemoryStore()
    first, _ = stored(store)
    keys = list(store.keys(""))
    assert stored(store)[0] == first
    assert list(store.keys("")) == keys


def test_the_document_describes_every_column():
    _, document = stored(MemoryStore())
    columns = {column["name"]: column for column in document["columns"]}
    assert columns["n"] == {"name": "n", "type": "int64", "nulls": 1, "min": 1, "max": 3}
    assert (columns["x"]["min"], columns["x"]["max"]) == (0.5, 0.5)  # JSON has no infinity
    assert (columns["s"]["distinct"], len(columns["s"]["min"])) == (2, 64)
    assert columns["empty"] == {"name": "empty", "type": "string", "nulls": 3, "min": None, "max": None, "distinct": 0}
    assert (document["time_min"], document["time_max"]) == (
        "2013-01-01T00:00:00.000000Z",
        "2013-01-02T00:00:00.000000Z",
    )


def test_changed_bytes_are_refused_before_they_are_parsed():
    store = MemoryStore()
    _, document = stored(store)
    key = layout.blob(stored_file(document).sha256)
    store.delete_swept(key)
    store.create(key, b"no parquet")
    with pytest.raises(CorruptArtifact, match="The rows of dataset 'd'"):
        read_table(store, document)


def test_a_frame_has_types_that_scikit_learn_takes():
    store = MemoryStore()
    frame = read_frame(store, stored(store)[1])
    assert [str(kind) for kind in frame.dtypes] == [
        "float64",
        "float64",
        "object",
        "float64",
        "datetime64[us, UTC]",
        "object",
    ]
    assert np.isnan(frame["s"][1])
    assert list(frame.index) == [0, 1, 2]


def test_equal_rows_have_equal_hashes_whatever_stands_in_the_other_rows():
    whole = canonical(pa.table({"a": [1, 2], "b": ["x", None], "c": [True, False]}))
    gaps = canonical(pa.table({"c": [False, None], "b": [None, "x"], "a": [2, None]}))
    assert row_hashes(whole).dtype == np.uint64
    assert row_hashes(whole)[1] == row_hashes(gaps)[0]
    assert len({*row_hashes(whole), *row_hashes(gaps)}) == 3
