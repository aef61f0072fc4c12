"""Registered versions without training: what the registry, the pages and the command line need, and no more."""

from __future__ import annotations

from typing import Any

from stoker.core import wire
from stoker.core.records import Actor
from stoker.core.verdicts import Outcome, Verdict
from stoker.registry.registry import Registry, Version
from stoker.store.documents import put_bytes, put_document

ACTOR = Actor("ada", "python")


def register(
    registry: Registry,
    model: str = "churn",
    *,
    outcome: str | None = "pass",
    reasons: tuple[str, ...] = ("It is better.",),
    metrics: dict[str, Any] | None = None,
    reason: str = "trained",
) -> Version:
    """Register the next version of a model, each with content of its own.

    :param outcome: the verdict of its evaluation; ``None`` registers it without one.
    """
    number = registry.state(model).versions + 1 if model in registry.models() else 1
    file = put_bytes(registry.store, f"{model} {number}".encode())
    manifest: dict[str, Any] = {
        "fingerprint": wire.digest([model, number]),
        "files": {"model.skops": {"sha256": file.sha256, "size": file.size}},
    }
    if outcome is not None:
        verdict = Verdict(Outcome(outcome), reasons).to_record()
        evaluation = {"kind": "evaluation", "verdict": verdict, "metrics": metrics or {"accuracy": 0.75}}
        manifest["evaluation"] = {
            **evaluation,
            "digest": put_document(registry.store, evaluation),
            "baseline_version": None,
        }
    return registry.register(model, manifest, actor=ACTOR, reason=reason)
