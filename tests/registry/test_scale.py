from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from stoker.registry.registry import Registry
from stoker.store.memory import MemoryStore
from tests.registry.cases import ALICE, MODEL, fingerprint, manifest, promote

BOUND = 48
"""Store operations of a cold read: a checkpoint and its entry, at most 31 entries after it, and the version's own records."""


class CountingStore(MemoryStore):
    """Counts reads, and every key of a listing that was asked for: a listing is paid by its length."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: Counter[str] = Counter()

    def read(self, key: str) -> bytes:
        self.operations["read"] += 1
        return super().read(key)

    def exists(self, key: str) -> bool:
        self.operations["exists"] += 1
        return super().exists(key)

    def create(self, key: str, data: bytes) -> None:
        self.operations["create"] += 1
        super().create(key, data)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        self.operations["list"] += 1
        for key in super().keys(prefix, after=after):
            self.operations["listed"] += 1
            yield key


def _costs(store: CountingStore, versions: int) -> dict[str, int]:
    def cost(act: Callable[[], object]) -> int:
        store.operations.clear()
        act()
        return store.operations.total()

    known = manifest(store, 5)
    warm = Registry(store)
    warm.resolve(MODEL)
    return {
        "resolve": cost(lambda: Registry(store).resolve(MODEL)),
        "an old version": cost(lambda: Registry(store).version(MODEL, 3)),
        "a page of ten": cost(lambda: list(Registry(store).versions(MODEL, limit=10))) - 30,
        "the same training": cost(lambda: Registry(store).register(MODEL, known, actor=ALICE, reason="again")),
        "models": cost(lambda: Registry(store).models()),
        "resolve again": cost(lambda: warm.resolve(MODEL)),
        "promote": cost(lambda: promote(Registry(store), versions - 1)),
    }


def test_reads_cost_the_same_however_many_versions_there_are() -> None:
    store = CountingStore()
    registry = Registry(store)
    file = manifest(store, 0)
    for versions in (500, 3000):
        for number in range(registry.state(MODEL).versions + 1 if registry.models() else 1, versions + 1):
            registry.register(MODEL, {**file, "fingerprint": fingerprint(number)}, actor=ALICE, reason="")
            if number % 100 == 0:
                promote(registry, number)
        costs = _costs(store, versions)
        assert max(costs.values()) <= BOUND, (versions, costs)
        assert costs["resolve again"] <= 5
