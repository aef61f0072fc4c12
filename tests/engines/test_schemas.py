"""Contracts between files and the steps after them."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from stoker.engines.canonical import canonical
from stoker.engines.schemas import fit, load_schema, schema_of, unify
from stoker.errors import ConfigurationError, SchemaMismatch


def table(**columns):
    return canonical(pa.table(columns))


def test_a_table_comes_in_the_order_of_the_schema():
    fitted, problems = fit(table(b=[1], a=["x"]), {"a": "string", "b": "int64"})
    assert (fitted.column_names, problems) == (["a", "b"], [])


def test_numbers_and_empty_columns_change_their_type_where_nothing_is_lost():
    given = table(a=[1, 2], b=[1.0, None], c=[None, None], d=["x", "y"])
    wanted = {"a": "float64", "b": "int64", "c": "timestamp", "d": "null"}
    fitted, problems = fit(given, wanted)
    assert problems == []
    assert schema_of(fitted) == {"a": "float64", "b": "int64", "c": "timestamp", "d": "string"}


def test_a_number_that_would_lose_digits_is_a_difference():
    assert fit(table(a=[1.5]), {"a": "int64"})[1] == ["column 'a' must be int64; it is float64"]
    assert fit(table(a=[2**53 + 1]), {"a": "float64"})[1] == ["column 'a' must be float64; it is int64"]


def test_all_differences_are_named_at_once():
    given = table(dep_dly=[1], flag=["yes"], more=[1])
    wanted = {"dep_delay": "int64", "flag": "bool", "zebra": "string"}
    assert fit(given, wanted)[1] == [
        "column 'dep_delay' is missing; did it become 'dep_dly'?",
        "column 'zebra' is missing",
        "column 'more' is not in the schema",
        "column 'flag' must be bool; it is string",
    ]


def test_files_of_one_source_are_joined_in_the_widest_type():
    joined = unify([("1", table(a=[1], b=[None])), ("2", table(b=["x"], a=[0.5]))])
    assert joined.to_pydict() == {"a": [1.0, 0.5], "b": [None, "x"]}


def test_files_that_differ_are_refused_with_every_difference():
    with pytest.raises(
        SchemaMismatch, match=r"2: column 'a' must be int64; it is string; 3: column 'a' is missing"
    ) as caught:
        unify([("1", table(a=[1])), ("2", table(a=["x"])), ("3", table(zz=[1]))])
    assert len(caught.value.details["differences"]) == 3


def test_a_schema_is_read_from_a_file(tmp_path):
    path = tmp_path / "schema.json"
    path.write_text(json.dumps({"a": "int64"}))
    assert load_schema(str(path)) == {"a": "int64"}


@pytest.mark.parametrize("schema", [{}, {"a": "integer"}, {"a": "null"}, {"a": ["int64"]}])
def test_a_schema_without_known_types_is_refused(schema):
    with pytest.raises(ConfigurationError):
        load_schema(schema)


@pytest.mark.parametrize("content", ["", "[1]", "{"])
def test_a_schema_file_that_is_no_object_is_refused(tmp_path, content):
    path = tmp_path / "schema.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError):
        load_schema(str(path))


def test_a_schema_file_that_is_not_there_is_named():
    with pytest.raises(ConfigurationError, match=r"nowhere\.json"):
        load_schema("nowhere.json")
