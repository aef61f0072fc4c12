from __future__ import annotations

import logging
from typing import Any

import pytest
from tests.store.conftest import HASTE
from tests.support.s3_server import BUCKET, client, s3_server

from stoker.core.clock import random_id
from stoker.errors import ConfigurationError, StoreNotWritable
from stoker.store.base import ObjectStore
from stoker.store.memory import MemoryStore
from stoker.store.probe import probe_conditional_writes
from stoker.store.s3_objects import S3Store


def test_a_sound_store_passes_and_is_left_clean(store: ObjectStore) -> None:
    probe_conditional_writes(store)
    assert list(store.keys("")) == []


def test_a_server_that_ignores_the_condition_is_refused() -> None:
    with s3_server(ignore_conditions=True) as endpoint:
        store = S3Store(client(endpoint), BUCKET, "prefix", patience=HASTE)
        with pytest.raises(ConfigurationError, match="ignores 'If-None-Match"):
            probe_conditional_writes(store)
        assert list(store.keys("")) == []


class _SoundInARowOnly(MemoryStore):
    """As a server whose look and write are two steps: right for one writer, wrong for writers at once (keys 1 and on of a probe)."""

    def __init__(self) -> None:
        super().__init__()
        self._overwritten: dict[str, bytes] = {}

    def create(self, key: str, data: bytes) -> None:
        if key.endswith("/0"):
            super().create(key, data)
        else:
            self._overwritten[key] = data

    def read(self, key: str) -> bytes:
        return self._overwritten.get(key) or super().read(key)


def test_a_store_that_is_sound_for_one_writer_only_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="of 4 creates at once 4 succeeded"):
        probe_conditional_writes(_SoundInARowOnly(), writers=4)


class _Undeletable(MemoryStore):
    def delete_swept(self, key: str) -> None:
        raise StoreNotWritable("no permission to delete")


def test_a_store_that_may_not_delete_passes_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    ids = iter(f"id{number}" for number in range(100))
    with caplog.at_level(logging.WARNING, "stoker"):
        probe_conditional_writes(_Undeletable(), new_id=lambda: next(ids))
    assert "The probe object .probe/id0/0 stays in memory://store" in caplog.text


def test_two_probes_do_not_meet(s3_client: Any) -> None:
    store = S3Store(s3_client, BUCKET, random_id(), patience=HASTE)
    probe_conditional_writes(store, writers=2)
    probe_conditional_writes(store, writers=2)
