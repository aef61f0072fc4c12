"""Files that land: whole at once, as a careful writer leaves them."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stoker.core.clock import system_clock


def land(file: Path, folder: Path) -> datetime:
    """Copy a file into a folder, and return when it was there."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{file.name}"
    shutil.copyfile(file, partial)
    partial.rename(folder / file.name)
    return system_clock()


def land_table(table: pa.Table, path: Path) -> datetime:
    """Write a table as a file, and return when it was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}")
    pq.write_table(table, partial)
    partial.rename(path)
    return system_clock()
