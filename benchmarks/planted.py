"""Faults planted in months of flights, for the demo to catch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

BURST = ("temp", "humid", "wind_speed", "visib")
_YEAR = pa.scalar(365 * 24 * 3600 * 10**6, pa.duration("us"))


def a_year_later(file: Path) -> pa.Table:
    """The flights of a month of 2013, with the dates and ids of 2014."""
    table = pq.read_table(file)
    ids = pc.replace_substring(table["flight_id"], "2013-", "2014-", max_replacements=1)
    table = _put(table, "flight_id", ids)
    return _put(table, "scheduled_departure", pc.add(table["scheduled_departure"], _YEAR))


def with_null_burst(table: pa.Table, share: float = 0.6, seed: int = 0) -> pa.Table:
    """The weather station falls silent: its readings are missing in a share of the rows."""
    lost = pa.array(np.random.default_rng(seed).random(table.num_rows) < share)
    for name in BURST:
        table = _put(table, name, pc.if_else(lost, pa.scalar(None, table[name].type), table[name]))
    return table


def with_shifted_unit(table: pa.Table) -> pa.Table:
    """Wind comes in kilometres an hour, where it was miles: every value is plausible, and all are wrong."""
    return _put(table, "wind_speed", pc.multiply(table["wind_speed"], 1.609344))


def with_flipped_labels(table: pa.Table) -> pa.Table:
    """Late is on time, and on time is late."""
    return _put(table, "late", pc.subtract(1, table["late"]))


def _put(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    index = table.schema.get_field_index(name)
    return table.set_column(index, table.schema.field(index), column.cast(table.schema.field(index).type))
