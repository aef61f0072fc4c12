from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from stoker.errors import (
    AlreadyExists,
    CommitStateUnknown,
    NotFound,
    PromotionConflict,
    StoreNotWritable,
    StoreUnavailable,
    TamperedRecord,
)
from stoker.registry import audit, derived
from stoker.registry.entries import entry_key
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.contests import Limits
from stoker.store.memory import MemoryStore
from tests.registry.cases import ALICE, MODEL, SteppedClock, fingerprint, grow, manifest, promote, register, rollback
from tests.support.faulty_store import Fault, FaultyStore, seeded


class Waits:
    """Limits whose waits are taken down rather than waited."""

    def __init__(self, **limits: float) -> None:
        self.waits: list[float] = []
        self.limits = Limits(sleep=self.waits.append, now=lambda: sum(self.waits), **limits)  # type: ignore[arg-type]


class LogFaults(MemoryStore):
    """Calls ``fault`` at every write of a log entry."""

    fault: Callable[[str, bytes], None] | None = None

    def create(self, key: str, data: bytes) -> None:
        if self.fault and "/log/" in key:
            self.fault(key, data)
        super().create(key, data)


def _clean(store: ObjectStore) -> bool:
    return not audit.verify(store, MODEL).problems


def test_a_writer_that_was_overtaken_tries_again_on_the_new_state(caplog: pytest.LogCaptureFixture) -> None:
    store, waits = LogFaults(), Waits()
    registry = Registry(store, limits=waits.limits)
    wanted = manifest(store)

    def overtake(key: str, data: bytes) -> None:
        store.fault = None
        register(Registry(store), 2)

    store.fault = overtake
    with caplog.at_level(logging.INFO):
        made = registry.register(MODEL, wanted, actor=ALICE, reason="x")
    assert made.number == 2
    assert len(waits.waits) == 1
    assert "another writer was first; try 2 of 200" in caplog.text
    assert _clean(store)


def test_an_overtaken_promotion_is_refused_when_its_expectation_broke() -> None:
    store = LogFaults()
    registry = Registry(store, limits=Waits().limits)
    register(registry, 1)
    register(registry, 2)

    def overtake(key: str, data: bytes) -> None:
        store.fault = None
        promote(Registry(store), 2)

    store.fault = overtake
    with pytest.raises(PromotionConflict, match="points at version 2"):
        promote(registry, 1, expected_version=None)


def test_two_zombies_of_one_task_make_one_version() -> None:
    store = LogFaults()
    wanted = manifest(store)

    def overtake(key: str, data: bytes) -> None:
        store.fault = None
        Registry(store).register(MODEL, wanted, actor=ALICE, reason="other try", idempotency_key="task")

    store.fault = overtake
    made = Registry(store, limits=Waits().limits).register(
        MODEL, wanted, actor=ALICE, reason="this try", idempotency_key="task"
    )
    assert (made.number, made.reason) == (1, "other try")
    assert Registry(store).state(MODEL).seq == 1


@pytest.mark.parametrize(("tries", "total"), [(5, 60.0), (1000, 0.3)])
def test_a_writer_that_is_always_overtaken_gives_up_and_has_written_nothing(tries: int, total: float) -> None:
    store, waits = LogFaults(), Waits(tries=tries, total=total)

    def overtake(key: str, data: bytes) -> None:
        store.fault = None
        register(Registry(store), 1000 + sum(1 for _ in store.keys(layout.log(MODEL))))
        store.fault = overtake

    store.fault = overtake
    registry = Registry(store, limits=waits.limits)
    with pytest.raises(StoreUnavailable, match="nothing was written"):
        register(registry, 1)
    assert len(waits.waits) < tries
    assert sum(waits.waits) <= total
    assert fingerprint(1) not in [version.fingerprint for version in Registry(store).versions(MODEL)]


