"""A registered model's score on a month that it has never seen."""

from __future__ import annotations

import warnings

from stoker.engines.frames import read_frame
from stoker.engines.persistence import load_model
from stoker.registry.versions import Version
from stoker.store.base import ObjectStore
from stoker.store.documents import get_bytes, get_document
from stoker.store.partitions import newest


def auc_on_month(store: ObjectStore, version: Version, dataset: str, month: str) -> float:
    """The area under the ROC curve of a version on all validated rows of a month."""
    from sklearn.metrics import roc_auc_score

    candidate = version.manifest["candidate"]
    digest = newest(store, dataset, "ok", month)
    if digest is None:
        raise LookupError(f"{dataset} has no validated partition {month}.")
    frame = read_frame(store, get_document(store, digest, "dataset"))
    features = [feature["name"] for feature in candidate["features"]]
    model = load_model(get_bytes(store, candidate["files"]["model.skops"]["sha256"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = model.predict_proba(frame[features])[:, 1]
    return float(roc_auc_score(frame[candidate["target"]], scores))
