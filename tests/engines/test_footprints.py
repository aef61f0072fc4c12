"""What data will take in memory, told before it is read."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from stoker.core.memory import limited
from stoker.engines import footprints, frames, snapshots, training_rows
from stoker.engines.canonical import canonical
from stoker.engines.file_formats import estimate_file, read_file
from stoker.engines.frames import read_table, to_frame
from stoker.errors import DataTooLarge, UnreadableData
from stoker.loop.ledger import TAKEN
from stoker.store import documents
from stoker.store.memory import MemoryStore

ROWS = 30_000
RANDOM = np.random.default_rng(7)
SHAPES: dict[str, Any] = {
    "numbers": pa.table({f"x{place}": RANDOM.normal(size=ROWS).round(4) for place in range(4)}),
    "codes": pa.table({f"c{place}": [f"C{value}" for value in RANDOM.integers(0, 90, ROWS)] for place in range(3)}),
    "letters": pa.table({"text": [f"{value:x}" * 8 for value in RANDOM.integers(2**60, 2**62, ROWS)]}),
    "mixed": pa.table({
        "flag": RANDOM.random(ROWS) < 0.5,
        "small": pa.array(RANDOM.integers(0, 9, ROWS), pa.int8()),
        "code": pa.array([f"C{value}" for value in range(ROWS)]),
        "time": pa.array(np.arange(ROWS), pa.timestamp("ms")),
    }),
    "gaps": pa.table({"x": pa.array([None, 1.5] * (ROWS // 2)), "text": pa.array([None, "abc"] * (ROWS // 2))}),
}
SUFFIXES = ("parquet", "csv", "csv.gz", "jsonl", "jsonl.gz")


def write(path: Path, table: pa.Table) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=10_000)
        return path
    if ".csv" in path.name:
        buffer = pa.BufferOutputStream()
        pyarrow.csv.write_csv(table, buffer)
        content = buffer.getvalue().to_pybytes()
    else:
        content = table.to_pandas().to_json(orient="records", lines=True, date_format="iso").encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_is_judged_by_its_footer_or_its_beginning(tmp_path: Path, shape: str, suffix: str) -> None:
    path = write(tmp_path / f"rows.{suffix}", SHAPES[shape])
    real = canonical(read_file(path, path.name)).nbytes
    assert real / 1.5 < estimate_file(path, path.name) < real * 1.5 + 10_000


@pytest.mark.parametrize("shape", SHAPES)
def test_a_frame_is_judged_by_its_table(shape: str) -> None:
    table = canonical(SHAPES[shape])
    real = int(to_frame(table).memory_usage(deep=True, index=False).sum())
    estimate = footprints.frame(table)
    # Pandas counts a text as often as it stands there, also where all rows share one object.
    assert estimate < real * 4
    assert estimate > (8 * ROWS * table.num_columns if shape in {"codes", "gaps"} else real / 2)


def test_a_text_that_a_dictionary_holds_once_counts_for_every_row(tmp_path: Path) -> None:
    table = pa.table({"text": pa.array(["long " * 2000]).take(pa.array(np.zeros(50_000, dtype=np.int64)))})
    path = tmp_path / "bomb.parquet"
    pq.write_table(table, path)
    assert path.stat().st_size < 20_000
    assert footprints.parquet(path) > 500_000_000


def test_only_columns_that_are_read_count(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", SHAPES["numbers"])
    assert footprints.parquet(path, ["x0", "x1"]) == footprints.parquet(path) // 2 == 2 * 8 * ROWS


def test_a_gzip_file_says_how_large_it_becomes(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"x" * 2_000_000 + b",1\n" + b"1,2\n" * 3_000_000))
    assert estimate_file(path, path.name) > 30_000_000


@pytest.mark.parametrize(
    ("name", "content"), [("a.parquet", b"PAR1 no"), ("a.csv.gz", b"\x1f\x8b no"), ("a.csv", b""), ("a.txt", b"x")]
)
def test_files_that_are_not_what_their_name_says_are_refused_as_when_they_are_read(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableData):
        estimate_file(path, name)


def test_an_empty_table_needs_nothing(tmp_path: Path) -> None:
    table = canonical(SHAPES["mixed"].slice(0, 0))
    pq.write_table(table, tmp_path / "rows.parquet")
    assert footprints.frame(table) == 0
    assert footprints.parquet(tmp_path / "rows.parquet") < 1000


def test_a_document_tells_as_much_as_the_file(tmp_path: Path) -> None:
    _, document = stored(MemoryStore(), SHAPES["mixed"])
    real = canonical(SHAPES["mixed"]).nbytes
    assert real / 1.5 < footprints.document(document) < real * 1.5
    assert footprints.document(document, ["small"]) == 8 * ROWS
    frame = footprints.frame(canonical(SHAPES["mixed"]))
    assert frame / 2 < footprints.described_frame(document) < frame * 2


def stored(store: MemoryStore, table: pa.Table) -> tuple[str, dict[str, Any]]:
    return frames.store_table(
        store, table, dataset="flights", partition=None, stage="raw", time_column=None, source=[], parent=None
    )


def test_a_stored_table_that_does_not_fit_is_not_fetched() -> None:
    store = MemoryStore()
    _, document = stored(store, SHAPES["numbers"])
    store.delete_swept(next(store.keys("blobs/" + document["file"]["sha256"][:2])))  # fetching it would fail
    with limited(1), pytest.raises(DataTooLarge, match="The rows of dataset 'flights' needs about"):
        read_table(store, document)


def test_long_texts_are_found_when_the_file_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    _, document = stored(store := MemoryStore(), SHAPES["letters"])
    for column in document["columns"]:
        column.update(min="", max="")
    asked: list[int] = []
    monkeypatch.setattr(frames.memory, "require", lambda need, *_: asked.append(need))
    read_table(store, document)
    assert asked[0] < asked[1] / 5


def test_a_frame_that_does_not_fit_is_not_made() -> None:
    with limited(1), pytest.raises(DataTooLarge, match="A data frame of 30000 rows"):
        to_frame(canonical(SHAPES["numbers"]))


def test_a_training_is_judged_by_all_its_partitions_before_one_is_read() -> None:
    _, document = stored(MemoryStore(), SHAPES["numbers"])
    given = training_rows.Given(("a", "b"), (document, document), ())
    columns = training_rows.Columns("x0", ("x1", "x2"), None, dict.fromkeys(["x0", "x1", "x2"], "float64"))
    with limited(1), pytest.raises(DataTooLarge, match="A training on 60000 rows") as refused:
        training_rows.load(MemoryStore(), given, columns)
    assert refused.value.details["need"] == 2 * (8 * ROWS * 4) + 2 * (8 * ROWS * 3) * footprints.TRAINING


def test_a_source_is_judged_by_all_its_files_before_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        write(tmp_path / f"{name}.parquet", SHAPES["numbers"])
    asked: list[int] = []
    monkeypatch.setattr(snapshots.read_sources.__globals__["memory"], "require", lambda need, *_: asked.append(need))
    snapshots.snapshot(MemoryStore(), source=str(tmp_path / "*.parquet"), dataset="flights")
    whole = 8 * ROWS * 4 * footprints.FREEZING
    assert asked[1:] == pytest.approx([3 * whole, 2 * whole, whole], rel=0.01)


def test_landed_files_that_are_too_large_for_this_worker_stay_pending(tmp_path: Path) -> None:
    write(tmp_path / "rows.parquet", SHAPES["numbers"])
    store, source = MemoryStore(), str(tmp_path / "rows.parquet")
    landed = [file.to_record() for file in snapshots.list_sources(source)]
    with limited(1), pytest.raises(DataTooLarge):
        snapshots.snapshot(store, source=source, dataset="flights", landed=landed)
    assert list(store.keys("landings/")) == []
    reference = snapshots.snapshot(store, source=source, dataset="flights", landed=landed)
    assert documents.get_document(store, reference.digest, "dataset")["rows"] == ROWS
    assert len(list(store.keys(f"landings/flights/{TAKEN}/"))) == 1
