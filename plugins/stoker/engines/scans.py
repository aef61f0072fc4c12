"""Go through tables batch by batch, as often as needed: DuckDB scans their files within a memory limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from stoker.core import memory
from stoker.core.sizes import parse_size
from stoker.errors import UsageError
from stoker.store import documents
from stoker.store.base import ObjectStore
from stoker.store.files import scratch

if TYPE_CHECKING:
    import pyarrow as pa

MAX_CHARACTERS = 64
"""A text is cut to so many characters: enough to tell codes apart, too short to keep a letter."""

_BATCH_ROWS = 200_000


@dataclass(frozen=True)
class Scan:
    """A table that DuckDB can read.

    :param source: the table in SQL.
    :param rows: how many it has.
    :param types: DuckDB's type of each column.
    :param threads: how many DuckDB uses; who works on the batches may use as many.
    """

    connection: duckdb.DuckDBPyConnection
    source: str
    rows: int
    types: Mapping[str, str]
    threads: int

    def batches(self, columns: Sequence[tuple[str, bool]]) -> Iterator[pa.RecordBatch]:
        """All rows, in their order, in batches of at most 200,000.

        :param columns: name of each column, and whether it shall come as numbers (double; a time as seconds since 1970; what cannot
            be read so as missing) or as text.
        """
        listed = ", ".join(
            f"{self._select(name, numeric)} AS c{place}" for place, (name, numeric) in enumerate(columns)
        )
        query = f"SELECT {listed or 'NULL'} FROM {self.source}"  # noqa: S608 - names are quoted
        yield from self.connection.sql(query).to_arrow_reader(_BATCH_ROWS)

    def type_of(self, column: str) -> str:
        """The type of a column in the words of dataset documents; ``string`` for all that they do not know."""
        found = self.types[column]
        if found.startswith(("TIMESTAMP", "DATE")):
            return "timestamp"
        if found.endswith("INT") or found == "INTEGER":
            return "int64"
        if found in {"DOUBLE", "FLOAT"} or found.startswith("DECIMAL"):
            return "float64"
        return "bool" if found == "BOOLEAN" else "string"

    def _select(self, name: str, numeric: bool) -> str:
        quoted = '"' + name.replace('"', '""') + '"'
        if not numeric:
            return f"left(CAST({quoted} AS VARCHAR), {MAX_CHARACTERS})"
        return f"epoch_us({quoted}) / 1e6" if self.type_of(name) == "timestamp" else f"TRY_CAST({quoted} AS DOUBLE)"


@contextmanager
def scan_documents(
    store: ObjectStore, wanted: Sequence[Mapping[str, Any]], *, memory_limit: str, threads: int
) -> Iterator[Scan]:
    """The files of dataset documents, fetched into a temporary folder, as one table.

    A column that only some files have is missing in the rows of the others.

    :param memory_limit: of DuckDB, such as ``1GB``, or less where this process has less room; beyond it, it writes to the temporary
        folder.
    :raises UsageError: when there is no document.
    :raises CorruptArtifact: when a stored file has another digest.
    """
    if not wanted:
        raise UsageError("A table needs at least one dataset document; got none.")
    with scratch() as folder, connect(folder, threads, memory_limit) as connection:
        paths = []
        for number, document in enumerate(wanted):
            path = Path(folder, f"{number:06d}.parquet")
            documents.get_file(store, document["file"]["sha256"], path, f"The rows of dataset {document['dataset']!r}")
            paths.append("'" + str(path).replace("'", "''") + "'")
        source = f"read_parquet([{', '.join(paths)}], union_by_name = true)"
        yield _scan(connection, source, sum(document["rows"] for document in wanted), threads)


@contextmanager
def scan_table(table: pa.Table) -> Iterator[Scan]:
    """A table in memory, through the same door, so that its values mean the same."""
    with scratch() as folder, connect(folder, threads=1) as connection:
        connection.register("arrays", table)
        yield _scan(connection, "arrays", table.num_rows, 1)


def connect(folder: Path, threads: int, memory_limit: str = "1GB") -> duckdb.DuckDBPyConnection:
    """A DuckDB of its own, to be closed by ``with``, that loads nothing from the network.

    :param folder: where it writes what does not fit.
    :param memory_limit: as of :func:`scan_documents`.
    """
    allowed = memory.at_most(parse_size(memory_limit, "memory_limit"))
    return duckdb.connect(
        config={
            "memory_limit": f"{allowed}B",
            "threads": threads,
            "temp_directory": str(folder),
            "autoinstall_known_extensions": False,
        }
    )


def _scan(connection: duckdb.DuckDBPyConnection, source: str, rows: int, threads: int) -> Scan:
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()  # noqa: S608 - a name of ours
    return Scan(connection, source, rows, {row[0]: row[1] for row in described}, threads)
