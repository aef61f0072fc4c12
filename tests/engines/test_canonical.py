"""The canonical form of a table and the id of its content."""

from __future__ import annotations

import datetime as dt
import gzip
from decimal import Decimal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stoker.engines.canonical import TIMESTAMP, canonical, data_id, naive_columns
from stoker.engines.file_formats import read_file
from stoker.errors import SchemaMismatch, UnsuitableData

TEXTS = st.text(st.sampled_from("abcxyzé ,'\"-"), min_size=1, max_size=6).filter(lambda text: text.strip() == text)
EPOCHS = (dt.datetime(1970, 1, 1), dt.datetime(2200, 1, 1))  # noqa: DTZ001 - hypothesis adds zones itself
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.none() | TEXTS,
        st.none() | st.booleans(),
        st.none() | st.datetimes(*EPOCHS),
    ),
    min_size=1,
    max_size=20,
)
TYPES = [pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.timestamp("us")]


def table_of(rows: list[tuple[object, ...]]) -> pa.Table:
    columns = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), TYPES, strict=True)]
    return pa.table(columns, names=["whole", "real", "text", "flag", "moment"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_csv_gzipped_csv_and_parquet_of_the_same_rows_have_one_id(rows, tmp_path):
    table = table_of(rows)
    pyarrow.csv.write_csv(table, tmp_path / "a.csv")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    pq.write_table(table, tmp_path / "c.parquet", compression="zstd")
    ids = {data_id(canonical(read_file(path, path.name, ["text"]))) for path in sorted(tmp_path.iterdir())}
    assert ids == {data_id(canonical(table))}


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, data=st.data())
def test_one_changed_cell_changes_the_id(rows, data):
    row = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, 4))
    cell = data.draw(ROWS.map(lambda others: others[0][column]).filter(lambda other: other != rows[row][column]))
    changed = [list(values) for values in rows]
    changed[row][column] = cell
    assert data_id(canonical(table_of(changed))) != data_id(canonical(table_of(rows)))


@given(rows=ROWS, cut=st.integers(0, 20))
@settings(max_examples=30, deadline=None)
def test_chunks_and_the_order_of_columns_do_not_change_the_id(rows, cut):
    table = canonical(table_of(rows))
    pieces = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    assert data_id(pieces) == data_id(table) == data_id(table.select(table.column_names[::-1]))


def test_text_cannot_slip_from_one_cell_into_the_next():
    assert data_id(canonical(pa.table({"a": ["ab", "c"]}))) != data_id(canonical(pa.table({"a": ["a", "bc"]})))


def test_an_empty_text_is_no_missing_text():
    assert data_id(canonical(pa.table({"a": ["", "b"]}))) != data_id(canonical(pa.table({"a": [None, "b"]})))


def test_the_order_of_rows_and_the_names_of_columns_count():
    ids = [data_id(canonical(pa.table(columns))) for columns in ({"a": [1, 2]}, {"a": [2, 1]}, {"b": [1, 2]})]
    assert len(set(ids)) == 3


def test_every_type_becomes_one_of_the_few():
    table = canonical(
        pa.table({
            "small": pa.array([1, None], pa.uint8()),
            "half": pa.array([1.5, float("nan")], pa.float32()),
            "money": [Decimal("1.10"), None],
            "code": pa.array(["x", None]).dictionary_encode(),
            "day": [dt.date(2013, 1, 1), None],
            "hour": [dt.time(5, 30), None],
            "naive": pa.array([0, None], pa.timestamp("ns")),
            "local": pa.array([0, None], pa.timestamp("s", tz="America/New_York")),
            "empty": [None, None],
        })
    )
    text = pa.large_string()
    assert table.schema.types == [
        pa.int64(), pa.float64(), pa.float64(), text, TIMESTAMP, text, TIMESTAMP, TIMESTAMP, pa.null(),
    ]  # fmt: skip
    assert [column.null_count for column in table.columns] == [1] * 8 + [2]
    assert table.column("money")[0].as_py() == 1.1


def test_times_without_a_zone_are_known_by_name():
    schema = pa.schema([("a", pa.timestamp("us")), ("b", pa.timestamp("us", tz="UTC")), ("c", pa.date32())])
    assert naive_columns(schema) == ["a", "c"]


def test_nested_columns_are_refused_all_at_once():
    with pytest.raises(SchemaMismatch, match=r"'a' \(list.*'b' \(struct"):
        canonical(pa.table({"a": [[1]], "b": [{"c": 1}]}))


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(SchemaMismatch, match=r"'a' \(twice\)"):
        canonical(pa.table([[1], [2]], names=["a", "a"]))


def test_a_number_that_does_not_fit_is_refused():
    with pytest.raises(UnsuitableData, match="Column 'a' must fit into int64"):
        canonical(pa.table({"a": pa.array([2**64 - 1], pa.uint64())}))
