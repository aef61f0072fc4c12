"""What a snapshot writes into the ledger of landed files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.faulty_store import FaultyStore, Killed, kill_at

from stoker.core.records import Reference
from stoker.engines.landing import LandedFile, list_landed
from stoker.engines.snapshots import snapshot
from stoker.errors import DataError, SchemaMismatch, SourceNotFound, StoreUnavailable
from stoker.loop.ledger import REFUSED, TAKEN, Ledger, identity
from stoker.store import partitions
from stoker.store.base import ObjectStore
from stoker.store.memory import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "landing").mkdir()
    return tmp_path / "landing"


def land(folder: Path, name: str, **columns: Any) -> Path:
    pq.write_table(pa.table(columns or {"n": [int(name)]}), folder / f"{name}.parquet")
    return folder / f"{name}.parquet"


def claimed(files: list[LandedFile]) -> list[dict[str, Any]]:
    return [{name: value for name, value in asdict(file).items() if name != "modified"} for file in files]


def take(store: ObjectStore, folder: Path, files: list[LandedFile], **given: Any) -> Reference:
    usual = {"source": f"{folder}/*.parquet", "dataset": "d", "partition": "p"}
    return snapshot(store, landed=claimed(files), **{**usual, **given})


def test_files_are_taken_with_the_snapshot(store, folder):
    land(folder, "1")
    land(folder, "2")
    files = list_landed(str(folder))
    reference = take(store, folder, files)
    ledger = Ledger(store, "d")
    assert ledger.pending(files) == []
    record = ledger.mark(TAKEN, files[0])
    assert (record["snapshot"], record["partition"], record["uri"]) == (reference.digest, "p", files[0].uri)


def test_a_file_that_comes_later_is_taken_with_its_own_snapshot(store, folder):
    land(folder, "1")
    first = take(store, folder, list_landed(str(folder)))
    land(folder, "2")
    second = take(store, folder, list_landed(str(folder)))
    ledger = Ledger(store, "d")
    taken = [ledger.mark(TAKEN, file)["snapshot"] for file in list_landed(str(folder))]
    assert taken == [first.digest, second.digest]
    assert first.digest != second.digest


def test_without_a_claim_nothing_is_marked(store, folder):
    land(folder, "1")
    take(store, folder, [])
    assert list(store.keys("landings/")) == []


def test_files_that_no_claim_listed_are_not_marked(store, folder):
    land(folder, "1")
    files = list_landed(str(folder))
    land(folder, "2")
    take(store, folder, files)
    assert Ledger(store, "d").marked(TAKEN) == {identity(files[0])}


def test_content_that_was_known_already_is_taken_too(store, folder):
    land(folder, "1")
    first = take(store, folder, [])
    files = list_landed(str(folder))
    assert take(store, folder, files).summary["new"] is False
    assert Ledger(store, "d").mark(TAKEN, files[0])["snapshot"] == first.digest


def test_a_file_that_changed_since_it_was_listed_stays_pending(store, folder):
    land(folder, "1")
    files = list_landed(str(folder))
    land(folder, "1", n=[7, 8])
    take(store, folder, files)
    assert list(store.keys("landings/")) == []
    changed = list_landed(str(folder))
    assert Ledger(store, "d").pending(changed) == changed
    take(store, folder, changed)
    assert Ledger(store, "d").pending(changed) == []
    assert len(list(store.keys("datasets/"))) == 1


def test_a_half_file_is_refused_with_the_reason_until_it_changes(store, folder):
    path = land(folder, "1")
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    files = list_landed(str(folder))
    with pytest.raises(DataError) as failure:
        take(store, folder, files)
    ledger = Ledger(store, "d")
    assert ledger.pending(files) == []
    assert ledger.mark(REFUSED, files[0])["reason"] == f"UnreadableData: {failure.value.message}"
    path.write_bytes(whole)
    changed = list_landed(str(folder))
    assert ledger.pending(changed) == changed
    take(store, folder, changed)
    assert ledger.pending(changed) == []


def test_a_refused_file_is_taken_when_the_task_is_repeated_under_another_contract(store, folder):
    land(folder, "1")
    files = list_landed(str(folder))
    with pytest.raises(SchemaMismatch):
        take(store, folder, files, schema={"m": "int64"})
    take(store, folder, files, schema={"n": "int64"})
    assert Ledger(store, "d").marked(TAKEN) == Ledger(store, "d").marked(REFUSED) == {identity(files[0])}


def test_a_file_that_is_gone_condemns_nobody(store, folder):
    land(folder, "1")
    path = land(folder, "2")
    files = list_landed(str(folder))
    path.unlink()
    with pytest.raises(SourceNotFound):
        take(store, folder, files, source=[str(folder / "1.parquet"), str(path)])
    assert list(store.keys("landings/")) == []


def test_a_file_that_changes_while_it_is_read_is_not_refused(store, folder, monkeypatch):
    path = land(folder, "1")
    files = list_landed(str(folder))

    def torn(*_: Any) -> Any:
        path.write_bytes(b"PAR1 and more")
        raise DataError("half a file")

    monkeypatch.setattr("stoker.engines.sources.read_file", torn)
    with pytest.raises(StoreUnavailable):
        take(store, folder, files)
    assert list(store.keys("landings/")) == []


def test_rows_that_were_read_elsewhere_mark_nothing(store):
    snapshot(store, source="a query", table=pa.table({"n": [1]}), dataset="d", landed=[])
    assert list(store.keys("landings/")) == []


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("write", range(1, 6))
def test_a_task_that_dies_at_any_write_and_is_repeated_gives_one_snapshot(store, folder, write, after):
    land(folder, "1")
    land(folder, "2")
    files = list_landed(str(folder))
    with pytest.raises(Killed):
        take(FaultyStore(store, kill_at(write, after=after)), folder, files)
    reference = take(store, folder, files)
    ledger = Ledger(store, "d")
    assert {ledger.mark(TAKEN, file)["snapshot"] for file in files} == {reference.digest}
    assert partitions.partitions(store, "d", "raw") == [("p", reference.digest)]
    assert len(list(store.keys("datasets/"))) == 1
