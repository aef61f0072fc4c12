"""Whether a model in office still does what it did when it was evaluated, decided from numbers alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from stoker.core.policies import Bounds
from stoker.core.promotion import judge_thresholds
from stoker.core.verdicts import Outcome, Verdict, combine
from stoker.errors import ConfigurationError


@dataclass(frozen=True)
class PerformancePolicy:
    """The rules of :class:`~stoker.operators.performance.MonitorPerformanceOperator`.

    :param metric: the metric that is watched; ``None`` for the task's own.
    :param thresholds: metric name to bounds, on the rows of the window.
    :param max_drop: how much worse than at its evaluation the model may be, in units of the metric; 0 or more.
    :param alpha: the share of healthy windows that may be called a drop, one-sided; between 0.0001 and 0.5.
    :param label_delay: how long after its last row a cohort's labels are complete.
    :param min_coverage: share of predicted rows that must have a label; below there is no verdict.
    :param min_rows: labelled rows below which there is no verdict; at least 2.
    :param windows: how many of the newest matured cohorts are judged together; at least 1.
    :param n_boot: draws of the bootstrap; at least 100.
    """

    metric: str | None = None
    thresholds: dict[str, Bounds] = field(default_factory=dict)
    max_drop: float = 0.0
    alpha: float = 0.05
    label_delay: timedelta = timedelta(0)
    min_coverage: float = 0.8
    min_rows: int = 200
    windows: int = 1
    n_boot: int = 1000

    def __post_init__(self) -> None:
        limits = {
            "max_drop": (0.0, math.inf),
            "alpha": (0.0001, 0.5),
            "min_coverage": (0.0, 1.0),
            "min_rows": (2, math.inf),
            "windows": (1, math.inf),
            "n_boot": (100, 1_000_000),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:  # also refuses NaN
                raise ConfigurationError(f"{name} must lie between {low} and {high}; got {getattr(self, name)}.")
        if self.label_delay < timedelta(0):
            raise ConfigurationError(f"label_delay must not be negative; got {self.label_delay}.")


@dataclass(frozen=True)
class Measured:
    """What was measured on the labelled rows of a window.

    :param metric: the watched metric's name.
    :param greater_is_better: its direction.
    :param value: the metric on the labelled rows; NaN where it is undefined.
    :param low: lower end of its two-sided ``1 - 2 * alpha`` bootstrap interval.
    :param high: upper end.
    :param values: metric name to value, for the thresholds.
    :param labelled: rows with a prediction and a label.
    :param predicted: rows with a prediction.
    :param baseline: the metric at the version's own evaluation; ``None`` when it is not known.
    :param baseline_rows: the rows of that evaluation; 0 when they are not known.
    :param warnings: sentences that every reader of the verdict must see.
    """

    metric: str
    greater_is_better: bool
    value: float
    low: float
    high: float
    values: Mapping[str, float]
    labelled: int
    predicted: int
    baseline: float | None = None
    baseline_rows: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def coverage(self) -> float:
        """The share of predicted rows that have a label."""
        return self.labelled / self.predicted if self.predicted else 0.0

    def change(self) -> tuple[float, float, float] | None:
        """How much better the model is than at its evaluation, with the ends of the interval; negative is worse.

        Both values were measured on a sample. The bootstrap knows the noise of one; that of the other follows from its
        number of rows, for the variance of a mean falls with 1/n, and variances of independent samples add up.
        """
        if self.baseline is None or not all(map(math.isfinite, (self.value, self.low, self.high))):
            return None
        widening = math.sqrt(1 + self.labelled / self.baseline_rows) if self.baseline_rows else 1.0
        change = self.value - self.baseline
        below, above = widening * (self.value - self.low), widening * (self.high - self.value)
        if self.greater_is_better:
            return change, change - below, change + above
        return -change, -change - above, -change + below


def judge_performance(measured: Measured, policy: PerformancePolicy) -> Verdict:
    """Judge a window of matured cohorts.

    ``fail`` when the model is worse than at its evaluation by more than ``max_drop`` even at the upper end of the interval, or a threshold
    is broken; ``inconclusive`` when the interval holds both answers; ``insufficient_data`` when too few rows have labels: those may be
    the easy ones, so nothing is concluded from them; ``not_configured`` when there is neither a baseline nor a threshold.
    """
    sample = _judge_sample(measured, policy)
    verdict = sample if sample is not None else combine(_verdicts(measured, policy))
    return Verdict(verdict.outcome, (*verdict.reasons, *measured.warnings), verdict.numbers)


def _judge_sample(measured: Measured, policy: PerformancePolicy) -> Verdict | None:
    shares = f"{measured.labelled} of {measured.predicted} predicted rows have a label ({measured.coverage:.1%})"
    if measured.coverage < policy.min_coverage:
        reason = (
            f"{shares}; at least {policy.min_coverage:.1%} are needed. Labels that are there may differ from those that are not "
            "(selection bias), so no verdict rests on them."
        )
        return Verdict(Outcome.INSUFFICIENT_DATA, (reason,))
    if measured.labelled < policy.min_rows:
        return Verdict(Outcome.INSUFFICIENT_DATA, (f"{shares}; at least {policy.min_rows} rows are needed.",))
    return None


def _verdicts(measured: Measured, policy: PerformancePolicy) -> list[Verdict]:
    verdicts = [judge_thresholds(measured.values, policy.thresholds)] if policy.thresholds else []
    if measured.baseline is not None:
        verdicts.append(_judge_change(measured, policy))
    return verdicts


def _judge_change(measured: Measured, policy: PerformancePolicy) -> Verdict:
    change = measured.change()
    if change is None:
        return Verdict(Outcome.INSUFFICIENT_DATA, (f"{measured.metric} is undefined on these rows.",))
    estimate, low, high = change
    allowed = (
        f"worse than at its evaluation by more than {policy.max_drop:g}"
        if policy.max_drop
        else "worse than at its evaluation"
    )
    facts = (
        f"{measured.metric} {measured.value:.4f} against {measured.baseline:.4f} then: change {estimate:+.4f} (negative is worse), "
        f"interval {low:+.4f} to {high:+.4f}"
    )
    if high < -policy.max_drop:
        return Verdict(Outcome.FAIL, (f"The model is {allowed}: {facts}.",))
    if low >= -policy.max_drop:
        return Verdict(Outcome.PASS, (f"The model is not {allowed}: {facts}.",))
    return Verdict(Outcome.INCONCLUSIVE, (f"These rows cannot tell whether the model is {allowed}: {facts}.",))
