"""The report of performance: how good the model is in office, now that the truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stoker.reports import text
from stoker.reports.figures import Figure, intervals
from stoker.reports.reading import Read
from stoker.reports.scores import bounds

_LEADS = {
    "pass": "The model in office is as good as it was promised to be.",
    "fail": "The model in office is worse than it was promised to be.",
    "inconclusive": "These rows cannot tell whether the model in office is as good as it was promised to be.",
    "insufficient_data": "Too few labels are known yet to judge the model in office.",
    "not_configured": "There is nothing to judge the model in office by.",
}


def content(document: Mapping[str, Any], read: Read) -> dict[str, Any]:
    """What the template shows."""
    outcome = document["verdict"]["outcome"]
    judged = "cohorts" in document  # an answer without rows carries no numbers
    return {
        "eyebrow": "Performance",
        "title": _title(document),
        "outcome": outcome,
        "lead": _LEADS[outcome],
        "reasons": document["verdict"]["reasons"],
        "tiles": _tiles(document) if judged else [],
        "chart": _chart(document) if judged else None,
        "bounds": bounds(document["values"], document["policy"]["thresholds"]) if judged else [],
        "cohorts": document.get("cohorts", []),
        "shadow": document["shadow"],
        "bias": document.get("selection_bias"),
        "contradicting": document.get("contradicting", 0),
        "change": document.get("change"),
        "policy": document["policy"],
        "coverage": document.get("coverage"),
        "judged": judged,
        "version": document["version"],
    }


def _title(document: Mapping[str, Any]) -> str:
    who = document["model"] if document["version"] is None else f"{document['model']} v{document['version']}"
    return f"{who}, window {document['window']}" if document["window"] else str(who)


def _tiles(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    low, high = document["interval"]
    interval = f"{text.number(low)} to {text.number(high)}" if low is not None and high is not None else "no interval"
    return [
        (document["metric"], text.number(document["value"]), interval),
        ("At its evaluation", text.number(document["baseline"]), f"on {document['baseline_rows']:,} rows"),
        (
            "Labels known",
            text.percent(document["coverage"]),
            f"{document['labelled']:,} of {document['predicted']:,} predictions",
        ),
    ]


def _chart(document: Mapping[str, Any]) -> Figure | None:
    if document["value"] is None:
        return None
    metric, (low, high) = document["metric"], document["interval"]
    rows = [{"label": "Now", "value": document["value"], "low": low, "high": high, "tone": "challenger"}]
    if document["baseline"] is not None:
        rows.append({"label": "At its evaluation", "value": document["baseline"], "tone": "champion"})
    shadow = document["shadow"]
    if shadow is not None and shadow.get("value") is not None:
        rows.append({"label": f"Version {shadow['version']}, in the shadow", "value": shadow["value"], "tone": "quiet"})
    bound = document["policy"]["thresholds"].get(metric) or {}
    marks = [
        (bound[end], word) for end, word in (("min", "at least"), ("max", "at most")) if bound.get(end) is not None
    ]
    return intervals(
        f"{metric} is {text.number(document['value'])} on {document['labelled']:,} rows.", metric, rows, marks
    )
