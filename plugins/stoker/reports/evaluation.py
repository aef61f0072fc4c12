"""The report of an evaluation: is the new model good enough, and how is that known?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stoker.reports import model_figures, text
from stoker.reports.datasets import dataset
from stoker.reports.figures import Figure, intervals
from stoker.reports.reading import Read, figures_of
from stoker.reports.scores import LESS_IS_BETTER, bounds, champion_name, metrics_table
from stoker.reports.slices import slices

Fact = tuple[str, str, str]
"""A tile: its name, its value, and a note."""

_LEADS = {
    "pass": "The new model is good enough to go into office.",
    "fail": "The new model must not go into office.",
    "inconclusive": "These rows cannot tell whether the new model is good enough, so nothing changes.",
    "insufficient_data": "There is too little to judge the new model by, so nothing changes.",
    "not_configured": "Nobody asked for anything that the new model could fail at, so it was not judged.",
}
_RIVALS = {"dummy": "a model without features", "linear": "a linear model"}
_PART: dict[str, Any] = {
    "candidate": None, "dataset": None, "rows": None, "metrics": {}, "champion_metrics": None, "baseline_version": None, "baselines": {},
    "comparison": None, "smoke_passed": None, "mode": "enforce", "figures": None,
    "policy": {"metric": "", "thresholds": {}, "min_rows": 0, "max_overlap": 0.0},
}  # fmt: skip


def content(document: Mapping[str, Any], read: Read) -> dict[str, Any]:
    """What the template shows."""
    document = whole(document)
    outcome, policy = document["verdict"]["outcome"], document["policy"]
    figures = figures_of(document, read)
    return {
        "eyebrow": "Evaluation",
        "title": _title(document),
        "outcome": outcome,
        "lead": _LEADS[outcome],
        "reasons": document["verdict"]["reasons"],
        "dry_run": document["mode"] == "dry_run",
        "tiles": _tiles(document),
        "comparison": _comparison(document),
        "metrics": metrics_table(document),
        "bounds": bounds(document["metrics"], policy["thresholds"]),
        "gates": _gates(document),
        "drawn": figures is not None,
        "curves": model_figures.draw(figures["models"], task=figures["task"]) if figures else [],
        "slices": slices(figures, policy["metric"]),
        "candidate": document["candidate"],
        "dataset": dataset(read, document["dataset"]),
    }


def whole(document: Mapping[str, Any]) -> dict[str, Any]:
    """An evaluation with nothing missing: one that somebody registered by hand may hold no more than a verdict."""
    return {**_PART, **document}


def _title(document: Mapping[str, Any]) -> str:
    metric = document["policy"]["metric"]
    value, rival = document["metrics"].get(metric), (document["champion_metrics"] or {}).get(metric)
    if value is None:
        return "No metric was measured"
    shown = f"{metric} {text.number(value)}"
    if rival is not None:
        return f"{shown}, against {text.number(rival)} of {champion_name(document).lower()}"
    return f"{shown} on {text.number(document['rows'])} rows"


def _tiles(document: Mapping[str, Any]) -> list[Fact]:
    metric, comparison, tiles = document["policy"]["metric"], document["comparison"], []
    if metric:
        tiles.append(("Challenger", text.number(document["metrics"].get(metric)), metric))
    if document["champion_metrics"]:
        tiles.append((champion_name(document), text.number(document["champion_metrics"].get(metric)), metric))
    if comparison:
        ends = f"{text.signed(comparison['low'])} to {text.signed(comparison['high'])}"
        tiles.append(("Better by", text.signed(comparison["estimate"]), f"{ends}, {_confidence(comparison)} interval"))
    needed = f"at least {document['policy']['min_rows']:,} are asked for"
    return [*tiles, ("Rows judged on", text.number(document["rows"]), needed)]


def _confidence(comparison: Mapping[str, Any]) -> str:
    return f"{100 * (1 - 2 * comparison['alpha']):g}%"


def _comparison(document: Mapping[str, Any]) -> dict[str, Any] | None:
    comparison, policy = document["comparison"], document["policy"]
    if comparison is None:
        return None
    margin = policy["margin"]
    if policy["comparison"] == "superiority":
        bar, asked = margin, f"better by more than {margin:g}" if margin else "better"
    else:
        bar, asked = -margin, f"worse by less than {margin:g}"
    chart = _difference(comparison, bar)
    return {"asked": asked, "confidence": _confidence(comparison), "n_boot": comparison["n_boot"], "chart": chart}


def _difference(comparison: Mapping[str, Any], bar: float) -> Figure:
    ends = {"value": comparison["estimate"], "low": comparison["low"], "high": comparison["high"]}
    return intervals(
        f"How much better the challenger is, with the {_confidence(comparison)} interval.",
        f"Difference in {comparison['metric']} (right of 0 is better)",
        [{"label": "Challenger", "tone": "challenger", **ends}],
        [(0.0, "no difference"), *([(bar, "margin")] if bar else [])],
    )


def _gates(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The gates whose answers follow from the numbers, one by one."""
    policy, rows = document["policy"], document["rows"]
    if document["mode"] == "off" or rows is None:
        return []
    gates = [
        _gate("Loads and answers in a clean process", document["smoke_passed"], "Smoke test of the model file."),
        _gate("Enough rows", rows >= policy["min_rows"], f"{rows:,} of at least {policy['min_rows']:,}."),
    ]
    metric = policy["metric"]
    ours = document["metrics"].get(metric)
    for name, values in document["baselines"].items():
        theirs = values.get(metric)
        if ours is not None and theirs is not None:
            better = ours < theirs if metric in LESS_IS_BETTER else ours > theirs
            detail = f"{metric} {text.number(ours)} against {text.number(theirs)}."
            # A linear model that is as good is a hint, and no reason to refuse.
            gates.append(_gate(f"Better than {_RIVALS.get(name, name)}", better, detail, hint=name != "dummy"))
    return gates


def _gate(name: str, passed: bool, detail: str, *, hint: bool = False) -> dict[str, Any]:
    return {"name": name, "passed": passed, "detail": detail, "hint": hint}
