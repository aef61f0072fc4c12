"""Time and memory of one drift check of a large window against a stored reference profile.

Writes two made-up tables of 20 columns, profiles the first as the reference, deletes its rows, and then checks the second in
a fresh process: everything that the check knows of the reference is its stored profile.

    python -m benchmarks.drift_scale [--rows 10000000] [--memory-limit 1GB]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stoker.engines.divergences import METHODS, divergence, leave_one_out, missing_significance, significance
from stoker.engines.profiles import load_profile, profile_reference, profile_window, store_profile
from stoker.store import layout
from stoker.store.documents import get_document, put_document, put_file
from stoker.store.local_files import LocalStore

PIECE = 500_000
MOST_BYTES = 2 * 1024**3
TIME = "time"


def piece(rows: int, generator: np.random.Generator, shift: float, start: int) -> pa.Table:
    """Twelve numbers of several shapes, six texts, one flag and the time; one number in 50 is missing."""
    columns: dict[str, Any] = {TIME: pa.array(np.arange(start, start + rows) * 1_000_000, pa.timestamp("us", tz="UTC"))}
    for number in range(4):
        columns[f"normal_{number}"] = generator.normal(shift if number == 0 else 0.0, 1.0, rows)
        columns[f"skewed_{number}"] = generator.lognormal(0.0, 1.0, rows)
        columns[f"count_{number}"] = generator.poisson(10 ** (number / 2), rows)
    for number, distinct in enumerate((2, 5, 20, 100, 1000, 5000)):
        codes = np.minimum(generator.geometric(5 / (distinct + 5), rows), distinct)
        words = pa.array([f"word {code}" for code in range(distinct + 1)])
        columns[f"text_{number}"] = words.take(pa.array(codes))
    columns["flag"] = generator.random(rows) < 0.3
    gaps = pa.array(generator.random(rows) < 0.02)
    columns["normal_1"] = pa.array(columns["normal_1"], mask=np.asarray(gaps))
    return pa.table(columns)


def write(store: LocalStore, rows: int, seed: int, shift: float) -> tuple[str, str]:
    """Store a table piece by piece; the digests of its document and of its file."""
    generator = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="stoker-bench-") as folder:
        path = Path(folder, "rows.parquet")
        with pq.ParquetWriter(path, piece(1, generator, shift, 0).schema, compression="zstd") as writer:
            for start in range(0, rows, PIECE):
                writer.write_table(piece(min(PIECE, rows - start), generator, shift, start))
        stored = put_file(store, path)
    file = {"sha256": stored.sha256, "size": stored.size}
    document = {"kind": "dataset", "dataset": "made-up", "partition": str(seed), "rows": rows, "file": file}
    return put_document(store, document), stored.sha256


def check(root: str, profile: str, window: str, memory_limit: str) -> dict[str, Any]:
    """Profile a window and compare every column by every method that suits it; in a process of its own."""
    store = LocalStore(Path(root))
    started = time.perf_counter()
    reference = load_profile(store, profile)
    current = profile_window(
        store, [get_document(store, window, "dataset")], reference=reference, memory_limit=memory_limit
    )
    profiled = time.perf_counter()
    effects = 0
    for name, column in current.columns.items():
        before = reference.columns[name]
        significance(before, column), missing_significance(before, column)
        for method in METHODS.values():
            if method.numeric if before.numeric else method.categorical:
                divergence(method.name, before, column)
                effects += 1
    compared = time.perf_counter()
    for column in reference.columns.values():
        leave_one_out("wasserstein" if column.numeric else "jensenshannon", column)
    return {
        "rows": current.rows,
        "columns": len(current.columns),
        "effects": effects,
        "moved": divergence("wasserstein", reference.columns["normal_0"], current.columns["normal_0"]),
        "profile seconds": round(profiled - started, 2),
        "effects seconds": round(compared - profiled, 2),
        "calibration seconds": round(time.perf_counter() - compared, 2),
        "processor seconds": round(time.process_time(), 2),
        "peak bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def main() -> None:
    """Prepare, check in a child process, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--memory-limit", default="1GB")
    parser.add_argument("--check", nargs=3, metavar=("ROOT", "PROFILE", "WINDOW"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.check:
        print(json.dumps(check(*options.check, options.memory_limit)))
        return
    with tempfile.TemporaryDirectory(prefix="stoker-bench-") as root:
        store = LocalStore(Path(root))
        reference, rows_file = write(store, options.rows, seed=0, shift=0.0)
        document = get_document(store, reference, "dataset")
        started = time.perf_counter()
        names = [name for name in pq.read_schema(Path(root, layout.blob(rows_file))).names if name != TIME]
        made = profile_reference(
            store,
            [document],
            columns=dict.fromkeys(names, "feature"),
            order_by=TIME,
            memory_limit=options.memory_limit,
        )
        profile = store_profile(store, made)
        print(f"Reference: {made.rows:,} rows profiled in {time.perf_counter() - started:.1f} s")
        print(f"Stored profile: {get_document(store, profile)['file']['size']:,} bytes of cells")
        store.delete_swept(layout.blob(rows_file))
        window, _ = write(store, options.rows, seed=1, shift=0.3)
        command = [sys.executable, "-m", "benchmarks.drift_scale", "--memory-limit", options.memory_limit]
        done = subprocess.run([*command, "--check", root, profile, window], check=True, capture_output=True, text=True)
        found = json.loads(done.stdout)
    for name, value in found.items():
        print(f"{name:>20}: {value:,}")
    if abs(found["moved"] - 0.3) > 0.02:
        sys.exit(f"A shift of 0.3 standard deviations must be found; found {found['moved']:.3f}.")
    if found["peak bytes"] > MOST_BYTES:
        sys.exit(f"The check must stay below {MOST_BYTES:,} bytes; it took {found['peak bytes']:,}.")


if __name__ == "__main__":
    main()
