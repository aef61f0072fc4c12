"""Tables read batch by batch."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stoker.engines.frames import store_table
from stoker.engines.scans import scan_documents, scan_table
from stoker.errors import CorruptArtifact, UsageError
from stoker.store.memory import MemoryStore

LIMITS = {"memory_limit": "200MB", "threads": 1}


def stored(store, table):
    names = {"dataset": "d", "partition": "p", "stage": "ok", "time_column": None, "source": [], "parent": None}
    return store_table(store, table, **names)[1]


def read(scan, *columns):
    return pa.Table.from_batches(scan.batches(columns)).to_pydict()


def test_rows_come_in_their_order_and_in_batches():
    store = MemoryStore()
    document = stored(store, pa.table({"n": np.arange(450_000)}))
    with scan_documents(store, [document, document], memory_limit="1GB", threads=2) as scan:
        batches = list(scan.batches([("n", True)]))
    assert max(map(len, batches)) <= 200_000
    found = np.concatenate([np.asarray(batch[0]) for batch in batches])
    np.testing.assert_array_equal(found, np.tile(np.arange(450_000.0), 2))


def test_a_column_that_a_file_lacks_is_missing_in_its_rows():
    store = MemoryStore()
    documents = [stored(store, pa.table({"a": [1]})), stored(store, pa.table({"b": [2.5], "a": [3]}))]
    with scan_documents(store, documents, **LIMITS) as scan:
        assert scan.rows == 2
        assert read(scan, ("a", True), ("b", True)) == {"c0": [1.0, 3.0], "c1": [None, 2.5]}


@pytest.mark.parametrize("name", ['say "x"', "a'b", "select", "naïve, col", "x; DROP TABLE arrays"])
def test_any_name_of_a_column_is_only_a_name(name):
    with scan_table(pa.table({name: [1.0]})) as scan:
        assert read(scan, (name, True)) == {"c0": [1.0]}


def test_types_have_the_names_of_dataset_documents():
    table = pa.table({
        "i": pa.array([1]),
        "f": pa.array([0.5]),
        "s": pa.array(["x"], pa.large_string()),
        "b": pa.array([True]),
        "t": pa.array([0], pa.timestamp("us", tz="UTC")),
        "none": pa.nulls(1),
    })
    with scan_table(table) as scan:
        types = {name: scan.type_of(name) for name in table.column_names}
    assert types == {"i": "int64", "f": "float64", "s": "string", "b": "bool", "t": "timestamp", "none": "string"}


def test_no_document_is_no_table():
    with pytest.raises(UsageError, match="at least one dataset"), scan_documents(MemoryStore(), [], **LIMITS):
        pass


def test_a_damaged_file_is_refused():
    store, damaged = MemoryStore("one"), MemoryStore("two")
    document = stored(store, pa.table({"n": [1, 2]}))
    damaged.create(f"blobs/{document['file']['sha256'][:2]}/{document['file']['sha256']}", b"PAR1")
    with pytest.raises(CorruptArtifact), scan_documents(damaged, [document], **LIMITS):
        pass
