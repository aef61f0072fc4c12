from __future__ import annotations

from collections.abc import Iterator

import pytest

from stoker.registry.registry import Registry
from stoker.store.memory import MemoryStore
from stoker.ui.views import Views
from tests.registry.cases import SteppedClock


class CountingStore(MemoryStore):
    """Counts looks at objects, and every key of a listing that was asked for."""

    reads = 0

    def read(self, key: str) -> bytes:
        self.reads += 1
        return super().read(key)

    def exists(self, key: str) -> bool:
        self.reads += 1
        return super().exists(key)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        for key in super().keys(prefix, after=after):
            self.reads += 1
            yield key


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def registry(store: CountingStore, clock: SteppedClock) -> Registry:
    return Registry(store, clock=clock)


@pytest.fixture
def views(registry: Registry, clock: SteppedClock) -> Views:
    return Views(registry, clock=clock)