def test_waits_grow_to_their_limit_and_differ_between_writers() -> None:
    def waits_of() -> list[float]:
        store, waits = LogFaults(), Waits(tries=12, longest_wait=0.2)

        def lost(key: str, data: bytes) -> None:
            raise CommitStateUnknown("no reply")

        store.fault = lost
        with pytest.raises(CommitStateUnknown):
            register(Registry(store, limits=waits.limits))
        return waits.waits

    one, other = waits_of(), waits_of()
    assert len(one) == 11
    assert max(one) <= 0.2
    assert one[0] <= 0.02 < max(one)  # each is a random part of a limit that doubles from there
    assert one != other


@pytest.mark.parametrize("fault", [Fault.AFTER, Fault.LOST])
def test_an_unknown_outcome_is_settled_by_the_same_bytes_again(fault: Fault) -> None:
    store = MemoryStore()
    register(Registry(store), 1)
    faulty = FaultyStore(store, {1: fault})
    move = promote(Registry(faulty, limits=Waits().limits), 1, expected_version=None)
    assert (move.changed, move.seq) == (True, 2)
    assert faulty.writes == 2
    assert Registry(store).state(MODEL).seq == 2
    assert _clean(store)


def test_an_unknown_outcome_that_another_writer_settles_is_a_loss() -> None:
    store = LogFaults()
    registry = Registry(store, limits=Waits().limits)
    register(registry, 1)
    register(registry, 2)

    def lost_and_overtaken(key: str, data: bytes) -> None:
        store.fault = None
        promote(Registry(store), 2)
        raise CommitStateUnknown("no reply")

    store.fault = lost_and_overtaken
    assert promote(registry, 1).previous == 2
    assert [entry.seq for entry in registry.history(MODEL)] == [1, 2, 3, 4]


@pytest.mark.parametrize("then", [StoreUnavailable("down"), StoreNotWritable("full")])
def test_a_clean_failure_after_an_unknown_outcome_stays_unknown(then: Exception) -> None:
    store = LogFaults()
    errors = iter([CommitStateUnknown("no reply")])

    def fail(key: str, data: bytes) -> None:
        raise next(errors, then)

    store.fault = fail
    with pytest.raises(CommitStateUnknown):
        register(Registry(store, limits=Waits(tries=4).limits))


def test_a_clean_failure_is_told_at_once() -> None:
    store = MemoryStore()
    wanted = manifest(store)
    faulty = FaultyStore(store, {2: Fault.BEFORE})
    with pytest.raises(StoreUnavailable):
        Registry(faulty).register(MODEL, wanted, actor=ALICE, reason="x")
    assert Registry(store).models() == []


@pytest.mark.parametrize("seed", range(20))
def test_under_seeded_faults_what_is_acknowledged_stands_and_stands_once(seed: int) -> None:
    store = MemoryStore()
    faulty = FaultyStore(store, seeded(seed, writes=200))
    limits = Waits().limits
    acknowledged: dict[int, int] = {}
    for number in range(1, 13):
        for _ in range(20):
            try:
                acknowledged[number] = register(Registry(faulty, limits=limits), number).number
                promote(Registry(faulty, limits=limits), acknowledged[number])
            except (StoreUnavailable, CommitStateUnknown):
                continue
            break
    reader = Registry(store)
    assert sorted(acknowledged.values()) == list(range(1, 13))
    assert reader.state(MODEL).versions == 12
    assert reader.resolve(MODEL).number == acknowledged[12]
    assert _clean(store)


def test_a_checkpoint_that_cannot_be_written_fails_no_commit(caplog: pytest.LogCaptureFixture) -> None:
    class NoCheckpoints(MemoryStore):
        def create(self, key: str, data: bytes) -> None:
            if "/checkpoints/" in key:
                raise RuntimeError("planned")
            super().create(key, data)

    store = NoCheckpoints()
    registry = Registry(store)
    grow(registry, 40)
    assert "its checkpoint could not be written" in caplog.text
    assert Registry(store).resolve(MODEL).number == 40
    assert registry.version(MODEL, 3).number == 3
    assert _clean(store)


