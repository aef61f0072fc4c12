from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.s3_server import BUCKET, client, s3_server

from stoker.core.clock import random_id
from stoker.store.base import ObjectStore
from stoker.store.local_files import LocalStore
from stoker.store.memory import MemoryStore
from stoker.store.retries import Patience
from stoker.store.s3_objects import S3Store

HASTE = Patience(sleep=lambda _: None, jitter=lambda: 0.0)
"""All the tries, without the waits."""


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def s3_client(s3_endpoint: str) -> Any:
    return client(s3_endpoint)


@pytest.fixture
def s3_store(s3_client: Any) -> S3Store:
    return S3Store(s3_client, BUCKET, random_id(), patience=HASTE)


@pytest.fixture
def local_store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture(params=["memory", "local", "s3"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    if request.param == "memory":
        return MemoryStore()
    return request.getfixturevalue(f"{request.param}_store")
