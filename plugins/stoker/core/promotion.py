"""Whether a challenger may take over, decided from numbers alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from stoker.core.policies import Bounds, Comparison, GatePolicy
from stoker.core.verdicts import Outcome, Verdict


@dataclass(frozen=True)
class PairedDifference:
    """How much better the challenger is than the champion on the same rows.

    :param metric: the metric's name.
    :param challenger: its value for the challenger.
    :param champion: its value for the champion.
    :param estimate: the difference, positive when the challenger is better, whatever the sign of the metric.
    :param low: lower end of the two-sided ``1 - 2 * alpha`` bootstrap interval of the difference.
    :param high: upper end.
    """

    metric: str
    challenger: float
    champion: float
    estimate: float
    low: float
    high: float


def judge_thresholds(metrics: Mapping[str, float], thresholds: Mapping[str, Bounds]) -> Verdict:
    """Judge metric values against fixed bounds. A value that is not finite is never a pass."""
    if not thresholds:
        return Verdict(Outcome.NOT_CONFIGURED, ("No thresholds are configured.",))
    undefined = [name for name in thresholds if not math.isfinite(metrics.get(name, math.nan))]
    if undefined:
        return Verdict(
            Outcome.INSUFFICIENT_DATA,
            tuple(f"{name} is undefined on these rows, so it cannot be judged." for name in undefined),
        )
    broken = [reason for name, bounds in thresholds.items() for reason in _breaches(name, metrics[name], bounds)]
    if broken:
        return Verdict(Outcome.FAIL, tuple(broken))
    kept = ", ".join(f"{name} {metrics[name]:.4f}" for name in thresholds)
    return Verdict(Outcome.PASS, (f"All thresholds are kept: {kept}.",))


def judge_comparison(difference: PairedDifference | None, policy: GatePolicy) -> Verdict:
    """Judge the paired comparison with the champion.

    The challenger passes when the lower end of the interval clears the bar: above ``margin`` for superiority, above
    ``-margin`` for non-inferiority. When the upper end lies below the bar it fails. In between the data cannot tell,
    and the champion stays.

    :param difference: ``None`` when there is no champion yet: then only the thresholds decide.
    """
    if difference is None:
        return Verdict(Outcome.PASS, ("There is no champion yet, so the thresholds alone decide.",))
    if not all(math.isfinite(value) for value in (difference.estimate, difference.low, difference.high)):
        return Verdict(
            Outcome.INSUFFICIENT_DATA, (f"The difference in {difference.metric} is undefined on these rows.",)
        )
    superior = policy.comparison is Comparison.SUPERIORITY
    bar = policy.margin if superior else -policy.margin
    wanted = f"worse by less than {policy.margin:g}"
    if superior:
        wanted = f"better by more than {bar:g}" if bar else "better"
    facts = (
        f"{difference.metric} {difference.challenger:.4f} against the champion's {difference.champion:.4f}: difference "
        f"{difference.estimate:+.4f}, interval {difference.low:+.4f} to {difference.high:+.4f}"
    )
    if difference.low > bar:
        return Verdict(Outcome.PASS, (f"The challenger is {wanted}: {facts}.",))
    if difference.high <= bar:
        return Verdict(Outcome.FAIL, (f"The challenger is not {wanted}: {facts}.",))
    return Verdict(Outcome.INCONCLUSIVE, (f"These rows cannot tell whether the challenger is {wanted}: {facts}.",))


def judge_size(rows: int, policy: GatePolicy) -> Verdict:
    """Judge whether there are enough rows to judge anything."""
    if rows < policy.min_rows:
        return Verdict(
            Outcome.INSUFFICIENT_DATA, (f"At least {policy.min_rows} evaluation rows are needed; there are {rows}.",)
        )
    return Verdict(Outcome.PASS, (f"{rows} evaluation rows.",))


def judge_overlap(share: float, whose: str, policy: GatePolicy) -> Verdict:
    """Judge the share of evaluation rows on which a model was trained."""
    allowed = f"{policy.max_overlap:.2%}"
    if share > policy.max_overlap:
        reason = (
            f"Invalid comparison: {share:.2%} of the evaluation rows are training rows of {whose}; at most {allowed} may be. "
            "Evaluate on rows that neither model has seen."
        )
        return Verdict(Outcome.FAIL, (reason,))
    return Verdict(Outcome.PASS, (f"At most {allowed} of the evaluation rows are training rows of {whose}.",))


def judge_dummy(model: float, dummy: float, metric: str, *, greater_is_better: bool) -> Verdict:
    """Judge whether the model beats a predictor that ignores its input."""
    if not (math.isfinite(model) and math.isfinite(dummy)):
        return Verdict(Outcome.INSUFFICIENT_DATA, (f"{metric} against the dummy baseline is undefined on these rows.",))
    better = model > dummy if greater_is_better else model < dummy
    if not better:
        return Verdict(
            Outcome.FAIL, (f"{metric} {model:.4f} is no better than {dummy:.4f} of a dummy that ignores its input.",)
        )
    return Verdict(Outcome.PASS, (f"{metric} {model:.4f} beats the dummy's {dummy:.4f}.",))


def _breaches(name: str, value: float, bounds: Bounds) -> list[str]:
    found = []
    if bounds.min is not None and value < bounds.min:
        found.append(f"{name} must be at least {bounds.min:g}; it is {value:.4f}.")
    if bounds.max is not None and value > bounds.max:
        found.append(f"{name} must be at most {bounds.max:g}; it is {value:.4f}.")
    return found
