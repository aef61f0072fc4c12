"""The registry against a few dictionaries, under every order of calls that hypothesis thinks of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from stoker.errors import GateFailed, NotFound, PromotionConflict, StokerError, VersionBlocked
from stoker.registry.audit import verify
from stoker.registry.registry import ANY, Registry
from stoker.store.memory import MemoryStore
from tests.registry.cases import ALICE, MODEL, SteppedClock, promote, register, rollback

VERSIONS = st.integers(1, 6)
ALIASES = st.sampled_from(["champion", "shadow"])
EXPECTED = st.sampled_from([ANY, None, 1, 2, 3])


class RegistryMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.clock = SteppedClock()
        self.registry = Registry(self.store, clock=self.clock)
        self.trained: list[int] = []  # the training of each version
        self.good: dict[int, bool] = {}
        self.moves: dict[str, list[tuple[datetime, int]]] = {"champion": [], "shadow": []}
        self.blocked: set[int] = set()
        self.time = self.clock.now

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

    @rule(version=VERSIONS, alias=ALIASES, expected=EXPECTED)
    def promotes(self, version: int, alias: str, expected: Any) -> None:
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
        if refused:
            with pytest.raises(refused):
                promote(self.registry, version, alias=alias, expected_version=expected)
            return
        move = promote(self.registry, version, alias=alias, expected_version=expected)
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
        self.now()

    @rule(seconds=st.sampled_from([-86_400, 0, 1, 60]))
    def the_clock_jumps(self, seconds: int) -> None:
        self.clock.step(seconds)

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
        assert [state.pointed(alias) for alias in self.moves] == [self.pointed(alias) for alias in self.moves]

    def teardown(self) -> None:
        if not self.trained:
            return
        assert verify(self.store, MODEL).clean
        reader = Registry(self.store)
        for alias, moves in self.moves.items():
            for moment, _ in moves:
                found = reader.alias_at(MODEL, moment, alias)
                assert found is not None
                assert found.number == [version for time, version in moves if time <= moment][-1]


TestRegistryMachine = RegistryMachine.TestCase
TestRegistryMachine.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
