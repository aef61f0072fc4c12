"""What the registry's tests share: a clock in the test's hand, and manifests whose files exist."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from stoker.core.records import Actor
from stoker.registry.registry import AliasMove, Registry
from stoker.registry.versions import Version
from stoker.store import documents
from stoker.store.base import ObjectStore

ALICE = Actor("alice", "python")
MODEL = "churn"
START = datetime(2026, 11, 21, 12, tzinfo=UTC)


class SteppedClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def step(self, seconds: float = 60) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


def fingerprint(number: int) -> str:
    return hashlib.sha256(f"training {number}".encode()).hexdigest()


def manifest(store: ObjectStore, number: int = 1, *, outcome: str | None = "pass", **more: Any) -> dict[str, Any]:
    """The manifest of training ``number``, its one file in the store."""
    file = documents.put_bytes(store, f"weights {number}".encode())
    evaluation = None
    if outcome:
        verdict = {"outcome": outcome, "reasons": [f"The outcome is {outcome}."], "numbers": {}}
        evaluation = {"verdict": verdict, "baseline_version": None}
    return {
        "fingerprint": fingerprint(number),
        "files": {"model.skops": {"sha256": file.sha256, "size": file.size}},
        "evaluation": evaluation,
        **more,
    }


def register(registry: Registry, number: int = 1, *, name: str = MODEL, **more: Any) -> Version:
    outcome = more.pop("outcome", "pass")
    return registry.register(
        name, manifest(registry.store, number, outcome=outcome), **{"actor": ALICE, "reason": "trained", **more}
    )


def promote(registry: Registry, version: int, **more: Any) -> AliasMove:
    return registry.promote(more.pop("name", MODEL), version, **{"actor": ALICE, "reason": "better", **more})


def rollback(registry: Registry, **more: Any) -> AliasMove:
    return registry.rollback(more.pop("name", MODEL), **{"actor": ALICE, "reason": "worse", **more})


def grow(registry: Registry, versions: int, *, start: int = 1) -> None:
    """Register and promote that many versions."""
    for number in range(start, start + versions):
        promote(registry, register(registry, number).number)
