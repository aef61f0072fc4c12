"""When to retrain: our rule and those of others, as functions of the model in office and the week that has just ended.

A rule sees the model's own training rows, and of the weeks since then features, scores and labels; never a later week.
It keeps no state: what it remembers it works out again from the weeks since the model took office.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon

from benchmarks.retraining_matrix import TARGET, Array, Matrix, Year
from stoker.core import triage
from stoker.core.drift import (
    FEATURE,
    PREDICTION,
    ColumnStatistics,
    DriftPolicy,
    Kind,
    calibrated_threshold,
    follow,
    judge_columns,
    observe,
)
from stoker.core.performance import Measured, PerformancePolicy, judge_performance
from stoker.core.triage import Action, Finding
from stoker.core.verdicts import Outcome
from stoker.engines.bootstrap import draw_weights, paired_difference, weighted_metric
from stoker.engines.drift_measures import calibration, measure
from stoker.engines.metrics import BINARY, Output, find
from stoker.engines.profiles import Profile, profile_arrays
from stoker.loop.policy_file import LoopPolicy

Rule = Callable[[int, int, int | None], Action]
"""What to do: of the model in office, the window that ended, and the model before, if there is one to go back to.

A model is named by the window before which it was fitted.
"""

NANNYML_DEVIATIONS = 3.0
_AUC, _DRAWS = find("roc_auc", BINARY), 300
_CALIBRATED = DriftPolicy()
_UNCALIBRATED = DriftPolicy(calibrate=False)  # what a reference varies by is worked out once, not for each window
_MAX_VALUES, _MAX_SHARE = 50, 0.1  # with fewer distinct values than that each is a bin of its own


def retrain_when(alarm: Callable[[int, int], bool]) -> Rule:
    """Retrain at each alarm."""
    return lambda model, window, _previous: Action.RETRAIN if alarm(model, window) else Action.NONE


def never(_model: int, _window: int, _previous: int | None) -> Action:
    """Keep the first model for good."""
    return Action.NONE


def every(weeks: int) -> Rule:
    """Retrain when the model has been in office for so many weeks."""
    return retrain_when(lambda model, window: window - model + 1 >= weeks)


def each_month(year: Year) -> Rule:
    """Retrain at the end of the week in which a month ends."""
    months = [year.day(window).month for window in range(year.windows)]
    return retrain_when(lambda _model, window: window + 1 < year.windows and months[window + 1] != months[window])


def evidently_share(year: Year) -> Callable[[int, int], float]:
    """Which share of the columns Evidently calls drifted, by its own choice of test and threshold for each column."""
    from evidently.legacy.calculations.stattests import get_stattest
    from evidently.legacy.core import ColumnType

    def drifted(name: str, reference: pd.Series[Any], current: pd.Series[Any]) -> bool:
        kind = ColumnType.Categorical if year.frame[name].dtype == object else ColumnType.Numerical
        test = get_stattest(reference, current, kind, None)
        return bool(test(reference, current, kind, None).drifted)

    @cache
    def share(model: int, window: int) -> float:
        reference, current = year.frame[year.before(model)], year.frame[year.rows(window)]
        return float(
            np.mean([drifted(name, reference[name].dropna(), current[name].dropna()) for name in year.features])
        )

    return share


def nannyml(year: Year, deviations: float = NANNYML_DEVIATIONS) -> Rule:
    """NannyML's univariate rule, after its documentation.

    Jensen-Shannon distance to the whole reference; any column above the mean plus three standard deviations of the
    reference's own chunks, which are here as large as the window.
    """

    def alarm(name: str, model: int, window: int) -> bool:
        reference, current = year.frame[name][year.before(model)], year.frame[name][year.rows(window)]
        codes, size = _bins(reference, current)
        before = codes[: len(reference)]
        chunks = [_counts(chunk, size) for chunk in np.array_split(before, max(2, round(len(before) / len(current))))]
        whole = _counts(before, size)
        usual = [jensenshannon(chunk, whole, base=2) for chunk in chunks]
        now = jensenshannon(_counts(codes[len(reference) :], size), whole, base=2)
        return bool(now > np.mean(usual) + deviations * np.std(usual))

    @cache
    def any_column(model: int, window: int) -> bool:
        return any(alarm(name, model, window) for name in year.features)

    return retrain_when(any_column)


def _bins(reference: pd.Series[Any], current: pd.Series[Any]) -> tuple[Array, int]:
    """The bin of every value, those of the reference first, and the number of bins; -1 for missing values.

    The reference decides: its distinct values when they are few or texts, else Doane's bins. All else is one more bin.
    """
    both = pd.concat([reference, current], ignore_index=True)
    values = np.sort(reference.dropna().unique())
    if reference.dtype == object or len(values) <= min(_MAX_VALUES, _MAX_SHARE * len(reference)):
        codes = pd.Categorical(both, categories=values).codes.astype(np.int64)
        return np.where(both.notna() & (codes < 0), len(values), codes), len(values) + 1
    edges = np.histogram_bin_edges(reference.dropna(), bins="doane")
    inside = np.clip(np.searchsorted(edges, both, side="right") - 1, 0, len(edges) - 2)
    outside = (both < edges[0]) | (both > edges[-1])
    return np.where(both.isna(), -1, np.where(outside, len(edges) - 1, inside)), len(edges)


def _counts(codes: Array, size: int) -> Array:
    return np.bincount(codes[codes >= 0], minlength=size)


class Ours:
    """Stoker's own monitoring: drift from the model's profile, performance against its evaluation, and triage of both.

    :param matrix: gives scores and evaluations.
    """

    def __init__(self, matrix: Matrix) -> None:
        self.matrix = matrix
        self.year = matrix.year
        self._reference = cache(self._reference_of)
        self._statistics = cache(self._statistics_of)
        self._measured = cache(self._measured_of)
        self._better = cache(self._better_of)

    def rule(self, policy: LoopPolicy, *, labels: bool = True, max_age: int | None = None) -> Rule:
        """What triage of all findings leads to.

        :param labels: whether performance is looked at.
        :param max_age: weeks in office from which a model is stale; ``None``: never.
        """

        def decide(model: int, window: int, previous: int | None) -> Action:
            findings = self._drift(model, window, policy.drift)
            age = window - model + 1
            if labels:
                verdict = judge_performance(self._measured(model, window), policy.performance)
                findings.append(Finding(triage.Kind.CONCEPT, verdict.outcome, verdict.reasons))
            if max_age is not None and age >= max_age:
                findings.append(Finding(triage.Kind.STALENESS, Outcome.FAIL))
            better = previous is not None and self._better(previous, model, window)
            return triage.triage(
                findings, windows_since_promotion=age, previous_is_better=better, policy=policy.triage
            ).action

        return decide

    def signals(self, model: int, window: int) -> dict[str, float]:
        """What could tell that a retraining is due, as numbers."""
        features = [one for one in self._statistics(model, window) if one.role == FEATURE]
        unrest = [calibrated_threshold(one.calibration) or 1.0 for one in features]
        return {
            "drift: sum of the features' effect sizes": sum(one.effect for one in features),
            "drift: largest effect size over its calibrated threshold": max(
                one.effect / usual for one, usual in zip(features, unrest, strict=True)
            ),
            "weeks in office": window - model + 1.0,
            "share of rows that are new": 1 - self.year.before(model).stop / self.year.before(window + 1).stop,
            "drop of AUC since the evaluation": float(
                self.matrix.auc[model - 1, model - 1] - self.matrix.auc[model, window]
            ),
        }

    def _drift(self, model: int, window: int, policy: DriftPolicy) -> list[Finding]:
        seen = [
            observe(
                judge_columns(self._statistics(model, past), policy), policy, self.year.day(past + 1).to_pydatetime()
            )
            for past in range(model, window + 1)
        ]
        return [
            Finding(triage.Kind(kind.value), Outcome.FAIL)
            for kind in Kind
            if follow([one[kind] for one in seen], kind, policy).raised
        ]

    def _reference_of(self, model: int) -> tuple[Profile, dict[str, tuple[float, ...]]]:
        """The profile that training leaves, and what each of its columns varies by."""
        known = self.year.frame[[*self.year.features, TARGET]][self.year.before(model)]
        rows = profile_arrays({name: known[name].to_numpy() for name in known}, roles={TARGET: "target"})
        scores = {PREDICTION: self.matrix.score(model - 1, model - 1)}
        columns = rows.columns | profile_arrays(scores, roles={PREDICTION: "prediction"}).columns
        unrest = {name: calibration(column, _CALIBRATED) for name, column in columns.items()}
        return replace(rows, columns=columns), unrest

    def _statistics_of(self, model: int, window: int) -> list[ColumnStatistics]:
        reference, unrest = self._reference(model)
        rows = self.year.frame[[*self.year.features, TARGET]][self.year.rows(window)]
        arrays = {name: rows[name].to_numpy() for name in rows} | {PREDICTION: self.matrix.score(model, window)}
        profile = profile_arrays(arrays, reference=reference)
        measured = measure(reference, profile, _UNCALIBRATED, {})
        return [replace(one, calibration=unrest[one.column]) for one in measured]

    def _measured_of(self, model: int, window: int) -> Measured:
        """A week's AUC beside that of the model's evaluation."""
        late = self.year.late[self.year.rows(window)]
        draws = weighted_metric(_AUC, late, self._output(model, window))
        weights = draw_weights(len(late), _DRAWS, np.random.default_rng(0))
        policy = PerformancePolicy()
        low, high = np.quantile(draws(weights), [policy.alpha, 1 - policy.alpha])
        value, evaluated = float(self.matrix.auc[model, window]), self.year.rows(model - 1)
        return Measured(
            metric=_AUC.name,
            greater_is_better=True,
            value=value,
            low=float(low),
            high=float(high),
            values={_AUC.name: value},
            labelled=len(late),
            predicted=len(late),
            baseline=float(self.matrix.auc[model - 1, model - 1]),
            baseline_rows=evaluated.stop - evaluated.start,
        )

    def _better_of(self, previous: int, model: int, window: int) -> bool:
        """Whether the model before does surely better on the rows of a window than the one in office."""
        difference = paired_difference(
            _AUC,
            self.year.late[self.year.rows(window)],
            self._output(previous, window),
            self._output(model, window),
            alpha=PerformancePolicy().alpha,
            n_boot=_DRAWS,
            seed=0,
        )
        return difference.low > 0

    def _output(self, model: int, window: int) -> Output:
        scores = self.matrix.score(model, window)
        return Output(labels=scores > 0.5, scores=scores)
