"""A newer Stoker has begun to write into the store: this one writes nothing there, says what is newer, and goes on everywhere else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from stoker.core import wire
from stoker.core.clock import from_text
from stoker.core.retention import RetentionPolicy
from stoker.engines import candidates
from stoker.errors import NotFound, UnknownFormat
from stoker.loop.broker import Broker
from stoker.loop.ledger import ANNOUNCED, Ledger
from stoker.loop.pins import pinned
from stoker.loop.windows import WindowLog
from stoker.registry.audit import verify
from stoker.registry.registry import Registry
from stoker.registry.retention import sweep
from stoker.store import documents, layout, partitions, rounds
from stoker.store.base import ObjectStore
from tests.format import frozen
from tests.support.registrations import ACTOR

OBJECTS = frozen.objects()
LATER = from_text(frozen.FACTS["models"]["late"]["history"][-1][1])
KEPT = RetentionPolicy(pin_age=timedelta(days=3650), candidate_age=timedelta(days=3650))


def _last(prefix: str) -> str:
    return max(key for key in OBJECTS if key.startswith(prefix))


def _first(prefix: str) -> str:
    return min(key for key in OBJECTS if key.startswith(prefix))


def _promote(store: ObjectStore, name: str = "late") -> None:
    version = 4 if name == "late" else 1
    Registry(store).promote(name, version, require_verdict=False, require_approval=False, actor=ACTOR, reason="better")


def _ask(store: ObjectStore) -> None:
    Broker(store, "late").put(source="hand", reason="Please.", dedupe_key="new", actor=ACTOR)


def _window(kind: str) -> Callable[[ObjectStore], None]:
    return lambda store: WindowLog(store, "late", kind).record("2025-06", 2, None, {"document": "a" * 64})


def _point(store: ObjectStore) -> None:
    partitions.point(store, dataset="flights", stage="ok", partition="2025-06", snapshot="a" * 64, data_id="a" * 64)


def _pin(store: ObjectStore) -> None:
    pinned(store, "late", wire.parse(OBJECTS[_last("models/late/pins/")], "a pin")["run"], lambda: 4)


def _mark(store: ObjectStore) -> None:
    record = wire.parse(OBJECTS[_last("landings/flights/announced/")], "a mark")
    file: Any = SimpleNamespace(**{name: record[name] for name in ("uri", "size", "version")})
    Ledger(store, "flights").mark(ANNOUNCED, file)


def _train(store: ObjectStore) -> None:
    fingerprint = _last("training/").split("/")[1]
    candidates.remember(store, "a" * 64, {"fingerprint": fingerprint}, keep_first=True)


def _sweep(store: ObjectStore) -> None:
    # A hundred days on, so that all that is condemned may go.
    sweep(Registry(store), KEPT, actor=ACTOR, clock=lambda: LATER + timedelta(days=100), tell=lambda line: None)


CASES: dict[str, tuple[str, Callable[[ObjectStore], None]]] = {
    "log entry": (_last("models/late/log/"), _promote),
    "checkpoint": (_first("models/late/checkpoints/"), _promote),
    "request": (_last("models/late/loop/broker/entries/"), _ask),
    "checkpoint of the broker": (_first("models/late/loop/broker/checkpoints/"), _ask),
    "drift window": (_last("models/late/loop/drift/entries/"), _window("drift")),
    "performance window": (_last("models/late/loop/performance/entries/"), _window("performance")),
    "partition": (_last("datasets/flights/ok/2025-06/"), _point),
    "pin": (_last("models/late/pins/"), _pin),
    "landing mark": (_last("landings/flights/announced/"), _mark),
    "training": (_last("training/"), _train),
    "round of the sweep": (_last(_first("retention/rounds/").rpartition("/")[0]), _sweep),
}
"""A record of every kind that something is written after, and what writes after it."""

ANSWERS = {"pin", "landing mark", "training"}
"""What lies there is the answer, and writes nothing."""


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_written_after_a_newer_record_and_the_refusal_names_it(case: str) -> None:
    key, write = CASES[case]
    store = frozen.in_memory({key: frozen.of_next_format(OBJECTS[key])})
    before = _all(store)
    with pytest.raises(UnknownFormat, match=r"has format 2; .* Upgrade Stoker") as refused:
        write(store)
    assert key in refused.value.message
    assert _all(store) == before


@pytest.mark.parametrize("case", CASES)
def test_without_the_newer_record_the_same_call_writes(case: str) -> None:
    key, write = CASES[case]
    store = frozen.in_memory(without=[key] if case in ANSWERS else [])
    before = _all(store)
    write(store)
    assert _all(store) != before


@pytest.mark.parametrize("case", [case for case in CASES if case != "landing mark"])
def test_a_sweep_beside_newer_records_removes_nothing(case: str) -> None:
    key, _ = CASES[case]
    store = frozen.in_memory({key: frozen.of_next_format(OBJECTS[key])})
    with pytest.raises(UnknownFormat):
        _sweep(store)
    assert set(OBJECTS) <= set(store.keys(""))


def test_a_sweep_that_comes_upon_a_newer_document_removes_nothing() -> None:
    store = frozen.in_memory()
    newer = wire.canonical({"format": 2, "kind": "dataset", "names": "nobody knows what"})
    digest = documents.put_bytes(store, newer).sha256
    partitions.point(store, dataset="flights", stage="ok", partition="2025-07", snapshot=digest, data_id=digest)
    with pytest.raises(UnknownFormat, match=digest):
        _sweep(store)
    assert set(OBJECTS) <= set(store.keys(""))


def test_of_a_half_migrated_store_the_other_models_work_as_ever() -> None:
    key, _ = CASES["log entry"]
    beyond = layout.numbered(layout.log("late"), layout.number_of(key) + 1)
    store = frozen.in_memory({beyond: frozen.of_next_format(OBJECTS[key])})
    registry = Registry(store)
    for call in (registry.resolve, registry.aliases, registry.state):
        with pytest.raises(UnknownFormat, match=beyond):
            call("late")
    assert registry.models() == ["delay", "late"]
    _promote(store, "delay")
    assert registry.resolve("delay").number == 1
    assert verify(store, "delay").clean
    assert [problem.key for problem in verify(store, "late").problems] == [beyond]


def test_documents_of_before_are_read_beside_newer_ones() -> None:
    store = frozen.in_memory()
    newer = documents.put_bytes(store, wire.canonical({"format": 2, "kind": "dataset"})).sha256
    with pytest.raises(UnknownFormat, match=newer[:12]):
        documents.get_document(store, newer, "dataset")
    for name, digest in partitions.partitions(store, "flights", "ok"):
        assert documents.get_document(store, digest, "dataset")["partition"] == name


def test_what_a_round_has_given_up_is_named_as_such() -> None:
    store = frozen.in_memory()
    lost = frozen.FACTS["models"]["late"]["versions"]["1"]["files"]["model.skops"][0]
    with pytest.raises(NotFound):
        rounds.spare(store, named=[lost])


def _all(store: ObjectStore) -> dict[str, bytes]:
    return {key: store.read(key) for key in store.keys("")}
