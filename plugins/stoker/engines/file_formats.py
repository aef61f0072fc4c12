"""Data files as Arrow tables: Parquet, CSV and JSON lines, the last two also with gzip."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from stoker.errors import UnreadableData

_MAX_JSON_LINE = 16 * 1024 * 1024  # bytes; Arrow refuses a line longer than its block


def read_file(path: Path, name: str, text_columns: Collection[str] = ()) -> pa.Table:
    """Read one data file; its name says which format it must have.

    In CSV an empty field is a missing value, and in a column of numbers the usual spellings (``NA``, ``NaN``, ``null`` …) are too.

    :param path: where the file lies.
    :param name: what it is called, for the format and for messages.
    :param text_columns: columns of a CSV file that are text even where they look like numbers or dates.
    :raises UnreadableData: when the file is empty, truncated, or not what its name says.
    """
    reader = next((read for suffix, read in _READERS.items() if name.lower().endswith(suffix)), None)
    if reader is None:
        raise UnreadableData(f"A data file must end in {', '.join(_READERS)}; got {name!r}. Convert or rename it.")
    if path.stat().st_size == 0:
        raise UnreadableData(f"A data file must hold rows; {name!r} is empty (0 bytes). Write it again.")
    try:
        return reader(path, text_columns)
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: column names that are no UTF-8
        raise UnreadableData(
            f"{name!r} must be a whole and valid {''.join(Path(name).suffixes[-2:])} file; reading it gave: {error}. "
            "Write it again, or correct its name."
        ) from error


def _read_parquet(path: Path, _text_columns: Collection[str]) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read()


def _read_csv(path: Path, text_columns: Collection[str]) -> pa.Table:
    options = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(text_columns, pa.string()))
    with pa.input_stream(path) as stream:  # undoes gzip, which it knows by the name
        table = pyarrow.csv.read_csv(stream, convert_options=options)
    not_text = [field.name for field in table.schema if pa.types.is_binary(field.type)]
    if not_text:
        raise ValueError(f"column {not_text[0]!r} holds text that is not UTF-8")
    columns = [_without_empty(column) if pa.types.is_string(column.type) else column for column in table.columns]
    return pa.table(columns, names=table.column_names)


def _read_json(path: Path, _text_columns: Collection[str]) -> pa.Table:
    with pa.input_stream(path) as stream:
        return pyarrow.json.read_json(stream, read_options=pyarrow.json.ReadOptions(block_size=_MAX_JSON_LINE))


def _without_empty(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Missing values for empty texts: most writers of CSV make no difference between the two."""
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, texts.type), texts)


_READERS: dict[str, Callable[[Path, Collection[str]], pa.Table]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".csv.gz": _read_csv,
    ".jsonl": _read_json,
    ".jsonl.gz": _read_json,
}
