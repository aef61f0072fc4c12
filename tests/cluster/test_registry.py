"""Promotions by many processes through a gateway that is killed meanwhile."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stoker.errors import CommitStateUnknown, PromotionConflict
from stoker.registry.audit import verify
from stoker.registry.changes import SetAlias
from stoker.registry.registry import Registry
from stoker.store.s3_objects import S3Store
from tests.cluster.conftest import BUCKET
from tests.cluster.rgw import Cluster, client
from tests.registry.cases import MODEL, promote, register

pytestmark = pytest.mark.cluster

PROCESSES = 16
ROUNDS = 12
TURNS = 20
KILLS = 2
SPAWN = multiprocessing.get_context("spawn")  # a forked boto3 client would share its parent's sockets


def _registry(endpoint: str, place: str) -> Registry:
    return Registry(S3Store(client(endpoint), BUCKET, place))


def _place(store: S3Store) -> str:
    return store.uri.rsplit("/", 1)[-1]


def _contend(endpoint: str, place: str, number: int, barrier: Any, result: Path) -> None:
    """In each round promote the version of one's own, against the champion that all saw."""
    registry, won = _registry(endpoint, place), []
    for turn in range(ROUNDS):
        seen = registry.state(MODEL).pointed("champion")
        barrier.wait(100)
        try:
            if promote(registry, number + 1, expected_version=seen).changed:
                won.append(turn)
        except PromotionConflict:
            pass
        barrier.wait(100)
    result.write_text(json.dumps(won))


def _run_free(endpoint: str, place: str, number: int, barrier: Any, result: Path) -> None:
    """Promote as fast as one can, noting for every acknowledged move the entry that the registry named."""
    registry = _registry(endpoint, place)
    won, unknown = [], 0
    barrier.wait(100)
    for turn in range(TURNS):
        seen = registry.state(MODEL).pointed("champion")
        for _ in range(10):  # as a task that is retried: the same call, unless somebody else was first
            try:
                move = promote(
                    registry, 1 + (seen or 0) % PROCESSES, expected_version=seen, idempotency_key=f"{number}/{turn}"
                )
            except PromotionConflict as conflict:
                seen = conflict.details["seen_version"]
            except CommitStateUnknown:
                unknown += 1
            else:
                won.append([move.seq, move.version, f"{number}/{turn}"])
                break
    result.write_text(json.dumps({"won": won, "unknown": unknown}))


class _Race:
    def __init__(self, run: Callable[..., None], cluster: Cluster, store: S3Store, folder: Path) -> None:
        self.barrier = SPAWN.Barrier(PROCESSES + 1 if run is _run_free else PROCESSES)
        self._results = [folder / str(number) for number in range(PROCESSES)]
        self._processes = [
            SPAWN.Process(target=run, args=(cluster.endpoint, _place(store), number, self.barrier, result))
            for number, result in enumerate(self._results)
        ]
        for process in self._processes:
            process.start()

    def results(self) -> list[Any]:
        for process in self._processes:
            process.join(180)
        assert [process.exitcode for process in self._processes] == [0] * PROCESSES
        return [json.loads(result.read_text()) for result in self._results]


def _versions(store: S3Store) -> Registry:
    registry = Registry(store)
    for number in range(PROCESSES):
        register(registry, number)
    return registry


def test_each_generation_has_one_winner(
    cluster: Cluster, store: S3Store, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    registry = _versions(store)
    won = _Race(_contend, cluster, store, tmp_path).results()
    history = list(registry.history(MODEL, after=PROCESSES))
    for turn, entry in enumerate(history):
        winners = [number + 1 for number in range(PROCESSES) if turn in won[number]]
        assert isinstance(entry.change, SetAlias)
        assert winners == [entry.change.moves[0].version]
    assert [entry.seq for entry in history] == list(range(PROCESSES + 1, PROCESSES + ROUNDS + 1))
    assert verify(store, MODEL).clean
    figure(f"promotions at once: {ROUNDS} of {ROUNDS} rounds of {PROCESSES} processes had one winner; audit clean")


def test_what_was_acknowledged_is_there_once_though_the_gateway_is_killed(
    cluster: Cluster, store: S3Store, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    registry = _versions(store)
    race = _Race(_run_free, cluster, store, tmp_path)
    race.barrier.wait(100)
    log_length = registry.state(MODEL).seq
    for _ in range(KILLS):
        log_length = _await_growth(registry, log_length + 20)
        cluster.kill_gateway()
        cluster.start_gateway()
    results = race.results()
    acknowledged = sorted((seq, version, key) for result in results for seq, version, key in result["won"])
    entries = list(registry.history(MODEL, after=PROCESSES))
    present = [(entry.seq, entry.change.moves[0].version, entry.idempotency_key) for entry in entries]
    assert acknowledged == present
    assert [seq for seq, _, _ in present] == list(range(PROCESSES + 1, PROCESSES + len(present) + 1))
    assert len({key for _, _, key in present}) == len(present)
    assert verify(store, MODEL).clean
    unknown = sum(result["unknown"] for result in results)
    figure(
        f"gateway killed -9 {KILLS} times under {PROCESSES} processes: {len(acknowledged)} promotions acknowledged, "
        f"{len(present)} present, none doubled, {unknown} unknown outcomes settled by the same call; audit clean"
    )


def _await_growth(registry: Registry, length: int) -> int:
    """Wait until the log is that long, so that the kill hits promotions in flight."""
    for _ in range(1200):
        reached = registry.state(MODEL).seq
        if reached >= length:
            return reached
        time.sleep(0.05)
    raise AssertionError(f"The log must reach entry {length}; it stopped at {reached}.")
