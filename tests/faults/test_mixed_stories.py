"""Threads that register, promote, roll back, block and read on one model at once; and stores whose faults the judgement must notice."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from stoker.errors import ConflictError, NotFound, VerdictError
from stoker.registry.audit import verify
from stoker.registry.registry import Registry
from stoker.store.base import ObjectStore
from stoker.store.local_files import LocalStore
from stoker.store.memory import MemoryStore
from tests.faults.promotions import VERSIONS, Client, judge, prepare
from tests.faults.s3_faults import FAULTS, Saboteur, Service
from tests.registry.cases import ALICE, MODEL, promote, register, rollback
from tests.support.filled import fill

THREADS = 8
STEPS = 8


def _at_once(works: list[Callable[[], None]]) -> None:
    """Run them in threads; an error of any of them fails the test."""
    with ThreadPoolExecutor(len(works)) as pool:
        for task in [pool.submit(work) for work in works]:
            task.result()


def _act(registry: Registry, chance: random.Random, number: int) -> bool:
    """One call; whether it was acknowledged as a change."""
    version = chance.randint(1, VERSIONS)
    match chance.choice(["promote", "promote", "rollback", "block", "unblock", "register", "read"]):
        case "promote":
            seen = registry.pointed(MODEL)
            return promote(registry, version, expected_version=seen).changed
        case "rollback":
            return rollback(registry).changed
        case "block":
            return registry.block(MODEL, version, actor=ALICE, reason="bad")
        case "unblock":
            return registry.unblock(MODEL, version, actor=ALICE, reason="good")
        case "register":
            return register(registry, 1_000 + number).number > 0
    assert registry.resolve(MODEL).number <= registry.state(MODEL).versions
    return False


def _story(store: ObjectStore, seed: int) -> None:
    """Every acknowledged change is one entry, every entry an acknowledged change, and the log is sound."""
    prepare(Registry(store))
    before = Registry(store).state(MODEL).seq
    changed = [0] * THREADS

    def work(thread: int) -> None:
        registry, chance = Registry(store), random.Random(f"{seed}/{thread}")
        for step in range(STEPS):
            with suppress(ConflictError, VerdictError, NotFound):
                changed[thread] += _act(registry, chance, thread * STEPS + step)

    _at_once([lambda thread=thread: work(thread) for thread in range(THREADS)])
    assert Registry(store).state(MODEL).seq == before + sum(changed), f"seed {seed}"
    assert verify(store, MODEL).clean, f"seed {seed}"


@pytest.mark.parametrize("seed", range(3))
def test_changes_of_every_kind_at_once_are_each_one_entry(seed: int, tmp_path: Path) -> None:
    _story(MemoryStore(), seed)
    _story(LocalStore(tmp_path), seed)


@pytest.mark.fault
@pytest.mark.timeout(1800)
def test_200_stories_of_changes_of_every_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(200):
        _story(LocalStore(tmp_path / str(seed)) if seed % 2 else MemoryStore(), seed)
    with capsys.disabled():
        print(f"\n200 stories of {THREADS} threads that register, promote, roll back, block and read: sound")


def _hundred(store: ObjectStore) -> int:
    prepare(Registry(store))
    people = [Client(Registry(store), f"person-{number}") for number in range(100)]
    for person in people:
        person.look()
    _at_once([person.promote for person in people])
    judge(store, [call for person in people for call in person.calls])
    return sum(person.won for person in people)


def test_of_100_people_who_press_promote_at_once_one_wins(tmp_path: Path) -> None:
    assert _hundred(MemoryStore()) == 1
    assert _hundred(LocalStore(tmp_path)) == 1


class LastWriterWins(MemoryStore):
    """Replaces what lies there, as a server that ignores the condition."""

    def create(self, key: str, data: bytes) -> None:
        self.delete_swept(key)
        super().create(key, data)


def test_a_store_whose_last_writer_wins_is_noticed() -> None:
    store = LastWriterWins()
    prepare(Registry(store))
    early, late = (Client(Registry(store), name) for name in ("early", "late"))
    early.look()
    late.look()
    create = store.create

    def overtaken(key: str, data: bytes) -> None:
        store.create = create
        late.promote()
        create(key, data)

    store.create = overtaken
    early.promote()
    with pytest.raises(AssertionError):
        judge(store, [*early.calls, *late.calls])


def _won_after_a_lost_reply(monkeypatch: pytest.MonkeyPatch | None) -> bool:
    """Whether a client whose winning write lost its reply is told that it won."""
    store = MemoryStore()
    prepare(Registry(store))
    if monkeypatch:
        monkeypatch.setattr("stoker.store.files.same_content", lambda found, ours: False)
    counted = Saboteur(fill(MemoryStore(), store))
    promote(Registry(Service().store(counted)), 2, expected_version=1)
    write = counted.methods.index("PUT") + 1
    saboteur = Saboteur(store, FAULTS["timeout after"], write)
    with suppress(ConflictError):
        return promote(Registry(Service().store(saboteur)), 2, expected_version=1).changed
    return False


def test_a_won_write_whose_reply_was_lost_is_told_as_won() -> None:
    assert _won_after_a_lost_reply(None)


def test_without_the_look_at_its_own_bytes_a_won_write_is_told_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _won_after_a_lost_reply(monkeypatch)
