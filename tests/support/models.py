"""Small datasets and estimators for tests of training and evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from stoker.core.records import Reference
from stoker.engines.frames import store_table
from stoker.engines.training import train
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document
from stoker.store.partitions import point


def flights(rows: int = 600, *, month: str = "2013-01", seed: int = 0, signal: float = 1.0) -> pa.Table:
    """Made-up flights: an id, a time, numbers with gaps, a text with gaps, a flag and the label ``late``."""
    generator = np.random.default_rng(seed)
    wind, carrier = generator.normal(size=rows), generator.choice(["AA", "UA", "WN"], rows)
    score = signal * (wind + (carrier == "AA")) + generator.normal(size=rows)
    start = pd.Timestamp(f"{month}-01", tz="UTC")
    return pa.table({
        "id": [f"{month}-{number}" for number in range(rows)],
        "departure": pa.array(start + pd.to_timedelta(np.arange(rows), "min")),
        "wind": pa.array(np.where(generator.random(rows) < 0.05, np.nan, wind), from_pandas=True),
        "seats": pa.array(generator.integers(50, 300, rows)),
        "carrier": pa.array([None if generator.random() < 0.05 else name for name in carrier]),
        "weekend": pa.array(generator.random(rows) < 0.3),
        "late": pa.array((score > 0.5).astype(int)),
        "delay": pa.array(score * 10),
        "grade": pa.array(np.select([score < 0, score < 1], ["good", "fair"], "bad")),
    })


def put(
    store: ObjectStore, table: pa.Table, month: str | None = "2013-01", *, time_column: str | None = "departure"
) -> Reference:
    """Store a table as the ``ok`` partition of a dataset."""
    digest, document = store_table(
        store, table, dataset="flights", partition=month, stage="ok", time_column=time_column, source=[], parent=None
    )
    point(store, dataset="flights", stage="ok", partition=month, snapshot=digest, data_id=document["data_id"])
    return Reference("dataset", "", digest, "pass")


OUTCOMES = ("late", "delay", "grade")


def fit(
    store: ObjectStore, dataset: Reference, estimator: Callable[..., Any] | str, target: str = "late", **options: Any
) -> Reference:
    """Train with what all tests have in common."""
    ids = ("id", *(name for name in OUTCOMES if name != target))
    return train(store, dataset=dataset, estimator=estimator, target=target, **{"id_columns": ids, **options})


def manifest(store: ObjectStore, candidate: Reference) -> dict[str, Any]:
    """What the registry would hold of a candidate."""
    document = get_document(store, candidate.digest, "candidate")
    return {"candidate": {**document, "digest": candidate.digest}, "files": document["files"]}


def _with_codes(final: Any) -> Any:
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    words = make_column_selector(dtype_include=object)
    return make_pipeline(make_column_transformer((encoder, words), remainder="passthrough"), final)


def boosting(max_iter: int = 20) -> Any:
    """A gradient-boosted classifier that takes every column."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return _with_codes(HistGradientBoostingClassifier(max_iter=max_iter))


def boosting_regressor(max_iter: int = 20) -> Any:
    """The same for numbers."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return _with_codes(HistGradientBoostingRegressor(max_iter=max_iter))


def forest(random_state: int | None = None) -> Any:
    """A small random forest: it has a seed of its own."""
    from sklearn.ensemble import RandomForestClassifier

    return _with_codes(RandomForestClassifier(10, random_state=random_state))


def tree() -> Any:
    """A classifier of numbers without threads of its own, which a fork would lose."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    numbers = make_column_transformer(("passthrough", make_column_selector(dtype_include="number")))
    return make_pipeline(numbers, DecisionTreeClassifier(max_depth=3, random_state=0))


def guess() -> Any:
    """A classifier that ignores its input."""
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior")
