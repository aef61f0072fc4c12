"""The report of drift: what has changed since the model was trained, and whether it matters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stoker.reports import text
from stoker.reports.datasets import dataset
from stoker.reports.figures import Figure, distribution, intervals
from stoker.reports.reading import Read, figures_of

_LEADS = {
    "pass": "No drift alarm is open.",
    "fail": "A drift alarm is open.",
    "inconclusive": "Whether there is drift cannot be told.",
    "insufficient_data": "There is too little data to judge drift by.",
    "not_configured": "There is nothing to compare with, so drift was not judged.",
}
_KINDS = {"data_quality": "data quality", "label": "labels", "prediction": "predictions", "covariate": "features"}
_FINDINGS = {
    "drift": "drifted",
    "missing": "values missing",
    "vanished": "column gone",
    "new": "unknown column",
    "empty": "empty",
    "constant": "one value only",
    "ok": "as before",
}
_STATES = {
    "quiet": "Quiet",
    "violating": "Seen, not often enough for an alarm",
    "alert": "Alarm raised now",
    "ongoing": "Alarm still open",
    "cleared": "Alarm over",
}
_SHOWN_RATIOS = 30


def content(document: Mapping[str, Any], read: Read) -> dict[str, Any]:
    """What the template shows."""
    outcome = document["verdict"]["outcome"]
    columns = [_column(one) for one in sorted(document["columns"], key=_rank)]
    drifted = [one for one in columns if one["drifted"]]
    charts = _charts(figures_of(document, read), {one["column"]: one for one in columns})
    return {
        "eyebrow": "Drift",
        "title": _title(document, drifted),
        "outcome": outcome,
        "lead": _LEADS[outcome],
        "reasons": document["verdict"]["reasons"],
        "tiles": _tiles(document, drifted, columns),
        "alarms": [
            (_KINDS.get(kind, kind), _STATES.get(state, state), state) for kind, state in document["states"].items()
        ],
        "ratios": _ratios(columns),
        "columns": columns,
        "drawn": charts is not None,
        "changed": [chart for one, chart in charts or [] if one["drifted"]],
        "steady": [chart for one, chart in charts or [] if not one["drifted"]],
        "policy": document.get("policy"),
        "report": document["report"],
        "late": document.get("late", False),
        "data": [dataset(read, digest) for digest in document["current"]],
        "profile": document.get("profile"),
        "version": document["version"],
    }


def _ratio(one: Mapping[str, Any]) -> float | None:
    """The effect as a multiple of the threshold that decided."""
    known = [value for value in (one["threshold"], one["calibrated_threshold"]) if value is not None]
    return one["effect"] / max(known) if one["effect"] is not None and known and max(known) > 0 else None


def _rank(one: Mapping[str, Any]) -> tuple[bool, float]:
    return not one["drifted"], -(_ratio(one) or 0)


def _column(one: Mapping[str, Any]) -> dict[str, Any]:
    known = [value for value in (one["threshold"], one["calibrated_threshold"]) if value is not None]
    return {
        **one,
        "ratio": _ratio(one),
        "bar": max(known) if known else None,
        "calibrated": bool(known) and max(known) == one["calibrated_threshold"] != one["threshold"],
        "finding": _FINDINGS.get(one["kind"], one["kind"]),
        "about": _KINDS.get(one["group"], one["group"]),
    }


def _title(document: Mapping[str, Any], drifted: list[dict[str, Any]]) -> str:
    what = f"{document['model']}, window {document['window']}" if document["window"] else document["model"]
    if document["rows"] is None:
        return str(what)
    if not drifted:
        return f"{what}: no column drifted"
    return f"{what}: {len(drifted)} of {len(document['columns'])} columns drifted"


def _tiles(
    document: Mapping[str, Any], drifted: list[dict[str, Any]], columns: list[dict[str, Any]]
) -> list[tuple[str, str, str]]:
    if document["rows"] is None:
        return []
    weight = sum(one["weight"] for one in drifted)
    return [
        (
            "Columns drifted",
            f"{len(drifted)} of {len(columns)}",
            f"{text.percent(weight)} of the importance" if weight else "",
        ),
        ("Rows in the window", text.number(document["rows"]), text.number(document["window"])),
        (
            "Rows of the reference",
            text.number(document["reference_rows"]),
            f"training data of version {document['version']}",
        ),
        ("Windows since promotion", text.number(document["windows_since_promotion"]), ""),
    ]


def _ratios(columns: list[dict[str, Any]]) -> Figure | None:
    known = sorted((one for one in columns if one["ratio"] is not None), key=lambda one: -one["ratio"])
    if not known:
        return None
    first = known[0]
    caption = f"{first['column']} changed most: its effect size is {first['ratio']:.3g} times its threshold."
    return intervals(
        caption,
        "Effect size as a multiple of the threshold",
        [
            {"label": one["column"], "value": one["ratio"], "tone": "challenger" if one["drifted"] else "quiet"}
            for one in known[:_SHOWN_RATIOS]
        ],
        [(1.0, "threshold")],
        legend=[("Drifted", "challenger"), ("Not drifted", "quiet")],
    )


def _charts(
    figures: Mapping[str, Any] | None, columns: Mapping[str, Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], Figure]] | None:
    if figures is None:
        return None
    found = [(columns[one["column"]], one) for one in figures["columns"] if one["column"] in columns]
    order = {name: place for place, name in enumerate(columns)}
    found.sort(key=lambda pair: order[pair[0]["column"]])
    return [(column, _before_after(column, one)) for column, one in found]


def _before_after(column: Mapping[str, Any], figure: Mapping[str, Any]) -> Figure:
    name = figure["column"]
    labels = figure.get("labels") or [f"category {place}" for place in range(1, len(figure["reference"]) + 1)]
    return distribution(
        f"{name}: {column['finding']}.",
        name,
        [("Training", figure["reference"]), ("This window", figure["current"])],
        edges=figure.get("edges"),
        times=figure.get("type") == "timestamp",
        labels=None if figure.get("edges") else labels,
    )
