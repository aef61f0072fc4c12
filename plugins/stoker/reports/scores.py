"""Metrics of several models side by side, and the fixed bounds that they must keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LESS_IS_BETTER = frozenset({
    "brier",
    "brier_score",
    "log_loss",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "median_absolute_error",
    "median_ae",
    "mse",
    "rmse",
    "root_mean_squared_error",
})
"""Metrics of which the smaller value is the better one. The engines know them all; reports must do without engines."""

_BASELINES = {"dummy": "Without features", "linear": "Linear model"}


def champion_name(document: Mapping[str, Any]) -> str:
    """The model in office at an evaluation, for headings."""
    number = document["baseline_version"]
    return "Champion" if number is None else f"Champion v{number}"


def metrics_table(document: Mapping[str, Any], *, ours: str = "Challenger") -> dict[str, Any] | None:
    """All metrics of all models that were scored on the rows, the deciding one first; ``None`` when nothing was measured.

    :param document: a whole evaluation.
    :param ours: the heading of the model that was judged.
    """
    if not document["metrics"]:
        return None
    columns = {ours: document["metrics"]}
    if document["champion_metrics"]:
        columns[champion_name(document)] = document["champion_metrics"]
    columns |= {_BASELINES.get(name, name): values for name, values in document["baselines"].items()}
    deciding = document["policy"]["metric"]
    names = sorted(document["metrics"], key=lambda name: (name != deciding, name))
    return {"columns": list(columns), "rows": [_row(name, columns, decides=name == deciding) for name in names]}


def _row(name: str, columns: Mapping[str, Mapping[str, Any]], *, decides: bool) -> dict[str, Any]:
    values = [values.get(name) for values in columns.values()]
    known = [value for value in values if value is not None]
    less = name in LESS_IS_BETTER
    best = (min if less else max)(known) if len(known) > 1 else None
    cells = [{"value": value, "best": value is not None and value == best} for value in values]
    return {"name": name, "deciding": decides, "less": less, "cells": cells}


def bounds(
    metrics: Mapping[str, float | None], thresholds: Mapping[str, Mapping[str, float | None]]
) -> list[dict[str, Any]]:
    """The fixed bounds of a policy, and whether each was kept; ``None`` where that cannot be told."""
    return [
        {"metric": name, "value": metrics.get(name), "kept": _kept(metrics.get(name), bound["min"], bound["max"]), **bound}
        for name, bound in thresholds.items()
    ]  # fmt: skip


def _kept(value: float | None, low: float | None, high: float | None) -> bool | None:
    return None if value is None else (low is None or value >= low) and (high is None or value <= high)
