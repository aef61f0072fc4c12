"""The report of a training: what was fitted, on what, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stoker.reports import text
from stoker.reports.datasets import dataset
from stoker.reports.figures import Figure, bars, intervals, lines
from stoker.reports.reading import Read

_SHOWN_TRIALS = 20
_SHOWN_FEATURES = 20
_SHOWN_DATASETS = 6


def content(document: Mapping[str, Any], read: Read) -> dict[str, Any]:
    """What the template shows."""
    rows = document["rows"]
    return {
        "eyebrow": "Training",
        "title": f"{estimator_name(document)} that predicts {document['target']}",
        "outcome": None,
        "lead": f"It was fitted on {rows['train']:,} rows with {len(document['features'])} features. {rows['holdout']:,} rows were held "
        "out to judge it by; this report judges nothing.",
        "reasons": [],
        "tiles": _tiles(document),
        "estimator": _estimator(document),
        "params": sorted(document["params"].items()),
        "search": _search(document),
        "learning": learning_curve(document.get("learning_curve")),
        "importances": importances(document),
        "timings": _timings(document),
        "features": document["features"],
        "split": split_sentence(document),
        "data": _data(document, read),
        "environment": document["environment"],
        "code": document["code"],
        "files": document["files"],
        "fingerprint": document["fingerprint"],
    }


def estimator_name(document: Mapping[str, Any]) -> str:
    """The estimator's class without its module; of a pipeline that of its last step."""
    steps = document["params"].get("steps")
    name = document["estimator"]["class"]
    if isinstance(steps, list) and steps and isinstance(steps[-1], list) and isinstance(steps[-1][-1], str):
        name = steps[-1][-1]
    return str(name).rsplit(".", 1)[-1]


def importances(document: Mapping[str, Any]) -> Figure | None:
    """Which features matter; ``None`` when that was not measured."""
    known = document.get("importances") or {}
    if not known:
        return None
    ranked = sorted(known.items(), key=lambda one: -one[1])
    more = len(ranked) - _SHOWN_FEATURES
    caption = f"{ranked[0][0]} matters most: {text.percent(ranked[0][1])} of what is lost when features are shuffled one by one."
    if more > 0:
        caption += f" The {more} features that matter least are left out."
    return bars(caption, "Share of the lost quality", ranked[:_SHOWN_FEATURES], shares=True)


def learning_curve(curve: Mapping[str, Any] | None) -> Figure | None:
    """How the metric grows with the rows; ``None`` when that was not measured."""
    if not curve:
        return None
    series = [
        {"name": "Training rows", "x": curve["rows"], "y": curve["train"], "tone": "quiet"},
        {"name": "Held out rows", "x": curve["rows"], "y": curve["holdout"], "tone": "challenger"},
    ]
    caption = f"{curve['metric']} by how many rows the model was fitted on. While the curve of held out rows rises, more rows help."
    return lines(caption, "Rows", curve["metric"], series, dots=True)


def split_sentence(document: Mapping[str, Any]) -> str:
    """How rows were held out."""
    split = document["split"]
    if split.get("boundary"):
        return f"By time: rows from {text.moment(split['boundary'])} on were held out."
    return f"By {split['kind']}: {text.percent(split['test_size'])} of the rows were held out."


def _tiles(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    training = document["training"]
    return [
        ("Training rows", text.number(document["rows"]["train"]), ""),
        ("Held out", text.number(document["rows"]["holdout"]), ""),
        ("Features", text.number(len(document["features"])), ""),
        ("Fitted in", text.duration(training["seconds"]), f"{text.number(round(training['rows_per_second']))} rows a second"),
    ]  # fmt: skip


def _estimator(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    estimator = document["estimator"]
    return [
        ("Task", document["task"]),
        ("Target", document["target"]),
        *([("Classes", ", ".join(map(str, document["classes"][:20])))] if document["classes"] else []),
        ("Class", estimator["class"]),
        ("Source", estimator["source"] or "built from parameters"),
        ("Scoring", document["scoring"]),
        ("Seed", text.number(document["random_state"])),
    ]


def _search(document: Mapping[str, Any]) -> dict[str, Any] | None:
    search = document["search"]
    if not search or not search["trials"]:
        return None
    known = [{**one, "name": f"Trial {place}"} for place, one in enumerate(search["trials"], 1)]
    # Scores of a search follow scikit-learn's scorers, of which greater is always better.
    ranked = sorted(known, key=lambda one: (one["mean"] is None, -(one["mean"] or 0)))
    best = ranked[0]
    chart = intervals(
        f"{best['name']} of {len(known)} is the best by cross-validation: {document['scoring']} {text.number(best['mean'])}. "
        "Lines are one standard deviation of the folds.",
        f"{document['scoring']} (greater is better)",
        [
            {"label": one["name"], "value": one["mean"], "low": one["mean"] - one["std"], "high": one["mean"] + one["std"],
             "tone": "challenger" if one is best else "champion"}
            for one in ranked[:_SHOWN_TRIALS]
            if one["mean"] is not None and one["std"] is not None
        ],
    )  # fmt: skip
    names = sorted({name for one in known for name in one["params"]})
    return {"kind": search["kind"], "folds": search["cv"], "chart": chart, "names": names, "trials": ranked}


def _timings(document: Mapping[str, Any]) -> Figure | None:
    timings = document.get("timings") or {}
    if not timings:
        return None
    longest = max(timings, key=lambda name: timings[name])
    return bars(
        f"Most of the time went into: {longest}, {text.duration(timings[longest])}.",
        "Seconds",
        timings.items(),
        tone="quiet",
    )


def _data(document: Mapping[str, Any], read: Read) -> dict[str, Any]:
    digests = document["datasets"]
    return {
        "name": document["dataset_name"],
        "partition": document["partition"],
        "shown": [dataset(read, digest) for digest in digests[-_SHOWN_DATASETS:]],
        "total": len(digests),
        "holdout": dataset(read, document["holdout"]),
        "validations": document["validations"],
    }
