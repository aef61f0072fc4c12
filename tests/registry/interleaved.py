"""Writers against a sweep, each order of their steps once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from stoker.core import wire
from stoker.errors import ConflictError, NotFound, StoreUnavailable
from stoker.registry import reachability, retention
from stoker.registry.registry import Registry
from stoker.registry.retention import sweep
from stoker.store import documents, layout, partitions, rounds
from stoker.store.base import ObjectStore
from stoker.store.memory import MemoryStore
from tests.registry.cases import ALICE, MODEL, manifest
from tests.registry.retained import DAY, GREEDY, Installation, dataset_document
from tests.support.interleaving import every_order, run_once

Writer = Callable[[Installation, ObjectStore], None]


@dataclass
class Tally:
    """What the orders came to, and the first few in which something that was acknowledged dangles."""

    orders: int = 0
    acknowledged: int = 0
    refused: int = 0
    dangling: list[str] = field(default_factory=list)


def snapshot_again(home: Installation, store: ObjectStore) -> None:
    """The rows that the partition meant before are its rows again."""
    digest = dataset_document(store, "old")
    partitions.point(
        store, dataset="flights", stage="raw", partition="2013-01", snapshot=digest, data_id=digest, clock=home.clock
    )


def register_late(home: Installation, store: ObjectStore) -> None:
    """A task that was cleared registers what was trained long ago: it stores nothing but the manifest."""
    named = {"sha256": wire.sha256(b"weights 7"), "size": len(b"weights 7")}
    given = {**manifest(MemoryStore(), 7), "files": {"model.skops": named}}
    Registry(store, clock=home.clock).register(MODEL, given, actor=ALICE, reason="late")


def visible(call: str, key: str) -> bool:
    """The calls whose order matters: everything else reads what never changes, or what only its reader can change."""
    if call == "keys":
        return key in {layout.ROUNDS, layout.DATASETS, layout.BLOBS}
    if call in {"exists", "delete"}:
        return key.startswith(layout.BLOBS)
    if call == "read":
        return "/log/" in key
    return call == "create" and (key.startswith((layout.BLOBS, layout.ROUNDS, layout.DATASETS)) or "/log/" in key)


def run_all(monkeypatch: pytest.MonkeyPatch, writer: Writer, *, switches: int | None) -> Tally:
    """A writer that begins while a sweep that is due is at work, in every order."""
    for module in (reachability, retention):
        monkeypatch.setattr(module, "WORKERS", 1)
    tally = Tally()
    for choices in every_order(lambda choices: _once(monkeypatch, writer, choices, tally), switches=switches):
        tally.orders += 1
        if tally.dangling and tally.dangling[-1].startswith("now"):
            tally.dangling[-1] = f"order {choices}: {tally.dangling[-1]}"
        if len(tally.dangling) >= 3:
            break
    return tally


def _once(monkeypatch: pytest.MonkeyPatch, writer: Writer, choices: list[int], tally: Tally) -> list[int]:
    home = _condemned(monkeypatch)
    answers: list[bool] = []

    def write(store: ObjectStore) -> None:
        answers.append(_answered(lambda: writer(home, store)))

    def sweeping(store: ObjectStore) -> None:
        registry = Registry(store, clock=home.clock)
        sweep(registry, GREEDY, actor=ALICE, clock=home.clock, tell=lambda line: None)

    waited = run_once(home.store, [write, sweeping], visible, choices)
    tally.acknowledged += answers[0]
    tally.refused += not answers[0]
    for _ in _later(home, writer, acknowledged=answers[0]):
        if missing := home.dangling():
            tally.dangling.append(f"now {missing}")
            break
    return waited


def _condemned(monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A store with a condemned snapshot and condemned weights, whose grace is over."""
    home = Installation(monkeypatch)
    home.snapshot("old")
    home.snapshot("new")
    documents.put_bytes(home.store, b"weights 7")
    home.sweep()
    home.clock.step(DAY)
    return home


def _later(home: Installation, writer: Writer, *, acknowledged: bool) -> Iterator[None]:
    """Now; after another sweep; and after a second try of a writer that was refused, and more sweeps."""
    yield
    home.clock.step(rounds.LEASE.total_seconds())
    if not acknowledged:
        _answered(lambda: writer(home, home.store))
        yield
    home.clock.step(DAY)
    home.sweep()
    yield
    home.clock.step(DAY)
    home.sweep()
    yield


def _answered(write: Callable[[], None]) -> bool:
    try:
        write()
    except (StoreUnavailable, NotFound, ConflictError):
        return False
    return True
