"""Of any number of writers of one key one wins; and servers on which that does not hold are noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from stoker.core.clock import random_id
from stoker.errors import ConfigurationError
from stoker.store.local_files import LocalStore
from stoker.store.memory import MemoryStore
from stoker.store.probe import probe_conditional_writes
from stoker.store.s3_objects import S3Store
from tests.faults.create_races import race
from tests.support.s3_server import BUCKET, client, s3_server

WRITERS = 32


def _stores(endpoint: str) -> list[S3Store]:
    shared, prefix = client(endpoint), random_id()
    return [S3Store(shared, BUCKET, prefix) for _ in range(WRITERS)]


def test_one_of_32_writers_wins_in_memory_and_on_local_files(tmp_path: Path) -> None:
    assert race([MemoryStore()] * WRITERS, 20) == []
    assert race([LocalStore(tmp_path) for _ in range(WRITERS)], 20) == []


def test_one_of_32_writers_wins_on_s3() -> None:
    with s3_server() as endpoint:
        assert race(_stores(endpoint), 5) == []


def test_a_server_that_overwrites_is_noticed_and_refused() -> None:
    with s3_server(ignore_conditions=True) as endpoint:
        stores = _stores(endpoint)
        assert len(race(stores, 3)) == 3
        with pytest.raises(ConfigurationError, match="ignores"):
            probe_conditional_writes(stores[0])


@pytest.mark.fault
@pytest.mark.timeout(900)
def test_the_race_notices_a_server_that_looks_first_and_writes_then(capsys: pytest.CaptureFixture[str]) -> None:
    """moto as it comes is such a server. It fails rarely, so that three tries are granted."""
    found: list[str] = []
    with s3_server(racy=True) as endpoint:
        for _ in range(3):
            found = found or race(_stores(endpoint), 200)
    with capsys.disabled():
        print(f"\nmoto without a lock: {len(found)} races of 200 with several winners, such as {found[:1]}")
    assert found


@pytest.mark.fault
@pytest.mark.timeout(900)
def test_one_of_32_writers_wins_1_000_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert race([LocalStore(tmp_path) for _ in range(WRITERS)], 1_000) == []
    with capsys.disabled():
        print("\n1,000 races of 32 writers on local files: one winner each")
