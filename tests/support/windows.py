"""Windows of rows for tests of drift, divided into partitions as a test wants them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stoker.core.drift import DriftPolicy
from stoker.core.records import Reference
from stoker.engines.drift import monitor_drift
from stoker.engines.drift_report import ReportPolicy
from stoker.engines.drift_windows import Current, Office
from stoker.engines.frames import store_table
from stoker.engines.profiles import profile_reference, store_profile
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document
from stoker.store.memory import MemoryStore
from tests.support.models import flights, put

MODEL = "late"
ROLES = {"wind": "feature", "seats": "feature", "carrier": "feature", "weekend": "feature", "late": "target"}
SCORES = np.random.default_rng(9).random(500)
ROWS = flights(600, month="2013-02", seed=2)


class Counting(MemoryStore):
    """Counts the files of rows that are fetched."""

    fetched = 0

    def read_to_file(self, key: str, path: Path) -> None:
        self.fetched += 1
        super().read_to_file(key, path)


Trained = tuple[dict[str, bytes], dict[str, Any]]


def trained_on() -> Trained:
    """What a store holds of a version, and the version's candidate."""
    store = MemoryStore()
    dataset = put(store, flights(3000, seed=1))
    document = get_document(store, dataset.digest, "dataset")
    profile = profile_reference(store, [document], columns=ROLES, order_by="departure", extra={"prediction": SCORES})
    candidate = {
        "profile": store_profile(store, profile),
        "features": [{"name": name} for name, role in ROLES.items() if role == "feature"],
        "task": "binary",
        "datasets": [dataset.digest],
        "dataset_name": "flights",
        "partition": "2013-01",
        "hashed_columns": flights(1).column_names,
    }
    return {key: store.read(key) for key in store.keys("")}, candidate


def start(trained: Trained) -> tuple[Counting, Office]:
    """A store of its own, and the version in it."""
    store = Counting()
    for key, data in trained[0].items():
        store.create(key, data)
    return store, Office(MODEL, 1, {"candidate": trained[1]})


def window(store: MemoryStore, name: str, *tables: pa.Table, version: int | None = None) -> Current:
    """A window of these partitions; with predictions of a version about the last."""
    datasets = tuple(put(store, table, f"{name}.{number}").digest for number, table in enumerate(tables))
    if version is None:
        return Current(name, datasets)
    scores = np.random.default_rng(3).random(len(tables[-1]))
    digest, _ = store_table(
        store, pa.table({"score": scores, "prediction": (scores > 0.5).astype(int)}), dataset=MODEL, partition=name,
        stage="predictions", time_column=None, source=[{"version": version}], parent=datasets[-1],
    )  # fmt: skip
    return Current(name, datasets, digest)


def judge(store: ObjectStore, office: Office, current: Current, min_rows: int = 50) -> Reference:
    """Judge a window, small as it may be."""
    policy = DriftPolicy(min_rows=min_rows)
    return monitor_drift(
        store, model=MODEL, office=office, current=current, policy=policy, report=ReportPolicy("never")
    )


def parts_of(places: Sequence[int]) -> list[pa.Table]:
    """The rows as partitions that begin at these places and at the first row."""
    return [ROWS.slice(begin, end - begin) for begin, end in zip([0, *places], [*places, len(ROWS)], strict=True)]
