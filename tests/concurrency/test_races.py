"""Many processes, one model: every promotion has one winner, and every loser is told the truth."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stoker.errors import PromotionConflict
from stoker.registry.audit import verify
from stoker.registry.changes import SetAlias
from stoker.registry.registry import Registry
from stoker.store.base import ObjectStore
from stoker.store.local_files import LocalStore
from tests.registry.cases import MODEL, fingerprint, promote, register
from tests.support.processes import at_once

PROCESSES = 64
ROUNDS = 40


def _store(folder: Path) -> LocalStore:
    return LocalStore(folder / "store")


def _contend(folder: Path, number: int, barrier: Any) -> list[dict[str, Any]]:
    """In each round promote the version of one's own, against the champion that all saw."""
    registry, log = Registry(_store(folder)), []
    for _ in range(ROUNDS):
        state = registry.state(MODEL)
        seen = state.pointed("champion")
        barrier.wait(100)
        try:
            move = promote(registry, number + 1, expected_version=seen)
            log.append({"saw": state.seq, "won": move.changed, "champion": move.version, "seq": move.seq})
        except PromotionConflict as conflict:
            details = conflict.details
            log.append({
                "saw": state.seq,
                "won": False,
                "champion": details["seen_version"],
                "seq": details["seen_seq"],
            })
        barrier.wait(100)
    return log


def test_each_generation_has_one_winner_and_the_losers_name_it(folder: Path) -> None:
    registry = Registry(_store(folder))
    for number in range(PROCESSES):
        register(registry, number)
    logs = at_once(folder, [partial(_contend, folder, number) for number in range(PROCESSES)])
    for turn in range(ROUNDS):
        answers = [log[turn] for log in logs]
        sequence = PROCESSES + turn
        assert {answer["saw"] for answer in answers} == {sequence}
        winners = [number for number, answer in enumerate(answers) if answer["won"]]
        assert len(winners) == 1
        champion = next(iter(registry.history(MODEL, after=sequence))).change
        assert isinstance(champion, SetAlias)
        assert champion.version == winners[0] + 1
        told = Counter((answer["champion"], answer["seq"]) for answer in answers if answer["seq"] > sequence)
        assert told.keys() == {(winners[0] + 1, sequence + 1)}
        # Only the champion itself, which asks for what is there already, may be told of the round before.
        assert told.total() >= PROCESSES - 1
    assert registry.state(MODEL).seq == PROCESSES + ROUNDS
    assert verify(registry.store, MODEL).clean


def _run_free(folder: Path, number: int, barrier: Any) -> list[int]:
    registry, won = Registry(_store(folder)), []
    barrier.wait(100)
    for turn in range(6):
        seen = registry.state(MODEL).pointed("champion")
        try:
            move = promote(registry, 1 + (number + turn) % 8, expected_version=seen)
        except PromotionConflict:
            continue
        if move.changed:
            won.append(move.seq)
    return won


def test_every_acknowledged_promotion_is_one_entry_and_none_is_lost(folder: Path) -> None:
    registry = Registry(_store(folder))
    for number in range(8):
        register(registry, number)
    won = [seq for log in at_once(folder, [partial(_run_free, folder, number) for number in range(16)]) for seq in log]
    assert sorted(won) == list(range(9, registry.state(MODEL).seq + 1))
    assert verify(registry.store, MODEL).clean


def _train(folder: Path, training: int, barrier: Any) -> int:
    registry = Registry(_store(folder))
    barrier.wait(100)
    return register(registry, training).number


def test_one_training_registered_by_many_is_one_version(folder: Path) -> None:
    numbers = at_once(folder, [partial(_train, folder, 1)] * 8)
    assert numbers == [1] * 8
    assert Registry(_store(folder)).state(MODEL).seq == 1


def test_trainings_registered_at_once_get_numbers_without_holes(folder: Path) -> None:
    numbers = at_once(folder, [partial(_train, folder, number) for number in range(8)])
    registry = Registry(_store(folder))
    assert sorted(numbers) == list(range(1, 9))
    assert [registry.version(MODEL, got).fingerprint for got in numbers] == [fingerprint(n) for n in range(8)]
    assert verify(registry.store, MODEL).clean


def _lost_update(store: ObjectStore, monkeypatch: pytest.MonkeyPatch, link: Callable[..., None]) -> bool:
    """Whether a promotion that was acknowledged is gone when another writer came in between its look and its link."""
    for number in (1, 2):
        register(Registry(store), number)
    others: list[int] = []

    def overtaken(source: str, target: str, **at: Any) -> None:
        monkeypatch.setattr(os, "link", link)
        others.append(promote(Registry(store), 2, expected_version=None).seq)
        os.link(source, target, **at)

    monkeypatch.setattr(os, "link", overtaken)
    with suppress(PromotionConflict):
        promote(Registry(store), 1, expected_version=None)
    entry = next(iter(Registry(store).history(MODEL, after=others[0] - 1))).change
    assert isinstance(entry, SetAlias)
    return entry.version != 2


def test_a_writer_that_comes_in_between_is_not_overwritten(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _lost_update(_store(folder), monkeypatch, os.link)


def test_the_race_test_would_notice_a_link_that_replaces(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int, follow_symlinks: bool) -> None:
        os.replace(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    assert _lost_update(_store(folder), monkeypatch, replace)
