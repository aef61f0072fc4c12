"""What columns a table must have, and tables made to fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import pyarrow as pa

from stoker.core import wire
from stoker.engines.canonical import TYPES, type_name
from stoker.errors import ConfigurationError, SchemaMismatch

UNKNOWN = "null"
"""The type of a column that was empty from top to bottom: it says nothing about the next file."""

_SHOWN, _SHOWN_LENGTH = 20, 150  # differences that a message lists, and characters of each

Schema = Mapping[str, str]
"""Column name to the name of its type in :data:`~stoker.engines.canonical.TYPES`, or :data:`UNKNOWN`."""


def schema_of(table: pa.Table) -> dict[str, str]:
    """The schema of a table in canonical form."""
    return {field.name: type_name(field.type) for field in table.schema}


def schema_of_document(document: Mapping[str, Any]) -> dict[str, str]:
    """The schema that a dataset document promises; an empty column has type :data:`UNKNOWN`."""
    rows = document["rows"]
    return {column["name"]: UNKNOWN if column["nulls"] == rows else column["type"] for column in document["columns"]}


def load_schema(schema: Schema | str) -> dict[str, str]:
    """Check a schema that a person wrote.

    :param schema: column name to type, or the path of a JSON file that holds such an object.
    :raises ConfigurationError: when the file cannot be read, or a type is unknown.
    """
    written = wire.strict_json_file(schema, "A schema file") if isinstance(schema, str) else schema
    if not isinstance(written, Mapping) or not written:
        raise ConfigurationError(f"A schema must map column names to types; got {ascii(written)[:80]}.")
    wrong = [f"{name!r}: {ascii(kind)[:40]}" for name, kind in written.items() if str(kind) not in TYPES]
    if wrong:
        raise ConfigurationError(f"A column type must be one of {', '.join(TYPES)}; got {', '.join(wrong)}.")
    return dict(written)


def fit(table: pa.Table, wanted: Schema) -> tuple[pa.Table, list[str]]:
    """Bring a table to a schema as far as that loses nothing, and name all that is left to differ.

    Columns come in the order of the schema, additional ones after them. Empty columns take any type; numbers change between int64 and
    float64 where every value stays the same.

    :param table: in canonical form.
    :returns: the table, and one sentence for each difference.
    """
    extra = [name for name in table.column_names if name not in wanted]
    there = set(table.column_names)
    missing = [name for name in wanted if name not in there]
    problems = _missing_or_renamed(missing, extra)
    columns: dict[str, Any] = {}
    for name in [name for name in wanted if name in there] + extra:
        column, problem = _fit_column(name, table.column(name), wanted.get(name, UNKNOWN))
        columns[name] = column
        problems += problem
    return pa.table(columns), problems


def unify(tables: Sequence[tuple[str, pa.Table]]) -> pa.Table:
    """The rows of several files of one source, one after another.

    :param tables: the name of each file and its table in canonical form; at least one.
    :raises SchemaMismatch: when the columns of the files differ; all differences are listed.
    """
    first = schema_of(tables[0][1])
    schemas = [schema_of(table) for _, table in tables]
    wanted = {name: _widest(schema[name] for schema in schemas if name in schema) for name in first}
    fitted, problems = [], []
    for name, table in tables:
        part, differences = fit(table, wanted)
        fitted.append(part)
        problems += [f"{name}: {difference}" for difference in differences]
    if problems:
        raise mismatch("All files of one source must have the same columns", problems)
    return pa.concat_tables(fitted)


def mismatch(rule: str, problems: Sequence[str]) -> SchemaMismatch:
    """The error that lists every difference at once: all in ``details``, and as many as one can read in the message."""
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    listed = "; ".join(problem[:_SHOWN_LENGTH] for problem in problems[:_SHOWN]) + more
    return SchemaMismatch(
        f"{rule}; {len(problems)} differ: {listed}. Correct the source, or the schema.", differences=list(problems)
    )


def _missing_or_renamed(missing: Iterable[str], extra: Iterable[str]) -> list[str]:
    problems, strangers = [], list(extra)
    for number, name in enumerate(missing):
        near = get_close_matches(name, strangers, n=1) if number < _SHOWN else []
        if near:
            strangers.remove(near[0])
            problems.append(f"column {name!r} is missing; did it become {near[0]!r}?")
        else:
            problems.append(f"column {name!r} is missing")
    return problems + [f"column {name!r} is not in the schema" for name in strangers]


def _fit_column(name: str, column: pa.ChunkedArray, wanted: str) -> tuple[pa.ChunkedArray, list[str]]:
    found = type_name(column.type)
    if wanted in {found, UNKNOWN}:
        return column, []
    problem = [f"column {name!r} must be {wanted}; it is {found}"]
    if found != UNKNOWN and {found, wanted} != {"int64", "float64"}:
        return column, problem
    try:
        return column.cast(TYPES[wanted]), []
    except pa.ArrowInvalid:
        return column, problem


def _widest(kinds: Iterable[str]) -> str:
    """The type that holds the values of all; the first one where there is none, so that the others are told to differ."""
    known = [kind for kind in kinds if kind != UNKNOWN]
    if set(known) == {"int64", "float64"}:
        return "float64"
    return known[0] if known else UNKNOWN
