"""The charts of models that were scored on the same rows: curves, confusions, residuals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stoker.reports.figures import Figure, distribution, lines, matrix, points
from stoker.reports.text import number

Models = Mapping[str, Mapping[str, Any]]


def draw(models: Models, *, task: str) -> list[Figure]:
    """All charts that the figures of a task allow; an undefined one is left out.

    :param models: figures by ``challenger`` and, where there is one, ``champion``.
    """
    if task == "regression":
        found = [_actual_predicted(models), *_residuals(models)]
    elif task == "binary":
        found = [_roc(models), _precision_recall(models), _calibration(models), *_scores(models), *_confusions(models)]
    else:
        found = [_roc_by_class(models), *_confusions(models)]
    return [figure for figure in found if figure is not None]


def _of(models: Models, figure: str) -> list[tuple[str, Mapping[str, Any]]]:
    return [(name, one[figure]) for name, one in models.items() if one.get(figure)]


def _unit_square(caption: str, x: str, y: str, curves: list[dict[str, Any]], **options: Any) -> Figure | None:
    return lines(caption, x, y, curves, square=True, **options) if curves else None


def _roc(models: Models) -> Figure | None:
    found = _of(models, "roc")
    areas = ", ".join(f"{name} {number(one['auc'])}" for name, one in found)
    curves = [{"name": name.capitalize(), "x": one["fpr"], "y": one["tpr"], "tone": name} for name, one in found]
    caption = f"ROC curve. Area under it: {areas}; 0.5 is chance."
    return _unit_square(caption, "False positive rate", "True positive rate", curves, diagonal=(0, 1))


def _roc_by_class(models: Models) -> Figure | None:
    curves = models["challenger"].get("roc")
    if not curves:
        return None
    series = [{"name": f"{one['label']} ({number(one['auc'])})", "x": one["fpr"], "y": one["tpr"]} for one in curves]
    caption = "ROC curve of the challenger for each class against all others, with the area under it."
    return _unit_square(caption, "False positive rate", "True positive rate", series, diagonal=(0, 1))


def _precision_recall(models: Models) -> Figure | None:
    found = _of(models, "precision_recall")
    areas = ", ".join(f"{name} {number(one['average_precision'])}" for name, one in found)
    curves = [
        {"name": name.capitalize(), "x": one["recall"], "y": one["precision"], "tone": name} for name, one in found
    ]
    caption = f"Precision and recall. Average precision: {areas}."
    return _unit_square(caption, "Recall", "Precision", curves)


def _calibration(models: Models) -> Figure | None:
    found = _of(models, "calibration")
    curves = [
        {"name": name.capitalize(), "x": one["predicted"], "y": one["observed"], "tone": name} for name, one in found
    ]
    caption = "Calibration. On the diagonal, of rows with a score of 0.3 three in ten are positive."
    return _unit_square(caption, "Predicted probability", "Observed share", curves, diagonal=(0, 1), dots=True)


def _scores(models: Models) -> list[Figure]:
    return [
        distribution(
            f"Scores of the {name}, of all rows and of the positive ones.",
            "Score",
            [("All rows", one["counts"]), ("Positive rows", one["positive"])],
            edges=one["edges"],
            shares=False,
        )
        for name, one in _of(models, "scores")
        if "positive" in one
    ]


def _confusions(models: Models) -> list[Figure]:
    return [
        matrix(f"Confusion matrix of the {name}: {_right(one)}.", one["labels"], one["counts"])
        for name, one in _of(models, "confusion")
    ]


def _right(one: Mapping[str, Any]) -> str:
    counts = one["counts"]
    total = sum(map(sum, counts))
    return f"{sum(line[place] for place, line in enumerate(counts)):,} of {total:,} rows are right"


def _residuals(models: Models) -> list[Figure]:
    found = _of(models, "residuals")
    if not found:
        return []
    edges = found[0][1]["edges"]
    beyond = max(one.get("below", 0) + one.get("above", 0) for _, one in found)
    series = [(name.capitalize(), one["counts"]) for name, one in found]
    caption = "Errors: predicted less actual." + (f" Up to {beyond:,} rows lie beyond the ends." if beyond else "")
    return [distribution(caption, "Error", series, edges=edges, shares=False, tones=("challenger", "champion"))]


def _actual_predicted(models: Models) -> Figure | None:
    found = _of(models, "actual_predicted")
    clouds = [
        {"name": name.capitalize(), "x": one["actual"], "y": one["predicted"], "tone": name} for name, one in found
    ]
    caption = "Actual and predicted values of a sample of rows. On the diagonal a prediction is right."
    return points(caption, "Actual", "Predicted", clouds) if found else None
