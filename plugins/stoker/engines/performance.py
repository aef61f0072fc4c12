"""How well a model in office predicts, measured on labels that come late, twice, and in any order."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from scipy.stats import ks_2samp

from stoker.core import clock as time
from stoker.core.performance import Measured, PerformancePolicy, judge_performance
from stoker.core.promotion import PairedDifference
from stoker.core.records import Reference
from stoker.core.verdicts import Outcome, Verdict
from stoker.engines import metrics
from stoker.engines.bootstrap import draw_weights, paired_difference, weighted_metric
from stoker.engines.label_join import Joined, Labels, Shadow, join_labels
from stoker.engines.metrics import Array, Metric, Output
from stoker.engines.prediction import encode
from stoker.engines.shadows import Beside, comparable
from stoker.errors import UsageError
from stoker.loop.cohorts import Cohort, cohorts
from stoker.loop.windows import WindowLog
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.documents import put_document

log = logging.getLogger(__name__)

_SEED = 0
_CHUNK_VALUES = 2_000_000  # weights held at once: 16 MB
_MOST_DRAWN = 20_000  # rows of a draw: about two seconds for 1,000 draws, whatever the size of the window
_SHOWN_REASON = 300  # characters of a reason in a summary; the whole text stands in the document
# A warning must not depend on the number of rows alone: with enough of them every difference is significant.
_BIAS_DISTANCE, _BIAS_P, _BIAS_ROWS = 0.1, 0.01, 20


def monitor_performance(
    store: ObjectStore,
    *,
    model: str,
    version_number: int | None,
    manifest: Mapping[str, Any] | None,
    labels: Labels,
    id_columns: Sequence[str],
    as_of: datetime,
    policy: PerformancePolicy,
    label_column: str | None = None,
    window: str | None = None,
    manifest_of: Callable[[int], Mapping[str, Any]] | None = None,
    max_threads: int | None = None,
    clock: time.Clock = time.system_clock,
) -> Reference:
    """Judge a version on its newest matured cohorts, store what was found, and note the window.

    Only cohorts whose label delay is over count, so the answer is final: it depends neither on when it is asked for, nor on the order or
    number of deliveries of labels; see :func:`~stoker.engines.label_join.join_labels`. A row whose labels contradict each other counts as
    unlabelled. Cohorts that the version was trained on tell nothing of it, and do not count.

    Where one other version scored all these rows beside, its value and the paired difference to it are in the summary as ``shadow``. They
    have no part in the verdict, which is about what was promised; that a week is hard for every model is for triage to see.

    :param version_number: the version to judge; ``None`` when there is none yet, which gives ``not_configured``.
    :param manifest: its manifest, with the evaluation that it is compared with.
    :param labels: datasets with id columns and label column.
    :param id_columns: tell predictions apart over all cohorts that are judged together.
    :param as_of: the moment that decides what has matured; the end of the interval of a run, never the time of the call.
    :param label_column: by default the target of the model.
    :param window: judge as if the cohort of this partition were the newest; the newest matured one without it.
    :param manifest_of: the manifest of a version, by its number. Without it no shadow is compared, for one of other classes, or one that
        was trained on these rows, must not be.
    :param max_threads: threads of the join.
    :returns: a reference of kind ``performance``.
    :raises SchemaMismatch: when labels lack columns or hold another type than predictions.
    :raises UnsuitableData: when two cohorts hold the same id.
    :raises UsageError: when the policy names a metric that the task, or what is kept of predictions, does not have.
    """
    facts: dict[str, Any] = {
        "kind": "performance",
        "model": model,
        "version": version_number,
        "window": window,
        "shadow": None,
        "policy": {**asdict(policy), "label_delay": policy.label_delay.total_seconds()},
    }
    if version_number is None or manifest is None:
        reason = f"{model} has no version in office yet, so there is nothing to judge."
        return _reference(store, facts, Verdict(Outcome.NOT_CONFIGURED, (reason,)))
    candidate = manifest["candidate"]
    label_column = label_column or candidate["target"]
    metric, bounded = _metrics(policy, candidate["task"])
    matured = [
        cohort
        for cohort in cohorts(store, model, until=window)
        if cohort.version == version_number
        and not cohort.trained(candidate)
        and cohort.matured(as_of, policy.label_delay)
    ]
    facts |= {"metric": metric.name, "label_column": label_column, "windows_since_promotion": len(matured)}
    if not matured or window not in {None, matured[-1].partition}:
        return _reference(store, facts, _none_matured(window, version_number, as_of))
    pooled = matured[-policy.windows :]
    facts["window"] = pooled[-1].partition
    joined = join_labels(
        store, pooled, labels=labels, label_column=label_column, id_columns=id_columns, max_threads=max_threads
    )
    rows = _labelled(joined, candidate)
    measured = _measure(joined, rows, candidate["task"], metric, bounded, policy, manifest.get("evaluation"))
    facts |= _facts(measured, joined, pooled)
    verdict = judge_performance(measured, policy)
    other = manifest_of(joined.shadow.version)["candidate"] if manifest_of and joined.shadow else None
    if other is not None and comparable(candidate, other, pooled) and verdict.outcome is not Outcome.INSUFFICIENT_DATA:
        beside = _beside(joined, rows, candidate, metric, policy)
        facts["shadow"] = beside.to_record()
        verdict = replace(verdict, reasons=(*verdict.reasons, beside.reason))
    log.info("Window %s of %s v%d: %s: %s", facts["window"], model, version_number, verdict.outcome, verdict.reasons[0])
    reference = _reference(store, facts, verdict)
    noted = {name: facts[name] for name in ("metric", "value", "interval", "baseline", "coverage")}
    WindowLog(store, model, "performance", clock=clock).record(
        facts["window"],
        version_number,
        pooled[-1].end,
        {"document": reference.digest, "verdict": verdict.outcome.value, **noted},
    )
    return reference


def _none_matured(window: str | None, version: int, as_of: datetime) -> Verdict:
    what = "Some cohort" if window is None else f"The cohort {window}"
    reason = f"{what} must have matured by {time.to_text(as_of)} that version {version} scored and was not trained on; none has."
    return Verdict(Outcome.INSUFFICIENT_DATA, (reason,))


def _metrics(policy: PerformancePolicy, task: str) -> tuple[Metric, list[Metric]]:
    """The watched metric, and those that have bounds.

    :raises UsageError: when one needs more than the prediction log keeps.
    """
    metric = metrics.find(policy.metric or metrics.DEFAULT_METRIC[task], task)
    bounded = [metrics.find(name, task) for name in policy.thresholds]
    if task == metrics.MULTICLASS:
        wanting = sorted({one.name for one in (metric, *bounded) if one.needs != "labels"})
        if wanting:
            raise UsageError(
                f"A metric of a multiclass model in office must need predicted classes alone, for no more is kept of a prediction; "
                f"{', '.join(wanting)} needs the scores of all classes. Choose balanced_accuracy, accuracy or f1_macro."
            )
    return metric, bounded


@dataclass(frozen=True)
class _Rows:
    """The rows that a metric can be measured on.

    :param places: where they stand among all rows.
    :param unknown: how many labelled rows are left out, being of a class that the model was never shown.
    """

    places: Array
    y: Array
    output: Output
    unknown: int


def _measure(
    joined: Joined,
    rows: _Rows,
    task: str,
    metric: Metric,
    bounded: Sequence[Metric],
    policy: PerformancePolicy,
    evaluation: Mapping[str, Any] | None,
) -> Measured:
    y, output = rows.y, rows.output
    low, high = _interval(metric, y, output, policy)
    baseline = _baseline(metric, task, evaluation)
    return Measured(
        metric=metric.name,
        greater_is_better=metric.greater_is_better,
        value=metric(y, output),
        low=low,
        high=high,
        values=metrics.evaluate_all(bounded, y, output),
        labelled=len(y),
        predicted=len(joined.answers),
        baseline=baseline,
        baseline_rows=evaluation["rows"] if evaluation and baseline is not None else 0,
        warnings=_warnings(joined, rows.unknown),
    )


def _labelled(joined: Joined, candidate: Mapping[str, Any]) -> _Rows:
    places = np.flatnonzero(joined.labelled)
    label, unknown = joined.label.iloc[places], 0
    if candidate["task"] == metrics.REGRESSION:
        y = label.to_numpy(dtype=np.float64)
    else:
        y = encode(label, candidate["classes"])
        known = np.flatnonzero(y >= 0)
        unknown = len(y) - len(known)
        places, y = places[known], y[known]
    return _Rows(places, y, _output(joined, candidate, places), unknown)


def _output(said: Joined | Shadow, candidate: Mapping[str, Any], places: Array) -> Output:
    prediction, score = said.prediction.iloc[places], said.score[places]
    if candidate["task"] == metrics.REGRESSION:
        return Output(prediction.to_numpy(dtype=np.float64))
    labels = encode(prediction, candidate["classes"])
    if candidate["task"] == metrics.MULTICLASS or not np.isfinite(score).all():
        return Output(labels)
    # What the model says of its scores is not kept; decision functions of many rows do not stay between 0 and 1.
    return Output(labels, score, calibrated=bool(((score >= 0) & (score <= 1)).all()))


def _beside(
    joined: Joined, rows: _Rows, candidate: Mapping[str, Any], metric: Metric, policy: PerformancePolicy
) -> Beside:
    """The version in office and its shadow on the same rows; of many rows a random part is resampled, as in :func:`_interval`."""
    assert joined.shadow is not None  # noqa: S101 - the caller looked
    y, office, shadow = rows.y, rows.output, _output(joined.shadow, candidate, rows.places)
    sign = 1.0 if metric.greater_is_better else -1.0
    values = metric(y, office), metric(y, shadow)
    estimate, shrink = sign * (values[0] - values[1]), math.sqrt(min(1.0, _MOST_DRAWN / len(y)))
    if len(y) > _MOST_DRAWN:
        part = np.random.default_rng(_SEED).choice(len(y), _MOST_DRAWN, replace=False)
        y, office, shadow = y[part], office.take(part), shadow.take(part)
    drawn = paired_difference(metric, y, office, shadow, alpha=policy.alpha, n_boot=policy.n_boot, seed=_SEED)
    low, high = (estimate + shrink * (end - drawn.estimate) for end in (drawn.low, drawn.high))
    return Beside(joined.shadow.version, PairedDifference(metric.name, *values, estimate, low, high))


def _interval(metric: Metric, y: Array, output: Output, policy: PerformancePolicy) -> tuple[float, float]:
    """The percentile interval from ``alpha`` to ``1 - alpha``; NaN when more than ``alpha`` of the draws are undefined.

    Of many rows a random part is resampled, and its deviations shrink with the square root of the share: the m out of n bootstrap
    (Politis & Romano, *Large sample confidence regions based on subsamples under minimal assumptions*, 1994).
    """
    if len(y) == 0:
        return math.nan, math.nan
    generator, value = np.random.default_rng(_SEED), metric(y, output)
    shrink = math.sqrt(min(1.0, _MOST_DRAWN / len(y)))
    if len(y) > _MOST_DRAWN:
        part = generator.choice(len(y), _MOST_DRAWN, replace=False)
        y, output = y[part], output.take(part)
    draw, most = weighted_metric(metric, y, output), max(1, _CHUNK_VALUES // len(y))
    sizes = [min(most, policy.n_boot - start) for start in range(0, policy.n_boot, most)]
    values = np.concatenate([draw(draw_weights(len(y), size, generator)) for size in sizes])
    defined = values[np.isfinite(values)]
    if len(defined) < (1 - policy.alpha) * policy.n_boot:
        return math.nan, math.nan
    low, high = value + shrink * (np.quantile(defined, [policy.alpha, 1 - policy.alpha]) - metric(y, output))
    return float(low), float(high)


def _baseline(metric: Metric, task: str, evaluation: Mapping[str, Any] | None) -> float | None:
    """The metric at the version's own evaluation, where it may stand under another of its names."""
    known = (evaluation or {}).get("metrics", {})
    if known.get(metric.name) is not None:
        return float(known[metric.name])
    same = (other for other in metrics.defaults(task) if other.score is metric.score and other.scorer == metric.scorer)
    value = next((known.get(other.name) for other in same), None)
    return None if value is None else float(-value if metric.negated else value)


