"""Tables in the store: one Parquet file under its digest, and the dataset document that describes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stoker.core import memory
from stoker.core.clock import to_text
from stoker.core.records import StoredFile
from stoker.engines import footprints
from stoker.engines.canonical import TIMESTAMP, canonical, data_id, type_name
from stoker.store import documents
from stoker.store.base import ObjectStore
from stoker.store.files import scratch

_HASHED_ROWS = 200_000
_MAX_SHOWN = 64  # characters of a text in a profile: enough to recognise a code, too short to leak a letter


def store_table(
    store: ObjectStore,
    table: pa.Table,
    *,
    dataset: str,
    partition: str | None,
    stage: str,
    time_column: str | None,
    source: Sequence[Mapping[str, Any]],
    parent: str | None,
    assumed_utc: Sequence[str] = (),
) -> tuple[str, dict[str, Any]]:
    """Store a table as a dataset. The same table under the same names gives the same digest, and nothing new is written.

    No partition pointer is set; see :func:`stoker.store.partitions.point`.

    :param table: any table that :func:`~stoker.engines.canonical.canonical` takes; a column without a type is stored as text.
    :param stage: ``raw``, ``ok``, ``quarantine`` or ``holdout``.
    :param time_column: the column with the time that a row belongs to, if there is one.
    :param source: where the rows came from: ``uri``, ``size`` in bytes and ``version`` of every file.
    :param parent: the digest of the dataset document that the rows were taken from.
    :param assumed_utc: columns whose times came without a zone.
    :returns: the digest of the dataset document, and the document.
    """
    table = _typed(canonical(table))
    columns = [_profile(name, table.column(name)) for name in table.column_names]
    times = next((column for column in columns if column["name"] == time_column), {})
    document = {
        "kind": "dataset",
        "dataset": dataset,
        "partition": partition,
        "stage": stage,
        "data_id": data_id(table),
        "rows": table.num_rows,
        "columns": columns,
        "time_column": time_column,
        "time_min": times.get("min"),
        "time_max": times.get("max"),
        "assumed_utc": sorted(assumed_utc),
        "file": _store_parquet(store, table),
        "source": [dict(file) for file in source],
        "parent": parent,
    }
    return documents.put_document(store, document), document


def stored_file(document: Mapping[str, Any]) -> StoredFile:
    """The Parquet file of a dataset document."""
    return StoredFile(document["file"]["sha256"], document["file"]["size"])


def read_table(store: ObjectStore, document: Mapping[str, Any], columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a dataset document, checked against their digest before they are parsed.

    :param columns: the columns wanted, in this order; all of them without it.
    :raises CorruptArtifact: when the stored bytes have another digest.
    :raises DataTooLarge: when this process has no room for them; they are not read then.
    """
    what = f"The rows of dataset {document['dataset']!r}"
    memory.require(round(footprints.document(document, columns) * footprints.READING), what)
    with scratch() as folder:
        path = folder / "rows.parquet"
        documents.get_file(store, stored_file(document).sha256, path, what)
        memory.require(round(footprints.parquet(path, columns) * footprints.READING), what)  # texts are known now
        with pq.ParquetFile(path) as file:
            table = file.read(columns=None if columns is None else list(columns))
    return table if columns is None else table.select(list(columns))


def read_frame(store: ObjectStore, document: Mapping[str, Any], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """As :func:`read_table`, as a data frame in the types that scikit-learn takes; see :func:`to_frame`."""
    return to_frame(read_table(store, document, columns))


def to_frame(table: pa.Table) -> pd.DataFrame:
    """A data frame with a fresh index from 0: numbers and booleans as NumPy's, text as objects, a missing value as NaN or NaT.

    A column of integers or booleans that misses values becomes float64, for NumPy has no other way to say so.

    :param table: in canonical form.
    :raises DataTooLarge: when this process has no room for it.
    """
    memory.require(footprints.frame(table), f"A data frame of {table.num_rows} rows")
    return pd.DataFrame({name: _series(table.column(name)) for name in table.column_names})


def row_hashes(table: pa.Table) -> npt.NDArray[np.uint64]:
    """One 64-bit hash of each row, to find rows that two tables share.

    It depends on names and values of the columns, not on their order. Stable within one version of pandas; not a
    secure hash, and not for keeping.

    :param table: in canonical form.
    """
    starts = range(0, table.num_rows, _HASHED_ROWS) or [0]  # a piece at a time: a frame of all rows takes much memory
    return np.concatenate([_piece_hashes(table.slice(start, _HASHED_ROWS)) for start in starts])


def _piece_hashes(table: pa.Table) -> npt.NDArray[np.uint64]:
    columns = {name: _hashable(table.column(name)) for name in sorted(table.column_names)}
    hashes = pd.util.hash_pandas_object(pd.DataFrame(columns), index=False)
    return cast(npt.NDArray[np.uint64], hashes.to_numpy(dtype=np.uint64))


def _typed(table: pa.Table) -> pa.Table:
    """Text for columns that are empty from top to bottom: every column of a stored file has a type."""
    fields = [
        pa.field(field.name, pa.large_string() if pa.types.is_null(field.type) else field.type)
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _store_parquet(store: ObjectStore, table: pa.Table) -> dict[str, Any]:
    with scratch() as folder:
        path = folder / "rows.parquet"
        pq.write_table(table, path, compression="zstd")
        stored = documents.put_file(store, path)
    return {"sha256": stored.sha256, "size": stored.size}


def _profile(name: str, column: pa.ChunkedArray) -> dict[str, Any]:
    kind = type_name(column.type)
    facts: dict[str, Any] = {"name": name, "type": kind, "nulls": column.null_count}
    finite = column.filter(pc.is_finite(column)) if kind == "float64" else column  # JSON has no infinity
    ends = pc.min_max(finite).as_py()
    facts.update(min=_shown(ends["min"]), max=_shown(ends["max"]))
    if kind in {"string", "bool"}:
        facts["distinct"] = pc.count_distinct(column).as_py()
    return facts


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_MAX_SHOWN]
    return to_text(value) if hasattr(value, "astimezone") else value


def _series(column: pa.ChunkedArray) -> pd.Series[Any]:
    if pa.types.is_large_string(column.type):
        return _texts(column)
    if pa.types.is_boolean(column.type) and column.null_count:
        column = column.cast(pa.float64())
    return cast("pd.Series[Any]", column.to_pandas())


def _texts(column: pa.ChunkedArray) -> pd.Series[Any]:
    """Texts as objects, which equal ones share, also under pandas 3, which has a type of its own for them.

    A missing one is NaN: scikit-learn's imputers do not know None.
    """
    encoded = column.dictionary_encode().combine_chunks()
    texts = np.append(encoded.dictionary.to_numpy(zero_copy_only=False), np.nan)
    return pd.Series(texts[encoded.indices.fill_null(len(texts) - 1).to_numpy()], dtype=object)


def _hashable(column: pa.ChunkedArray) -> pd.Series[Any]:
    """Values whose type does not depend on whether some are missing: a pandas integer column would turn into floats."""
    if column.type == TIMESTAMP:
        column = column.cast(pa.int64())
    if pa.types.is_integer(column.type):
        column = column.fill_null(np.iinfo(np.int64).min)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8()).fill_null(-1)
    return cast("pd.Series[Any]", column.to_pandas())
