"""What a run decided once: its retries, its mapped siblings and whoever promotes in the middle of it change nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from stoker.core import wire
from stoker.core.record_shapes import parse_pointer
from stoker.core.shapes import COUNT, conform
from stoker.errors import AlreadyExists, NotFound
from stoker.store import layout
from stoker.store.base import ObjectStore


def pinned(store: ObjectStore, model: str, run_key: str, resolve: Callable[[], int]) -> int:
    """The version that a run works with. The first to ask decides it, by one create-if-absent; all others get the same.

    :param model: the registered model.
    :param run_key: the same text for every task and try that must agree, and for no others.
    :param resolve: tells the version now; called when nothing is pinned yet. What it raises is not remembered. 0 may stand for "none",
        and is kept like any other answer.
    """
    plan = pinned_plan(store, model, run_key, lambda: {"version": resolve()})
    conform({"plan": plan}, {"plan": {"version": COUNT}}, f"The pin {_key(model, run_key)}")
    version: int = plan["version"]
    return version


def pinned_plan(store: ObjectStore, model: str, run_key: str, decide: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """As :func:`pinned`, for a decision of several parts.

    :param decide: gives a JSON-safe plan; called when none is pinned yet.
    """
    key = _key(model, run_key)
    try:
        return _read(store, key)
    except NotFound:
        pin = {"format": wire.FORMAT, "kind": "pin", "model": model, "run": run_key, "plan": decide()}
    with suppress(AlreadyExists):  # somebody of the same run was first, and decided for all
        store.create(key, wire.canonical(pin))
    return _read(store, key)


def plan_of(store: ObjectStore, model: str, run_digest: str) -> dict[str, Any]:
    """The plan that :func:`pinned_plan` pinned, for other tasks than the one that decided it.

    :param run_digest: the SHA-256 of the ``run_key``.
    :raises NotFound: when none is pinned.
    """
    return _read(store, layout.pin(model, run_digest))


def _key(model: str, run_key: str) -> str:
    return layout.pin(model, wire.sha256(run_key.encode()))


def _read(store: ObjectStore, key: str) -> dict[str, Any]:
    plan: dict[str, Any] = parse_pointer(store.read(key), f"The pin {key}", "pin")["plan"]
    return plan
