"""Snapshots: a source frozen as one content-addressed dataset."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import pandas as pd
import pyarrow as pa

from stoker.core import clock as time
from stoker.core.names import check_name, check_partition
from stoker.core.records import Reference
from stoker.engines import schemas
from stoker.engines.canonical import canonical, data_id, naive_columns, type_name
from stoker.engines.frames import store_table
from stoker.engines.sources import ClientFactory, SourceFile, list_sources, read_sources
from stoker.errors import ConfigurationError, DataError, DataTooLarge, SchemaMismatch, SourceNotFound, UnsuitableData
from stoker.loop.ledger import REFUSED, TAKEN, Ledger
from stoker.store import documents, layout, partitions
from stoker.store.base import ObjectStore

log = logging.getLogger(__name__)

STAGE = "raw"

_MAX_CHANGES = 10  # in a reference, which must stay small; the error lists all
_MAX_CHANGE_LENGTH = 200


def snapshot(
    store: ObjectStore,
    *,
    source: str | Sequence[str],
    dataset: str,
    partition: str | None = None,
    time_column: str | None = None,
    schema: schemas.Schema | str | None = None,
    on_schema_change: str = "fail",
    s3_client_factory: ClientFactory | None = None,
    table: pa.Table | pd.DataFrame | None = None,
    landed: Sequence[Mapping[str, Any]] | None = None,
    origin: str | None = None,
    clock: time.Clock = time.system_clock,
) -> Reference:
    """Freeze a source as one partition of a dataset.

    Content that the partition means already gives the earlier snapshot again, even from files of another name or
    format, and writes nothing. Values are not judged here; see :mod:`stoker.engines.validation`.

    :param source: what :func:`~stoker.engines.sources.list_sources` takes; with ``table`` a text that says where the rows came from.
    :param partition: such as ``2013-03``; ``None`` for a dataset without partitions.
    :param time_column: the column with the time that a row belongs to.
    :param schema: the contract, as column name to type or the path of a JSON file of that; by default the columns of the newest
        earlier partition, or of the snapshot before this one where there are no partitions.
    :param on_schema_change: ``fail``, or ``warn`` to take the columns as they are.
    :param table: rows that were read already, such as by a query; no file is opened then.
    :param landed: files as a claim listed them: ``uri``, ``size`` and ``version`` of each. In the ledger of the dataset they become taken
        with this snapshot, or refused when the data cannot be used. A file that has changed since is in the snapshot as it is
        now and stays pending, and so does one that is gone.
    :param origin: the task that does it, as :attr:`~stoker.core.records.Actor.origin`; kept for whoever follows the lineage.
    :returns: a reference of kind ``dataset`` with verdict ``pass``; ``summary["new"]`` tells whether anything was written.
    :raises SourceNotFound: when the source means no file.
    :raises UnreadableData: when a file is not what its name says.
    :raises SchemaMismatch: when columns differ from the contract (all differences at once), between files, or cannot be stored.
    :raises UnsuitableData: when there are no rows, or a value does not fit its type.
    :raises DataTooLarge: when this process has no room for them; landed files stay pending then.
    :raises StoreUnavailable: when a file was replaced while it was read.
    """
    check_name(dataset, "dataset")
    if partition is not None:
        check_partition(partition)
    if on_schema_change not in {"fail", "warn"}:
        raise ConfigurationError(f"on_schema_change must be 'fail' or 'warn'; got {on_schema_change!r}.")
    contract = _contract(store, schema, dataset, partition)
    files = list_sources(source, s3_client_factory=s3_client_factory) if table is None else []
    intake = _Intake(Ledger(store, dataset, clock), files, landed or (), partition)
    with intake.refused_on_error():
        found, naive = _read(files, table, contract, s3_client_factory)
        if found.num_rows == 0:
            raise UnsuitableData(f"A snapshot must have at least one row; {_shown(source)} has none. Check the source.")
        found, changes = _apply(contract, found, on_schema_change)
        _check_time_column(found, time_column)
    digest, document = _standing(store, found, dataset, partition, time_column)
    new = digest is None
    if digest is None:
        digest, document = store_table(
            store,
            found,
            dataset=dataset,
            partition=partition,
            stage=STAGE,
            time_column=time_column,
            source=[file.to_record() for file in files]
            or [{"uri": _shown(source), "size": found.nbytes, "version": ""}],
            parent=None,
            assumed_utc=[name for name in naive if name in found.column_names],
        )
        new = partitions.point(
            store,
            dataset=dataset,
            stage=STAGE,
            partition=partition,
            snapshot=digest,
            data_id=document["data_id"],
            origin=origin,
            clock=clock,
        )
    intake.taken(digest)
    log.info(
        "Snapshot %s of %s: %d rows, %s", digest[:12], dataset, document["rows"], "new" if new else "known already"
    )
    return _reference(store, digest, document, new=new, changes=changes)


class _Intake:
    """The landed files that this snapshot reads in the very state in which they were listed.

    :param files: what the snapshot reads.
    :param landed: what was listed before.
    """

    def __init__(
        self, ledger: Ledger, files: Sequence[SourceFile], landed: Sequence[Mapping[str, Any]], partition: str | None
    ) -> None:
        listed = {(file["uri"], file["size"], file["version"]) for file in landed}
        self._ledger = ledger
        self._partition = partition
        self._files = [file for file in files if (file.uri, file.size, file.version) in listed]

    @contextmanager
    def refused_on_error(self) -> Iterator[None]:
        """Refuse the files when the block finds that they cannot be used."""
        try:
            yield
        except (SourceNotFound, DataTooLarge):  # the files are good: a larger worker can take them
            raise
        except DataError as error:
            for file in self._files:
                self._ledger.mark(
                    REFUSED, file, partition=self._partition, reason=f"{type(error).__name__}: {error.message}"
                )
            raise

    def taken(self, snapshot: str) -> None:
        """The partition means this snapshot now, so its files are taken."""
        for file in self._files:
            self._ledger.mark(TAKEN, file, partition=self._partition, snapshot=snapshot)


def _contract(
    store: ObjectStore, schema: schemas.Schema | str | None, dataset: str, partition: str | None
) -> dict[str, str] | None:
    """The columns that the source must have, or ``None`` for the first of its kind."""
    if schema is not None:
        return schemas.load_schema(schema)
    if partition is None:
        digest = partitions.newest(store, dataset, STAGE, None)
    else:
        digest = partitions.newest_before(store, dataset, STAGE, partition)
    return schemas.schema_of_document(documents.get_document(store, digest, "dataset")) if digest else None


def _read(
    files: Sequence[SourceFile],
    table: pa.Table | pd.DataFrame | None,
    contract: Mapping[str, str] | None,
    s3_client_factory: ClientFactory | None,
) -> tuple[pa.Table, list[str]]:
    """The rows in canonical form, and the columns whose times had no zone."""
    if table is None:
        text_columns = [name for name, kind in (contract or {}).items() if kind == "string"]
        return read_sources(files, text_columns=text_columns, s3_client_factory=s3_client_factory)
    given = _from_pandas(table) if isinstance(table, pd.DataFrame) else table
    return canonical(given), naive_columns(given.schema)


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise UnsuitableData(
            f"Every column must hold values of one type; the table does not: {error}. Convert the column before."
        ) from error


def _shown(source: str | Sequence[str]) -> str:
    return source if isinstance(source, str) else ", ".join(source)


def _apply(contract: Mapping[str, str] | None, table: pa.Table, on_schema_change: str) -> tuple[pa.Table, list[str]]:
    if contract is None:
        return table, []
    fitted, changes = schemas.fit(table, contract)
    if changes and on_schema_change == "fail":
        raise schemas.mismatch("The columns must be those of the contract", changes)
    for change in changes:
        log.warning("The columns differ from the contract: %s", change)
    return fitted, changes


def _check_time_column(table: pa.Table, time_column: str | None) -> None:
    if time_column is None:
        return
    if time_column not in table.column_names:
        near = get_close_matches(time_column, table.column_names, n=3) or table.column_names
        raise SchemaMismatch(f"The time column {time_column!r} must be in the data; there are {', '.join(near)}.")
    kind = type_name(table.schema.field(time_column).type)
    if kind not in {"timestamp", "int64", "float64"}:
        raise SchemaMismatch(
            f"The time column {time_column!r} must hold times or numbers; it holds {kind}. Write times as ISO 8601."
        )


def _standing(
    store: ObjectStore, table: pa.Table, dataset: str, partition: str | None, time_column: str | None
) -> tuple[str | None, dict[str, Any]]:
    """The snapshot that the partition means already, when it holds this very content."""
    pointer = partitions.newest_pointer(store, dataset, STAGE, partition)
    if pointer is None or pointer["data_id"] != data_id(table):
        return None, {}
    document = documents.get_document(store, pointer["snapshot"], "dataset")
    same = document["time_column"] == time_column and not schemas.fit(table, schemas.schema_of_document(document))[1]
    return (pointer["snapshot"], document) if same else (None, {})


def _reference(
    store: ObjectStore, digest: str, document: Mapping[str, Any], *, new: bool, changes: Sequence[str]
) -> Reference:
    summary = {
        "dataset": document["dataset"],
        "partition": document["partition"],
        "stage": document["stage"],
        "rows": document["rows"],
        "columns": len(document["columns"]),
        "data_id": document["data_id"][:12],
        "new": new,
        "schema_changes": [change[:_MAX_CHANGE_LENGTH] for change in changes[:_MAX_CHANGES]],
    }
    return Reference("dataset", f"{store.uri}/{layout.blob(digest)}", digest, "pass", summary)
