"""What is not known of a model. A card that names only what was checked says more than it knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stoker.reports.reading import Read, figures_of
from stoker.reports.text import percent

_ALWAYS = (
    "Stoker judges numbers. Whether the model is fair to people, lawful, or right to use at all was not judged.",
    "This card has what was known at the registration. Drift and performance since then are on the page of the model.",
)


def limits(candidate: Mapping[str, Any], judged: Mapping[str, Any], read: Read) -> list[str]:
    """What was not checked, in sentences.

    :param candidate: the training that the manifest holds; empty for a version that was registered by hand.
    :param judged: the evaluation that the manifest holds; empty when there was none.
    :param read: returns the document with a digest.
    """
    return [
        *_of_training(candidate),
        *(_of_evaluation(candidate, judged, read) if judged else ["It was not evaluated."]),
        *_ALWAYS,
    ]


def _of_training(candidate: Mapping[str, Any]) -> list[str]:
    if not candidate:
        return ["How it was trained, and on what, is not known."]
    found = []
    if not candidate["validations"]:
        found.append("The data that it was trained on was not validated.")
    code = candidate["code"]
    if not code["commit"]:
        found.append("The commit of the code that trained it is not known.")
    elif code["dirty"]:
        found.append("The code that trained it had changes that were not committed, so it cannot be told exactly.")
    if not candidate["split"].get("boundary"):
        found.append("Rows were held out without regard to time, so how it does on later data was not measured.")
    return found


def _of_evaluation(candidate: Mapping[str, Any], judged: Mapping[str, Any], read: Read) -> list[str]:
    found = []
    if judged["mode"] != "enforce":
        found.append(f"Its evaluation ran with mode {judged['mode']}, so no gate held it back.")
    if judged["comparison"] is None:
        found.append("It was compared with no model in office.")
    for name, words in (("dummy", "a model without features"), ("linear", "a linear model")):
        if name not in judged["baselines"]:
            found.append(f"It was not compared with {words}.")
    if not judged["smoke_passed"]:
        found.append("That it loads and answers in a clean process was not shown.")
    allowed = judged["policy"]["max_overlap"]
    if allowed:
        found.append(f"Up to {percent(allowed)} of the rows that it was judged on may be rows that it was trained on.")
    figures = figures_of(judged, read) or {}
    if not figures.get("slices"):
        found.append("How good it is for parts of the data was not measured.")
    ours = figures.get("models", {}).get("challenger", {})
    if candidate.get("task") == "binary" and not ours.get("calibration"):
        found.append("Whether its scores can be read as probabilities was not measured.")
    return found
