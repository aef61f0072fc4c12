"""The process that scores is killed at every write, and somebody promotes in the middle of it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stoker.core import wire
from stoker.core.records import Reference
from stoker.engines.frames import read_table
from stoker.engines.scoring import score
from stoker.loop.pins import pinned
from stoker.registry.changes import ANY
from stoker.registry.registry import Registry
from stoker.store.documents import get_document
from stoker.store.local_files import LocalStore
from stoker.store.partitions import newest
from tests.faults.disk import Disk
from tests.support.models import fit, flights, manifest, put, tree
from tests.support.registrations import ACTOR

ROWS = flights(3000, month="2013-03", seed=3)


@pytest.fixture
def march(folder: Path) -> Reference:
    """A store on disk with two versions, the first in office, and rows to score."""
    store = LocalStore(folder / "store")
    registry = Registry(store)
    for seed in (1, 2):
        made = manifest(store, fit(store, put(store, flights(300, seed=seed)), tree))
        registry.register(
            "late", {**made, "fingerprint": made["candidate"]["fingerprint"]}, actor=ACTOR, reason="trained"
        )
    _promote(registry, 1)
    return put(store, ROWS, "2013-03")


def _promote(registry: Registry, version: int) -> None:
    registry.promote("late", version, expected_version=ANY, require_verdict=False, actor=ACTOR, reason="by hand")


def _task(root: Path, march: Reference) -> Reference:
    """What a scoring task does at every try."""
    store = LocalStore(root)
    registry = Registry(store)
    number = pinned(store, "late", "dag/run", lambda: registry.resolve("late").number)
    version = registry.version("late", number)
    return score(
        store,
        model_name="late",
        version=version.manifest,
        version_number=number,
        dataset_digest=march.digest,
        id_columns=["id"],
        batch_rows=1000,
        max_threads=1,
    )


def _calls(root: Path, march: Reference) -> int:
    """How many calls of a try change the file system."""
    disk = Disk(stop=lambda: None)
    with disk.plugged_in():
        _task(root, march)
    return disk.calls


def _killed(root: Path, march: Reference, k: int) -> bool:
    """A try in a process of its own, which kills itself at a call that changes the file system; whether it did."""
    child = os.fork()
    if child == 0:
        try:
            disk = Disk(stop_at=k, stop=lambda: os.kill(os.getpid(), signal.SIGKILL), torn=k % 4 == 1)
            with disk.plugged_in():
                _task(root, march)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def _scored(root: Path) -> pa.Table:
    store = LocalStore(root)
    return read_table(store, get_document(store, newest(store, "late", "predictions", "2013-03"), "dataset"))


def _whole(root: Path, version: int) -> None:
    """Every id once, all by one version, and nothing but whole blobs."""
    scored = _scored(root)
    assert sorted(scored["id"].to_pylist()) == sorted(ROWS["id"].to_pylist())
    assert pc.unique(scored["version"]).to_pylist() == [version]
    store = LocalStore(root)
    assert all(wire.sha256(store.read(key)) == key.rsplit("/", 1)[-1] for key in store.keys("blobs/"))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_retry_after_a_kill_at_any_write_gives_every_id_once_and_one_version(folder: Path, march: Reference) -> None:
    calls = _calls(shutil.copytree(folder / "store", folder / "counted"), march)
    versions = set()
    for k in [*range(1, calls + 1, 2), calls + 1]:
        root = shutil.copytree(folder / "store", folder / "killed")
        assert _killed(root, march, k) == (k <= calls)
        store = LocalStore(root)
        begun = any(store.keys("models/late/pins/"))
        visible = newest(store, "late", "predictions", "2013-03") is not None
        _promote(Registry(store), 2)
        _task(root, march)
        # Until the pin has landed the run has not begun, and takes the champion of now.
        _whole(root, 1 if begun else 2)
        versions.add((begun, visible))
        shutil.rmtree(root)
    assert versions == {(False, False), (True, False), (True, True)}


def test_whoever_promotes_in_mid_run_changes_nothing_in_it(
    folder: Path, march: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder / "store"
    real, promoted = pq.ParquetFile.iter_batches, []

    def promoting(self: pq.ParquetFile, *rows: int, **given: object) -> Iterator[pa.RecordBatch]:
        for number, batch in enumerate(real(self, *rows, **given)):
            if number == 1:
                _promote(Registry(LocalStore(root)), 2)
                promoted.append(number)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", promoting)
    first = _task(root, march)
    assert promoted == [1]
    _whole(root, 1)
    assert _task(root, march).digest == first.digest


def test_two_tries_at_once_leave_one_whole_answer(folder: Path, march: Reference) -> None:
    root = folder / "store"
    with ThreadPoolExecutor(2) as pool:
        digests = {task.result().digest for task in [pool.submit(_task, root, march) for _ in range(2)]}
    assert len(digests) == 1
    _whole(root, 1)
