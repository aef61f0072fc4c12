"""The report of a validation: what is wrong with the data, and what was done about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stoker.reports import text
from stoker.reports.datasets import dataset
from stoker.reports.reading import Read

_LEADS = {
    "pass": "The data can be used.",
    "fail": "The data was refused.",
    "inconclusive": "The data could not be judged.",
    "insufficient_data": "There is too little data to judge.",
    "not_configured": "Nothing was expected of the data, so it was not judged.",
}

_SEVERITIES = ("critical", "warning", "info")


def content(document: Mapping[str, Any], read: Read) -> dict[str, Any]:
    """What the template shows."""
    outcome, checks = document["verdict"]["outcome"], document["checks"]
    failed = sorted((one for one in checks if not one["success"]), key=_worst_first)
    lead = _LEADS[outcome]
    if outcome == "pass" and document["rows_quarantined"]:
        lead = "The data can be used, without the rows that were set aside."
    return {
        "eyebrow": "Validation",
        "title": _title(failed, checks),
        "outcome": outcome,
        "lead": lead,
        "reasons": document["verdict"]["reasons"],
        "tiles": _tiles(document),
        "failed": [_shown(one, document) for one in failed],
        "passed": [_shown(one, document) for one in checks if one["success"]],
        "limit": document["max_quarantine_share"],
        "quarantine": document["quarantine"],
        "ok": document["ok"],
        "quarantined": document["rows_quarantined"],
        "dataset": dataset(read, document["dataset"]),
    }


def _title(failed: list[Mapping[str, Any]], checks: list[Mapping[str, Any]]) -> str:
    if not checks:
        return "No expectations"
    if not failed:
        return f"All {len(checks)} expectations are met" if len(checks) > 1 else "The one expectation is met"
    return f"{len(failed)} of {len(checks)} expectations {'are' if len(failed) > 1 else 'is'} not met"


def _tiles(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    rows, out = document["rows_in"], document["rows_quarantined"]
    passed = document["rows_ok"] if document["ok"] else 0
    return [
        ("Rows looked at", text.number(rows), ""),
        ("Passed on", text.number(passed), text.percent(_part(passed, rows))),
        ("Set aside", text.number(out), f"{text.percent(_part(out, rows))}; at most {text.percent(document['max_quarantine_share'])}"),
    ]  # fmt: skip


def _part(some: int | None, rows: int | None) -> float | None:
    return some / rows if rows and some is not None else None


def _worst_first(check: Mapping[str, Any]) -> tuple[int, float]:
    rank = _SEVERITIES.index(check["severity"]) if check["severity"] in _SEVERITIES else len(_SEVERITIES)
    return rank, -(check["unexpected_share"] or 0.0)


def _shown(check: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    examples = check.get("examples") or []
    private = set(document.get("personal_columns") or ())
    return {
        "sentence": check["sentence"],
        "severity": check["severity"],
        "count": check["unexpected_count"],
        "share": check["unexpected_share"],
        # Rows that broke it in the same way are one example.
        "examples": list(
            dict.fromkeys(", ".join(f"{name}: {value}" for name, value in one["values"].items()) for one in examples)
        ),
        "masked": any(private & one["values"].keys() for one in examples),
    }