def test_a_lost_checkpoint_is_made_up_for_by_the_next(store: ObjectStore, registry: Registry) -> None:
    grow(registry, 7)
    register(registry, 8)
    faulty = FaultyStore(store, dict.fromkeys(range(2, 40), Fault.BEFORE))  # all but the entry itself
    promote(Registry(faulty), 8)
    assert list(store.keys(layout.checkpoints(MODEL))) == []
    grow(Registry(store), 8, start=9)
    assert list(store.keys(layout.checkpoints(MODEL))) == [layout.checkpoint(MODEL, 32)]
    assert Registry(store).version(MODEL, 2).number == 2
    assert _clean(store)


def test_a_long_lived_reader_goes_on_from_a_newer_checkpoint() -> None:
    store = MemoryStore()
    registry = Registry(store)
    grow(registry, 1)
    reader = Registry(store)
    assert reader.resolve(MODEL).number == 1
    for start in range(2, 100, 7):
        grow(registry, 7, start=start)
        assert reader.resolve(MODEL).number == start + 6
    assert len(reader._log.head(MODEL).tail) <= 5 * derived.EVERY


class Counting(MemoryStore):
    """Notes which records of a model are read, and what is listed."""

    def __init__(self) -> None:
        super().__init__()
        self.read_keys: list[str] = []
        self.listed: list[str] = []

    def read(self, key: str) -> bytes:
        self.read_keys.append(key)
        return super().read(key)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        self.listed.append(prefix)
        return super().keys(prefix, after=after)


def test_a_writer_that_outgrows_its_tail_neither_lists_the_checkpoints_nor_reads_its_entries_again() -> None:
    store = Counting()
    registry, other = Registry(store), Registry(store)
    grow(registry, 1)
    other.state(MODEL)
    for turn in range(80):
        promote(registry, register(registry, 2 + turn).number)
        if turn % 7 == 0:
            store.listed.clear()
            store.read_keys.clear()
            other.state(MODEL)
            assert store.listed == []
            assert len([key for key in store.read_keys if "/log/" in key]) <= 2 * 7 + 2
    assert 0 < len(other._log.head(MODEL).tail) <= 5 * derived.EVERY


def _long_lived(versions: int) -> tuple[MemoryStore, Registry]:
    """A registry that looked at the log of one version, and again when another had made it that of so many."""
    store = MemoryStore()
    registry, watcher = Registry(store), Registry(store)
    grow(registry, 1)
    watcher.state(MODEL)
    grow(registry, versions - 1, start=2)
    watcher.state(MODEL)
    return store, watcher


def test_a_long_lived_reader_passes_over_checkpoints_that_are_lost_or_damaged() -> None:
    store, reader = _long_lived(40)
    for seq, planted in ((80, None), (64, b"{}")):
        store.delete_swept(layout.checkpoint(MODEL, seq))
        if planted:
            store.create(layout.checkpoint(MODEL, seq), planted)
    assert reader._log.head(MODEL).base == 48
    assert reader.resolve(MODEL).number == 40


def test_a_long_lived_writer_is_stopped_by_a_checkpoint_that_contradicts_the_log() -> None:
    store, writer = _long_lived(41)
    data = store.read(entry_key(MODEL, 80))
    store.delete_swept(entry_key(MODEL, 80))
    store.create(entry_key(MODEL, 80), data.replace(b"better", b"bettor"))
    with pytest.raises(TamperedRecord, match="audit the log"):
        promote(writer, 1)


def test_an_index_object_that_another_hand_planted_is_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    registry = Registry(store)
    grow(registry, 7)
    store.create(layout.version_manifest(MODEL, 2), b"{}")
    grow(registry, 3, start=8)
    assert "holds something else than the index" in caplog.text
    assert Registry(store).version(MODEL, 2).number == 2
    assert "reading the whole log" in caplog.text


def test_a_version_whose_index_was_removed_is_found_in_the_log(store: ObjectStore, registry: Registry) -> None:
    grow(registry, 10)
    store.delete_swept(layout.version_manifest(MODEL, 3))
    assert Registry(store).version(MODEL, 3).number == 3


def test_a_manifest_lost_before_its_checkpoint_holds_up_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    registry = Registry(store)
    made = register(registry, 1)
    store.delete_swept(layout.blob(made.digest))
    grow(registry, 10, start=2)
    assert "The manifest of version 1 of model churn is lost" in caplog.text
    assert Registry(store).version(MODEL, 2).number == 2


