"""Documents of every kind that has a report, made by the steps themselves on small data; and the same with hostile names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from stoker.core.drift import DriftPolicy
from stoker.core.performance import PerformancePolicy
from stoker.core.policies import Bounds, GatePolicy
from stoker.core.records import Reference
from stoker.engines.drift import monitor_drift
from stoker.engines.drift_windows import Current, Office
from stoker.engines.evaluation import evaluate
from stoker.engines.performance import monitor_performance
from stoker.engines.validation import validate
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document
from tests.support.models import boosting, boosting_regressor, fit, flights, manifest, put
from tests.support.predictions import label, predict, truth
from tests.support.predictions import manifest as judged_manifest

_GATES = GatePolicy(n_boot=100, min_rows=100)
_BOUNDED = GatePolicy(n_boot=100, min_rows=100, thresholds={"roc_auc": Bounds(min=0.6)})
_FREE = {
    "metrics", "champion_metrics", "dummy", "linear", "params", "importances", "packages", "thresholds", "values", "timings", "files",
    "statements",
}  # fmt: skip
_FIXED = {
    "kind", "of", "outcome", "task", "mode", "comparison", "severity", "format", "sha256", "digest", "figures", "state", "group", "role",
    "time_min", "time_max", "fingerprint", "candidate", "dataset", "holdout", "ok", "quarantine", "profile", "datasets", "current",
    "validations", "predictions", "end", "commit", "states",
}  # fmt: skip


def make_documents(store: ObjectStore) -> dict[str, str]:
    """A document of every kind, by a word for it."""
    january, february = put(store, flights(800, seed=1)), put(store, flights(800, month="2013-02", seed=2), "2013-02")
    found: dict[str, str] = {}
    weak = {"estimator_params": {"max_iter": 1}, "features": ["wind", "seats"]}
    for task, target, estimator in (
        ("binary", "late", boosting),
        ("multiclass", "grade", boosting),
        ("regression", "delay", boosting_regressor),
    ):
        old = fit(store, january, estimator, target, **weak)
        new = fit(store, february, estimator, target, history="all", **_search(task))
        gates = _BOUNDED if task == "binary" else _GATES
        found[f"candidate_{task}"] = new.digest
        judged = evaluate(store, model=new, policy=gates, champion=manifest(store, old), champion_version=3)
        found[f"evaluation_{task}"] = judged.digest
    late = Reference("candidate", "", found["candidate_binary"], "pass")
    found["evaluation_first"] = evaluate(store, model=late, policy=_BOUNDED).digest
    found["evaluation_off"] = evaluate(store, model=late, policy=_BOUNDED, mode="off").digest
    return found | _drifts(store, late) | _validations(store) | _performances(store)


def _search(task: str) -> dict[str, Any]:
    grid = {"histgradientboostingclassifier__max_iter": [5, 20]}
    return {"search": "grid", "cv": 2, "param_grid": grid, "learning_curve": True} if task == "binary" else {}


def _drifts(store: ObjectStore, candidate: Reference) -> dict[str, str]:
    march = flights(600, month="2013-03", seed=3)
    moved = pa.array(march["wind"].to_numpy() + 1.0, from_pandas=True)
    march = march.set_column(march.column_names.index("wind"), "wind", moved)
    window = Current("2013-03", (put(store, march, "2013-03").digest,))
    office = Office("late", 1, manifest(store, candidate))
    policy = DriftPolicy(min_violations=1)
    return {
        "drift": monitor_drift(store, model="late", office=office, current=window, policy=policy).digest,
        "drift_unjudged": monitor_drift(store, model="other", office=None, current=window).digest,
    }


def _validations(store: ObjectStore) -> dict[str, str]:
    rows = put(store, flights(300, month="2013-04", seed=4), "2013-04")
    expectations = [
        _expect("column_values_to_be_between", column="seats", min_value=60),
        _expect("column_values_to_be_in_set", "warning", column="carrier", value_set=["AA", "UA"]),
        _expect("column_values_to_not_be_null", "info", column="wind"),
        _expect("table_row_count_to_be_between", min_value=1),
    ]
    return {
        "validation": validate(
            store,
            rows,
            expectations=expectations,
            on_failure="quarantine",
            max_quarantine_share=0.9,
            personal_columns=["carrier"],
        ).digest,
        "validation_refused": validate(store, rows, expectations=expectations, on_failure="fail").digest,
        "validation_passed": validate(store, rows, expectations=expectations[-1:]).digest,
    }


def _expect(kind: str, severity: str = "critical", **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": severity}


def _performances(store: ObjectStore) -> dict[str, str]:
    rows = truth("2013-03", 600)
    predict(store, "2013-03", rows)
    label(store, "2013-03", rows)
    given: dict[str, Any] = {
        "model": "late",
        "labels": "outcomes",
        "id_columns": ["id"],
        "as_of": datetime(2013, 7, 1, tzinfo=UTC),
        "policy": PerformancePolicy(n_boot=100, max_drop=0.05, thresholds={"roc_auc": Bounds(min=0.5)}),
        "max_threads": 1,
    }
    office = {"version_number": 1, "manifest": judged_manifest()}
    return {
        "performance": monitor_performance(store, **given, **office).digest,
        "performance_unjudged": monitor_performance(store, **given, version_number=None, manifest=None).digest,
    }


def poisoned(value: Any, payload: str, key: str = "") -> Any:
    """A document in which every text that somebody could have chosen ends in ``payload``: names, values, reasons, parameters."""
    if isinstance(value, Mapping):
        free = key in _FREE
        return {
            f"{name}{payload}" if free else name: item if name in _FIXED and not free else poisoned(item, payload, name)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [poisoned(item, payload, key) for item in value]
    return f"{value}{payload}" if isinstance(value, str) else value


def poisoned_reader(store: ObjectStore, payload: str) -> Any:
    """Reads documents as :func:`poisoned`."""
    return lambda digest: poisoned(get_document(store, digest), payload)
