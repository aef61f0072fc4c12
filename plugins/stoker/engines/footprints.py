"""How much memory data will take, told before it is read: from footers, documents and samples.

Numbers have a known width. Texts have not, so a few of them are looked at. The factors say how much the steps hold at their
peak besides the table itself; ``benchmarks/memory_estimates.py`` measures them.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from stoker.engines.nesting import check_nesting

READING = 2.0
"""Peak of reading a table, in sizes of the table: decoded columns beside their pages."""

FREEZING = 4.0
"""Peak of a snapshot: the rows as read, in canonical form, and what hashing, counting and writing them takes."""

TRAINING = 4.0
"""Peak of a training, in sizes of its data frame: the history joined, the training part, folds, and the matrix that is fitted."""

_SAMPLE_BYTES = 1024 * 1024
_SAMPLE_ROWS = 64
_SPREAD_ROWS = 10_000
_UNKNOWN_RATIO = 4.0  # of a table to its text, where no sample can be parsed: one digit and a comma become eight bytes
_WIDTHS = {"bool": 1, "int64": 8, "float64": 8, "timestamp": 8}
_OFFSET = 8
# Bytes of a Python string beyond its characters, and of its place among those that were made already.
_TEXT_OBJECT = 160


def parquet(path: Path, columns: Collection[str] | None = None) -> int:
    """Bytes of a Parquet file's rows as a table.

    :param columns: those that are read; all without it.
    """
    with pq.ParquetFile(path) as file:
        fields = [field for field in file.schema_arrow if columns is None or field.name in columns]
        texts = {field.name for field in fields if _width(field.type) is None}
        lengths = _mean_lengths(file, sorted(texts))
        packed = _packed_sizes(file.metadata, texts)
        rows: int = file.metadata.num_rows
    widths = (_width(field.type) for field in fields if field.name not in texts)
    flat = rows * sum(width for width in widths if width is not None)
    widest: int = sum(max(rows * (_OFFSET + lengths[name]), packed[name]) for name in texts)
    return flat + widest


def csv(path: Path, name: str, options: Any = None) -> int:
    """Bytes of a CSV file's rows as a table, from what its first megabyte becomes.

    :param name: of the file; one that ends in ``.gz`` is unpacked.
    :param options: the conversion of columns with which it will be read.
    """
    return _from_sample(path, name, lambda text: pyarrow.csv.read_csv(text, convert_options=options))


def json_lines(path: Path, name: str) -> int:
    """As :func:`csv`, of a file of JSON lines.

    :raises ValueError: see :func:`~stoker.engines.nesting.check_nesting`.
    """

    def read(text: IO[bytes]) -> pa.Table:
        check_nesting(text)
        text.seek(0)
        return pyarrow.json.read_json(text)

    return _from_sample(path, name, read)


def document(described: Mapping[str, Any], columns: Sequence[str] | None = None) -> int:
    """Bytes of a stored dataset as a table, from its document alone; texts are taken to be as long as the two that it shows."""
    rows: int = described["rows"]
    return rows * sum(_described_width(column) for column in _wanted(described, columns))


def described_frame(described: Mapping[str, Any], columns: Sequence[str] | None = None) -> int:
    """Bytes of a stored dataset as a data frame, where a text is an object and equal ones share it."""
    return sum(
        described["rows"] * 8 + column.get("distinct", 0) * (_TEXT_OBJECT + _described_width(column))
        for column in _wanted(described, columns)
    )


def frame(table: pa.Table) -> int:
    """Bytes of a table in memory as a data frame. How many texts differ is told by ten thousand of them."""
    return sum(_column(table.column(name)) for name in table.column_names)


def _column(column: pa.ChunkedArray) -> int:
    rows = len(column)
    numbers = 8 * rows
    if not rows or not pa.types.is_large_string(column.type):
        return numbers
    spread = np.unique(np.linspace(0, rows - 1, min(rows, _SPREAD_ROWS), dtype=np.int64))
    distinct: int = pc.count_distinct(column.take(pa.array(spread))).as_py()
    # A text that came up twice in the sample is one of few; where hardly any did, each row has its own.
    of_all: int = rows if distinct > len(spread) / 2 else distinct
    length: int = column.nbytes // rows
    return 2 * numbers + of_all * (_TEXT_OBJECT + length)


def _wanted(described: Mapping[str, Any], columns: Sequence[str] | None) -> Iterator[Mapping[str, Any]]:
    return (column for column in described["columns"] if columns is None or column["name"] in columns)


def _described_width(column: Mapping[str, Any]) -> int:
    if column["type"] in _WIDTHS:
        return _WIDTHS[column["type"]]
    return _OFFSET + sum(len(str(column.get(end) or "")) for end in ("min", "max")) // 2


def _width(kind: Any) -> int | None:
    """Bytes of a value in canonical form; ``None`` for texts, and for what no snapshot takes."""
    if pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return 1
    primitive = pa.types.is_primitive(kind) or pa.types.is_decimal(kind)
    return 8 if primitive and not pa.types.is_time(kind) else None


def _mean_lengths(file: pq.ParquetFile, texts: Sequence[str]) -> dict[str, int]:
    """Mean bytes of a text, by the first rows of the first, middle and last row group."""
    groups = sorted({0, file.num_row_groups // 2, file.num_row_groups - 1}) if file.metadata.num_rows else []
    samples = [
        next(file.iter_batches(_SAMPLE_ROWS, row_groups=[group], columns=list(texts)), None)
        for group in (groups if texts else ())
    ]
    seen = [sample for sample in samples if sample is not None and sample.num_rows]
    rows = sum(sample.num_rows for sample in seen)
    return {name: sum(_text_bytes(sample.column(name)) for sample in seen) // max(rows, 1) for name in texts}


def _text_bytes(column: Any) -> int:
    kind = column.type
    plain = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return pc.sum(pc.binary_length(column)).as_py() or 0 if plain else column.nbytes


def _packed_sizes(metadata: Any, texts: Collection[str]) -> dict[str, int]:
    """Bytes of the columns before compression: less than what texts take in memory, where a dictionary holds them."""
    sizes = dict.fromkeys(texts, 0)
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            name = chunk.path_in_schema.split(".")[0]
            if name in sizes:
                sizes[name] += chunk.total_uncompressed_size
    return sizes


def _from_sample(path: Path, name: str, read: Any) -> int:
    size, packed = path.stat().st_size, name.lower().endswith(".gz")
    with path.open("rb") as raw:
        text = (gzip.GzipFile(fileobj=raw) if packed else raw).read(_SAMPLE_BYTES)
        taken = raw.tell()
    if packed:
        size = max(size * len(text) // max(taken, 1), _unpacked_size(path))
    return round(size * _ratio(text, read))


def _ratio(text: bytes, read: Any) -> float:
    """The size of a table to that of the text that it was read from, by whole lines."""
    lines = text[: text.rfind(b"\n") + 1] or text
    try:
        table = read(io.BytesIO(lines))
    except pa.ArrowException:  # a line break inside of quotes, or a broken file: reading all of it will tell
        return _UNKNOWN_RATIO
    if not table.num_rows:
        return _UNKNOWN_RATIO
    texts = sum(1 for field in table.schema if _width(field.type) is None)
    canonical = table.nbytes + table.num_rows * texts * (_OFFSET - 4)
    return float(canonical / max(len(lines), 1))


def _unpacked_size(path: Path) -> int:
    """What the last four bytes of a gzip file say of its content, which is true below 4 GB."""
    with path.open("rb") as file:
        file.seek(-4, io.SEEK_END)
        return int.from_bytes(file.read(4), "little")
