"""One writer's life, which tests cut short in many ways, and what must be true afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from stoker.registry.audit import verify
from stoker.registry.registry import Registry
from stoker.store import documents
from stoker.store.base import ObjectStore
from tests.registry.cases import MODEL, fingerprint, promote, register, rollback

BEFORE_CHECKPOINT = 13
"""The life's third and last change makes entry 16, which takes a checkpoint along."""


@dataclass
class Life:
    """What the writer was told to have done."""

    acknowledged: set[str] = field(default_factory=set)

    def acknowledge(self, what: str) -> None:
        self.acknowledged.add(what)


def prepare(registry: Registry) -> None:
    """Two versions that were champion in turn; version 1 is."""
    register(registry, 1)
    register(registry, 2)
    for entry in range(3, BEFORE_CHECKPOINT + 1):
        promote(registry, 1 if entry % 2 else 2)


def live(registry: Registry, acknowledge: Callable[[str], None]) -> None:
    """Register version 3, make it champion, and roll it back; each as a task that can be repeated."""
    register(registry, 3, idempotency_key="life/register")
    acknowledge("register")
    promote(registry, 3, idempotency_key="life/promote")
    acknowledge("promote")
    rollback(registry, idempotency_key="life/rollback")
    acknowledge("rollback")


def survived(store: ObjectStore, life: Life) -> None:
    """Fail unless everything acknowledged is there once and whole, and the next life goes well."""
    _check(store, life)
    live(Registry(store), lambda _: None)
    _check(store, Life({"register", "promote", "rollback"}))
    registry = Registry(store)
    assert register(registry, 4).number == 4
    assert promote(registry, 4, expected_version=1).changed
    assert not verify(store, MODEL).problems


def _check(store: ObjectStore, life: Life) -> None:
    registry = Registry(store)
    state = registry.state(MODEL)
    versions = list(registry.versions(MODEL, newest_first=False))
    assert [version.fingerprint for version in versions] == [fingerprint(n) for n in range(1, state.versions + 1)]
    for version in versions:
        for file in version.files.values():
            assert len(documents.get_bytes(store, file.sha256)) == file.size
    kinds = [entry.change.kind for entry in registry.history(MODEL, after=BEFORE_CHECKPOINT)]
    assert kinds == ["register", "set_alias", "rollback"][: len(kinds)]
    assert len(kinds) >= len(life.acknowledged)
    assert registry.resolve(MODEL).number == (3 if len(kinds) == 2 else 1)
    assert registry.aliases(MODEL)["champion"] == state.pointed("champion")
    assert not verify(store, MODEL).problems
