"""What a model may have gone through, as its journals and documents tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stoker.core import wire
from stoker.core.records import Actor
from stoker.loop.broker import Broker
from stoker.loop.windows import WindowLog
from stoker.registry.registry import Registry, Version
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.documents import put_bytes, put_document
from tests.registry.cases import SteppedClock

TASK = Actor("airflow", "churn_train/manual__1/register/-1")
HOSTILE = '</script><script>alert(1)</script> {{7*7}} \x1b[31m \u202e "><img src=x>'


def trained(registry: Registry, model: str = "churn", **changes: Any) -> Version:
    """Register a version with all that a training and an evaluation write down.

    :param changes: fields of the candidate or the evaluation that differ.
    """
    number = registry.state(model).versions + 1 if model in registry.models() else 1
    file = put_bytes(registry.store, f"{model} {number}".encode())
    candidate = {
        "kind": "candidate",
        "fingerprint": wire.digest([model, number]),
        "files": {"model.skops": {"sha256": file.sha256, "size": file.size}},
        "dataset_name": "flights",
        "partition": "2013-03",
        "datasets": [],
        "target": "late",
        "task": "binary",
        "split": {"kind": "time", "boundary": "2013-03-20"},
        "features": [{"name": "distance", "type": "int64"}, {"name": "carrier", "type": "string"}],
        "params": {"depth": 3, "rate": 0.1},
        "importances": {"distance": 0.25, "carrier": 0.75},
        "estimator": {"class": "sklearn.tree.DecisionTreeClassifier", "source": "my.tree", "source_sha256": "ab"},
        "code": {"commit": "c0ffee", "dirty": False},
        "environment": {"python": "3.12", "platform": "Linux", "packages": {"sklearn": "1.9.1"}},
        "rows": {"train": 900, "holdout": 100},
        "training": {"seconds": 1.5},
        "random_state": 0,
    }
    evaluation = {
        "kind": "evaluation",
        "dataset": "ab" * 32,
        "rows": 100,
        "metrics": {"accuracy": 0.75, "roc_auc": 0.8},
        "champion_metrics": {"accuracy": 0.7, "roc_auc": 0.78},
        "baselines": {"dummy": {"accuracy": 0.6, "roc_auc": 0.5}},
        "policy": {"metric": "roc_auc"},
        "comparison": {
            "metric": "roc_auc", "challenger": 0.8, "champion": 0.78, "estimate": 0.02, "low": 0.01, "high": 0.03,
        },
        "baseline_version": None,
        "verdict": {"outcome": "pass", "reasons": ["It is better.", "It is fast."], "numbers": {}},
    }  # fmt: skip
    candidate |= {name: value for name, value in changes.items() if name in candidate}
    evaluation |= {name: value for name, value in changes.items() if name not in candidate}
    manifest = {
        "fingerprint": candidate["fingerprint"],
        "files": candidate["files"],
        "candidate": {**candidate, "digest": put_document(registry.store, candidate)},
        "evaluation": {**evaluation, "digest": put_document(registry.store, evaluation)},
    }
    return registry.register(model, manifest, actor=TASK, reason="trained by churn_train")


def drifted(
    store: ObjectStore,
    window: str,
    *,
    columns: Mapping[str, float] | None = None,
    model: str = "churn",
    version: int = 1,
    verdict: str = "pass",
    kinds: Sequence[str] = (),
) -> str:
    """Note a window of drift, and give the digest of its document.

    :param columns: name to effect size; a column has drifted from 1 on.
    :param kinds: whose incident is open.
    """
    found = [
        {
            "column": name, "role": "feature", "kind": "drift" if effect >= 1 else "ok", "method": "wasserstein",
            "effect": effect, "threshold": 1.0, "calibrated_threshold": None, "weight": 0.5, "drifted": effect >= 1,
            "reason": f"{name} was looked at.",
        }
        for name, effect in (columns or {}).items()
    ]  # fmt: skip
    document = put_document(store, {"kind": "drift", "window": window, "version": version, "columns": found})
    facts = {"document": document, "verdict": verdict, "alert": bool(kinds), "states": dict.fromkeys(kinds, "alert")}
    WindowLog(store, model, "drift").record(window, version, "2013-04-01T00:00:00.000000Z", facts)
    return document


def judged(
    store: ObjectStore, window: str, value: float, *, model: str = "churn", version: int = 1, verdict: str = "pass"
) -> None:
    """Note a window of performance."""
    facts = {
        "document": "cd" * 32, "verdict": verdict, "metric": "roc_auc", "value": value, "interval": [value - 0.1, value + 0.1],
        "baseline": 0.8, "coverage": 1.0,
    }  # fmt: skip
    WindowLog(store, model, "performance").record(window, version, None, facts)


def ran(store: ObjectStore, clock: SteppedClock, outcome: str, *, run: str, model: str = "churn") -> None:
    """A training that was asked for by hand, and how it ended."""
    broker = Broker(store, model, clock=clock)
    broker.put(source="hand", reason="somebody asked", dedupe_key=run, actor=TASK)
    broker.claim(f"churn_train/{run}", actor=TASK)
    clock.step()
    broker.settle(f"churn_train/{run}", outcome=outcome, reason=f"It ended as {outcome}.")


def damage(store: ObjectStore, model: str = "churn", seq: int = 1) -> None:
    """Put something else in the place of a log entry."""
    key = layout.numbered(layout.log(model), seq)
    store.delete_swept(key)
    store.create(key, b"no entry")
