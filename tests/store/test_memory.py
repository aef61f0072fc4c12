from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stoker.errors import AlreadyExists, SourceNotFound
from stoker.store.memory import MemoryStore


def test_threads_share_a_store_without_losing_a_key() -> None:
    store = MemoryStore()

    def write(number: int) -> int:
        won = 0
        for k in range(200):
            try:
                store.create(f"k/{k:03d}", b"%d" % number)
                won += 1
            except AlreadyExists:
                continue
        return won

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(8))) == 200
    assert list(store.keys("")) == [f"k/{k:03d}" for k in range(200)]


def test_stored_bytes_do_not_change_with_the_callers_buffer() -> None:
    store = MemoryStore()
    buffer = bytearray(b"ours")
    store.create("key", buffer)  # type: ignore[arg-type]  # a caller without a type checker
    buffer[:] = b"gone"
    assert store.read("key") == b"ours"


def test_a_source_that_is_missing_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="No such file"):
        MemoryStore().create_from_file("key", tmp_path / "missing")


def test_a_store_tells_its_address() -> None:
    assert MemoryStore("notebook").uri == "memory://notebook"
