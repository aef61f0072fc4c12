"""The doctor finds what is wrong with this machine, and with files in production."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stoker.cli import doctor, doctor_machine
from stoker.cli.examination import Check
from stoker.cli.invocation import Invocation
from stoker.core import memory
from stoker.core.clock import system_clock
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.memory import MemoryStore
from stoker.store.retries import Patience
from stoker.store.s3_objects import S3Store
from tests.cli.conftest import Call
from tests.support.registrations import ACTOR, register
from tests.support.s3_server import BUCKET, client, s3_server


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as address:
        yield address


def machine(limit: int | None = None) -> dict[str, Check]:
    return {check.check: check for check in doctor_machine.examine_machine(limit)}


def examined(store: Any) -> dict[str, Check]:
    invocation = Invocation(store_uri="memory://replaced")
    invocation.store = store
    return {check.check: check for check in doctor.examine(invocation)}


@pytest.mark.parametrize(("skew", "said"), [(-90, "ahead of"), (90, "behind")])
def test_a_clock_that_is_wrong_by_more_than_a_minute_fails(skew: int, said: str) -> None:
    store = MemoryStore(clock=lambda: system_clock() + timedelta(seconds=skew))
    check = doctor_machine.examine_clock(store)
    assert check.result == "fail"
    assert said in check.finding
    assert "NTP" in check.finding
    assert list(store.keys("")) == []


def test_a_clock_that_is_wrong_by_half_a_minute_passes() -> None:
    store = MemoryStore(clock=lambda: system_clock() + timedelta(seconds=30))
    assert doctor_machine.examine_clock(store).result == "ok"


def test_the_clock_of_a_real_server_is_asked(endpoint: str) -> None:
    assert doctor_machine.examine_clock(S3Store(client(endpoint), BUCKET, "clock")).result == "ok"


def test_little_memory_is_a_warning() -> None:
    check = machine(limit=1)["memory"]
    assert check.result == "warn"
    assert "memory_limit" in check.finding


def test_a_machine_that_tells_nothing_of_its_memory_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "room", lambda: None)
    assert machine()["memory"].result == "ok"


def test_no_folder_for_temporary_files_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    check = machine()["temporary files"]
    assert check.result == "fail"
    assert "TMPDIR" in check.finding


def test_a_full_temporary_folder_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**10, 10**10 - 5, 5))
    check = machine()["temporary files"]
    assert check.result == "warn"
    assert "5 bytes left" in check.finding


@pytest.mark.parametrize(("magic", "said"), [(0x01021994, "memory"), (0x794C7630, "container")])
def test_a_folder_that_does_not_last_is_a_warning(
    magic: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "filesystem_magic", lambda _: magic)
    found = {check.check: check for check in doctor.examine(Invocation(store_uri=tmp_path.as_uri()))}
    assert found["file system"].result == "warn"
    assert said in found["file system"].finding


def test_a_bucket_that_does_not_exist_fails(endpoint: str) -> None:
    found = examined(S3Store(client(endpoint), "no-such-bucket", "x"))
    assert found["store answers"].result == "fail"
    assert "Create the bucket" in found["store answers"].finding


def test_an_address_where_no_server_answers_fails() -> None:
    store = S3Store(client("http://127.0.0.1:9"), BUCKET, "x", patience=Patience(tries=1))
    found = examined(store)
    assert found["store answers"].result == "fail"
    assert "EndpointConnectionError" in found["store answers"].finding


def in_production(registry: Registry) -> str:
    register(registry)
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    return layout.blob(next(iter(registry.version("churn", 1).files.values())).sha256)


def test_a_missing_file_of_a_champion_fails(call: Call, registry: Registry) -> None:
    registry.store.delete_swept(in_production(registry))
    rows = {row["check"]: row for row in call("doctor", "--json").json["checks"]}
    assert rows["files in production"]["result"] == "fail"
    assert "of churn v1" in rows["files in production"]["finding"]
    assert "stoker rollback" in rows["files in production"]["finding"]


def test_a_file_of_a_champion_of_another_size_fails(call: Call, registry: Registry) -> None:
    key = in_production(registry)
    registry.store.delete_swept(key)
    registry.store.create(key, b"other")
    rows = {row["check"]: row for row in call("doctor", "--json").json["checks"]}
    assert rows["files in production"]["result"] == "fail"
    assert "has 5 bytes" in rows["files in production"]["finding"]
