"""The doctor finds planted faults and says what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from stoker.cli import doctor
from stoker.cli.invocation import Invocation
from stoker.errors import StoreUnavailable
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.opening import open_store
from stoker.store.s3_objects import S3Store
from tests.cli.conftest import Call
from tests.support.registrations import ACTOR, register
from tests.support.s3_server import BUCKET, client, s3_server


def findings(call: Call, code: int) -> dict[str, tuple[str, str]]:
    answer = call("doctor", "--json")
    assert answer.code == code, answer.out
    assert answer.json["ok"] is (code == 0)
    return {row["check"]: (row["result"], row["finding"]) for row in answer.json["checks"]}


@pytest.fixture(scope="module")
def ignoring_server() -> Iterator[str]:
    with s3_server(ignore_conditions=True) as endpoint:
        yield endpoint


@pytest.mark.evidently  # where pandas 3 is installed, it is not healthy
def test_a_healthy_installation_passes_and_leaves_nothing_behind(
    call: Call, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "filesystem_magic", lambda _: 0xEF53)  # ext4; in a container it may be a layer
    register(registry)
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    before = list(registry.store.keys(""))
    found = findings(call, 0)
    assert {result for result, _ in found.values()} == {"ok"}
    assert "STOKER_STORE" in found["settings"][1]
    assert {"python", "pandas", "scikit-learn"} <= set(found)
    assert list(registry.store.keys("")) == before
    assert "Doctor" in call("doctor").out


def test_a_package_outside_its_range_fails(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "3.0.1" if name == "pandas" else real(name))
    result, finding = findings(call, 1)["pandas"]
    assert result == "fail"
    assert "<3" in finding


def test_a_missing_package_fails(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == "skops":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    assert "Install skops" in findings(call, 1)["skops"][1]


def test_a_folder_deployment_is_a_warning(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def distribution(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", distribution)
    assert findings(call, 0)["packages"][0] == "warn"


def test_a_store_address_that_is_none_fails(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOKER_STORE", "ftp://somewhere")
    found = findings(call, 1)
    assert found["settings"][0] == "fail"
    assert "store answers" not in found


def test_a_read_only_store_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    invocation = Invocation(store_uri=tmp_path.as_uri())
    assert invocation.registry.models() == []
    real = os.open

    def read_only(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & (os.O_WRONLY | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", read_only)
    found = {check.check: check for check in doctor.examine(invocation)}
    assert found["store answers"].result == "ok"
    assert found["store keeps what is there"].result == "fail"


def test_a_server_that_ignores_conditions_fails(ignoring_server: str) -> None:
    invocation = Invocation(store_uri="memory://replaced")
    invocation.store = S3Store(client(ignoring_server), BUCKET, "doctor")
    found = {check.check: check for check in doctor.examine(invocation)}
    assert found["store keeps what is there"].result == "fail"
    assert "If-None-Match" in found["store keeps what is there"].finding
    assert "file system" not in found


def test_a_store_on_nfs_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "filesystem_magic", lambda path: 0x6969 if path == str(tmp_path / "a b") else None)
    found = {check.check: check for check in doctor.examine(Invocation(store_uri=(tmp_path / "a b").as_uri()))}
    assert found["file system"].result == "warn"
    assert "NFS" in found["file system"].finding


def test_the_kernel_is_asked_for_the_file_system(tmp_path: Path) -> None:
    assert doctor.filesystem_magic("/proc") == 0x9FA0
    assert doctor.filesystem_magic(str(tmp_path / "missing")) is None


def test_a_broken_chain_fails(call: Call, registry: Registry) -> None:
    for _ in range(3):
        register(registry)
    key = layout.numbered(layout.log("churn"), 2)
    changed = registry.store.read(key).replace(b"trained", b"TRAINED")
    registry.store.delete_swept(key)
    registry.store.create(key, changed)
    found = findings(call, 1)
    assert found["models"][0] == "fail"
    assert "audit verify" in found["models"][1]


def test_records_of_a_newer_stoker_fail_with_an_upgrade(call: Call, registry: Registry) -> None:
    register(registry)
    key = layout.numbered(layout.log("churn"), 1)
    newer = registry.store.read(key).replace(b'"format":1', b'"format":2')
    registry.store.delete_swept(key)
    registry.store.create(key, newer)
    result, finding = findings(call, 1)["format"]
    assert result == "fail"
    assert "Upgrade" in finding


def test_a_store_that_stops_answering_is_told_by_every_check(
    call: Call, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Any:
        raise StoreUnavailable("The store must answer; it does not.")

    monkeypatch.setattr(type(open_store(uri)), "keys", fail)
    monkeypatch.setattr(type(open_store(uri)), "folders", fail)
    found = findings(call, 1)
    assert found["store answers"][0] == found["models"][0] == "fail"
