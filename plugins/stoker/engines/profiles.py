"""Profiles: what a table looks like, column by column, in counts that can be compared and added without its rows.

A **reference** profile belongs to a version: it decides the cells (edges of numbers, categories of texts) and holds the
counts of each of a number of consecutive parts of the rows, its *chunks*, so that later the reference's own variability
is known. A **window** profile counts other rows in the cells of a reference; its rows are read once, the reference's
never again.

Numbers fall into half-open cells ``[edge, next edge)`` and two open ones at the ends. The edges are quantiles of the
reference between 0.05 % and 99.95 %, about 1024 of them; a value that is frequent, and every value of a column with
few distinct ones, has a cell of its own. Each cell also has the sum of its values, hence their exact mean.

A profile holds no row, but categories are values: each is cut to 64 characters and at most 1000 of a column are kept.
Do not profile columns whose values name a person.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stoker.engines.canonical import canonical
from stoker.engines.column_profiles import TEXTS, ColumnProfile, Counts, Floats, Moments, empty_column, merge_columns
from stoker.engines.scans import Scan, scan_documents, scan_table
from stoker.engines.tallies import Tally, choose_cells, to_numbers, usable
from stoker.errors import UnsuitableData, UsageError
from stoker.store import documents as stored_documents
from stoker.store.base import ObjectStore

__all__ = [
    "FEATURE",
    "PREDICTION",
    "TARGET",
    "ColumnProfile",
    "Profile",
    "load_profile",
    "profile_arrays",
    "profile_reference",
    "profile_window",
    "store_profile",
]

log = logging.getLogger(__name__)

FEATURE, PREDICTION, TARGET = "feature", "prediction", "target"

CHUNKS = 20

_SAMPLE_ROWS = 200_000
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio


@dataclass(frozen=True, eq=False)
class Profile:
    """The columns of one table, or of several that were counted in the same cells.

    :param rows: rows of the table.
    :param columns: by name. A column that the table lacks is absent.
    :param chunk_rows: rows in each chunk.
    :param order: the column in whose order the chunks follow each other; ``None`` for the order of the rows.
    :param unknown: columns of the table that the reference does not have; only of a window.
    """

    rows: int
    columns: dict[str, ColumnProfile]
    chunk_rows: tuple[int, ...]
    order: str | None = None
    unknown: tuple[str, ...] = ()

    @staticmethod
    def merge(*profiles: Profile) -> Profile:
        """One profile of all rows together, each with the chunks that it had.

        A column that only some have covers the rows of those.

        :raises UsageError: when there is none, or they were not counted in the same cells.
        """
        if not profiles:
            raise UsageError("At least one profile is needed to merge; got none.")
        names = dict.fromkeys(name for profile in profiles for name in profile.columns)
        return Profile(
            rows=sum(profile.rows for profile in profiles),
            columns={name: merge_columns([p.columns[name] for p in profiles if name in p.columns]) for name in names},
            chunk_rows=tuple(rows for profile in profiles for rows in profile.chunk_rows),
            order=profiles[0].order,
            unknown=tuple(dict.fromkeys(name for profile in profiles for name in profile.unknown)),
        )


def profile_reference(
    store: ObjectStore,
    documents: Sequence[Mapping[str, Any]],
    *,
    columns: Mapping[str, str],
    chunks: int = CHUNKS,
    order_by: str | None = None,
    memory_limit: str = "1GB",
    threads: int = 2,
    extra: Mapping[str, Any] | None = None,
) -> Profile:
    """Profile datasets as a reference. Their files are read twice: to choose the cells, and to count.

    :param documents: dataset documents, read as one table in this order.
    :param columns: the columns to profile and the role of each.
    :param chunks: consecutive parts to count apart.
    :param order_by: the column that orders the rows into chunks of about equal size; the order of rows without it.
    :param memory_limit: of DuckDB, such as ``1GB``; beyond it, it writes to a temporary folder.
    :param threads: of DuckDB.
    :param extra: arrays that lie in no file, such as predictions, by name; their role is ``prediction``, their chunks follow the order
        of their rows.
    :raises UnsuitableData: when a column is missing from all files.
    :raises CorruptArtifact: when a stored file has another digest.
    """
    with scan_documents(store, documents, memory_limit=memory_limit, threads=threads) as scan:
        profile = _profile_reference(scan, columns, chunks, order_by)
    if extra:
        roles = dict.fromkeys(extra, PREDICTION)
        profile = replace(profile, columns=profile.columns | profile_arrays(extra, roles=roles, chunks=chunks).columns)
    return profile


def profile_window(
    store: ObjectStore,
    documents: Sequence[Mapping[str, Any]],
    *,
    reference: Profile,
    names: Mapping[str, str] | None = None,
    memory_limit: str = "1GB",
    threads: int = 2,
) -> Profile:
    """Count datasets in the cells of a reference, in one pass over their files.

    A value that cannot be read as the reference's type counts as missing.

    :param documents: dataset documents, read as one table.
    :param reference: decides columns and cells.
    :param names: what a column of the reference is called in these files where the names differ, such as ``{"prediction": "score"}``.
    :param memory_limit: of DuckDB, such as ``1GB``.
    :param threads: of DuckDB.
    :raises CorruptArtifact: when a stored file has another digest.
    """
    with scan_documents(store, documents, memory_limit=memory_limit, threads=threads) as scan:
        return _profile_window(scan, reference, names or {})


def profile_arrays(
    columns: Mapping[str, Any],
    *,
    roles: Mapping[str, str] | None = None,
    reference: Profile | None = None,
    chunks: int = CHUNKS,
    order_by: str | None = None,
    categorical: Collection[str] = (),
) -> Profile:
    """Profile arrays in memory, as a reference or, given one, as a window.

    :param columns: arrays of equal length, Arrow's, NumPy's or pandas', by name.
    :param roles: the role of each column; ``feature`` for the rest. Not for a window.
    :param reference: decides columns and cells of a window.
    :param chunks: consecutive parts of a reference.
    :param order_by: one of the columns: orders the rows into chunks; it is profiled only when it has a role.
    :param categorical: columns of a reference whose values are names although they may be numbers, such as classes.
    :raises SchemaMismatch: when an array holds neither numbers, text, booleans nor times.
    """
    table = canonical(pa.table({name: _arrow(values) for name, values in columns.items()}))
    with scan_table(table) as scan:
        if reference is not None:
            return _profile_window(scan, reference, {})
        wanted = {name: FEATURE for name in columns if name != order_by} | dict(roles or {})
        return _profile_reference(scan, wanted, chunks, order_by, categorical)


def store_profile(store: ObjectStore, profile: Profile) -> str:
    """Store a profile as a document of kind ``profile`` with one Parquet file of its cells, and return its digest.

    A profile of 50 columns takes less than 2 MB.
    """
    bins = pa.concat_tables([_bins(column) for column in profile.columns.values()], promote_options="default")
    exact = ["edge", "sum"]  # doubles that hardly repeat: split by bytes they compress, a dictionary only adds to them
    buffer = io.BytesIO()
    pq.write_table(
        bins,
        buffer,
        compression="zstd",
        use_dictionary=[name for name in bins.column_names if name not in exact],
        use_byte_stream_split=exact,
    )
    stored = stored_documents.put_bytes(store, buffer.getvalue())
    return stored_documents.put_document(
        store,
        {
            "kind": "profile",
            "rows": profile.rows,
            "chunks": list(profile.chunk_rows),
            "order": profile.order,
            "unknown": list(profile.unknown),
            "columns": [_describe(column) for column in profile.columns.values()],
            "file": {"sha256": stored.sha256, "size": stored.size},
        },
    )


def load_profile(store: ObjectStore, digest: str) -> Profile:
    """The profile with this digest.

    :raises CorruptArtifact: when its document or its file has another digest.
    :raises UsageError: when the digest names a document of another kind.
    """
    document = stored_documents.get_document(store, digest, "profile")
    data = stored_documents.get_bytes(store, document["file"]["sha256"], "The cells of a profile")
    bins = pq.read_table(io.BytesIO(data))
    starts = np.cumsum([0, *(facts["cells"] for facts in document["columns"])])
    columns = {
        facts["name"]: _load_column(facts, bins.slice(start, facts["cells"]))
        for facts, start in zip(document["columns"], starts, strict=False)
    }
    return Profile(document["rows"], columns, tuple(document["chunks"]), document["order"], tuple(document["unknown"]))


# Counting ------------------------------------------------------------------------------------------------------------


def _profile_reference(
    scan: Scan, roles: Mapping[str, str], chunks: int, order_by: str | None, categorical: Collection[str] = ()
) -> Profile:
    lacking = sorted({*roles, *([order_by] if order_by else [])} - scan.types.keys())
    if lacking or not roles or chunks < 1:
        raise UnsuitableData(
            f"A profile needs columns that exist and at least one chunk; got {len(roles)} columns, {chunks} chunks; missing: "
            f"{', '.join(lacking) or 'none'}."
        )
    types = {name: "string" if name in categorical else scan.type_of(name) for name in roles}
    wanted = [(name, types[name] not in TEXTS) for name in roles] + ([(order_by, True)] if order_by else [])
    sample = _sample(scan, wanted)
    cells = [choose_cells(name, types[name], role, sample[place]) for place, (name, role) in enumerate(roles.items())]
    tallies = [Tally(column, chunks) for column in cells]
    if order_by:
        bounds = _bounds(sample[-1], chunks)
        chunk_rows = _count(scan, wanted, tallies, lambda batch, _: _chunk(batch[-1], bounds))
    else:
        chunk_rows = _count(scan, wanted, tallies, lambda _, places: places * chunks // scan.rows)
    return Profile(sum(chunk_rows), {one.name: one for one in map(Tally.profile, tallies)}, chunk_rows, order_by)


def _profile_window(scan: Scan, reference: Profile, names: Mapping[str, str]) -> Profile:
    called = {name: names.get(name, name) for name in reference.columns}
    present = [column for name, column in reference.columns.items() if called[name] in scan.types]
    wanted = [(called[column.name], column.numeric) for column in present]
    tallies = [Tally(column, 1) for column in present]
    chunk_rows = _count(scan, wanted, tallies, lambda _, places: np.zeros_like(places))
    unknown = tuple(name for name in scan.types if name not in called.values())
    return Profile(sum(chunk_rows), {one.name: one for one in map(Tally.profile, tallies)}, chunk_rows, unknown=unknown)


def _count(
    scan: Scan, wanted: Sequence[tuple[str, bool]], tallies: Sequence[Tally], chunk_of: Callable[[Any, Counts], Counts]
) -> tuple[int, ...]:
    """Add all rows to the tallies, columns side by side: most of the work is NumPy's search, which lets other threads run.

    :param chunk_of: the chunk of each row, from the columns of a batch and the places of its rows in the table.
    :returns: the rows of each chunk.
    """
    started, done = time.perf_counter(), 0
    chunk_rows = np.zeros(tallies[0].chunks if tallies else 1, dtype=np.int64)
    with ThreadPoolExecutor(scan.threads) as pool:
        for batch in scan.batches(wanted):
            chunk = chunk_of(batch.columns, np.arange(done, done + len(batch)))
            list(pool.map(Tally.add, tallies, batch.columns, repeat(chunk)))
            chunk_rows += np.bincount(chunk, minlength=len(chunk_rows))
            done += len(batch)
    seconds = time.perf_counter() - started
    log.info(
        "Profiled %d rows of %d columns in %.1f s, %.0f rows/s.", done, len(tallies), seconds, done / max(seconds, 1e-9)
    )
    return tuple(chunk_rows.tolist())


def _sample(scan: Scan, wanted: Sequence[tuple[str, bool]]) -> list[pa.ChunkedArray]:
    """The columns of about 200,000 rows, of the same table always the same.

    Rows are picked by multiples of the golden ratio, which spread evenly and meet no period in the data.
    """
    share, done, parts = _SAMPLE_ROWS / max(scan.rows, 1), 0, []
    for batch in scan.batches(wanted):
        places = np.arange(done, done + len(batch), dtype=np.uint64)
        parts.append(batch.filter(pa.array(places * _GOLDEN / 2.0**64 <= share)))
        done += len(batch)
    if not parts:
        return [pa.chunked_array([], pa.float64() if numeric else pa.string()) for _, numeric in wanted]
    return list(pa.Table.from_batches(parts).columns)


def _bounds(order: pa.ChunkedArray, chunks: int) -> Floats:
    """The last value of each chunk but the last, in the order that its values give."""
    values = usable(to_numbers(order))
    return np.quantile(values, np.arange(1, chunks) / chunks, method="inverted_cdf") if len(values) else values


def _chunk(order: pa.Array, bounds: Floats) -> Counts:
    """The chunk of each row; the last for a row without a place in the order."""
    return np.searchsorted(bounds, to_numbers(order), side="left").astype(np.int64)


def _arrow(values: Any) -> Any:
    return values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, from_pandas=True)


# Storing -------------------------------------------------------------------------------------------------------------


def _describe(column: ColumnProfile) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "role": column.role,
        "cells": column.counts.shape[1],
        "missing": column.missing.tolist(),
        "infinite": column.infinite.tolist(),
        "moments": asdict(column.moments) if column.moments.count else None,
        "distinct": column.distinct,
    }


def _bins(column: ColumnProfile) -> pa.Table:
    """One row a cell: where it begins or which category it is, its sum, and its count in each chunk."""
    size = column.counts.shape[1]
    numbers, texts = pa.nulls(size, pa.float64()), pa.nulls(size, pa.string())
    facts = (
        {"edge": pa.array([None, *column.edges.tolist()]), "category": texts, "sum": pa.array(column.sums)}
        if column.numeric
        else {"edge": numbers, "category": pa.array([*column.categories, None], pa.string()), "sum": numbers}
    )
    chunks = {f"count_{number:02d}": counts for number, counts in enumerate(column.counts)}
    return pa.table({"column": [column.name] * size, **facts, **chunks})


def _load_column(facts: Mapping[str, Any], bins: pa.Table) -> ColumnProfile:
    cells: dict[str, Any] = (
        {"categories": bins["category"].to_pylist()[:-1]}
        if facts["type"] in TEXTS
        else {"edges": np.asarray(bins["edge"])[1:]}
    )
    empty = empty_column(facts["name"], facts["type"], facts["role"], **cells, distinct=facts["distinct"])
    return replace(
        empty,
        counts=np.stack([np.asarray(bins[f"count_{number:02d}"]) for number in range(len(facts["missing"]))]),
        sums=np.asarray(bins["sum"]) if empty.numeric else empty.sums,
        missing=np.array(facts["missing"], dtype=np.int64),
        infinite=np.array(facts["infinite"], dtype=np.int64),
        moments=Moments(**(facts["moments"] or {})),
    )
