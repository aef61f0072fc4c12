"""The shapes of what lies in a store: the fields that some step relies on, by the ``kind`` of the record.

What only people look at is not listed: a page shows what it finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stoker.core import wire
from stoker.core.shapes import COUNT, DIGEST, FLAG, LIST, MOMENT, NUMBER, OBJECT, TEXT, Form, Maybe, Shape, conform
from stoker.errors import TamperedRecord

_FILE: Mapping[str, Shape] = {"sha256": DIGEST, "size": COUNT}
_VERDICT: Mapping[str, Shape] = {"outcome": TEXT, "reasons": [TEXT]}
_END = Form("a time with its zone, or a number", lambda value: MOMENT.holds(value) or NUMBER.holds(value))

POINTERS: Mapping[str, Shape] = {
    "partition": {
        "dataset": TEXT,
        "stage": TEXT,
        "partition": TEXT,
        "snapshot": DIGEST,
        "data_id": TEXT,
        "time": MOMENT,
        "validation": Maybe(DIGEST),
        "origin": Maybe(TEXT),
        "withdrawn": Maybe(TEXT),
    },
    "training": {"fingerprint": DIGEST, "candidate": DIGEST, "origin": Maybe(TEXT)},
    "window_profile": {"profile": DIGEST},
    "pin": {"model": TEXT, "run": TEXT, "plan": OBJECT},
    "landing": {"mark": TEXT, "uri": TEXT, "size": COUNT, "version": TEXT, "time": MOMENT},
}

DOCUMENTS: Mapping[str, Shape] = {
    "dataset": {
        "dataset": TEXT,
        "partition": Maybe(TEXT),
        "stage": TEXT,
        "data_id": DIGEST,
        "rows": COUNT,
        "columns": [{"name": TEXT, "type": TEXT, "nulls": COUNT}],
        "time_column": Maybe(TEXT),
        "time_min": Maybe(_END),
        "time_max": Maybe(_END),
        "assumed_utc": [TEXT],
        "file": _FILE,
        "source": [OBJECT],
        "parent": Maybe(DIGEST),
    },
    "validation": {
        "ok": Maybe(DIGEST),
        "quarantine": Maybe(DIGEST),
        "verdict": _VERDICT,
        "checks": [OBJECT],
        "rows_in": COUNT,
        "rows_ok": COUNT,
        "rows_quarantined": COUNT,
        "personal_columns": [TEXT],
    },
    "candidate": {
        "fingerprint": DIGEST,
        "task": TEXT,
        "classes": Maybe(LIST),
        "target": TEXT,
        "dataset_name": TEXT,
        "partition": Maybe(TEXT),
        "datasets": [DIGEST],
        "features": [{"name": TEXT, "type": TEXT}],
        "hashed_columns": [TEXT],
        "holdout": DIGEST,
        "profile": Maybe(DIGEST),
        "files": OBJECT,
        "rows": {"train": COUNT, "holdout": COUNT},
        "estimator": {"class": TEXT},
        "training": {"seconds": NUMBER},
        "environment": {"packages": OBJECT},
    },
    "evaluation": {
        "candidate": DIGEST,
        "dataset": DIGEST,
        "metrics": OBJECT,
        "verdict": _VERDICT,
        "rows": COUNT,
        "mode": TEXT,
        "baseline_version": Maybe(COUNT),
        "champion_metrics": Maybe(OBJECT),
        "figures": Maybe(DIGEST),
    },
    "figures": {"of": TEXT, "slices": Maybe([OBJECT]), "columns": Maybe(LIST), "models": Maybe(OBJECT)},
    "drift": {
        "model": TEXT,
        "version": Maybe(COUNT),
        "window": Maybe(TEXT),
        "current": [DIGEST],
        "rows": Maybe(COUNT),
        "columns": [OBJECT],
        "alert": FLAG,
        "states": OBJECT,
        "verdict": _VERDICT,
        "figures": Maybe(DIGEST),
    },
    "performance": {
        "model": TEXT,
        "version": Maybe(COUNT),
        "window": Maybe(TEXT),
        "verdict": _VERDICT,
        "rows": Maybe(COUNT),
    },
    "profile": {
        "rows": COUNT,
        "chunks": [COUNT],
        "columns": [{"name": TEXT, "type": TEXT, "cells": COUNT}],
        "file": _FILE,
        "order": Maybe(TEXT),
        "unknown": [TEXT],
    },
}


def parse_pointer(data: bytes, what: str, kind: str) -> dict[str, Any]:
    """Read a stored record that names something else.

    :param what: the name of the record, for the error message.
    :param kind: a key of :data:`POINTERS`.
    :raises TamperedRecord: when it is none of this kind, or lacks what such a one must have.
    """
    record = wire.parse(data, what)
    if record.get("kind") != kind:
        raise TamperedRecord(
            f"{what} must have the kind {kind!r}; it has {record.get('kind')!a}.", record=what, field="kind"
        )
    conform(record, POINTERS[kind], what)
    return record


class MissingField(TamperedRecord, KeyError):
    """A document lacks a field. A ``KeyError`` too, since templates take that for a field without a value."""

    def __str__(self) -> str:
        return self.message


class _Document(dict[str, Any]):
    """A document that was read. Earlier Stokers wrote fewer fields, so one is missed only when somebody needs it."""

    def __init__(self, content: dict[str, Any], what: str) -> None:
        super().__init__(content)
        self._what = what

    def __missing__(self, field: str) -> Any:
        raise MissingField(
            f"{self._what} must have the field {field!a}; it is missing. An earlier Stoker, or something else, wrote it: repeat the "
            "step that made it.",
            record=self._what,
            field=field,
        )


def checked_document(document: dict[str, Any], what: str) -> dict[str, Any]:
    """The document, whose fields have the form that its kind needs; one of a kind that is not listed may hold anything.

    :raises TamperedRecord: when a field is of another form. One that is missing raises :class:`MissingField` when it is asked for.
    """
    kind = document.get("kind")
    conform(document, DOCUMENTS.get(kind, {}) if isinstance(kind, str) else {}, what, partial=True)
    return _Document(document, what)
