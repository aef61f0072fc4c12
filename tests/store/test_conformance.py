from __future__ import annotations

import pytest
from tests.support.faulty_store import Fault, FaultyStore, Killed, kill_at, seeded

from stoker.errors import CommitStateUnknown
from stoker.store.base import ObjectStore
from stoker.store.checks import Check, conformance_checks
from stoker.store.memory import MemoryStore


@pytest.mark.parametrize("check", conformance_checks(), ids=lambda check: check.__name__)
def test_every_store_passes_every_check(store: ObjectStore, check: Check) -> None:
    assert isinstance(store, ObjectStore)
    check(store)


class _Overwriting(MemoryStore):
    """A store without the condition, which the checks must tell from a sound one."""

    def create(self, key: str, data: bytes) -> None:
        self.delete_swept(key)
        super().create(key, data)


class _Unordered(MemoryStore):
    def keys(self, prefix: str, *, after: str = ""):
        return iter(reversed(list(super().keys(prefix, after=after))))


class _Deaf(MemoryStore):
    def keys(self, prefix: str, *, after: str = ""):
        return super().keys(prefix)


class _Forgetful(MemoryStore):
    def exists(self, key: str) -> bool:
        super().exists(key)
        return False


class _Truncating(MemoryStore):
    def read(self, key: str) -> bytes:
        return super().read(key)[:1_000_000]


@pytest.mark.parametrize("unsound", [_Overwriting, _Unordered, _Deaf, _Forgetful, _Truncating])
def test_an_unsound_store_fails_a_check(unsound: type[MemoryStore]) -> None:
    def passes(check: Check) -> bool:
        try:
            check(unsound())
        except AssertionError:
            return False
        return True

    assert not all(passes(check) for check in conformance_checks())


def test_a_planned_fault_before_a_write_leaves_nothing() -> None:
    store = FaultyStore(MemoryStore(), kill_at(2))
    store.create("a", b"1")
    with pytest.raises(Killed):
        store.create("b", b"2")
    assert list(store.keys("")) == ["a"]
    assert store.writes == 2


def test_a_planned_fault_after_a_write_leaves_all_of_it() -> None:
    store = FaultyStore(MemoryStore(), {1: Fault.AFTER, 2: Fault.LOST, **kill_at(3, after=True)})
    for key in ("a", "b"):
        with pytest.raises(CommitStateUnknown):
            store.create(key, b"1")
    with pytest.raises(Killed):
        store.create("c", b"3")
    assert list(store.keys("")) == ["a", "c"]


def test_a_seeded_plan_is_the_same_for_the_same_seed() -> None:
    assert seeded(7, writes=50) == seeded(7, writes=50) != seeded(8, writes=50)
