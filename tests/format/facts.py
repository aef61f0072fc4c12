"""What a store says about itself, read through the doors that everybody uses, as JSON."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow.parquet as pq

from stoker.core import wire
from stoker.core.clock import to_text
from stoker.loop.broker import Broker
from stoker.loop.cohorts import cohorts
from stoker.loop.windows import WindowLog
from stoker.registry.audit import verify
from stoker.registry.registry import Registry, Version
from stoker.store import documents, layout, partitions, rounds
from stoker.store.base import ObjectStore


def facts(store: ObjectStore) -> dict[str, Any]:
    """Everything that an upgrade must leave as it is. Reads only."""
    registry = Registry(store)
    current = rounds.open_round(store)
    return {
        "format": wire.FORMAT,
        "models": {name: _model(registry, name) for name in registry.models()},
        "partitions": _partitions(store),
        "landings": sorted(_mark(store, key) for key in store.keys("landings/")),
        "round": current and {"number": current.number, "condemned": sorted(rounds.listed(store, current.condemned))},
        "shapes": shapes(store),
    }


def shapes(store: ObjectStore) -> dict[str, list[str]]:
    """The fields that every record of a kind has, by the kind; with those of the objects in it, but not of free ones."""
    found: dict[str, set[str]] = {}
    for key in store.keys(""):
        record = _record(store.read(key))
        if record is not None:
            kind = kind_of(key, record)
            fields = set(_fields(record))
            found[kind] = found[kind] & fields if kind in found else fields
    return {kind: sorted(fields) for kind, fields in sorted(found.items())}


def kind_of(key: str, record: dict[str, Any]) -> str:
    """What a record is, as a text. Records of different journals may have the same ``kind``; those of a sweep and signatures have none."""
    parts = key.split("/")
    place = {"models": parts[2] if len(parts) > 2 else "", "blobs": "document"}.get(parts[0], parts[0])
    if place == "loop":
        place = f"{parts[3]} {parts[4]}"
    kind = record.get("kind", "")
    return f"{place} {record['change']['kind'] if kind == 'entry' else kind}"


def _record(data: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(data)
    except ValueError:  # a file of rows or a model
        return None
    return record if isinstance(record, dict) and "format" in record else None


def _fields(record: dict[str, Any]) -> list[str]:
    inner = ("change", "actor", "verdict", "file")
    return [*record, *(f"{name}.{one}" for name in inner if isinstance(record.get(name), dict) for one in record[name])]


def _model(registry: Registry, name: str) -> dict[str, Any]:
    store, state = registry.store, registry.state(name)
    report = verify(store, name)
    frozen_at = state.time
    assert frozen_at is not None
    broker = Broker(store, name, clock=lambda: frozen_at)
    return {
        "aliases": registry.aliases(name),
        "blocked": sorted(state.blocked),
        "archived": sorted(state.archived),
        "reviews": {
            str(number): [review.status, review.decided_by] for number, review in sorted(state.reviews.items())
        },
        "audit": {"entries": report.entries, "head": report.head, "problems": [one.what for one in report.problems]},
        "history": [
            [entry.seq, to_text(entry.time), entry.actor.user, entry.change.describe(), entry.reason, entry.digest]
            for entry in registry.history(name)
        ],
        "versions": {str(version.number): _version(store, version) for version in registry.versions(name)},
        "drift": [_window(store, one, "drift") for one in WindowLog(store, name, "drift").windows()],
        "performance": [_window(store, one, "performance") for one in WindowLog(store, name, "performance").windows()],
        "requests": [[one.source, one.dedupe_key, to_text(one.time)] for one in broker.requests(every=True)],
        "wake_ups": [[one.who, one.result, one.condition, one.reason] for one in broker.wake_ups(100)],
        "pins": sorted(json.dumps(_read(store, key)["plan"], sort_keys=True) for key in store.keys(layout.pins(name))),
        "cohorts": [[one.partition, one.version, one.shadow, one.digest] for one in cohorts(store, name)],
    }


def _version(store: ObjectStore, version: Version) -> dict[str, Any]:
    evaluation = version.manifest["evaluation"]
    return {
        "digest": version.digest,
        "fingerprint": version.fingerprint,
        "archived": version.archived,
        "verdict": evaluation["verdict"]["outcome"],
        "metrics": evaluation["metrics"],
        "files": {name: [file.sha256, _size(store, file.sha256)] for name, file in sorted(version.files.items())},
        "environment": version.manifest["candidate"]["environment"]["packages"],
    }


def _size(store: ObjectStore, digest: str) -> int | None:
    return store.stat(layout.blob(digest)).size if store.exists(layout.blob(digest)) else None


def _window(store: ObjectStore, window: Any, kind: str) -> dict[str, Any]:
    document = documents.get_document(store, window.facts["document"], kind)
    return {
        "window": window.window,
        "version": window.version,
        "end": window.end,
        "verdict": document["verdict"],
        "alert": document.get("alert"),
        "states": document.get("states"),
    }


def _partitions(store: ObjectStore) -> dict[str, dict[str, Any]]:
    places = dict.fromkeys(tuple(key.split("/")[1:3]) for key in store.keys(layout.DATASETS))
    return {
        f"{dataset}/{stage}": {
            name: _rows(store, digest) for name, digest in partitions.partitions(store, dataset, stage)
        }
        for dataset, stage in places
    }


def _rows(store: ObjectStore, digest: str) -> list[Any]:
    document = documents.get_document(store, digest, "dataset")
    data = documents.get_bytes(store, document["file"]["sha256"])
    return [digest, document["data_id"], document["rows"], pq.read_table(io.BytesIO(data)).num_rows]


def _mark(store: ObjectStore, key: str) -> list[str]:
    record = _read(store, key)
    return [record["mark"], record["uri"], record.get("partition") or "", record.get("snapshot") or ""]


def _read(store: ObjectStore, key: str) -> dict[str, Any]:
    return wire.parse(store.read(key), key)
