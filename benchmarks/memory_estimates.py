"""How near the memory guard comes: what it takes a step to need, against what the step takes at its peak.

Each measurement runs in a process of its own. The guard is worth something when no ratio of estimate to peak is far below 1,
which would let a task be killed, or far above it, which would refuse what fits. Run it with
``python -m benchmarks.memory_estimates``; the argument ``--rows`` sets the size of the tables.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from benchmarks.peak import peak_of
from stoker.engines import footprints
from stoker.engines.file_formats import estimate_file
from stoker.engines.frames import read_table, row_hashes, to_frame
from stoker.engines.snapshots import snapshot
from stoker.store import documents, partitions
from stoker.store.local_files import LocalStore

FACTOR = 2.5
"""Estimate and peak lie within this factor of each other."""


def numbers(rows: int, random: np.random.Generator) -> pa.Table:
    """Twelve columns of fractions."""
    return pa.table({f"x{place}": random.normal(size=rows) for place in range(12)})


def codes(rows: int, random: np.random.Generator) -> pa.Table:
    """Texts of which there are few: airports and airlines."""
    known = pa.array([f"C{place:04d}" for place in range(300)], pa.large_string())
    return pa.table({f"c{place}": known.take(pa.array(random.integers(0, 300, rows))) for place in range(6)})


def letters(rows: int, random: np.random.Generator) -> pa.Table:
    """Long texts, each its own."""
    return pa.table({"text": [f"{value:x}" * 8 for value in random.integers(2**60, 2**62, rows)]})


def mixed(rows: int, random: np.random.Generator) -> pa.Table:
    """Numbers with gaps, whole numbers, few texts, ids and times."""
    gaps = random.normal(size=rows)
    return pa.table({
        "gaps": pa.array(gaps, mask=gaps < 0),
        "count": random.integers(0, 50, rows),
        "flag": random.random(rows) < 0.5,
        "code": pa.array([f"C{value}" for value in random.integers(0, 50, rows)]),
        "id": pa.array([f"row-{value}" for value in range(rows)]),
        "time": pa.array(np.arange(rows), pa.timestamp("us", tz="UTC")),
    })


SHAPES: dict[str, Callable[[int, np.random.Generator], pa.Table]] = {
    "numbers": numbers,
    "codes": codes,
    "letters": letters,
    "mixed": mixed,
}
STEPS = ("snapshot of Parquet", "snapshot of CSV", "table", "frame", "hashes")


def measure(shape: str, step: str, folder: Path) -> dict[str, int]:
    """The estimate and the peak of one step, in bytes; the peak counts from what the process held before."""
    kind = "csv" if step.endswith("CSV") else "parquet"
    source = folder / f"{shape}.{kind}"
    if step.startswith("snapshot"):
        store = LocalStore(folder / f"{shape}-{kind}")
        estimate = estimate_file(source, source.name) * footprints.FREEZING
        return _result(estimate, peak_of(lambda: snapshot(store, source=str(source), dataset=shape)))
    store = LocalStore(folder / f"{shape}-parquet")  # the first step has filled it
    digest = partitions.newest(store, shape, "raw", None)
    document = documents.get_document(store, digest or "", "dataset")
    if step == "table":
        estimate = footprints.parquet(source) * footprints.READING
        return _result(estimate, peak_of(lambda: read_table(store, document)))
    table = read_table(store, document)
    work = to_frame if step == "frame" else row_hashes
    return _result(footprints.frame(table), peak_of(lambda: work(table)))


def _result(estimate: float, peak: int) -> dict[str, int]:
    return {"estimate": round(estimate), "peak": peak}


def _measured_apart(shape: str, step: str, folder: Path) -> dict[str, int]:
    command = [sys.executable, "-m", "benchmarks.memory_estimates", "--one", shape, step, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return answer


def compare(rows: int, shapes: Sequence[str]) -> list[dict[str, Any]]:
    """All shapes and steps. Hashes need less than a frame, for they are made in pieces."""
    found = []
    with tempfile.TemporaryDirectory(prefix="stoker-") as name:
        folder = Path(name)
        for shape in shapes:
            table = SHAPES[shape](rows, np.random.default_rng(7))
            pq.write_table(table, folder / f"{shape}.parquet")
            pyarrow.csv.write_csv(table, folder / f"{shape}.csv")
            for step in STEPS:
                answer = _measured_apart(shape, step, folder)
                found.append({"shape": shape, "step": step, **answer})
                megabytes = {key: value // 10**6 for key, value in answer.items()}
                print(
                    f"{shape:8} {step:20} {megabytes} ratio {answer['estimate'] / max(answer['peak'], 1):.2f}",
                    flush=True,
                )
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--one", nargs=3, metavar=("SHAPE", "STEP", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one[0], given.one[1], Path(given.one[2]))))
    else:
        compare(given.rows, given.shapes)
