"""A store with a past: what the pages have to show, made by the engines' own steps in a few seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pyarrow as pa

from stoker.core.clock import system_clock
from stoker.core.drift import DriftPolicy
from stoker.core.performance import PerformancePolicy
from stoker.core.policies import Bounds
from stoker.core.promotion import GatePolicy
from stoker.core.records import Actor, Reference
from stoker.engines.drift import monitor_drift
from stoker.engines.drift_report import ReportPolicy
from stoker.engines.drift_windows import Current, Office
from stoker.engines.evaluation import evaluate
from stoker.engines.frames import store_table
from stoker.engines.performance import monitor_performance
from stoker.engines.registration import register
from stoker.engines.scoring import score
from stoker.engines.training import train
from stoker.engines.validation import validate
from stoker.registry.registry import Registry
from stoker.store.base import ObjectStore
from stoker.store.partitions import point
from tests.support.models import OUTCOMES, boosting, flights, guess

BUSY = "late_flights"
"""A model with a past: six versions, a rollback, drift, and a version that waits for approval."""
QUIET = "calm_flights"
"""A model with one version and nothing to do."""
ASKED = "asked_flights"
"""A model whose second version the DAG ``approval`` asks for."""
CHAMPION, BLOCKED, FAILED = 2, 3, 4
"""Versions of the busy model."""

_IDS = ("id", *(name for name in OUTCOMES if name != "late"))
_POLICY = GatePolicy(thresholds={"roc_auc": Bounds(min=0.6)}, comparison="non_inferiority", margin=0.5)
_LABELLED = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "late"}, "severity": "critical"}


@dataclass
class Past:
    """The steps of the loop over one store, as a DAG would run them."""

    store: ObjectStore
    registry: Registry = field(init=False)

    def __post_init__(self) -> None:
        self.registry = Registry(self.store)

    def actor(self, month: str, task: str) -> Actor:
        """Who a task of a scheduled run is in the log."""
        return Actor("airflow", f"{BUSY}_train/scheduled__{month}-01T00:00:00+00:00/{task}/-1")

    def data(self, month: str, *, shift: float = 0.0) -> Reference:
        """A month of flights, its wind shifted, as validated data."""
        table = flights(1200, month=month, seed=int(month[-2:]))
        wind = pa.array(table["wind"].to_numpy() + shift, from_pandas=True)
        table = table.set_column(table.column_names.index("wind"), "wind", wind)
        digest, document = store_table(
            self.store, table, dataset="flights", partition=month, stage="raw", time_column="departure", source=[], parent=None
        )  # fmt: skip
        point(self.store, dataset="flights", stage="raw", partition=month, snapshot=digest, data_id=document["data_id"])
        raw = Reference("dataset", "", digest, "pass")
        return validate(self.store, raw, expectations=[_LABELLED])

    def version(self, name: str, data: Reference, month: str, *, estimator: Any = boosting, **params: Any) -> int:
        """Train, judge and register."""
        model = train(
            self.store, dataset=data, estimator=estimator, estimator_params=params, target="late", id_columns=_IDS
        )
        champion = self.registry.state(name).pointed("champion") if name in self.registry.models() else None
        judged = evaluate(
            self.store,
            model=model,
            policy=_POLICY,
            champion=self.registry.version(name, champion).manifest if champion else None,
            champion_version=champion,
        )
        made = register(
            self.store,
            self.registry,
            name=name,
            model=model,
            evaluation=judged,
            actor=self.actor(month, "register"),
            reason=f"trained on {month}",
        )
        return int(made.summary["version"])

    def promote(self, name: str, number: int, *, expected: int | None, month: str) -> None:
        """Let a version take office."""
        self.registry.promote(
            name, number, expected_version=expected, actor=self.actor(month, "promote"), reason="It passed its gate."
        )

    def watch(self, name: str, month: str, data: Reference) -> None:
        """Score a month and judge it for drift and quality."""
        version = self.registry.resolve(name)
        digest = str(data.summary["ok"])
        scored = score(
            self.store,
            model_name=name,
            version=version.manifest,
            version_number=version.number,
            dataset_digest=digest,
            id_columns=["id"],
        )
        monitor_drift(
            self.store,
            model=name,
            office=Office(name, version.number, version.manifest),
            current=Current(month, (digest,), scored.digest),
            policy=DriftPolicy(min_rows=100),
            report=ReportPolicy("on_alert"),
        )
        monitor_performance(
            self.store,
            model=name,
            version_number=version.number,
            manifest=version.manifest,
            labels="flights",
            id_columns=["id"],
            as_of=system_clock(),
            policy=PerformancePolicy(n_boot=200),
            window=month,
        )


def seed(store: ObjectStore) -> Registry:
    """Let three models live for some months."""
    past = Past(store)
    registry = past.registry
    first = past.data("2025-01")
    one = past.version(BUSY, first, "2025-01")
    past.promote(BUSY, one, expected=None, month="2025-01")
    second = past.data("2025-02")
    two = past.version(BUSY, second, "2025-02", max_iter=40)
    past.promote(BUSY, two, expected=one, month="2025-02")
    for number, month in enumerate(("2025-03", "2025-04", "2025-05", "2025-06", "2025-07", "2025-08")):
        past.watch(BUSY, month, past.data(month, shift=max(0, number - 3) * 0.8))
    three = past.version(BUSY, past.data("2025-09"), "2025-09", max_iter=5)
    past.promote(BUSY, three, expected=two, month="2025-09")
    registry.rollback(BUSY, actor=Actor("op", "cli"), reason="Complaints from the desk: v3 misses the morning rush.")
    past.version(BUSY, first, "2025-10", estimator=guess)
    past.version(BUSY, past.data("2025-11"), "2025-11", max_iter=60)
    six = past.version(BUSY, past.data("2025-12"), "2025-12", max_iter=50)
    registry.ask_approval(
        BUSY,
        six,
        until=system_clock() + timedelta(days=7),
        actor=past.actor("2025-12", "approve"),
        reason="It passed its gate; a person has to look.",
    )
    for name in (QUIET, ASKED):
        past.promote(name, past.version(name, first, "2025-01"), expected=None, month="2025-01")
    past.version(ASKED, second, "2025-02", max_iter=40)
    return registry
