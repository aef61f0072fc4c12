"""Data files as Arrow tables: Parquet, CSV and JSON lines, the last two also with gzip."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from stoker.engines import footprints
from stoker.engines.nesting import MAX_LINE, check_nesting
from stoker.errors import StoreUnavailable, UnreadableData
from stoker.store.files import is_of_disk

# ValueError: column names that are no UTF-8; the last two: gzip that was cut or damaged.
_BROKEN = (pa.ArrowException, OSError, ValueError, EOFError, zlib.error)
# Without it, a quote that nothing closes swallows all rows to the end of a block, and no error tells.
_QUOTED = pyarrow.csv.ParseOptions(newlines_in_values=True)


def read_file(path: Path, name: str, text_columns: Collection[str] = ()) -> pa.Table:
    """Read one data file; its name says which format it must have.

    In CSV an empty field is a missing value, and in a column of numbers the usual spellings (``NA``, ``NaN``, ``null`` …) are too.

    :param path: where the file lies.
    :param name: what it is called, for the format and for messages.
    :param text_columns: columns of a CSV file that are text even where they look like numbers or dates.
    :raises UnreadableData: when the file is empty, truncated, or not what its name says.
    :raises StoreUnavailable: when the disk that it lies on fails.
    """
    with _opened_as(path, name) as kind:
        table = kind.read(path, text_columns)
        # Readers believe what a file says of its texts: that they are UTF-8, and where each ends.
        table.validate(full=True)
        return table


def estimate_file(path: Path, name: str, text_columns: Collection[str] = ()) -> int:
    """Bytes of the table that :func:`read_file` would give, told from the footer or the beginning of the file.

    :raises UnreadableData: as :func:`read_file`, as far as one can see from there.
    :raises StoreUnavailable: as :func:`read_file`.
    """
    with _opened_as(path, name) as kind:
        return kind.estimate(path, name, text_columns)


@dataclass(frozen=True)
class _Format:
    read: Callable[[Path, Collection[str]], pa.Table]
    estimate: Callable[[Path, str, Collection[str]], int]


@contextmanager
def _opened_as(path: Path, name: str) -> Iterator[_Format]:
    """The format that a name promises; what goes wrong in the block says that the promise is broken."""
    kind = next((known for suffix, known in _FORMATS.items() if name.lower().endswith(suffix)), None)
    if kind is None:
        raise UnreadableData(f"A data file must end in {', '.join(_FORMATS)}; got {name!r}. Convert or rename it.")
    try:
        if path.stat().st_size == 0:
            raise UnreadableData(f"A data file must hold rows; {name!r} is empty (0 bytes). Write it again.")
        yield kind
    except _BROKEN as error:
        if is_of_disk(error):
            raise StoreUnavailable(
                f"The disk of {name!r} must let it be read; it failed: {error}. See to the disk and to permissions, and try again."
            ) from error
        raise UnreadableData(
            f"{name!r} must be a whole and valid {''.join(Path(name).suffixes[-2:])} file; reading it gave: {error}. "
            "Write it again, or correct its name."
        ) from error


def _read_parquet(path: Path, _text_columns: Collection[str]) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read()


def _read_csv(path: Path, text_columns: Collection[str]) -> pa.Table:
    with pa.input_stream(path) as stream:  # undoes gzip, which it knows by the name
        table = pyarrow.csv.read_csv(stream, parse_options=_QUOTED, convert_options=_conversion(text_columns))
    not_text = [field.name for field in table.schema if pa.types.is_binary(field.type)]
    if not_text:
        raise ValueError(f"column {not_text[0]!r} holds text that is not UTF-8")
    columns = [_without_empty(column) if pa.types.is_string(column.type) else column for column in table.columns]
    return pa.table(columns, names=table.column_names)


def _conversion(text_columns: Collection[str]) -> Any:
    return pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(text_columns, pa.string()))


def _read_json(path: Path, _text_columns: Collection[str]) -> pa.Table:
    with pa.input_stream(path) as stream:
        check_nesting(stream)
    with pa.input_stream(path) as stream:
        return pyarrow.json.read_json(stream, read_options=pyarrow.json.ReadOptions(block_size=MAX_LINE))


def _without_empty(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Missing values for empty texts: most writers of CSV make no difference between the two."""
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, texts.type), texts)


_PARQUET = _Format(_read_parquet, lambda path, _name, _texts: footprints.parquet(path))
_CSV = _Format(_read_csv, lambda path, name, texts: footprints.csv(path, name, _conversion(texts)))
_JSON = _Format(_read_json, lambda path, name, _texts: footprints.json_lines(path, name))

_FORMATS = {".parquet": _PARQUET, ".csv": _CSV, ".csv.gz": _CSV, ".jsonl": _JSON, ".jsonl.gz": _JSON}
