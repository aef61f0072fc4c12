"""One form for tables from every kind of file, and an id that says whether two of them hold the same data."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stoker.core import wire
from stoker.errors import SchemaMismatch, UnsuitableData

TIMESTAMP = pa.timestamp("us", tz="UTC")

MAX_COLUMNS = 10_000
"""Of a table; more are refused."""

_SHOWN = 20  # columns that an error names; it counts the others

TYPES: dict[str, Any] = {
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.large_string(),
    "timestamp": TIMESTAMP,
}
"""The types that a stored column may have, by the names that documents and schema files use."""


def type_name(arrow_type: Any) -> str:
    """The name of a column type in :data:`TYPES`; Arrow's own text for all others, ``null`` among them."""
    return next((name for name, known in TYPES.items() if known == arrow_type), str(arrow_type))


def canonical(table: pa.Table) -> pa.Table:
    """The same rows in the few types that Stoker stores.

    Integers become int64; floats and decimals float64 with NaN as null; text, times of day and dictionaries of text
    large_string; dates and times with a date timestamp[us, UTC], where a time without a zone is taken as UTC and digits
    below the microsecond are cut. A column without a type, because all its cells are empty, keeps Arrow's ``null``.
    The order of rows and columns stays.

    :raises SchemaMismatch: when a column has another type, such as a list or bytes, or two columns share a name, or there are more than
        :data:`MAX_COLUMNS`.
    :raises UnsuitableData: when a value does not fit, such as an unsigned integer above 2**63.
    """
    _check_columns(table.schema)
    columns = [_canonical_column(field, table.column(index)) for index, field in enumerate(table.schema)]
    return pa.table(columns, names=table.column_names)


def naive_columns(schema: pa.Schema) -> list[str]:
    """The names of the columns with times or dates that carry no zone."""
    return [field.name for field in schema if _is_naive(field.type)]


def data_id(table: pa.Table) -> str:
    """The id of a table's content: SHA-256 over the names and values of its columns, as 64 hexadecimal digits.

    Equal for the same rows from any file, container and compression, in any order of the columns; the order of rows
    counts. So that CSV, which knows no types, gives the id of Parquet, whole numbers count alike as int64 and float64, and empty columns
    alike in every type.

    :param table: in canonical form.
    """
    columns = {name: _column_digest(table.column(name)) for name in table.column_names}
    return wire.digest({"rows": table.num_rows, "columns": columns})


def _check_columns(schema: pa.Schema) -> None:
    if len(schema) > MAX_COLUMNS:
        raise SchemaMismatch(
            f"A table must have at most {MAX_COLUMNS} columns; this one has {len(schema)}. Leave out those that are not needed."
        )
    doubled = sorted(name for name, count in Counter(schema.names).items() if count > 1)
    refused = [f"{field.name[:80]!r} ({str(field.type)[:80]})" for field in schema if _target(field.type) is None]
    problems = [f"{name[:80]!r} (twice)" for name in doubled] + refused
    if problems:
        more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise SchemaMismatch(
            "Columns must have names of their own and hold numbers, text, booleans or times; these do not: "
            f"{', '.join(problems[:_SHOWN])}{more}. Flatten, rename or drop them."
        )


def _target(arrow_type: Any) -> Any:
    """The type that a column is stored in, or ``None`` when there is none."""
    types = pa.types
    if types.is_dictionary(arrow_type):
        return _target(arrow_type.value_type)
    if types.is_boolean(arrow_type) or types.is_null(arrow_type):
        return arrow_type
    if types.is_integer(arrow_type):
        return pa.int64()
    if types.is_floating(arrow_type) or types.is_decimal(arrow_type):
        return pa.float64()
    if types.is_string(arrow_type) or types.is_large_string(arrow_type) or types.is_string_view(arrow_type):
        return pa.large_string()
    if types.is_time(arrow_type):
        return pa.large_string()
    if types.is_timestamp(arrow_type) or types.is_date(arrow_type):
        return TIMESTAMP
    return None


def _is_naive(arrow_type: Any) -> bool:
    return pa.types.is_date(arrow_type) or (pa.types.is_timestamp(arrow_type) and arrow_type.tz is None)


def _canonical_column(field: Any, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    target = _target(column.type)
    try:
        if _is_naive(column.type):  # Arrow casts a naive time to a zone without moving it, and a date only by this way
            column = _cast(column, pa.timestamp("us"))
        column = _cast(column, target)
    except pa.ArrowInvalid as error:
        raise UnsuitableData(
            f"Column {field.name!r} must fit into {target} without loss; it is {field.type} and does not: {error}. "
            "Convert it before."
        ) from error
    if target == pa.float64():
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
    return column


def _cast(column: pa.ChunkedArray, target: Any) -> pa.ChunkedArray:
    lossy = pa.types.is_floating(target) or pa.types.is_decimal(
        column.type
    )  # a decimal is rounded to the nearest double
    return pc.cast(
        column,
        options=pc.CastOptions(
            target, allow_time_truncate=True, allow_decimal_truncate=lossy, allow_float_truncate=lossy
        ),
    )


def _column_digest(column: pa.ChunkedArray) -> str:
    """SHA-256 over kind, validity and values; the same for every way of cutting the column into chunks."""
    kind, column = _comparable(column)
    parts = [hashlib.sha256() for _ in range(3)]  # which cells are filled, lengths of texts, values
    for chunk in column.chunks:
        parts[0].update(_numpy(chunk.is_valid()).tobytes())
        if kind == "string":
            _hash_texts(chunk.fill_null(""), parts[1], parts[2])
        elif kind != "null":
            parts[2].update(_numpy(_filled(chunk)).tobytes())
    return wire.sha256("\n".join([kind, *(part.hexdigest() for part in parts)]).encode())


def _comparable(column: pa.ChunkedArray) -> tuple[str, pa.ChunkedArray]:
    """The kind under which a column is hashed, and its values in the one form of that kind."""
    if column.null_count == len(column):
        return "null", column
    if column.type == TIMESTAMP:
        return "timestamp", column.cast(pa.int64())
    if column.type == pa.float64():
        whole = _as_whole_numbers(column)
        # Adding zero makes one zero of the two that floats have.
        return ("number", whole) if whole is not None else ("number", pc.add(column, 0.0))
    return ("number" if column.type == pa.int64() else type_name(column.type)), column


def _as_whole_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The column as int64 when that loses nothing."""
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return None


def _filled(chunk: pa.Array) -> pa.Array:
    return chunk.fill_null(False) if pa.types.is_boolean(chunk.type) else chunk.fill_null(0)


def _numpy(array: pa.Array) -> Any:
    """Little-endian values, one byte for a boolean, on every machine alike."""
    values = array.to_numpy(zero_copy_only=False)
    return values.astype(values.dtype.newbyteorder("<"), copy=False)


def _hash_texts(texts: pa.Array, lengths: Any, values: Any) -> None:
    if len(texts) == 0:
        return
    lengths.update(_numpy(pc.binary_length(texts)).tobytes())
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    if data is not None:
        values.update(memoryview(data)[ends[0] : ends[-1]])
