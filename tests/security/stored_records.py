"""One good specimen of every record that a store may hold, and who reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from stoker.core import wire
from stoker.core.cadence import CadencePolicy
from stoker.engines import candidates
from stoker.loop.broker import Broker
from stoker.loop.ledger import TAKEN, Ledger, identity
from stoker.loop.pins import pinned, pinned_plan
from stoker.loop.windows import WindowLog
from stoker.registry import derived
from stoker.registry.entries import entry_key, fingerprint_text, read_entry
from stoker.registry.registry import Registry
from stoker.store import layout, partitions
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document, put_document
from stoker.store.memory import MemoryStore
from tests.registry.cases import ALICE, MODEL, fingerprint, promote, register

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DIGEST = "a" * 64
_FILE = {"sha256": DIGEST, "size": 1}
_VERDICT = {"outcome": "pass", "reasons": ["Good."], "numbers": {}}


@dataclass(frozen=True)
class LandedFile:
    """A file that landed."""

    uri: str = "file:///landing/flights-2013-01.parquet"
    size: int = 7
    version: str = "1"


@dataclass(frozen=True)
class Kind:
    """One kind of record.

    :param key: where the specimen lies.
    :param read: reads it as the product does, at its key; a document's follows from its bytes.
    :param fields: the fields whose value matters to the reader, as paths with dots.
    """

    key: str
    read: Callable[[ObjectStore, str], Any]
    fields: tuple[str, ...]


DOCUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "dataset": (
        {
            "dataset": "flights", "partition": "2013-01", "stage": "ok", "data_id": DIGEST, "rows": 3, "time_column": None,
            "columns": [{"name": "wind", "type": "float64", "nulls": 0, "min": 0.0, "max": 1.0}], "time_min": None, "time_max": None,
            "assumed_utc": [], "file": _FILE, "source": [{"uri": "a", "size": 1, "version": "1"}], "parent": None,
        },
        "dataset stage data_id rows columns columns.0.name columns.0.type file file.sha256 file.size source source.0 assumed_utc",
    ),
    "validation": (
        {
            "ok": DIGEST, "quarantine": None, "verdict": _VERDICT, "checks": [{"success": True}], "rows_in": 3, "rows_ok": 3,
            "rows_quarantined": 0, "personal_columns": ["name"],
        },
        "verdict verdict.outcome verdict.reasons verdict.reasons.0 checks checks.0 rows_in rows_ok rows_quarantined personal_columns",
    ),
    "candidate": (
        {
            "fingerprint": DIGEST, "task": "binary", "classes": [0, 1], "target": "late", "dataset_name": "flights", "partition": "2013-01",
            "datasets": [DIGEST], "features": [{"name": "wind", "type": "float64"}], "hashed_columns": ["wind"], "holdout": DIGEST,
            "profile": DIGEST, "files": {"model.skops": _FILE}, "rows": {"train": 2, "holdout": 1}, "estimator": {"class": "Ridge"},
            "training": {"seconds": 1.5}, "environment": {"packages": {}},
        },
        ("fingerprint task target dataset_name datasets datasets.0 features features.0.name features.0.type "
        "hashed_columns holdout files rows "
        "rows.train rows.holdout estimator estimator.class training training.seconds environment"),
    ),
    "evaluation": (
        {
            "candidate": DIGEST, "dataset": DIGEST, "metrics": {"roc_auc": 0.9}, "verdict": _VERDICT, "rows": 3, "mode": "enforce",
            "baseline_version": None, "champion_metrics": None, "figures": None,
        },
        "candidate dataset metrics verdict verdict.outcome verdict.reasons rows mode",
    ),
    "figures": ({"of": "drift", "columns": []}, "of"),
    "drift": (
        {
            "model": MODEL, "version": 1, "window": "2013-01", "current": [DIGEST], "rows": 3, "columns": [{"column": "wind"}],
            "alert": False, "states": {}, "verdict": _VERDICT, "figures": None,
        },
        "model current current.0 columns columns.0 alert states verdict verdict.outcome verdict.reasons",
    ),
    "performance": (
        {"model": MODEL, "version": 1, "window": "2013-01", "verdict": _VERDICT, "rows": 3},
        "model verdict verdict.outcome verdict.reasons verdict.reasons.0",
    ),
    "profile": (
        {
            "rows": 3, "chunks": [3], "columns": [{"name": "wind", "type": "float64", "cells": 2}], "file": _FILE, "order": "time",
            "unknown": ["seats"],
        },
        "rows chunks chunks.0 columns columns.0.name columns.0.cells file file.sha256 order unknown unknown.0",
    ),
}  # fmt: skip
"""A document of every kind, and the fields of it that matter."""


def make_store() -> MemoryStore:
    """A store that holds every specimen."""
    store = MemoryStore()
    registry = Registry(store)
    register(registry, 1, idempotency_key="k")
    promote(registry, 1)
    for number in range(2, 9):
        promote(registry, register(registry, number).number)
    for name, (content, _) in DOCUMENTS.items():
        put_document(store, {"kind": name, **content})
    partitions.point(store, dataset="flights", stage="ok", partition="2013-01", snapshot=DIGEST, data_id=DIGEST)
    candidates.remember(store, DIGEST, {"fingerprint": DIGEST}, keep_first=False, origin="dag/run/task")
    pinned(store, MODEL, "run", lambda: 1)
    Ledger(store, "flights").mark(TAKEN, LandedFile(), snapshot=DIGEST)
    _loop(store)
    return store


def _loop(store: ObjectStore) -> None:
    broker = Broker(store, MODEL, policy=CadencePolicy(cooldown=timedelta(0)), clock=lambda: NOW)
    broker.put(source="hand", reason="Please.", dedupe_key="one", actor=ALICE)
    broker.claim("dag/run", actor=ALICE)
    broker.settle("dag/run", outcome="promoted", reason="It is better.")
    WindowLog(store, MODEL, "drift").record("2013-01", 1, None, {"alert": False})
    WindowLog(store, MODEL, "performance").record("2013-01", 1, None, {"verdict": "pass"})


def _journal(name: str, seq: int) -> str:
    return layout.numbered(f"{layout.journal(MODEL, name)}entries/", seq)


def _broker(store: ObjectStore, key: str) -> Any:
    broker = Broker(store, MODEL)
    return broker.state(), broker.requests(every=True), broker.pending()


def _windows(name: str) -> Callable[[ObjectStore, str], Any]:
    return lambda store, key: WindowLog(store, MODEL, name).windows(1)


def _document(name: str, content: Mapping[str, Any]) -> Kind:
    key = layout.blob(wire.digest({"format": wire.FORMAT, "kind": name, **content}))
    asked = [field for field in content if content[field] is not None]

    def read(store: ObjectStore, key: str) -> Any:
        document = get_document(store, key.rsplit("/", 1)[-1], name)
        return {field: document[field] for field in asked}

    return Kind(key, read, tuple(DOCUMENTS[name][1].split()))


def _fields(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ENTRY = "model seq prev write_id time actor actor.user actor.origin reason change change.kind expects state"
_RECORD = "seq prev time write_id kind"

KINDS: dict[str, Kind] = {
    "log entry": Kind(
        entry_key(MODEL, 1),
        lambda store, key: (
            read_entry(store.read(entry_key(MODEL, 1)), MODEL, 1),
            list(Registry(store).history(MODEL)),
        ),
        _fields(_ENTRY),
    ),
    "promotion entry": Kind(
        entry_key(MODEL, 2), lambda store, key: list(Registry(store).history(MODEL)), _fields(f"{_ENTRY} change.moves")
    ),
    "checkpoint": Kind(
        layout.checkpoint(MODEL, 16),
        lambda store, key: derived.read_checkpoint(store, MODEL, 16),
        _fields("kind model seq entry state state.versions state.aliases state.blocked"),
    ),
    "version pointer": Kind(
        layout.version_manifest(MODEL, 1),
        lambda store, key: derived.read_version_pointer(store, MODEL, 1),
        _fields("kind seq entry manifest manifest.kind manifest.manifest"),
    ),
    "key index": Kind(
        derived.index_key(MODEL, "key:k"),
        lambda store, key: derived.read_pointer(store, MODEL, "key:k"),
        _fields("kind seq entry"),
    ),
    "fingerprint index": Kind(
        derived.index_key(MODEL, fingerprint_text(fingerprint(1))),
        lambda store, key: derived.read_pointer(store, MODEL, fingerprint_text(fingerprint(1))),
        _fields("kind seq entry"),
    ),
    "partition pointer": Kind(
        layout.numbered(layout.partition("flights", "ok", "2013-01"), 1),
        lambda store, key: (
            partitions.newest(store, "flights", "ok", "2013-01"),
            partitions.partitions(store, "flights", "ok"),
            partitions.last_pointers(store, "flights", "ok", limit=3),
        ),
        _fields("kind dataset stage partition snapshot data_id time"),
    ),
    "training pointer": Kind(
        layout.numbered(layout.training(DIGEST), 1),
        lambda store, key: (candidates.newest(store, DIGEST), candidates.origin_of(store, DIGEST, DIGEST)),
        _fields("kind fingerprint candidate"),
    ),
    "pin": Kind(
        layout.pin(MODEL, wire.sha256(b"run")),
        lambda store, key: (pinned(store, MODEL, "run", lambda: 2), pinned_plan(store, MODEL, "run", dict)),
        _fields("kind model run plan plan.version"),
    ),
    "landing mark": Kind(
        layout.landing("flights", TAKEN, identity(LandedFile())),
        lambda store, key: Ledger(store, "flights").mark(TAKEN, LandedFile()),
        _fields("kind mark uri size version time"),
    ),
    "request": Kind(
        _journal("broker", 1),
        _broker,
        _fields(f"{_RECORD} id source reason dedupe_key evidence actor actor.user actor.origin"),
    ),
    "wake-up": Kind(_journal("broker", 2), _broker, _fields(f"{_RECORD} granted holder reason requests requests.0")),
    "settlement": Kind(_journal("broker", 3), _broker, _fields(f"{_RECORD} holder outcome covers")),
    "drift window": Kind(_journal("drift", 1), _windows("drift"), _fields(f"{_RECORD} window version facts")),
    "performance window": Kind(
        _journal("performance", 1), _windows("performance"), _fields(f"{_RECORD} window version facts")
    ),
    **{f"{name} document": _document(name, content) for name, (content, _) in DOCUMENTS.items()},
}
"""Every kind of record that is read from a store, but replays, of which only the key is."""