def test_nothing_is_written_on_a_log_that_lost_its_newest_entries(store: ObjectStore, registry: Registry) -> None:
    grow(registry, 10)
    for seq in range(15, 21):
        store.delete_swept(entry_key(MODEL, seq))
    reader = Registry(store)
    assert reader.resolve(MODEL).number == 7
    with pytest.raises(TamperedRecord, match=r"00016\.json must exist"):
        promote(reader, 1)
    with pytest.raises(TamperedRecord):
        register(reader, 50)


def test_nothing_is_written_into_the_hole_that_a_removed_entry_left(store: ObjectStore, registry: Registry) -> None:
    for number in (1, 2, 3):
        register(registry, number)
    store.delete_swept(entry_key(MODEL, 2))
    with pytest.raises(TamperedRecord, match="It was removed"):
        register(Registry(store), 4)
    assert not store.exists(entry_key(MODEL, 2))


def test_nothing_is_written_on_a_log_whose_checkpoint_contradicts_it(registry: Registry) -> None:
    store = registry.store
    grow(registry, 8)
    data = store.read(entry_key(MODEL, 16))
    store.delete_swept(entry_key(MODEL, 16))
    store.create(entry_key(MODEL, 16), data.replace(b"better", b"bettor"))
    with pytest.raises(TamperedRecord, match="must have the digest"):
        promote(Registry(store), 1)


def test_a_writer_notices_that_the_end_of_the_log_it_knew_was_replaced(store: ObjectStore, registry: Registry) -> None:
    grow(registry, 2)
    store.delete_swept(entry_key(MODEL, 4))
    with pytest.raises(TamperedRecord, match="removed"):
        promote(registry, 1)
    assert promote(registry, 2).seq == 4  # a restored store is worked with once that was told


def test_a_hole_behind_the_checkpoint_is_named_when_it_is_read(store: ObjectStore, registry: Registry) -> None:
    grow(registry, 10)
    store.delete_swept(entry_key(MODEL, 10))
    with pytest.raises(TamperedRecord, match="must exist, for later entries do"):
        rollback(Registry(store), to=1)


def test_a_broken_link_is_named_by_every_reader(store: ObjectStore, registry: Registry) -> None:
    grow(registry, 4)
    data = store.read(entry_key(MODEL, 5))
    store.delete_swept(entry_key(MODEL, 5))
    store.create(entry_key(MODEL, 5), data.replace(b"trained", b"drained"))
    with pytest.raises(TamperedRecord, match="must follow"):
        Registry(store).resolve(MODEL)
    with pytest.raises(TamperedRecord, match="does not follow"):
        list(registry.history(MODEL))


def test_clocks_of_the_future_do_not_stop_the_log(clock: SteppedClock) -> None:
    store = MemoryStore()
    clock.step(86_400)
    register(Registry(store, clock=clock), 1)
    clock.step(-86_400)
    grow(Registry(store, clock=clock), 3, start=2)
    assert _clean(store)


def test_a_read_right_after_the_commit_cannot_fail_it() -> None:
    class Silent(MemoryStore):
        silent = False

        def create(self, key: str, data: bytes) -> None:
            super().create(key, data)
            self.silent = "/log/" in key

        def read(self, key: str) -> bytes:
            if self.silent:
                raise StoreUnavailable("planned")
            return super().read(key)

    store = Silent()
    registry = Registry(store)
    for number in range(1, 20):
        assert register(registry, number).number == number
        store.silent = False
        assert promote(registry, number).version == number
        store.silent = False


def test_a_store_that_refuses_a_free_key_is_not_taken_at_its_word() -> None:
    store, waits = LogFaults(), Waits(tries=3)

    def refuse(key: str, data: bytes) -> None:
        raise AlreadyExists("planned")

    store.fault = refuse
    with pytest.raises(StoreUnavailable):
        register(Registry(store, limits=waits.limits))
    with pytest.raises(NotFound):
        Registry(store).state(MODEL)
