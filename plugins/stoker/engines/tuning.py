"""Search for parameters, with a line in the log for every trial."""

from __future__ import annotations

import difflib
import logging
import math
import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - this import is the switch
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    BaseCrossValidator,
    GridSearchCV,
    HalvingGridSearchCV,
    ParameterGrid,
    RandomizedSearchCV,
)

from stoker.engines.estimators import json_safe
from stoker.engines.metrics import Array
from stoker.errors import ModelError, UsageError

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

KINDS = ("grid", "random", "halving")


def check_search(
    kind: str | None, param_grid: Mapping[str, Any] | None, estimator: Any, iterations: int, cv: int
) -> None:
    """Refuse a search that cannot run.

    :raises UsageError: on an unknown kind, no or unknown parameters, or senseless counts.
    """
    if cv < 2 or iterations < 1:
        raise UsageError(f"cv must be at least 2 and search_iterations at least 1; got {cv} and {iterations}.")
    if kind is None:
        if param_grid:
            raise UsageError(f"param_grid needs a search; choose one of {', '.join(KINDS)}, or leave param_grid out.")
        return
    if kind not in KINDS:
        raise UsageError(f"search must be one of {', '.join(KINDS)} or None; got {kind!r}.")
    if not param_grid:
        raise UsageError(f"search={kind!r} needs a param_grid, such as {{'max_depth': [3, 6]}}; got {param_grid!r}.")
    known = estimator.get_params(deep=True)
    for name, values in param_grid.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3) or sorted(known)[:10]
            raise UsageError(
                f"param_grid must name parameters of the estimator; {name!r} is none. Near: {', '.join(near)}."
            )
        if not hasattr(values, "rvs") and (
            isinstance(values, str) or not hasattr(values, "__len__") or not len(values)
        ):
            raise UsageError(f"param_grid must give a list of values for {name!r}; got {ascii(values)[:80]}.")


def search_params(
    kind: str,
    estimator: Any,
    frame: pd.DataFrame,
    y: Array,
    *,
    param_grid: Mapping[str, Any],
    iterations: int,
    cv: BaseCrossValidator,
    scoring: str,
    random_state: int,
) -> tuple[Any, list[dict[str, Any]]]:
    """Fit the estimator with the best of many parameters.

    :param kind: ``grid``: all combinations; ``random``: ``iterations`` of them; ``halving``: all, the worse ones dropped early.
    :param scoring: the name of a scorer of scikit-learn.
    :returns: the estimator fitted on all rows, and the trials in their order.
    :raises ModelError: when no trial gives a score.
    """
    combinations = (
        math.inf if any(hasattr(values, "rvs") for values in param_grid.values()) else len(ParameterGrid(param_grid))
    )
    trials = {"grid": combinations, "random": min(iterations, combinations), "halving": None}[kind]
    progress = _Progress(get_scorer(scoring), scoring, cv.get_n_splits(), trials)
    common = {"scoring": progress, "cv": cv, "error_score": math.nan}
    search = {
        "grid": lambda: GridSearchCV(estimator, param_grid, **common),
        "random": lambda: RandomizedSearchCV(
            estimator, param_grid, n_iter=int(trials or 1), random_state=random_state, **common
        ),
        "halving": lambda: HalvingGridSearchCV(estimator, param_grid, random_state=random_state, **common),
    }[kind]()
    search.fit(frame, y)
    if not math.isfinite(search.best_score_):
        raise ModelError(
            f"At least one trial of the search must give a score; none gave a finite {scoring}. Look at the warnings above."
        )
    log.info(
        "Best of %d trials: %s %.4f with %s.", len(_trials(search)), scoring, search.best_score_, search.best_params_
    )
    return search.best_estimator_, _trials(search)


class _Progress:
    """A scorer that counts its calls: scikit-learn asks it once for each fold of each trial, fold by fold."""

    def __init__(self, scorer: Any, name: str, folds: int, trials: float | None) -> None:
        self._scorer = scorer
        self._name = name
        self._folds = folds
        self._trials = trials
        self._scores: list[float] = []

    def __call__(self, estimator: Any, frame: pd.DataFrame, y: Array) -> float:
        score = float(self._scorer(estimator, frame, y))
        self._scores.append(score)
        if len(self._scores) % self._folds == 0:
            total = f" of {self._trials:.0f}" if self._trials else ""
            mean = statistics.fmean(self._scores[-self._folds :])
            log.info("Trial %d%s: %s %.4f.", len(self._scores) // self._folds, total, self._name, mean)
        return score


def _trials(search: Any) -> list[dict[str, Any]]:
    results = search.cv_results_
    return [
        {
            "params": json_safe(params),
            "mean": _finite(results["mean_test_score"][number]),
            "std": _finite(results["std_test_score"][number]),
            "seconds": round(float(results["mean_fit_time"][number]), 3),
        }
        for number, params in enumerate(results["params"])
    ]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
