"""The registry against a few dictionaries, under every order of calls that hypothesis thinks of."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stoker.core.records import Actor
from stoker.errors import (
    GateFailed,
    NotApproved,
    NotFound,
    PromotionConflict,
    StokerError,
    StoreUnavailable,
    VersionBlocked,
)
from stoker.registry.audit import verify
from stoker.registry.registry import ANY, Registry
from stoker.store.base import ObjectStore
from stoker.store.local_files import LocalStore
from stoker.store.memory import MemoryStore
from tests.registry.cases import ALICE, MODEL, SteppedClock, promote, register, rollback
from tests.support.faulty_store import Fault, FaultyStore, Killed
from tests.support.memory_folder import memory_folder

VERSIONS = st.integers(1, 6)
ALIASES = st.sampled_from(["champion", "shadow"])
END = datetime(2126, 1, 1, tzinfo=UTC)
EXPECTED = st.sampled_from([ANY, None, 1, 2, 3])


class Perilous(FaultyStore):
    """Has the next write of a log entry fail in the way that ``next`` says; the writes before it, and all others, pass."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner, {})
        self.next: Fault | None = None

    def create(self, key: str, data: bytes) -> None:
        if self.next is None or "/log/" not in key:
            return self.inner.create(key, data)
        fault, self.next = self.next, None
        return FaultyStore(self.inner, {1: fault}).create(key, data)


class RegistryMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.store = Perilous(self.open_store())
        self.clock = SteppedClock()
        self.registry = Registry(self.store, clock=self.clock)
        self.trained: list[int] = []  # the training of each version
        self.good: dict[int, bool] = {}
        self.moves: dict[str, list[tuple[datetime, int]]] = {"champion": [], "shadow": []}
        self.blocked: set[int] = set()
        self.reviews: dict[int, str] = {}
        self.time = self.clock.now

    def open_store(self) -> ObjectStore:
        return MemoryStore()

    def now(self) -> datetime:
        self.time = max(self.time, self.clock.now)
        return self.time

    def pointed(self, alias: str) -> int | None:
        return self.moves[alias][-1][1] if self.moves[alias] else None

    @rule(training=st.integers(1, 6), good=st.booleans())
    def registers(self, training: int, good: bool) -> None:
        made = register(self.registry, training, outcome="pass" if good else "fail")
        if training not in self.trained:
            self.trained.append(training)
            self.good[len(self.trained)] = good
            self.now()
        assert made.number == self.trained.index(training) + 1

    @rule(version=VERSIONS, alias=ALIASES, expected=EXPECTED, approval=st.sampled_from([True, False, None]))
    def promotes(self, version: int, alias: str, expected: Any, approval: bool | None) -> None:
        seen = self.pointed(alias)
        refused: type[StokerError] | None = None
        if version > len(self.trained):
            refused = NotFound
        elif version in self.blocked:
            refused = VersionBlocked
        elif seen != version:
            if expected is not ANY and expected != seen:
                refused = PromotionConflict
            elif not self.good[version]:
                refused = GateFailed
            elif approval is not False and self.reviews.get(version) != "approved":
                asked = alias == "champion" and version in self.reviews
                refused = NotApproved if approval or asked else None
        wanted: dict[str, Any] = {"alias": alias, "expected_version": expected, "require_approval": approval}
        if refused:
            with pytest.raises(refused):
                promote(self.registry, version, **wanted)
            return
        move = promote(self.registry, version, **wanted)
        assert move.changed == (seen != version)
        if move.changed:
            assert move.previous == seen
            self.moves[alias].append((self.now(), version))

    @rule(alias=ALIASES)
    def rolls_back(self, alias: str) -> None:
        current = self.pointed(alias)
        target = next(
            (version for _, version in reversed(self.moves[alias]) if version != current and version not in self.blocked), None
        )  # fmt: skip
        if current is None or target is None:
            with pytest.raises(NotFound):
                rollback(self.registry, alias=alias)
            return
        assert rollback(self.registry, alias=alias).version == target
        self.blocked.add(current)
        self._voids(current)
        self.moves[alias].append((self.now(), target))

    @rule(version=VERSIONS, block=st.booleans())
    def blocks_or_unblocks(self, version: int, block: bool) -> None:
        change = self.registry.block if block else self.registry.unblock
        if version > len(self.trained):
            with pytest.raises(NotFound):
                change(MODEL, version, actor=ALICE, reason="r")
            return
        assert change(MODEL, version, actor=ALICE, reason="r") == ((version in self.blocked) != block)
        self.blocked = self.blocked | {version} if block else self.blocked - {version}
        if block:
            self._voids(version)
        self.now()

    def _voids(self, version: int) -> None:
        if version in self.reviews:
            self.reviews[version] = "void"

    @rule(version=VERSIONS)
    def asks(self, version: int) -> None:
        asking: dict[str, Any] = {"until": END, "actor": ALICE, "reason": "passed"}
        if version > len(self.trained) or version in self.blocked:
            with pytest.raises(NotFound if version > len(self.trained) else VersionBlocked):
                self.registry.ask_approval(MODEL, version, **asking)
            return
        if self.reviews.get(version) != "approved":
            self.reviews[version] = "waiting"
        assert self.registry.ask_approval(MODEL, version, **asking).status == self.reviews[version]
        self.now()

    @rule(version=VERSIONS, status=st.sampled_from(["approved", "rejected"]), who=st.sampled_from(["alice", "bob"]))
    def decides(self, version: int, status: str, who: str) -> None:
        decide = self.registry.approve if status == "approved" else self.registry.reject
        evidence = self.registry.version(MODEL, version).digest if version <= len(self.trained) else "0" * 64
        given: dict[str, Any] = {"evidence": evidence, "actor": Actor(who, "ui"), "reason": "seen"}
        if self.reviews.get(version) == "waiting" and (status, who) != ("approved", "alice"):
            self.reviews[version] = status
            assert decide(MODEL, version, **given).decided_by == who
            self.now()
            return
        with suppress(StokerError):  # nothing to decide, or the same decision again
            decide(MODEL, version, **given)

    @rule(seconds=st.sampled_from([-86_400, 0, 1, 60, 86_400]))
    def the_clock_jumps(self, seconds: int) -> None:
        self.clock.step(seconds)

    @rule(fault=st.sampled_from([Fault.AFTER, Fault.LOST]))
    def the_next_entrys_reply_gets_lost(self, fault: Fault) -> None:
        """The same bytes again settle it, so the caller must not notice."""
        self.store.next = fault

    @precondition(lambda self: self.pointed("shadow") != 1 and self.trained and 1 not in self.blocked)
    @rule(fault=st.sampled_from([Fault.KILL_BEFORE, Fault.KILL_AFTER, Fault.BEFORE]))
    def a_promotion_is_cut_short(self, fault: Fault) -> None:
        self.store.next = fault
        with pytest.raises(StoreUnavailable if fault is Fault.BEFORE else Killed):
            promote(self.registry, 1, alias="shadow", require_verdict=False)
        if fault is Fault.KILL_AFTER:
            self.moves["shadow"].append((self.now(), 1))
        self.the_process_starts_again()

    @rule()
    def the_process_starts_again(self) -> None:
        self.registry = Registry(self.store, clock=self.clock)

    @invariant()
    def the_present_agrees(self) -> None:
        if not self.trained:
            assert self.registry.models() == []
            return
        state = self.registry.state(MODEL)
        assert (state.versions, set(state.blocked)) == (len(self.trained), self.blocked)
        assert {version: review.status for version, review in state.reviews.items()} == self.reviews
        assert [state.pointed(alias) for alias in self.moves] == [self.pointed(alias) for alias in self.moves]

    def teardown(self) -> None:
        self.store.next = None
        if not self.trained:
            return
        assert verify(self.store, MODEL).clean
        reader = Registry(self.store)
        for alias, moves in self.moves.items():
            for moment, _ in moves:
                found = reader.alias_at(MODEL, moment, alias)
                assert found is not None
                assert found.number == [version for time, version in moves if time <= moment][-1]


class LocalRegistryMachine(RegistryMachine):
    def open_store(self) -> ObjectStore:
        self.folder = memory_folder()
        return LocalStore(Path(self.folder.name))

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


TestRegistryMachine = RegistryMachine.TestCase
TestRegistryMachine.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
