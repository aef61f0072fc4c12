"""Predictions and labels of a made-up model, without a model: what monitoring on late labels needs, and no more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from stoker.engines.frames import store_table
from stoker.loop.cohorts import STAGE
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document
from stoker.store.partitions import point

BASELINE = {"roc_auc": 0.87, "accuracy": 0.79, "log_loss": 0.44}
"""What the made-up model reaches with ``skill`` 2, and what its evaluation says."""


TRAINED = {"dataset_name": "flights", "partition": "2013-01", "datasets": []}
"""Of the candidate: on what it was trained."""


def truth(partition: str, rows: int = 1000, *, skill: float = 2.0) -> pd.DataFrame:
    """Ids, times, scores and labels of the rows of a partition, the same at every call.

    :param skill: how much the score knows of the label; 0 for nothing.
    """
    generator = np.random.default_rng(int(partition.replace("-", "")))
    signal = generator.normal(size=rows)
    chance = 1 / (1 + np.exp(-skill * signal))
    start = pd.Timestamp(f"{partition}-01" if len(partition) == 7 else partition, tz="UTC")
    return pd.DataFrame({
        "id": [f"{partition}.{number:06d}" for number in range(rows)],
        "at": start + pd.to_timedelta(np.arange(rows), "min"),
        "score": 1 / (1 + np.exp(-2.0 * signal)),
        "late": (generator.random(rows) < chance).astype(np.int64),
    })


def predict(
    store: ObjectStore,
    partition: str,
    rows: pd.DataFrame,
    *,
    version: int = 1,
    model: str = "late",
    time: bool = True,
    shadow: int | None = None,
    shadow_failure: str | None = None,
) -> str:
    """Store the rows as predictions of a version, and give the digest of their document.

    :param shadow: the version whose scores stand in the column ``shadow_score``.
    """
    given = rows.drop(columns="late").assign(version=version)
    if "prediction" not in given:
        given["prediction"] = (given["score"] > 0.5).astype(np.int64)
    if "shadow_score" in given:
        given = given.assign(
            shadow_prediction=(given["shadow_score"] > 0.5).astype(np.int64),
            shadow_version=shadow,
        )
    return _store(
        store,
        given,
        model,
        partition,
        STAGE,
        "at" if time else None,
        [
            {
                "model": model,
                "version": version,
                "dataset": "flights",
                "shadow_version": shadow,
                "shadow_failure": shadow_failure,
            }
        ],
    )


def noisy(rows: pd.DataFrame, noise: float = 2.0) -> pd.DataFrame:
    """The rows with the scores of a model that knows less: the same signal with noise of so many standard deviations.

    Their own scores stand beside, as those of its shadow.
    """
    generator = np.random.default_rng(7)
    signal = np.log(rows["score"] / (1 - rows["score"])) / 2 + generator.normal(scale=noise, size=len(rows))
    return rows.assign(shadow_score=rows["score"], score=1 / (1 + np.exp(-2.0 * signal)))


def label(
    store: ObjectStore, partition: str, rows: pd.DataFrame, *, time_column: str | None = None, dataset: str = "outcomes"
) -> dict[str, Any]:
    """Store labels as a partition of a dataset, and give its document."""
    digest = _store(
        store,
        rows.drop(columns=["score", "at", "shadow_score"], errors="ignore"),
        dataset,
        partition,
        "raw",
        time_column,
        [],
    )
    return get_document(store, digest, "dataset")


def manifest(**changes: Any) -> dict[str, Any]:
    """What monitoring reads of a version's manifest."""
    candidate = {"task": "binary", "classes": [0, 1], "target": "late", **TRAINED}
    return {"candidate": candidate, "evaluation": {"metrics": BASELINE, "rows": 100_000}, **changes}


def _store(
    store: ObjectStore,
    rows: pd.DataFrame,
    dataset: str,
    partition: str,
    stage: str,
    time_column: str | None,
    source: list[dict[str, Any]],
) -> str:
    digest, document = store_table(
        store,
        pa.Table.from_pandas(rows, preserve_index=False),
        dataset=dataset,
        partition=partition,
        stage=stage,
        time_column=time_column,
        source=source,
        parent=None,
    )
    point(store, dataset=dataset, stage=stage, partition=partition, snapshot=digest, data_id=document["data_id"])
    return digest
