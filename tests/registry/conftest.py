from __future__ import annotations

from pathlib import Path

import pytest

from stoker.registry.registry import Registry
from stoker.store.base import ObjectStore
from stoker.store.local_files import LocalStore
from stoker.store.memory import MemoryStore
from tests.registry.cases import SteppedClock


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return MemoryStore() if request.param == "memory" else LocalStore(tmp_path / "store")


@pytest.fixture
def registry(store: ObjectStore, clock: SteppedClock) -> Registry:
    return Registry(store, clock=clock)