def _warnings(joined: Joined, unknown: int) -> tuple[str, ...]:
    found = []
    contradicting = int(np.count_nonzero(joined.answers > 1))
    if contradicting:
        found.append(
            f"{contradicting} rows have labels that contradict each other, none newer than the others; they count as unlabelled."
        )
    if unknown:
        found.append(f"{unknown} labelled rows are of a class that the model was never shown; they are left out.")
    bias = _selection_bias(joined)
    if bias is not None and bias[0] >= _BIAS_DISTANCE and bias[1] <= _BIAS_P:
        found.append(
            f"Warning: selection bias. The scores of labelled and unlabelled rows differ (Kolmogorov-Smirnov distance {bias[0]:.2f}, "
            f"p = {bias[1]:.2g}), so the labelled ones are no fair sample."
        )
    return tuple(found)


def _selection_bias(joined: Joined) -> tuple[float, float] | None:
    """How far the scores of labelled rows are from those of the others: Kolmogorov-Smirnov distance and p."""
    scored = np.isfinite(joined.score)
    labelled, others = joined.score[scored & joined.labelled], joined.score[scored & ~joined.labelled]
    if min(len(labelled), len(others)) < _BIAS_ROWS:
        return None
    found = ks_2samp(labelled, others, method="asymp")
    return float(found.statistic), float(found.pvalue)


