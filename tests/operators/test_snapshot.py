"""The snapshot task: a source in, a reference out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from stoker.engines.frames import read_table
from stoker.engines.landing import list_landed
from stoker.hooks.registry import StokerHook
from stoker.loop.ledger import TAKEN, Ledger
from stoker.store.documents import get_document
from tests.operators.conftest import Loop, refused, twice
from tests.support.models import flights


def test_a_file_becomes_a_partition(loop: Loop) -> None:
    reference = loop.snapshot("2013-01")
    document = get_document(loop.store, reference["digest"], "dataset")
    assert reference["kind"] == "dataset"
    assert (document["partition"], document["rows"], document["time_column"]) == ("2013-01", 1200, "departure")
    assert read_table(loop.store, document).num_rows == 1200
    assert len(json.dumps(reference)) < 8192


def test_a_retry_gives_the_same_snapshot(loop: Loop) -> None:
    assert twice(loop, lambda: loop.snapshot("2013-01"))["summary"]["new"] is False


def test_the_same_rows_in_another_format_are_the_same_snapshot(loop: Loop) -> None:
    first = loop.snapshot("2013-01")
    path = loop.landing / "again.csv"
    pyarrow.csv.write_csv(pq.read_table(loop.land("2013-01")), path)
    assert loop.snapshot("2013-01", source=str(path))["digest"] == first["digest"]


def test_a_partition_that_is_corrected_means_the_newer_rows(loop: Loop) -> None:
    first = loop.snapshot("2013-01")
    second = loop.snapshot("2013-01", source=loop.land("2013-09"))
    assert second["digest"] != first["digest"]
    assert [key[-7:-5] for key in loop.pointers()] == ["01", "02"]


def test_an_empty_partition_means_that_there_are_none(loop: Loop) -> None:
    assert loop.snapshot("2013-01", partition="")["summary"]["partition"] is None


def test_new_columns_are_taken_where_that_was_asked_for(old: Loop) -> None:
    table = flights(1200, month="2013-03", seed=3)
    path = old.landing / "wider.parquet"
    pq.write_table(table.append_column("gust", table["wind"]), path)
    reference = old.snapshot("2013-03", source=str(path), on_schema_change="warn")
    assert reference["summary"]["schema_changes"] == ["column 'gust' is not in the schema"]


def test_a_contract_can_be_a_file(loop: Loop) -> None:
    schema = loop.landing / "schema.json"
    schema.write_text('{"id": "string"}')
    with refused(loop, "SchemaMismatch: .*'wind' is not in the schema"):
        loop.snapshot("2013-01", schema=str(schema))


class Database:
    """A database hook as far as the operator uses one."""

    def get_df(self, sql: str) -> pd.DataFrame:
        return pd.DataFrame({"id": range(3), "query": sql})


def test_a_query_goes_through_the_connections_own_hook(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def get_hook(self: StokerHook, conn_id: str) -> Any:
        asked.append(conn_id)
        return Database()

    monkeypatch.setattr(StokerHook, "get_hook", get_hook)
    reference = loop.execute("snapshot", source="select * from flights", dataset="queried", sql_conn_id="warehouse")
    assert (asked, reference["summary"]["rows"]) == (["warehouse"], 3)


def test_a_connection_that_is_no_database_is_refused(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StokerHook, "get_hook", lambda *_: object())
    with refused(loop, "UsageError: sql_conn_id must be a connection to a database"):
        loop.execute("snapshot", source="select 1", dataset="queried", sql_conn_id="warehouse")


def test_a_connection_names_the_store(loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"store": f"file://{tmp_path}/connected"}
    monkeypatch.setenv("AIRFLOW_CONN_MODELS", json.dumps({"conn_type": "stoker", "extra": extra}))
    loop.uri = ""
    reference = loop.snapshot("2013-01", stoker_conn_id="models")
    assert reference["uri"].startswith(f"file://{tmp_path}/connected/blobs/")


def test_what_a_claim_listed_is_taken_or_refused(loop: Loop) -> None:
    path = Path(loop.land("2013-01"))
    (file,) = list_landed(str(loop.landing))
    claimed = [{"uri": file.uri, "size": file.size, "version": file.version}]
    reference = loop.snapshot("2013-01", source=[file.uri], landed=claimed)
    assert Ledger(loop.store, "flights").mark(TAKEN, file)["snapshot"] == reference["digest"]
    path.write_bytes(b"PAR1")
    (file,) = list_landed(str(loop.landing))
    claimed = [{"uri": file.uri, "size": file.size, "version": file.version}]
    with refused(loop, "UnreadableData"):
        loop.snapshot("2013-01", source=[file.uri], landed=claimed)
    assert Ledger(loop.store, "flights").pending([file]) == []