def _facts(measured: Measured, joined: Joined, pooled: Sequence[Cohort]) -> dict[str, Any]:
    bias = _selection_bias(joined)
    return {
        "cohorts": [
            {
                "partition": cohort.partition,
                "predictions": cohort.digest,
                "rows": int(np.count_nonzero(joined.cohort == number)),
                "labelled": int(np.count_nonzero(joined.labelled & (joined.cohort == number))),
            }
            for number, cohort in enumerate(pooled)
        ],
        "joined": joined.data_id,
        "predicted": measured.predicted,
        "labelled": measured.labelled,
        "contradicting": int(np.count_nonzero(joined.answers > 1)),
        "coverage": measured.coverage,
        "value": _finite(measured.value),
        "interval": [_finite(measured.low), _finite(measured.high)],
        "values": {name: _finite(value) for name, value in measured.values.items()},
        "baseline": measured.baseline,
        "baseline_rows": measured.baseline_rows,
        "change": measured.change(),
        "selection_bias": None if bias is None else {"distance": bias[0], "p": bias[1]},
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _reference(store: ObjectStore, facts: dict[str, Any], verdict: Verdict) -> Reference:
    digest = put_document(store, {**facts, "verdict": verdict.to_record()})
    summary = (
        "window",
        "version",
        "metric",
        "value",
        "interval",
        "baseline",
        "coverage",
        "windows_since_promotion",
        "shadow",
    )
    return Reference(
        kind="performance",
        uri=f"{store.uri}/{layout.blob(digest)}",
        digest=digest,
        verdict=verdict.outcome.value,
        summary={
            "verdict": verdict.outcome.value,
            "reasons": [reason[:_SHOWN_REASON] for reason in verdict.reasons[:5]],
            "kinds": ["concept"] if verdict.outcome is Outcome.FAIL else [],
            **{name: facts.get(name) for name in summary},
        },
    )
